//! The outbound queue.

#[path = "../../../stomp-server/src/session/outbound.rs"]
mod outbound;
#[path = "../../../stomp-server/src/session/wake.rs"]
mod wake;

pub mod questions {
    use std::{future::poll_fn, sync::Arc, task::Poll};

    use shuttle::{future::block_on, thread};
    use stomp_core::SharedMessage;
    use stomp_server::broker::{ConnectionId, Delivery, Logged, MessageId, SubscriptionKey, Token};

    use super::outbound::{Offer, Outbound, OutboundQueue, SlowConsumer, outbound};
    use crate::sync::{AtomicWaker, Mutex};

    const PUBLISHERS: u32 = 2;
    const EACH: u64 = 3;

    /// Whatever is delivered arrives, in each publisher's order, and the reader does not oversleep.
    pub fn what_is_delivered_arrives() {
        let (handle, queue) = of(usize::MAX);
        let publish = |publisher, handle: Outbound| {
            for number in 0..EACH {
                assert_eq!(handle.deliver(delivery(publisher, number)), Offer::Taken);
            }
        };
        let publishers: Vec<_> = (0..PUBLISHERS)
            .map(|publisher| {
                let handle = handle.clone();
                thread::spawn(move || publish(publisher, handle))
            })
            .collect();
        read_all(&queue, usize::MAX);
        publishers.into_iter().for_each(|publisher| publisher.join().unwrap());
        assert_eq!(handle.waiting(), 0, "all room has been given back");
    }

    /// Whoever waits for room gets it when the socket has taken what was there.
    pub fn whoever_waits_for_room_gets_it() {
        let weight = delivery(0, 0).weight();
        let (handle, queue) = of(2 * weight);
        let offer = move |publisher, handle: Outbound| {
            for number in 0..EACH {
                while handle.offer(delivery(publisher, number)) == Offer::Full {
                    block_on(handle.room_for(weight));
                }
            }
        };
        let publishers: Vec<_> = (0..PUBLISHERS)
            .map(|publisher| {
                let handle = handle.clone();
                thread::spawn(move || offer(publisher, handle))
            })
            .collect();
        read_all(&queue, weight);
        publishers.into_iter().for_each(|publisher| publisher.join().unwrap());
        assert_eq!(handle.waiting(), 0, "all room has been given back");
    }

    /// Nobody waits for a connection that is gone.
    pub fn nobody_waits_for_a_connection_that_is_gone() {
        let weight = delivery(0, 0).weight();
        let (handle, queue) = of(weight);
        let publisher = thread::spawn(move || {
            for number in 0.. {
                match handle.offer(delivery(0, number)) {
                    Offer::Taken => {}
                    Offer::Full => block_on(handle.room_for(weight)),
                    Offer::Closed => return,
                }
            }
        });
        block_on(queue.ready());
        drop(queue);
        publisher.join().unwrap();
    }

    /// A connection that does not keep up is ended once, and its reader hears of it.
    pub fn the_reader_hears_that_it_is_too_slow() {
        let weight = delivery(0, 0).weight();
        let (handle, queue) = of(weight);
        let publisher = thread::spawn(move || {
            let ends = |number: &u64| handle.deliver(delivery(0, *number)) == Offer::Full;
            assert!((0..3).any(|number| ends(&number)), "two are more than there is room for");
        });
        while !queue.has_overflowed() {
            block_on(queue.ready());
            queue.drain(usize::MAX, &mut Vec::new()); // read, but never written
        }
        publisher.join().unwrap();
    }

    /// Not the server's queue, but one that registers behind its look: somebody who pushes between
    /// the two wakes nobody. For the test of these tests.
    pub fn a_careless_queue_oversleeps() {
        let shared = Arc::new((Mutex::new(0), AtomicWaker::new()));
        let pushes = shared.clone();
        let publisher = thread::spawn(move || {
            *pushes.0.lock() += 1;
            pushes.1.wake();
        });
        let (queue, reader) = &*shared;
        block_on(poll_fn(|cx| {
            if *queue.lock() > 0 {
                return Poll::Ready(());
            }
            reader.register(cx.waker());
            Poll::Pending
        }));
        publisher.join().unwrap();
    }

    fn of(bound: usize) -> (Outbound, OutboundQueue) {
        outbound(ConnectionId(1), bound, SlowConsumer::Disconnect)
    }

    fn read_all(queue: &OutboundQueue, stride: usize) {
        let mut next = vec![0; PUBLISHERS as usize];
        let mut got = Vec::new();
        while next.iter().sum::<u64>() < u64::from(PUBLISHERS) * EACH {
            block_on(queue.ready());
            queue.drain(stride, &mut got);
            for delivery in got.drain(..) {
                let expected = &mut next[delivery.subscription.number as usize];
                assert_eq!(delivery.token, Some(Token(*expected)), "in order");
                *expected += 1;
                queue.written(delivery.weight());
            }
        }
    }

    fn delivery(publisher: u32, number: u64) -> Delivery {
        Delivery {
            subscription: SubscriptionKey { connection: ConnectionId(1), number: publisher },
            logged: Arc::new(Logged {
                route: "/topic/a".into(),
                id: MessageId::Volatile(number),
                position: None,
                message: SharedMessage::new("/topic/a", [("", ""); 0], "x"),
                dedupe: None,
                wire: Default::default(),
            }),
            token: Some(Token(number)),
            redeliveries: 0,
        }
    }
}
