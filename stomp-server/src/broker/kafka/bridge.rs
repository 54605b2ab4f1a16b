//! Topics of other programs, whose records become messages.
//!
//! Records are taken a few at a time: published in their order, and committed when all have
//! been accepted. What was accepted but not committed is read again after a crash, and is then
//! a duplicate: its id is made of where it stands.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::{Duration, Instant},
};

use metrics::{Counter, counter, describe_counter};
use rdkafka::{
    Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, CommitMode, Consumer},
    error::KafkaResult,
    message::{BorrowedMessage, Headers},
};
use stomp_core::SharedMessage;
use tokio::runtime::Handle;

use super::{
    acceptor::Acceptor,
    client::{self, Quiet},
    config::{KafkaBridge, KafkaConfig},
};
use crate::{
    broker::{BrokerError, Publish, hub::Hub},
    problem::Code,
};

const RECORDS: &str = "stomp_kafka_bridge_records_total";

/// How many records are on their way at once.
const BATCH: usize = 256;

/// How many octets, where records are large.
const BATCH_BYTES: usize = 8 << 20;

/// How long to wait for a record before looking whether to stop.
const POLL: Duration = Duration::from_millis(100);

/// How long to wait before records are published again.
const AGAIN: Duration = Duration::from_secs(1);

/// Headers that only the server writes.
const SERVERS: [&str; 9] = [
    "ack",
    "delivery-count",
    "message-id",
    "position",
    "receipt",
    "redelivered",
    "subscription",
    "transaction",
    "x-stomp",
];
const SERVERS_PREFIX: &str = "x-death-";

/// The name of whoever publishes them, which no user has: users have names without spaces.
const SENDER: &str = "kafka bridge";

/// Reads one topic into one destination.
pub(super) struct Bridge {
    config: KafkaConfig,
    bridge: KafkaBridge,
    hub: Arc<Hub>,
    acceptor: Acceptor,
    taken: Counter,
    passed_over: Counter,
}

/// Records that have been published and are to be committed.
#[derive(Default)]
struct Batch {
    publications: Vec<Publish>,
    bytes: usize,
    /// For each partition, from where to read on.
    next: std::collections::HashMap<i32, i64>,
}

impl Bridge {
    pub(super) fn new(
        config: &KafkaConfig,
        bridge: KafkaBridge,
        hub: Arc<Hub>,
        acceptor: Acceptor,
    ) -> Self {
        describe_counter!(RECORDS, "Records of other programs' topics, by what became of them.");
        let count = |outcome: &'static str| counter!(RECORDS, "topic" => bridge.topic.clone(), "outcome" => outcome);
        let (taken, passed_over) = (count("taken"), count("passed-over"));
        Self { config: config.clone(), bridge, hub, acceptor, taken, passed_over }
    }

    /// Reads until the broker closes. Blocks its thread.
    pub(super) fn run(self) {
        let consumer = loop {
            match self.join() {
                Ok(consumer) => break consumer,
                Err(error) => tracing::error!(%error, "a bridge cannot begin; trying again"),
            }
            std::thread::sleep(AGAIN);
            if self.is_over() {
                return;
            }
        };
        while !self.is_over() {
            let batch = self.gather(&consumer);
            if !batch.next.is_empty() && self.publish(&batch) {
                self.commit(&consumer, &batch);
            }
        }
    }

    fn join(&self) -> KafkaResult<BaseConsumer<Quiet>> {
        let group = format!("{}.bridge.{}", self.config.prefix, self.bridge.topic);
        let consumer = client::member(&self.config, &group, Quiet)?;
        consumer.subscribe(&[&self.bridge.topic])?;
        Ok(consumer)
    }

    fn is_over(&self) -> bool {
        self.hub.closing.is_cancelled()
    }

    fn gather(&self, consumer: &BaseConsumer<Quiet>) -> Batch {
        let mut batch = Batch::default();
        let begin = Instant::now();
        while batch.publications.len() < BATCH
            && batch.bytes < BATCH_BYTES
            && begin.elapsed() < POLL
        {
            let wait = if batch.next.is_empty() { POLL } else { Duration::ZERO };
            match consumer.poll(wait) {
                None => break,
                Some(Err(error)) => {
                    tracing::warn!(%error, topic = self.bridge.topic, "a bridge waits")
                }
                Some(Ok(record)) => self.add(&mut batch, &record),
            }
        }
        batch
    }

    fn add(&self, batch: &mut Batch, record: &BorrowedMessage<'_>) {
        batch.next.insert(record.partition(), record.offset() + 1);
        match publication(&self.bridge, record) {
            Some(publish) => {
                batch.bytes += publish.message.size();
                batch.publications.push(publish);
            }
            None => self.pass_over(record),
        }
    }

    fn pass_over(&self, record: &BorrowedMessage<'_>) {
        let (partition, offset) = (record.partition(), record.offset());
        let topic = &self.bridge.topic;
        tracing::warn!(topic, partition, offset, "a record that makes no sense is passed over");
        self.passed_over.increment(1);
    }

    /// Publishes all, in order, until all have been accepted. Says whether they were, before
    /// the broker closed.
    fn publish(&self, batch: &Batch) -> bool {
        let mut left = &batch.publications[..];
        while !left.is_empty() {
            // All are handed over before the first is waited for; they keep their order.
            let replies: Vec<_> =
                left.iter().map(|publish| self.acceptor.publish(publish.clone())).collect();
            let mut accepted = 0;
            for reply in replies {
                match Handle::current().block_on(reply) {
                    Ok(_) => self.taken.increment(1),
                    Err(BrokerError::Refused(problem)) if is_hopeless(problem.code) => {
                        tracing::warn!(topic = self.bridge.topic, %problem, "a record is passed over");
                        self.passed_over.increment(1);
                    }
                    Err(error) => {
                        tracing::warn!(%error, "records of a bridge are published again");
                        break;
                    }
                }
                accepted += 1;
            }
            left = &left[accepted..];
            if self.is_over() {
                return left.is_empty();
            }
            if !left.is_empty() {
                std::thread::sleep(AGAIN);
            }
        }
        true
    }

    fn commit(&self, consumer: &BaseConsumer<Quiet>, batch: &Batch) {
        let mut places = TopicPartitionList::new();
        for (partition, next) in &batch.next {
            let place = Offset::Offset(*next);
            if let Err(error) = places.add_partition_offset(&self.bridge.topic, *partition, place) {
                tracing::warn!(%error, "a bridge's place cannot be told");
            }
        }
        if let Err(error) = consumer.commit(&places, CommitMode::Sync) {
            // They will come again, and be duplicates.
            tracing::warn!(%error, topic = self.bridge.topic, "a bridge's place was not kept");
        }
    }
}

fn is_hopeless(code: Code) -> bool {
    matches!(code, Code::Invalid | Code::TooLarge | Code::NotFound | Code::Forbidden)
}

/// The message that a record is; nothing where STOMP has no words for it.
fn publication(bridge: &KafkaBridge, record: &BorrowedMessage<'_>) -> Option<Publish> {
    // The library panics at a header's name that is not UTF-8.
    let headers = catch_unwind(AssertUnwindSafe(|| headers(record))).ok()??;
    let body = record.payload().unwrap_or_default().to_vec();
    let id = format!("{}-{}-{}", bridge.topic, record.partition(), record.offset());
    let message = SharedMessage::new(&bridge.destination, headers, body);
    Some(Publish::kept(message).deduplicated(SENDER, id))
}

fn headers(record: &BorrowedMessage<'_>) -> Option<Vec<(String, String)>> {
    let mut headers = Vec::new();
    if let Some(key) = record.key() {
        headers.push(("kafka-key".to_owned(), std::str::from_utf8(key).ok()?.to_owned()));
    }
    for header in record.headers().into_iter().flat_map(Headers::iter) {
        let value = std::str::from_utf8(header.value.unwrap_or_default()).ok()?;
        if !SERVERS.contains(&header.key) && !header.key.starts_with(SERVERS_PREFIX) {
            headers.push((header.key.to_owned(), value.to_owned()));
        }
    }
    Some(headers)
}
