//! Handing messages to Kafka, and hearing what became of them.

use std::sync::Arc;

use parking_lot::Mutex;
use rdkafka::{
    ClientContext, Message,
    config::RDKafkaLogLevel,
    error::{KafkaError, RDKafkaErrorCode},
    message::OwnedHeaders,
    producer::{BaseRecord, DeliveryResult, ProducerContext, ThreadedProducer},
};

use super::{
    client,
    receipts::{Receipts, Ticket},
    unavailable,
    window::Window,
};
use crate::{
    broker::{BrokerError, Publish},
    problem::Code,
};

pub(super) type LogProducer = ThreadedProducer<Told>;

/// Tells the receipts what the producer hears.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) receipts: Arc<Receipts>,
    pub(super) window: Arc<Mutex<Window>>,
}

impl ClientContext for Told {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        client::log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, reason, "Kafka");
    }
}

impl ProducerContext for Told {
    type DeliveryOpaque = Box<Asker>;

    fn delivery(&self, result: &DeliveryResult<'_>, asker: Box<Asker>) {
        let outcome = match result {
            // Where the answer to a request was lost with its node, a later answer proves that
            // the log has these, too, but not where.
            Ok(record) => Ok((record.offset() >= 0).then(|| ours(record.offset()))),
            Err((error, _)) => Err(outcome(error)),
        };
        match *asker {
            Asker::Publication(ticket) => {
                let looked_up = |print| self.window.lock().first(print);
                self.receipts.delivered(ticket, outcome, looked_up);
            }
            Asker::Other(tell) => tell(outcome),
        }
    }
}

/// Whom to tell where a record has been logged, or that it is not known.
pub(super) enum Asker {
    /// The receipts of the log.
    Publication(Ticket),
    /// Somebody else.
    Other(Box<dyn FnOnce(Result<Option<u64>, BrokerError>) + Send + Sync>),
}

/// Kafka counts from 0, the broker from 1: its place 0 is before everything.
pub(super) fn ours(offset: i64) -> u64 {
    offset.max(0) as u64 + 1
}

/// Hands a message to the producer; it never blocks.
pub(super) fn send(
    producer: &LogProducer,
    topic: &str,
    partition: usize,
    publish: &Publish,
    headers: OwnedHeaders,
    asker: Asker,
) -> Result<(), BrokerError> {
    let record = BaseRecord::with_opaque_to(topic, Box::new(asker))
        .partition(partition as i32)
        .key(publish.route.as_str())
        .payload(&publish.message.body()[..])
        .headers(headers);
    producer.send(record).map_err(|(error, _)| not_taken(&error))
}

/// Hands over a record that is no message; without a payload it takes back those of its key.
pub(super) fn send_plain(
    producer: &LogProducer,
    topic: &str,
    key: &str,
    payload: Option<&[u8]>,
    tell: impl FnOnce(Result<Option<u64>, BrokerError>) + Send + Sync + 'static,
) -> Result<(), BrokerError> {
    let asker = Box::new(Asker::Other(Box::new(tell)));
    let mut record = BaseRecord::with_opaque_to(topic, asker).partition(0).key(key);
    if let Some(payload) = payload {
        record = record.payload(payload);
    }
    producer.send(record).map_err(|(error, _)| not_taken(&error))
}

/// Hands a volatile message over; whether it arrives is nobody's promise.
pub(super) fn send_live(
    producer: &client::LiveProducer,
    topic: &str,
    partition: usize,
    publish: &Publish,
    headers: OwnedHeaders,
) -> Result<(), BrokerError> {
    let record = BaseRecord::to(topic)
        .partition(partition as i32)
        .key(publish.route.as_str())
        .payload(&publish.message.body()[..])
        .headers(headers);
    producer.send(record).map_err(|(error, _)| not_taken(&error))
}

/// What the producer did not even take is certainly not in the log.
fn not_taken(error: &KafkaError) -> BrokerError {
    match error.rdkafka_error_code() {
        Some(RDKafkaErrorCode::MessageSizeTooLarge) => too_large(),
        _ => {
            tracing::warn!(%error, "the producer takes nothing");
            unavailable()
        }
    }
}

/// Whether a message that failed is certainly not in the log.
fn outcome(error: &KafkaError) -> BrokerError {
    match error.rdkafka_error_code() {
        Some(RDKafkaErrorCode::MessageSizeTooLarge) => too_large(),
        Some(
            RDKafkaErrorCode::TopicAuthorizationFailed
            | RDKafkaErrorCode::ClusterAuthorizationFailed
            | RDKafkaErrorCode::InvalidRecord
            | RDKafkaErrorCode::PurgeQueue,
        ) => {
            tracing::error!(%error, "the log refuses messages");
            unavailable()
        }
        _ => BrokerError::unknown(error.to_string()),
    }
}

pub(super) fn too_large() -> BrokerError {
    BrokerError::refused(Code::TooLarge, "The message is larger than the log takes.")
}
