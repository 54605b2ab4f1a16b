//! The broker on Apache Kafka: many instances over one log.
//!
//! | topic | holds |
//! |---|---|
//! | `<prefix>.meta` | which log it is: the epoch (`epoch.rs`) |
//! | `<prefix>.topic.<epoch>` | kept messages; the key is the destination and decides the partition |
//! | `<prefix>.live` | volatile messages, on their way to whoever listens now |
//! | `<prefix>.cursors` | places of durable subscriptions, and who holds them (`cursors.rs`) |
//! | `<prefix>.queue.<name>`, `<prefix>.retry.<name>` | one queue, and what waits to be offered again (`queue/`) |
//!
//! A publication goes to the producer (`producer.rs`) and waits for its receipt
//! (`receipts.rs`). Every instance reads all partitions (`tail.rs`) into the same ring, index
//! and fan-out that the brokers of one machine have. What lies behind the ring is read from
//! the log when somebody asks for it (`reach.rs`).

mod acceptor;
mod bridge;
mod client;
mod config;
mod cursors;
mod epoch;
mod inspect;
mod joining;
mod ledger;
mod open;
mod pending;
mod producer;
mod queue;
mod reach;
mod receipts;
mod record;
mod scan;
mod share;
mod tail;
mod topics;
mod upkeep;
mod window;
mod worker;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::task::JoinHandle;

use self::{
    acceptor::Acceptor,
    cursors::Cursors,
    joining::Joining,
    queue::KafkaQueues,
    reach::Reach,
    receipts::{Flight, Receipts},
    tail::Progress,
    worker::{Worker, WorkerPlaces},
};
pub use self::{
    config::{KafkaBridge, KafkaConfig, KafkaQueue, KafkaStartError},
    inspect::KafkaLogInfo,
};
use super::{
    Accepted, Broker, BrokerError, Capabilities, Durability, LogInfo, LogReader, Outcome, Place,
    Publish, QueueInfo, Reply, Share, StorageInfo, SubscribeRequest, Subscribed, SubscriptionKey,
    Token,
    hub::{Hub, check_start},
};
use crate::{
    problem::{Code, Problem},
    session::Outbound,
};

/// Topics over a log that any number of instances share.
///
/// Accepted means that all replicas in sync have it.
#[derive(Debug)]
pub struct KafkaBroker {
    config: KafkaConfig,
    durability: Durability,
    hub: Arc<Hub>,
    acceptor: Acceptor,
    joining: Joining,
    queues: Arc<KafkaQueues>,
    cursors: Arc<Cursors>,
    workers: Arc<WorkerPlaces>,
    flight: Arc<Flight>,
    receipts: Arc<Receipts>,
    reach: Arc<Reach>,
    progress: Arc<Progress>,
    log_topic: Arc<str>,
    tail: Mutex<Option<JoinHandle<()>>>,
}

/// How long readers may take to end. The timed waits of librdkafka follow the wall clock: where
/// it has jumped back, they last for as long as the jump was, and nothing depends on them.
const END: Duration = Duration::from_secs(5);

impl KafkaBroker {
    /// Opens the log, or makes it, and reads its tail. Its tasks run on the present runtime.
    ///
    /// # Errors
    /// Where the cluster does not answer, or the log could lose what would be receipted; the
    /// sentence says what to do.
    pub async fn open(config: KafkaConfig) -> Result<Self, KafkaStartError> {
        open::open(config).await
    }

    /// Looks at the log on the cluster, and makes or changes nothing; `None` where there is none
    /// yet.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub async fn inspect(config: KafkaConfig) -> Result<Option<KafkaLogInfo>, KafkaStartError> {
        inspect::inspect(config).await
    }

    async fn end_readers(&self) {
        let tail = self.tail.lock().take();
        if let Some(tail) = tail
            && tail.await.is_err()
        {
            tracing::error!("the reader of the log ended before its time");
        }
        self.hub.close().await;
        self.cursors.close().await;
        let readers = self.reach.readers.clone();
        let closed = tokio::task::spawn_blocking(move || readers.close()).await;
        if closed.is_err() {
            tracing::error!("the readers of the log did not close");
        }
    }

    async fn extents(&self) -> Result<Vec<(u64, u64)>, BrokerError> {
        let topic = self.log_topic.clone();
        let partitions = self.hub.partitions();
        let asked = self.reach.ask(move |reader| client::extents(reader, &topic, partitions));
        asked.await.map_err(|error| {
            tracing::warn!(%error, "the log does not tell how far it reaches");
            unavailable()
        })
    }
}

#[async_trait]
impl Broker for KafkaBroker {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            durability: self.durability,
            queues: true,
            priority: false,
            durable_subscriptions: true,
            selectors: false,
        }
    }

    fn publish(&self, publish: Publish) -> Reply<Accepted> {
        self.acceptor.publish(publish)
    }

    fn has_room(&self) -> bool {
        self.flight.has_room()
    }

    async fn room(&self) {
        self.flight.room().await;
    }

    fn subscribe(&self, request: SubscribeRequest, outbound: Outbound) -> Reply<Subscribed> {
        if is_shared_queue(&request.route) {
            return self.joining.join_queue(request, outbound);
        }
        match request.durable.clone() {
            Some(key) => self.joining.join_durable(key, request, outbound),
            None => self.hub.subscribe(request, outbound),
        }
    }

    fn unsubscribe(&self, key: SubscriptionKey, place: Place) -> Reply<()> {
        if self.joining.pending.withdraw(key) {
            return Reply::now(Ok(()));
        }
        self.hub.leave(key, place)
    }

    fn settle(&self, key: SubscriptionKey, tokens: &[Token], outcome: Outcome) -> Reply<()> {
        self.hub.settle(key, tokens, outcome)
    }

    async fn log(&self) -> Result<LogInfo, BrokerError> {
        self.hub.check_open()?;
        let heads = self.extents().await?.into_iter().map(|(_, high)| high + 1).collect();
        Ok(LogInfo { epoch: self.hub.epoch, heads })
    }

    async fn read_log(&self, starts: &[u64]) -> Result<Box<dyn LogReader>, BrokerError> {
        self.hub.check_open()?;
        if starts.len() != self.hub.partitions() {
            return Err(BrokerError::refused(
                Code::Invalid,
                format!("This log has {} partitions, not {}.", self.hub.partitions(), starts.len()),
            ));
        }
        let starts: Vec<_> = (0..).zip(starts.iter().copied()).collect();
        self.read_partitions(&starts).await
    }

    fn partition_of(&self, route: &str) -> u32 {
        self.hub.partition(route) as u32
    }

    fn tell_here(&self, publish: Publish) {
        if self.hub.check_open().is_ok() {
            self.hub.broadcast(publish);
        }
    }

    async fn share(&self, name: &str) -> Result<Share, BrokerError> {
        self.hub.check_open()?;
        let share = share::join(&self.config, &self.hub, &self.log_topic, name);
        share.map_err(|error| BrokerError::unknown(error.to_string()))
    }

    async fn read_partitions(
        &self,
        starts: &[(u32, u64)],
    ) -> Result<Box<dyn LogReader>, BrokerError> {
        self.hub.check_open()?;
        let extents = self.extents().await?;
        for (partition, start) in starts {
            let Some((low, high)) = extents.get(*partition as usize) else {
                return Err(BrokerError::refused(Code::Invalid, "There is no such partition."));
            };
            check_start(*start, low + 1, high + 1)?;
        }
        let worker = Worker::new(
            &self.config,
            self.hub.clone(),
            self.workers.clone(),
            &self.log_topic,
            starts,
        );
        let worker = worker.map_err(|error| BrokerError::unknown(error.to_string()))?;
        Ok(Box::new(worker))
    }

    fn queues(&self, after: &str, limit: usize) -> Vec<QueueInfo> {
        self.hub.queue_infos(after, limit)
    }

    async fn storage(&self) -> StorageInfo {
        self.hub.storage_info()
    }

    async fn close(&self) {
        // Every publication ends within its time-out; the rest is for those that must be read.
        let patience = 2 * self.config.broker.publish_timeout + Duration::from_secs(5);
        let answered = async {
            self.receipts.close().await;
            self.queues.close().await;
        };
        if tokio::time::timeout(patience, answered).await.is_err() {
            tracing::error!("some publications were never answered");
        }
        self.progress.stop();
        if tokio::time::timeout(END, self.end_readers()).await.is_err() {
            tracing::warn!("the readers of the log do not end; they are left behind");
        }
    }
}

/// A broker that is dropped without [`close`](Broker::close) lets its reader end alone.
impl Drop for KafkaBroker {
    fn drop(&mut self) {
        self.flight.refuse_more();
        self.progress.stop();
        self.hub.closing.cancel();
    }
}

fn is_shared_queue(route: &str) -> bool {
    route.starts_with("/queue/")
}

fn invalid() -> BrokerError {
    BrokerError::refused(Code::Invalid, "A header's name cannot have a NUL in it.")
}

/// The log takes nothing at the moment; nothing was handed over.
fn unavailable() -> BrokerError {
    Problem::new(Code::Unavailable, "The log cannot take messages at the moment.")
        .with_retry_after(Duration::from_secs(5))
        .into()
}
