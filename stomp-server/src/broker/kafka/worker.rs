//! Workers: readers of the whole log, whose places their users keep.

use std::collections::{HashMap, VecDeque};

use async_trait::async_trait;
use futures::FutureExt;
use parking_lot::Mutex;
use rdkafka::{
    Message, Offset, TopicPartitionList,
    consumer::{Consumer, StreamConsumer},
    error::KafkaResult,
};
use tokio_util::sync::CancellationToken;

use super::{
    client::{self, Quiet},
    config::KafkaConfig,
    producer::ours,
    record, scan, tail,
};
use crate::{
    broker::{Batch, BrokerError, LogReader, Record, hub::Hub},
    problem::Code,
};
use std::sync::Arc;

/// Where the workers of this instance are, so that it can be told how far they are behind.
#[derive(Debug, Default)]
pub(super) struct WorkerPlaces(Mutex<HashMap<u64, HashMap<u32, u64>>>);

impl WorkerPlaces {
    fn begin(&self, starts: &[(u32, u64)]) -> u64 {
        let mut places = self.0.lock();
        let number = (0..).find(|number| !places.contains_key(number)).unwrap_or_default();
        let starts = starts.iter().map(|(partition, start)| (*partition, (*start).max(1)));
        places.insert(number, starts.collect());
        number
    }

    fn come_to(&self, number: u64, partition: u32, next: u64) {
        let mut places = self.0.lock();
        let place = places.get_mut(&number).and_then(|all| all.get_mut(&partition));
        if let Some(place) = place {
            *place = next.max(*place);
        }
    }

    fn end(&self, number: u64) {
        self.0.lock().remove(&number);
    }

    /// How many records the slowest has yet to read of a log with these heads.
    pub(super) fn lag(&self, heads: &[u64]) -> u64 {
        let behind = |places: &HashMap<u32, u64>| {
            let head = |partition: &u32| heads.get(*partition as usize).copied().unwrap_or(0);
            places.iter().map(|(partition, place)| head(partition).saturating_sub(*place)).sum()
        };
        self.0.lock().values().map(behind).max().unwrap_or(0)
    }
}

/// A reader with a consumer of its own. The log is kept by its retention, whatever readers
/// have taken over.
pub(super) struct Worker {
    hub: Arc<Hub>,
    consumer: StreamConsumer<Quiet>,
    closing: CancellationToken,
    places: Arc<WorkerPlaces>,
    number: u64,
    /// What was read beyond the last batch.
    ahead: VecDeque<Read>,
}

/// A record, or a place where one was that makes no sense.
struct Read {
    partition: u32,
    offset: u64,
    record: Option<Record>,
}

impl Worker {
    /// A reader of these partitions, each from its offset on.
    pub(super) fn new(
        config: &KafkaConfig,
        hub: Arc<Hub>,
        places: Arc<WorkerPlaces>,
        topic: &str,
        starts: &[(u32, u64)],
    ) -> KafkaResult<Self> {
        let consumer = client::worker(config)?;
        let mut assigned = TopicPartitionList::new();
        for (partition, start) in starts {
            // Offset N of ours is the log's N - 1; 0 asks for everything as well as 1 does.
            let from = Offset::Offset(start.saturating_sub(1) as i64);
            assigned.add_partition_offset(topic, *partition as i32, from)?;
        }
        consumer.assign(&assigned)?;
        let number = places.begin(starts);
        let closing = hub.closing.clone();
        Ok(Self { hub, consumer, closing, places, number, ahead: VecDeque::new() })
    }

    async fn read(&self) -> Result<Read, BrokerError> {
        loop {
            let received = tokio::select! {
                received = self.consumer.recv() => received,
                () = self.closing.cancelled() => {
                    let gone = "This server is going away.";
                    return Err(BrokerError::refused(Code::Shutdown, gone));
                }
            };
            match received {
                Ok(message) => return Ok(self.understand(&message)),
                Err(error) if scan::is_gone(&error) => {
                    return Err(BrokerError::unknown("the log no longer has what is to be read"));
                }
                Err(error) => tracing::warn!(%error, "a worker waits for the log"),
            }
        }
    }

    fn understand(&self, message: &rdkafka::message::BorrowedMessage<'_>) -> Read {
        let (partition, offset) = (message.partition().max(0) as u32, ours(message.offset()));
        let at_ms = message.timestamp().to_millis().unwrap_or(0).max(0) as u64;
        let record = record::read(message).map(|content| {
            let logged = tail::entry(&self.hub, content, offset, at_ms).logged;
            Record { offset, logged, at_ms }
        });
        Read { partition, offset, record }
    }
}

#[async_trait]
impl LogReader for Worker {
    async fn next(&mut self, max: usize) -> Result<Batch, BrokerError> {
        if self.ahead.is_empty() {
            let read = self.read().await?;
            self.ahead.push_back(read);
        }
        // From here on nothing waits, so that a dropped call has taken nothing.
        while self.ahead.len() < max.max(1) {
            let Some(Ok(read)) = self.read().now_or_never() else { break };
            self.ahead.push_back(read);
        }
        let partition = self.ahead.front().map_or(0, |read| read.partition);
        let mut batch = Batch { partition, records: Vec::new(), next: 0 };
        let mut others = VecDeque::new();
        while let Some(read) = self.ahead.pop_front() {
            if read.partition != partition || batch.records.len() >= max.max(1) {
                others.push_back(read);
                continue;
            }
            batch.next = read.offset + 1;
            batch.records.extend(read.record);
        }
        self.ahead = others;
        self.places.come_to(self.number, batch.partition, batch.next);
        Ok(batch)
    }

    fn taken_over(&mut self, _partition: u32, _next: u64) {}
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.places.end(self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lag_is_that_of_the_slowest() {
        let places = WorkerPlaces::default();
        assert_eq!(places.lag(&[5, 5]), 0);
        let (one, two) = (places.begin(&[(0, 0), (1, 3)]), places.begin(&[(0, 5), (1, 5)]));
        assert_eq!(places.lag(&[5, 5]), 6);
        places.come_to(one, 0, 5);
        assert_eq!(places.lag(&[6, 5]), 3);
        places.end(one);
        assert_eq!(places.lag(&[6, 5]), 1);
        places.end(two);
        assert_eq!(places.lag(&[6, 5]), 0);
    }
}
