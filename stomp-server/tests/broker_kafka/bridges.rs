//! Topics of other programs that are read into a destination.

use std::time::Duration;

use rdkafka::{
    ClientConfig,
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::DefaultClientContext,
    message::{Header, OwnedHeaders},
    producer::{FutureProducer, FutureRecord},
};
use stomp_server::{
    broker::{Broker, KafkaBridge, KafkaConfig, StartFrom},
    testing::{Kafka, listener::Listening},
};

use crate::{fresh, one_node, open};

async fn make(kafka: &Kafka, topic: &str) {
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", kafka.bootstrap()).create().unwrap();
    let topic = NewTopic::new(topic, 2, TopicReplication::Fixed(1));
    admin.create_topics([&topic], &AdminOptions::new()).await.unwrap()[0].as_ref().unwrap();
}

async fn produce(kafka: &Kafka, topic: &str, body: &str, value: &[u8]) {
    let producer: FutureProducer =
        ClientConfig::new().set("bootstrap.servers", kafka.bootstrap()).create().unwrap();
    let headers = [("tenant", value), ("message-id", b"forged")];
    let headers = headers.into_iter().fold(OwnedHeaders::new(), |headers, (key, value)| {
        headers.insert(Header { key, value: Some(value) })
    });
    let record = FutureRecord::to(topic).partition(1).key("k").payload(body).headers(headers);
    producer.send(record, Duration::from_secs(30)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_of_another_program_become_messages_once() {
    let Some(kafka) = one_node() else { return };
    let config = fresh(&kafka, 2);
    let topic = format!("{}-legacy.events", config.prefix);
    make(&kafka, &topic).await;
    let bridge =
        |destination: &str| KafkaBridge { topic: topic.clone(), destination: destination.into() };
    let config = KafkaConfig { bridges: vec![bridge("/topic/legacy")], ..config };
    for body in ["a", "b"] {
        produce(&kafka, &topic, body, b"acme").await;
    }
    produce(&kafka, &topic, "no words for it", &[0xff]).await;
    produce(&kafka, &topic, "c", b"acme").await;

    let one = open(&config).await;
    let mut listener = Listening::to(1, "/topic/legacy").from(StartFrom::First).on(&one).await;
    let first = listener.next().await;
    let message = &first.logged.message;
    assert_eq!(message.body().as_ref(), b"a");
    assert_eq!(message.header("tenant").as_deref(), Some("acme"));
    assert_eq!(message.header("kafka-key").as_deref(), Some("k"));
    assert_eq!(message.header("message-id"), None);
    assert!(first.logged.position.is_some(), "it is kept");
    assert_eq!(listener.bodies(2).await, ["b", "c"]);
    one.close().await;

    // Another instance goes on behind what was accepted.
    produce(&kafka, &topic, "d", b"acme").await;
    let other = open(&config).await;
    let mut listener = Listening::to(1, "/topic/legacy").from(StartFrom::First).on(&other).await;
    assert_eq!(listener.bodies(4).await, ["a", "b", "c", "d"]);
    listener.is_quiet().await;
    other.close().await;
}
