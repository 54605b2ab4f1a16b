//! The tail of the log as this instance reads it: all partitions, from explicit offsets on, in
//! one thread. Every record enters the ring and the dedupe window; its key decides who gets it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use metrics::{Counter, counter};
use parking_lot::Mutex;
use rdkafka::{
    Message, Offset, TopicPartitionList, consumer::Consumer, error::KafkaResult,
    message::BorrowedMessage,
};
use tokio::sync::Notify;

use super::{
    client::Reader,
    cursors::Cursors,
    producer::ours,
    receipts::{Met, Receipts},
    record::{self, Content},
    scan,
    window::Window,
};
use crate::broker::{
    Class, Logged, MessageId, Publish, hub::Hub, journal::Entry, queues::is_queue,
};

/// How long to wait for a record before looking whether to stop.
const POLL: Duration = Duration::from_millis(100);

/// How often old questions are given up.
const UPKEEP: Duration = Duration::from_secs(1);

/// What the reading thread needs.
pub(super) struct Tail {
    pub(super) hub: Arc<Hub>,
    pub(super) receipts: Arc<Receipts>,
    pub(super) window: Arc<Mutex<Window>>,
    pub(super) progress: Arc<Progress>,
    pub(super) log_topic: String,
    pub(super) live_topic: String,
    /// For each partition the offset to be read next, as Kafka counts.
    pub(super) next: Vec<u64>,
    /// Places of durable subscriptions, whose topic is read here too.
    pub(super) cursors: Arc<Cursors>,
    pub(super) damaged: Counter,
}

/// How the reading goes on, and whether it should.
#[derive(Debug)]
pub(super) struct Progress {
    /// The lowest place of each partition that somebody waits for.
    wanted: Vec<AtomicU64>,
    /// Told when one of these has been read.
    moved: Notify,
    stop: AtomicBool,
}

impl Progress {
    pub(super) fn new(partitions: usize) -> Self {
        Self {
            wanted: (0..partitions).map(|_| AtomicU64::new(u64::MAX)).collect(),
            moved: Notify::new(),
            stop: AtomicBool::new(false),
        }
    }

    /// Waits until `has` says that this place has been read. Cancel-safe.
    ///
    /// The reader only tells those who wait for what it has just read: waking somebody for
    /// every record would cost more than reading it.
    pub(super) async fn come_to(&self, partition: usize, place: u64, has: impl Fn() -> bool) {
        loop {
            let moved = self.moved.notified();
            tokio::pin!(moved);
            moved.as_mut().enable();
            self.wanted[partition].fetch_min(place, Ordering::SeqCst);
            if has() {
                return;
            }
            moved.await;
        }
    }

    fn has_come_to(&self, partition: usize, place: u64) {
        let wanted = &self.wanted[partition];
        if wanted.load(Ordering::SeqCst) <= place {
            wanted.store(u64::MAX, Ordering::SeqCst);
            self.moved.notify_waiters();
        }
    }

    pub(super) fn stop(&self) {
        self.stop.store(true, Ordering::Release);
    }
}

/// What is counted when a record makes no sense.
pub(super) const DAMAGED: &str = "stomp_kafka_damaged_records_total";

pub(super) fn damaged_records() -> Counter {
    counter!(DAMAGED)
}

/// Sees to it that a reader which ends before its time takes the broker with it, instead of
/// leaving publishers without answers.
struct Watch {
    progress: Arc<Progress>,
    receipts: Arc<Receipts>,
}

impl Drop for Watch {
    fn drop(&mut self) {
        if !self.progress.stop.load(Ordering::Acquire) {
            tracing::error!("the reader of the log ended: this broker accepts no more");
            self.receipts.abandon();
        }
    }
}

impl Tail {
    /// Assigns all partitions, each at its offset, in one call.
    pub(super) fn assign(
        &self,
        reader: &Reader,
        live_starts: &[u64],
        cursors_start: u64,
    ) -> KafkaResult<()> {
        let mut places = TopicPartitionList::new();
        let cursors_starts = [cursors_start];
        for (topic, starts) in [
            (&*self.log_topic, &self.next[..]),
            (&self.live_topic, live_starts),
            (self.cursors.topic(), &cursors_starts),
        ] {
            for (partition, start) in starts.iter().enumerate() {
                let start = Offset::Offset(*start as i64);
                places.add_partition_offset(topic, partition as i32, start)?;
            }
        }
        reader.assign(&places)
    }

    /// Reads until it is told to stop. Blocks its thread.
    pub(super) fn run(mut self, reader: &Reader) {
        let _watch = Watch { progress: self.progress.clone(), receipts: self.receipts.clone() };
        let timeout = 2 * self.hub.config.publish_timeout;
        let mut looked = Instant::now();
        while !self.progress.stop.load(Ordering::Acquire) {
            match reader.poll(POLL) {
                None => {}
                Some(Ok(record)) => self.take(&record),
                Some(Err(error)) if scan::is_gone(&error) => {
                    tracing::error!(%error, "the log went away before it was read");
                    self.skip_to_what_is_left(reader);
                }
                Some(Err(error)) => tracing::warn!(%error, "the log cannot be read; trying again"),
            }
            if looked.elapsed() >= UPKEEP {
                looked = Instant::now();
                self.receipts.expire(timeout);
            }
        }
    }

    fn take(&mut self, record: &BorrowedMessage<'_>) {
        let topic = record.topic();
        if topic == self.cursors.topic() {
            if let Some(lost) = self.cursors.apply(record) {
                tracing::warn!(user = %lost.user, id = %lost.id, "a place was lost to another instance");
                self.hub.lose_place(&lost);
            }
            return;
        }
        if topic == self.live_topic {
            match record::read(record) {
                Some(content) => self.broadcast(content),
                None => self.damaged.increment(1),
            }
            return;
        }
        let partition = record.partition().max(0) as usize;
        let offset = record.offset().max(0) as u64;
        if partition >= self.next.len() || offset < self.next[partition] {
            return; // read again after a leader was lost
        }
        self.next[partition] = offset + 1;
        let met = self.deliver(partition, record);
        self.receipts.read(partition, ours(record.offset()), met);
        self.progress.has_come_to(partition, ours(record.offset()));
    }

    /// Brings a record to whoever listens, unless it is a duplicate. Says what its id is.
    fn deliver(&mut self, partition: usize, record: &BorrowedMessage<'_>) -> Option<Met> {
        let offset = ours(record.offset());
        let parts =
            record::parts(record).filter(|parts| self.hub.partition(parts.route) == partition);
        let Some(parts) = parts else {
            tracing::warn!(partition, offset, "a record that makes no sense is passed over");
            self.damaged.increment(1);
            self.hub.skip(partition, offset);
            return None;
        };
        let at_ms = record.timestamp().to_millis().unwrap_or(0).max(0) as u64;
        let met = parts.dedupe_key().map(|key| {
            let mut window = self.window.lock();
            let print = window.print(parts.route, &key);
            Met { print, first: window.admit(print, offset, at_ms) }
        });
        if met.is_some_and(|met| met.first.is_some()) {
            self.hub.skip(partition, offset);
        } else {
            self.hub.arrive(&parts, (partition, offset), at_ms);
        }
        met
    }

    fn broadcast(&self, content: Content) {
        let Content { route, id, message, .. } = content;
        let mut publish = Publish::volatile(message).routed(route);
        publish.message_id = id;
        if !is_queue(&publish.route) {
            return self.hub.broadcast(publish);
        }
        // A connection's own queue is where its connection is.
        publish.class = Class::Kept;
        if let Ok(Some(room)) = self.hub.room(&publish) {
            self.hub.enqueue_private(publish, room);
        }
    }

    /// The log was trimmed past this reader: goes on with what is left.
    fn skip_to_what_is_left(&mut self, reader: &Reader) {
        for partition in 0..self.next.len() {
            let extent = super::client::extent(reader, &self.log_topic, partition);
            let Ok((low, high)) = extent else { continue };
            let next = self.next[partition];
            if next >= low && next <= high {
                continue;
            }
            let mut place = TopicPartitionList::new();
            let from = Offset::Offset(low as i64);
            let added = place.add_partition_offset(&self.log_topic, partition as i32, from);
            let moved = added
                .and_then(|()| reader.incremental_unassign(&place))
                .and_then(|()| reader.incremental_assign(&place));
            match moved {
                Ok(()) => self.next[partition] = low,
                Err(error) => tracing::error!(%error, partition, "a partition cannot be read"),
            }
        }
    }
}

/// A record as the brokers' middle knows it.
pub(super) fn entry(hub: &Hub, content: Content, offset: u64, at_ms: u64) -> Entry {
    let position = hub.position(offset);
    let Content { route, id, dedupe, message } = content;
    let id = id.map_or(MessageId::Position(position), MessageId::Given);
    let logged =
        Logged { route, id, position: Some(position), message, dedupe, wire: Default::default() };
    Entry { offset, at_ms, logged: Arc::new(logged) }
}
