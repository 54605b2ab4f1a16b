//! The broker on a real Kafka: the promises of every broker, and those between instances.

#![cfg(all(feature = "testing", feature = "kafka"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot begin has failed")]

mod bridges;
mod durable;
mod figures;
mod instances;
mod nodes;
#[cfg(feature = "cli")]
mod processes;
mod promises;
mod queues;
mod shares;
#[cfg(feature = "cli")]
#[path = "../started/mod.rs"]
mod started;
mod starting;

use std::{
    sync::{Arc, Mutex, Weak},
    time::Duration,
};

use stomp_server::{
    broker::{BrokerConfig, KafkaBroker, KafkaConfig},
    testing::Kafka,
};

/// One node for all tests that run at the same time.
fn one_node() -> Option<Arc<Kafka>> {
    static SHARED: Mutex<Weak<Kafka>> = Mutex::new(Weak::new());
    let mut shared = SHARED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(kafka) = shared.upgrade() {
        return Some(kafka);
    }
    let kafka = Arc::new(Kafka::start(1)?);
    *shared = Arc::downgrade(&kafka);
    Some(kafka)
}

/// A log of its own in this cluster.
fn fresh(kafka: &Kafka, partitions: u32) -> KafkaConfig {
    KafkaConfig {
        prefix: format!("test-{:08x}", rand::random::<u32>()),
        partitions,
        start_timeout: Duration::from_secs(90),
        ..KafkaConfig::new(kafka.bootstrap())
    }
}

/// The same with a ring for two dozen messages, so that most replays come out of the log.
fn without_ring(config: KafkaConfig) -> KafkaConfig {
    let broker = BrokerConfig { ring_bytes: 8 << 10, ..BrokerConfig::default() };
    KafkaConfig { broker, ..config }
}

async fn open(config: &KafkaConfig) -> KafkaBroker {
    KafkaBroker::open(config.clone()).await.unwrap()
}
