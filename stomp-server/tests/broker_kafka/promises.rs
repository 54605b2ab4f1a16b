//! What every broker promises, on Kafka.

use std::sync::Arc;

use stomp_server::{
    broker::{Broker, KafkaConfig},
    testing::conformance,
};

use crate::{fresh, one_node, open, without_ring};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_broker_on_kafka_keeps_its_promises() {
    let Some(kafka) = one_node() else { return };
    conformance::broker(|| make(fresh(&kafka, 4))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_broker_on_one_partition_of_kafka_keeps_its_promises() {
    let Some(kafka) = one_node() else { return };
    conformance::broker(|| make(fresh(&kafka, 1))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_broker_on_kafka_alone_keeps_its_promises() {
    let Some(kafka) = one_node() else { return };
    conformance::broker(|| make(without_ring(fresh(&kafka, 2)))).await;
}

async fn make(config: KafkaConfig) -> Arc<dyn Broker> {
    Arc::new(open(&config).await)
}
