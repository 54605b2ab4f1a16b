//! What every broker promises, on Kafka.

use std::{sync::Arc, time::Duration};

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

/// Short enough that a message which is returned ten times is soon dead, and long enough that
/// its last pauses are waited out in Kafka.
const PAUSE: Duration = Duration::from_millis(10);

async fn make(mut config: KafkaConfig) -> Arc<dyn Broker> {
    config.broker.redelivery_pause = PAUSE;
    Arc::new(open(&config).await)
}
