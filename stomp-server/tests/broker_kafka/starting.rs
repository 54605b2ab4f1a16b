//! What a start refuses, and what it says.

use std::time::Duration;

use rdkafka::{
    ClientConfig,
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::DefaultClientContext,
};
use stomp_server::{
    broker::{Broker, Durability, KafkaBroker, KafkaConfig, KafkaStartError},
    testing::listener::{Listening, kept, publish},
};

use crate::{fresh, one_node, open};

#[tokio::test]
async fn without_kafka_nothing_starts() {
    let config =
        KafkaConfig { start_timeout: Duration::from_secs(1), ..KafkaConfig::new("127.0.0.1:1") };
    let Err(KafkaStartError::Unavailable(what)) = KafkaBroker::open(config).await else {
        panic!("there is no Kafka")
    };
    assert!(what.contains("127.0.0.1:1"), "{what}");
}

#[tokio::test]
async fn one_node_survives_a_disk_and_no_more() {
    let Some(kafka) = one_node() else { return };
    let broker = open(&fresh(&kafka, 1)).await;
    assert_eq!(broker.capabilities().durability, Durability::Disk);
    broker.close().await;
}

#[tokio::test]
async fn a_log_that_could_lose_something_is_refused_with_every_fault() {
    let Some(kafka) = one_node() else { return };
    let config = fresh(&kafka, 2);
    open(&config).await.close().await;
    let admin = admin(&kafka);
    let topic = log_topic(&config).await;
    let weak = rdkafka::admin::AlterConfig::new(rdkafka::admin::ResourceSpecifier::Topic(&topic))
        .set("unclean.leader.election.enable", "true")
        .set("retention.ms", "60000")
        .set("message.timestamp.type", "CreateTime")
        .set("max.message.bytes", "8000000");
    admin.alter_configs([&weak], &AdminOptions::new()).await.unwrap()[0].as_ref().unwrap();
    let Err(KafkaStartError::Refused(what)) = KafkaBroker::open(config.clone()).await else {
        panic!("it is refused")
    };
    for fault in ["unclean.leader.election.enable", "retention.ms", "message.timestamp.type"] {
        assert!(what.contains(fault), "{what}");
    }
    assert!(what.contains("--allow-weak-log"), "{what}");
    let weak = KafkaConfig { allow_weak_log: true, ..config };
    let broker = open(&weak).await;
    publish(&broker, "/topic/a", "taken").await;
    broker.close().await;
}

#[tokio::test]
async fn a_log_that_was_lost_does_not_come_back_empty() {
    let Some(kafka) = one_node() else { return };
    let config = fresh(&kafka, 1);
    open(&config).await.close().await;
    let topic = log_topic(&config).await;
    admin(&kafka).delete_topics(&[&topic], &AdminOptions::new()).await.unwrap();
    until_gone(&kafka, &topic);
    let Err(KafkaStartError::Refused(what)) = KafkaBroker::open(config).await else {
        panic!("it is refused")
    };
    assert!(what.contains(&topic) && what.contains("--kafka-prefix"), "{what}");
}

#[tokio::test]
async fn a_topic_of_somebody_else_is_not_taken_for_the_epoch() {
    let Some(kafka) = one_node() else { return };
    let config = fresh(&kafka, 1);
    let name = format!("{}.meta", config.prefix);
    let topic = NewTopic::new(&name, 1, TopicReplication::Fixed(1));
    admin(&kafka).create_topics([&topic], &AdminOptions::new()).await.unwrap();
    let producer: rdkafka::producer::FutureProducer =
        ClientConfig::new().set("bootstrap.servers", kafka.bootstrap()).create().unwrap();
    let record = rdkafka::producer::FutureRecord::to(&name).key("").payload("hello");
    producer.send(record, Duration::from_secs(5)).await.unwrap();
    assert!(matches!(KafkaBroker::open(config).await, Err(KafkaStartError::Refused(_))));
}

/// Somebody else's records: one that is a message, and ones that are not.
#[tokio::test]
async fn a_record_that_makes_no_sense_is_passed_over() {
    let Some(kafka) = one_node() else { return };
    let config = fresh(&kafka, 1);
    let broker = open(&config).await;
    let topic = log_topic(&config).await;
    let mut listener = Listening::to(1, "/topic/a").on(&broker).await;
    let producer: rdkafka::producer::FutureProducer =
        ClientConfig::new().set("bootstrap.servers", kafka.bootstrap()).create().unwrap();
    for key in [&b"\xff\xfe"[..], b"", b"/topic/a"] {
        let record = rdkafka::producer::FutureRecord::to(&topic).key(key).payload("foreign");
        producer.send(record, Duration::from_secs(5)).await.unwrap();
    }
    broker.publish(kept("/topic/a", "ours")).await.unwrap();
    assert_eq!(listener.bodies(2).await, ["foreign", "ours"]);
    broker.close().await;
}

/// A topic is deleted some time after that was asked for.
fn until_gone(kafka: &stomp_server::testing::Kafka, topic: &str) {
    let (admin, begin) = (admin(kafka), std::time::Instant::now());
    loop {
        let all = admin.inner().fetch_metadata(None, Duration::from_secs(30)).unwrap();
        if all.topics().iter().all(|one| one.name() != topic) {
            return;
        }
        assert!(begin.elapsed() < Duration::from_secs(60), "{topic} is still there");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn admin(kafka: &stomp_server::testing::Kafka) -> AdminClient<DefaultClientContext> {
    ClientConfig::new().set("bootstrap.servers", kafka.bootstrap()).create().unwrap()
}

/// The name of the log's topic, which has the epoch in it.
async fn log_topic(config: &KafkaConfig) -> String {
    let broker = open(config).await;
    let epoch = broker.log().await.unwrap().epoch;
    broker.close().await;
    format!("{}.topic.{epoch}", config.prefix)
}
