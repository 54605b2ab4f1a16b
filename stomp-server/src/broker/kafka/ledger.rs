//! What the queues and durable subscriptions of this instance ask to be kept.

use std::{sync::Arc, time::Duration};

use super::{
    cursors::Cursors,
    queue::{KafkaQueues, LONGEST_PAUSE},
};
use crate::broker::{
    Publish, Reply,
    journal::{Change, PlaceEntry},
    queue::{Item, Room},
    queues::Ledger,
};

/// Passes on what is to be kept to whoever keeps it on Kafka.
#[derive(Debug)]
pub(super) struct KafkaLedger {
    pub(super) queues: Arc<KafkaQueues>,
    pub(super) cursors: Arc<Cursors>,
}

impl Ledger for KafkaLedger {
    /// An acknowledgement is taken over at once; it is committed with those before it, soon.
    fn keep(&self, changes: Vec<Change>) -> Reply<()> {
        let mut reply = Reply::now(Ok(()));
        for change in changes {
            match change {
                Change::Dequeue(number) => self.queues.done(number),
                Change::Place(place) => reply = self.cursors.hold(place),
                Change::Forget(key) => reply = self.cursors.forget(&key),
                // How often it came back is told where it is handed on; before, it is counted here.
                Change::Returned(..)
                | Change::Append(_)
                | Change::Enqueue(_)
                | Change::Unsee(_)
                | Change::Cursor(..)
                | Change::Trim(_) => {}
            }
        }
        reply
    }

    /// The room is in a queue here, but letters lie in Kafka.
    fn replace(&self, number: u64, letter: Publish, _room: Room) {
        self.queues.bury(number, letter);
    }

    fn longest_pause(&self) -> Option<Duration> {
        Some(LONGEST_PAUSE)
    }

    fn send_away(&self, item: Item, pause: Duration) {
        self.queues.send_away(item, pause);
    }

    fn leave(&self, place: PlaceEntry) -> Reply<()> {
        self.cursors.free(place)
    }
}
