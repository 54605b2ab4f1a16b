//! A log that others write too: this hub holds its tail, and asks for what lies behind it.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;

pub(in crate::broker) use super::topics::Start;
use super::{Aftermath, Hub};
use crate::broker::{
    BrokerConfig, Epoch, JournalError, Position, StartFrom, SubscribeRequest, Subscribed,
    journal::Entry, packed::Parts, partition::Partitions, queues::Ledger, replay::Stride,
    ring::Stored, subscription::Subscription,
};

/// What a hub needs from such a log.
#[async_trait]
pub(in crate::broker) trait Remote: fmt::Debug + Send + Sync {
    /// Whether this hub has read all that was receipted here.
    fn is_current(&self, hub: &Hub, partition: usize) -> bool;

    /// Waits until the hub is current, and finds out where a subscription begins.
    async fn find_start(&self, hub: &Hub, request: &SubscribeRequest) -> Start;

    /// Some messages of a destination behind `after`; `None` where the log no longer has them.
    async fn stride(
        &self,
        hub: &Hub,
        route: &str,
        after: u64,
        max: usize,
    ) -> Result<Option<Stride>, JournalError>;
}

impl Hub {
    /// A hub over a log of many partitions, which it reads from behind these offsets on.
    pub(in crate::broker) fn reading(
        config: BrokerConfig,
        epoch: Epoch,
        starts: Vec<u64>,
        remote: Arc<dyn Remote>,
        ledger: Arc<dyn Ledger>,
    ) -> Self {
        let mut hub =
            Self { epoch, remote: Some(remote), ledger: Some(ledger), ..Self::in_memory(config) };
        let partitions = Partitions::new(starts.len() as u32).keyed(hub.config.partition_key);
        hub.channels.divide(partitions);
        let log = hub.log.get_mut();
        log.heads = starts.iter().map(|start| start + 1).collect();
        log.ring.start_behind_each(starts);
        hub
    }

    /// Takes in a record of the log, and makes it a message if somebody here listens. Called in
    /// log order.
    pub(in crate::broker) fn arrive(
        self: &Arc<Self>,
        parts: &Parts<'_>,
        place: (usize, u64),
        at_ms: u64,
    ) {
        let (partition, offset) = place;
        let channel = self.channels.open(parts.route, &self.log);
        let mut state = channel.lock();
        let mut log = self.log.lock();
        log.refresh(&mut state, parts.route);
        // Whoever joins needs one of these locks, so nobody can come between this and the ring.
        let aftermath = if state.members.is_empty() && state.patterns.is_empty() {
            let place = log.arrive(partition, offset);
            let stored = Stored::Packed(log.packer.pack(parts));
            let evicted = log.ring.push(state.slot, place, at_ms, stored, u64::MAX);
            drop(log);
            Aftermath { evicted, ..Aftermath::default() }
        } else {
            drop(log);
            let body = Bytes::copy_from_slice(parts.body);
            let logged = Arc::new(parts.logged(self.position(offset), body));
            self.deliver(&mut state, self.log.lock(), &Entry { offset, at_ms, logged })
        };
        drop(state);
        drop(channel);
        self.clean_up(aftermath);
    }

    /// Passes over a record that brings nothing to anybody.
    pub(in crate::broker) fn skip(&self, partition: usize, offset: u64) {
        self.log.lock().heads[partition] = offset + 1;
    }

    /// How many partitions the log has.
    pub(in crate::broker) fn partitions(&self) -> usize {
        self.log.lock().heads.len()
    }

    /// Which partition a destination belongs to.
    pub(in crate::broker) fn partition(&self, route: &str) -> usize {
        self.channels.partition(route)
    }

    /// The offset of the newest record of a partition that came here.
    pub(in crate::broker) fn newest_in(&self, partition: usize) -> u64 {
        self.log.lock().newest_in(partition)
    }

    /// Whether the hub has to read on before it can say where a subscription begins.
    pub(super) fn must_read_on(&self, request: &SubscribeRequest) -> bool {
        let Some(remote) = &self.remote else { return false };
        if self.words.is_pattern(&request.route) {
            return !(0..self.partitions()).all(|partition| remote.is_current(self, partition));
        }
        let partition = self.partition(&request.route);
        !remote.is_current(self, partition)
            || matches!(request.from, Some(StartFrom::After(place)) if self.is_ahead(partition, place))
    }

    /// Makes a subscription that had to wait.
    pub(super) fn join_anyhow(
        self: &Arc<Self>,
        subscription: &Arc<Subscription>,
        start: Start,
    ) -> Subscribed {
        if self.words.is_pattern(&subscription.request.route) {
            return self.join_by_pattern(subscription);
        }
        self.join(subscription, start)
    }

    /// Whether a route is a pattern, and so belongs to no partition.
    pub(in crate::broker) fn is_pattern(&self, route: &str) -> bool {
        self.words.is_pattern(route)
    }

    fn is_ahead(&self, partition: usize, place: Position) -> bool {
        place.epoch == self.epoch && place.offset > self.newest_in(partition)
    }
}
