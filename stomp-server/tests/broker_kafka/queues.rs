//! Queues that several instances share.

use std::{collections::BTreeSet, time::Duration};

use stomp_server::{
    broker::{Broker, BrokerConfig, BrokerError, KafkaConfig, KafkaQueue, Outcome, Place},
    problem::Code,
    testing::listener::{Listener, Listening, body, kept, numbers, publish, publish_numbers},
};
use tokio::time::timeout;

use crate::{fresh, one_node, open};

/// Longer than a group needs to notice anything.
const PATIENCE: Duration = Duration::from_secs(60);

fn with_pause(config: KafkaConfig, redelivery_pause: Duration) -> KafkaConfig {
    let broker = BrokerConfig { redelivery_pause, ..config.broker.clone() };
    KafkaConfig { broker, ..config }
}

/// The next message, acknowledged.
async fn done(listener: &mut Listener, broker: &dyn Broker) -> String {
    let delivery = listener.next().await;
    let text = body(&delivery);
    listener.settle(broker, &[delivery], Outcome::Ack).await;
    text
}

#[tokio::test]
async fn consumers_on_two_instances_share_a_queue_of_several_partitions() {
    let Some(kafka) = one_node() else { return };
    let queues = vec![KafkaQueue { name: "work".to_owned(), partitions: 4 }];
    let config = KafkaConfig { queues, ..fresh(&kafka, 1) };
    let (one, other) = (open(&config).await, open(&config).await);
    let mut first = Listening::to(1, "/queue/work").acking(5).on(&one).await;
    let mut second = Listening::to(2, "/queue/work").acking(5).on(&other).await;
    let (mut got, mut sent, mut by_second) = (BTreeSet::new(), 0_u32, 0);
    // As long as only one of them gets something, the group is still being formed.
    let sharing = async {
        while by_second == 0 || got.len() < 100 {
            publish(&one, "/queue/work", sent).await;
            sent += 1;
            tokio::select! {
                text = done(&mut first, &one) => got.insert(text),
                text = done(&mut second, &other) => { by_second += 1; got.insert(text) }
            };
        }
        let all = |got: &BTreeSet<String>| got.len() as u32 == sent;
        while !all(&got) {
            tokio::select! {
                text = done(&mut first, &one) => got.insert(text),
                text = done(&mut second, &other) => got.insert(text),
            };
        }
    };
    timeout(PATIENCE, sharing).await.unwrap();
    one.close().await;
    other.close().await;
    // What was acknowledged is committed when an instance goes, and does not come again.
    let later = open(&config).await;
    publish(&later, "/queue/work", "end").await;
    let mut last = Listening::to(3, "/queue/work").acking(5).on(&later).await;
    assert_eq!(last.bodies(1).await, ["end"]);
    last.is_quiet().await;
    later.close().await;
}

#[tokio::test]
async fn what_is_open_comes_again_at_another_instance_when_one_goes() {
    let Some(kafka) = one_node() else { return };
    let config = fresh(&kafka, 1);
    let (one, other) = (open(&config).await, open(&config).await);
    publish_numbers(&one, "/queue/a", 0..20).await;
    let mut first = Listening::to(1, "/queue/a").acking(10).on(&one).await;
    let open_ones = first.take(10).await;
    first.settle(&one, &open_ones[..4], Outcome::Ack).await;
    first.settle(&one, &open_ones[6..8], Outcome::Ack).await;
    first.take(6).await; // room was made for as many
    let mut second = Listening::to(2, "/queue/a").acking(100).on(&other).await;
    one.close().await;
    // The oldest open one holds back the place, so what was done behind it comes once more.
    let again = timeout(PATIENCE, second.bodies(16)).await.unwrap();
    assert_eq!(again, numbers(4..20));
    other.close().await;
}

/// One partition is served by one instance; when nobody there wants it, another has it soon.
#[tokio::test]
async fn an_instance_without_consumers_gives_way() {
    let Some(kafka) = one_node() else { return };
    let config = fresh(&kafka, 1);
    let (one, other) = (open(&config).await, open(&config).await);
    let mut first = Listening::to(1, "/queue/a").acking(10).on(&one).await;
    publish(&one, "/queue/a", "first").await;
    assert_eq!(done(&mut first, &one).await, "first");
    one.unsubscribe(first.key, Place::Keep).await.unwrap();
    let mut second = Listening::to(2, "/queue/a").acking(10).on(&other).await;
    publish(&one, "/queue/a", "second").await;
    let second = timeout(PATIENCE, second.bodies(1)).await.unwrap();
    assert_eq!(second, ["second"]);
    one.close().await;
    other.close().await;
}

#[tokio::test]
async fn a_message_that_waits_for_its_retry_holds_up_nobody() {
    let Some(kafka) = one_node() else { return };
    // Long enough to be waited out in Kafka.
    let config = with_pause(fresh(&kafka, 1), Duration::from_secs(2));
    let broker = open(&config).await;
    let place = publish(&broker, "/queue/a", "hot").await;
    let mut listener = Listening::to(1, "/queue/a").acking(1).on(&broker).await;
    let hot = listener.take(1).await;
    let id = hot[0].logged.id.to_string();
    listener.settle(&broker, &hot, Outcome::Nack).await;
    publish_numbers(&broker, "/queue/a", 0..20).await;
    for number in numbers(0..20) {
        assert_eq!(done(&mut listener, &broker).await, number, "others pass it");
    }
    let again = listener.next().await;
    assert_eq!(body(&again), "hot");
    assert_eq!(again.redeliveries, 1);
    assert_eq!(again.logged.id.to_string(), id, "it is the same message");
    assert_eq!(again.logged.position, Some(place));
    listener.settle(&broker, &[again], Outcome::Ack).await;
    listener.is_quiet().await;
    broker.close().await;
    let later = open(&config).await;
    let mut listener = Listening::to(1, "/queue/a").acking(1).on(&later).await;
    publish(&later, "/queue/a", "end").await;
    assert_eq!(listener.bodies(1).await, ["end"]);
    later.close().await;
}

#[tokio::test]
async fn what_is_not_settled_in_time_goes_to_somebody_else_and_a_late_ack_does_nothing() {
    let Some(kafka) = one_node() else { return };
    let config = KafkaConfig { ack_timeout: Duration::from_millis(500), ..fresh(&kafka, 1) };
    let broker = open(&config).await;
    let mut slow = Listening::to(1, "/queue/a").acking(1).on(&broker).await;
    publish(&broker, "/queue/a", "work").await;
    let late = slow.take(1).await;
    let mut other = Listening::to(2, "/queue/a").acking(1).on(&broker).await;
    let again = other.next().await;
    assert_eq!((body(&again).as_str(), again.redeliveries > 0), ("work", true));
    slow.settle(&broker, &late, Outcome::Ack).await;
    other.settle(&broker, &[again], Outcome::Ack).await;
    broker.close().await;
    let later = open(&config).await;
    let mut last = Listening::to(3, "/queue/a").acking(1).on(&later).await;
    publish(&later, "/queue/a", "end").await;
    assert_eq!(last.bodies(1).await, ["end"]);
    later.close().await;
}

#[tokio::test]
async fn an_id_that_two_instances_took_is_delivered_once() {
    let Some(kafka) = one_node() else { return };
    let queues = vec![KafkaQueue { name: "a".to_owned(), partitions: 3 }];
    let config = KafkaConfig { queues, ..fresh(&kafka, 1) };
    let (one, other) = (open(&config).await, open(&config).await);
    for number in 0..20 {
        let retry = || kept("/queue/a", number).deduplicated("ann", number.to_string());
        let first = one.publish(retry()).await.unwrap();
        let again = one.publish(retry()).await.unwrap();
        assert!(!first.duplicate && again.duplicate);
        assert_eq!(first.position, again.position);
        other.publish(retry()).await.unwrap();
    }
    let mut listener = Listening::to(1, "/queue/a").acking(100).on(&one).await;
    let mut got = listener.bodies(20).await;
    got.sort_by_key(|text| text.parse::<u32>().unwrap());
    assert_eq!(got, numbers(0..20));
    listener.is_quiet().await;
    one.close().await;
    other.close().await;
}

#[tokio::test]
async fn queues_have_names_and_a_number() {
    let Some(kafka) = one_node() else { return };
    let config = KafkaConfig { max_queues: 2, ..fresh(&kafka, 1) };
    let broker = open(&config).await;
    // Kafka itself could not have both.
    for route in ["/queue/a.b", "/queue/a_b", "/queue/a_b.dlq"] {
        publish(&broker, route, route).await;
        let mut listener = Listening::to(1, route).acking(1).on(&broker).await;
        assert_eq!(listener.bodies(1).await, [route]);
        broker.unsubscribe(listener.key, Place::Keep).await.unwrap();
    }
    let refused = |route: &str| {
        let reply = broker.publish(kept(route, "x"));
        async move {
            let Err(BrokerError::Refused(problem)) = reply.await else { panic!("it is refused") };
            problem
        }
    };
    let third = refused("/queue/c").await;
    assert_eq!((third.code, third.limit.as_deref()), (Code::Limit, Some("kafka-max-queues 2")));
    assert_eq!(refused("/queue/a/b").await.code, Code::Invalid);
    assert_eq!(refused(&format!("/queue/{}", "x".repeat(201))).await.code, Code::Invalid);
    let refused = Listening::to(2, "/queue/c").start(&broker).await;
    assert!(matches!(refused, Err(BrokerError::Refused(_))));
    broker.close().await;
}
