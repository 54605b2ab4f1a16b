//! Reading stretches of the log beside the tail: replays, the epoch, what a start needs.

use std::{
    ops::ControlFlow,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use rdkafka::{
    Message, Offset, TopicPartitionList,
    consumer::Consumer,
    error::{KafkaError, KafkaResult, RDKafkaErrorCode},
    message::BorrowedMessage,
};

use super::{
    client::{self, Reader},
    config::KafkaConfig,
};

/// Readers that are lent to one user at a time.
pub(super) struct Readers {
    config: KafkaConfig,
    idle: Mutex<Vec<Reader>>,
}

/// A part of a partition, as Kafka counts: from the first offset up to before the last one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stretch<'a> {
    pub(super) topic: &'a str,
    pub(super) partition: usize,
    pub(super) from: u64,
    pub(super) until: u64,
}

/// How the reading of a stretch ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// All of it was read, or as much as was wanted.
    Read,
    /// The time was over first.
    Late,
    /// Its beginning is no longer there.
    Gone,
}

/// How many readers stay open for the next replay: each holds a few sockets and threads.
const IDLE: usize = 2;

/// How long to wait for records before looking at the time again.
const POLL: Duration = Duration::from_millis(50);

impl Readers {
    pub(super) fn new(config: KafkaConfig) -> Self {
        Self { config, idle: Mutex::default() }
    }

    /// Lends a reader for something that takes a while; called where blocking is allowed.
    pub(super) fn with<T>(&self, work: impl FnOnce(&Reader) -> KafkaResult<T>) -> KafkaResult<T> {
        let idle = self.idle.lock().pop();
        let reader = match idle {
            Some(reader) => reader,
            None => client::reader(&self.config)?,
        };
        let outcome = work(&reader);
        let mut idle = self.idle.lock();
        if outcome.is_ok() && idle.len() < IDLE {
            idle.push(reader);
        }
        outcome
    }

    /// Lets go of all that are idle.
    pub(super) fn close(&self) {
        let idle = std::mem::take(&mut *self.idle.lock());
        drop(idle);
    }
}

/// Reads a stretch record by record until `each` has enough.
pub(super) fn read(
    reader: &Reader,
    stretch: Stretch<'_>,
    patience: Duration,
    mut each: impl FnMut(&BorrowedMessage<'_>) -> ControlFlow<()>,
) -> KafkaResult<End> {
    if stretch.from >= stretch.until {
        return Ok(End::Read);
    }
    let mut place = TopicPartitionList::new();
    let from = Offset::Offset(stretch.from as i64);
    place.add_partition_offset(stretch.topic, stretch.partition as i32, from)?;
    reader.assign(&place)?;
    let end = read_assigned(reader, stretch, Instant::now() + patience, &mut each);
    reader.unassign()?;
    end
}

fn read_assigned(
    reader: &Reader,
    stretch: Stretch<'_>,
    deadline: Instant,
    each: &mut dyn FnMut(&BorrowedMessage<'_>) -> ControlFlow<()>,
) -> KafkaResult<End> {
    while Instant::now() < deadline {
        match reader.poll(POLL) {
            None => {}
            Some(Err(error)) if is_gone(&error) => return Ok(End::Gone),
            Some(Err(error)) => tracing::debug!(%error, "a replay waits for Kafka"),
            Some(Ok(record)) => {
                let offset = record.offset().max(0) as u64;
                let is_asked = record.topic() == stretch.topic
                    && record.partition() == stretch.partition as i32
                    && offset >= stretch.from;
                if !is_asked {
                    continue; // left over from what this reader read before
                }
                if offset >= stretch.until || each(&record).is_break() {
                    return Ok(End::Read);
                }
                if offset + 1 >= stretch.until {
                    return Ok(End::Read);
                }
            }
        }
    }
    Ok(End::Late)
}

/// Whether a place is not in the log, or no longer.
pub(super) fn is_gone(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange)
    )
}

impl std::fmt::Debug for Readers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Readers").field("idle", &self.idle.lock().len()).finish_non_exhaustive()
    }
}
