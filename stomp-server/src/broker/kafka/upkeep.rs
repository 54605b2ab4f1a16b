//! Looking after what runs: how far behind the reader is, and a producer that has given up.

use std::{sync::Arc, time::Duration};

use metrics::{Gauge, describe_counter, describe_gauge, gauge};
use parking_lot::RwLock;
use rdkafka::producer::Producer;
use tokio::time::{MissedTickBehavior, interval};

use super::{
    client,
    config::KafkaConfig,
    cursors::Cursors,
    producer::{LogProducer, Told},
    reach::Reach,
    receipts::Flight,
    tail::DAMAGED,
    worker::WorkerPlaces,
};
use crate::broker::{hub::Hub, journal::Change};

const LAG: &str = "stomp_kafka_lag_records";
const WORKER_LAG: &str = "stomp_kafka_worker_lag_records";
const IN_FLIGHT: &str = "stomp_kafka_in_flight_bytes";

const TICK: Duration = Duration::from_secs(1);

/// Every so many ticks the log is asked how far it reaches.
const ASK: u32 = 10;

/// The producer of the log, which is replaced when it can do no more.
pub(super) type Current = Arc<RwLock<Arc<LogProducer>>>;

/// Looks after one broker until it closes.
pub(super) struct Upkeep {
    pub(super) config: KafkaConfig,
    pub(super) hub: Arc<Hub>,
    pub(super) reach: Arc<Reach>,
    pub(super) flight: Arc<Flight>,
    pub(super) cursors: Arc<Cursors>,
    pub(super) workers: Arc<WorkerPlaces>,
    pub(super) producer: Current,
}

impl Upkeep {
    pub(super) async fn run(self) {
        describe();
        let (lag, in_flight) = (gauge!(LAG), gauge!(IN_FLIGHT));
        gauge!(WORKER_LAG).set(0.0);
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for tick in (0..ASK).cycle() {
            tokio::select! {
                () = self.hub.closing.cancelled() => return,
                _ = ticks.tick() => {}
            }
            in_flight.set(self.flight.bytes() as f64);
            self.replace_producer();
            self.keep_places();
            if tick == 0 {
                self.cursors.tidy();
                self.measure(&lag).await;
            }
        }
    }

    /// Keeps how far those have come that never acknowledge, and says that they are here.
    fn keep_places(&self) {
        for change in self.hub.place_changes() {
            if let Change::Place(place) = change {
                drop(self.cursors.hold(place));
            }
        }
        self.cursors.beat();
    }

    /// How many records the log has that this instance has not read.
    async fn measure(&self, lag: &Gauge) {
        let partitions = self.hub.partitions();
        let topic = self.reach.topic.clone();
        let asked = self.reach.ask(move |reader| {
            let extent = |partition| client::extent(reader, &topic, partition);
            (0..partitions).map(extent).collect::<Result<Vec<_>, _>>()
        });
        match asked.await {
            Ok(extents) => {
                let heads: Vec<_> = extents.iter().map(|(_, high)| high + 1).collect();
                gauge!(WORKER_LAG).set(self.workers.lag(&heads) as f64);
                let behind = |(partition, (_, high)): (usize, (u64, u64))| {
                    high.saturating_sub(self.hub.newest_in(partition))
                };
                let records: u64 = extents.into_iter().enumerate().map(behind).sum();
                lag.set(records as f64);
            }
            Err(error) => tracing::warn!(%error, "the log does not tell how far it reaches"),
        }
    }

    /// A producer with a fatal error answers everything that it holds (nobody knows whether it
    /// was logged), and takes nothing more. Another one goes on.
    fn replace_producer(&self) {
        let old = self.producer.read().clone();
        let Some((code, reason)) = old.client().fatal_error() else { return };
        tracing::error!(%code, reason, "the producer gives up; another one goes on");
        let Reach { receipts, window, .. } = &*self.reach;
        let told = Told { receipts: receipts.clone(), window: window.clone() };
        match client::log_producer(&self.config, told) {
            Ok(new) => {
                *self.producer.write() = Arc::new(new);
                tokio::task::spawn_blocking(move || drop(old)); // waits for its thread
            }
            Err(error) => tracing::error!(%error, "no producer can be made"),
        }
    }
}

fn describe() {
    describe_gauge!(LAG, "Records of the log on Kafka that this instance has yet to read.");
    describe_gauge!(WORKER_LAG, "Records of the log that the slowest worker here has yet to read.");
    describe_gauge!(IN_FLIGHT, "Octets of publications that Kafka has yet to acknowledge.");
    describe_counter!(DAMAGED, "Records of Kafka that made no sense and were passed over.");
}
