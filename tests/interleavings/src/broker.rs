//! The subscription index, over the ring that decides when a destination may be forgotten.

pub(crate) use stomp_server::broker::{
    ConnectionId, DedupeKey, Delivery, Epoch, Logged, MessageId, Position, SubscriptionKey,
};

#[path = "../../../stomp-server/src/broker/channel.rs"]
mod channel;
#[path = "../../../stomp-server/src/broker/packed.rs"]
mod packed;
#[path = "../../../stomp-server/src/broker/partition.rs"]
mod partition;
#[path = "../../../stomp-server/src/broker/ring.rs"]
mod ring;

/// What the index needs of the hub.
mod hub {
    #[derive(Debug)]
    pub(super) struct Log {
        pub(super) next: u64,
        pub(super) ring: super::ring::Ring,
    }
}

/// What it needs of a subscription; and what that has got.
mod subscription {
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Debug)]
    pub(super) struct Member {
        pub(super) key: super::SubscriptionKey,
        pub(super) got: Arc<Mutex<Vec<u64>>>,
    }
}

pub mod questions {
    use std::sync::{Arc, Mutex as Plain};

    use shuttle::thread;
    use stomp_core::SharedMessage;

    use super::{
        ConnectionId, Logged, MessageId, SubscriptionKey,
        channel::Channels,
        hub::Log,
        packed::Packer,
        ring::{Place, Ring, Stored},
        subscription::Member,
    };
    use crate::sync::Mutex;

    const ROUTES: [&str; 2] = ["/topic/a", "/topic/b"];
    const EACH: usize = 3;

    struct Hub {
        channels: Channels,
        log: Mutex<Log>,
        /// Every message of each route, as it was appended.
        appended: [Plain<Vec<u64>>; 2],
    }

    impl Hub {
        fn new() -> Arc<Self> {
            // Room for no message beside the newest: each one makes the one before it leave.
            let log = Log { next: 1, ring: Ring::new(1) };
            Arc::new(Self {
                channels: Channels::default(),
                log: Mutex::new(log),
                appended: Default::default(),
            })
        }

        /// As the server's hub appends: under the channel's lock, then the log's.
        fn publish(&self, route: usize) {
            let channel = self.channels.open(ROUTES[route], &self.log);
            let mut state = channel.lock();
            let mut log = self.log.lock();
            let offset = log.next;
            log.next += 1;
            let place = Place { arrival: offset, partition: 0, offset };
            let stored = Stored::of(&logged(ROUTES[route]), &mut Packer::default());
            let evicted = log.ring.push(state.slot, place, 0, stored, u64::MAX);
            drop(log);
            self.appended[route].lock().unwrap().push(offset);
            for member in &mut state.members {
                member.got.lock().unwrap().push(offset);
            }
            drop(state);
            drop(channel);
            for gone in evicted.iter().filter(|gone| gone.was_last) {
                self.channels.vacate(gone.stored.route(), &self.log);
            }
        }

        /// Joins, and tells what had been appended by then.
        fn join(&self, route: usize, number: u32) -> (Member, usize) {
            let key = SubscriptionKey { connection: ConnectionId(1), number };
            let member = Member { key, got: Arc::default() };
            let channel = self.channels.open(ROUTES[route], &self.log);
            let mut state = channel.lock();
            state.put(member.clone());
            let before = self.appended[route].lock().unwrap().len();
            (member, before)
        }

        fn leave(&self, route: usize, number: u32) {
            let Some(channel) = self.channels.find(ROUTES[route]) else { return };
            channel.lock().members.retain(|member| member.key.number != number);
            drop(channel);
            self.channels.vacate(ROUTES[route], &self.log);
        }
    }

    /// A destination may be forgotten while others publish to it and subscribe to it: whoever has
    /// joined gets everything that is appended afterwards.
    pub fn whoever_has_joined_gets_everything() {
        let hub = Hub::new();
        let mut threads = Vec::new();
        for route in 0..ROUTES.len() {
            let hub = hub.clone();
            threads.push(thread::spawn(move || (0..EACH).for_each(|_| hub.publish(route))));
        }
        let other = hub.clone();
        threads.push(thread::spawn(move || {
            other.join(0, 7);
            other.leave(0, 7);
        }));
        let (member, before) = hub.join(0, 1);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        hub.publish(0);
        let appended = hub.appended[0].lock().unwrap().clone();
        let got = member.got.lock().unwrap().clone();
        assert_eq!(got, appended[before..], "all that was appended behind its joining, in order");
    }

    fn logged(route: &str) -> Logged {
        Logged {
            route: route.into(),
            id: MessageId::Volatile(0),
            position: None,
            message: SharedMessage::new(route, [("", ""); 0], "x"),
            dedupe: None,
            wire: Default::default(),
        }
    }
}
