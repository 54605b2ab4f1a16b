//! Durable subscriptions that move between instances.

use std::time::Duration;

use stomp_server::{
    broker::{Broker, BrokerConfig, BrokerError, KafkaBroker, KafkaConfig, Outcome, Place},
    problem::Code,
    testing::listener::{Listener, Listening, numbers, publish, publish_numbers},
};

use crate::{fresh, one_node, open, without_ring};

fn inbox(connection: u64) -> Listening {
    Listening::to(connection, "/topic/a").durable("ann", "inbox").acking(1_000)
}

async fn refusal(listening: Listening, broker: &KafkaBroker) -> Code {
    let Err(BrokerError::Refused(problem)) = listening.start(broker).await else {
        panic!("it is refused")
    };
    problem.code
}

async fn done(listener: &mut Listener, broker: &KafkaBroker, count: usize) -> Vec<String> {
    let some = listener.take(count).await;
    listener.settle(broker, &some, Outcome::Ack).await;
    some.iter().map(stomp_server::testing::listener::body).collect()
}

#[tokio::test]
async fn a_place_moves_between_instances_and_has_one_holder() {
    let Some(kafka) = one_node() else { return };
    for config in [fresh(&kafka, 4), without_ring(fresh(&kafka, 4))] {
        let (one, other) = (open(&config).await, open(&config).await);
        let mut first = inbox(1).on(&one).await;
        publish_numbers(&other, "/topic/a", 0..10).await;
        assert_eq!(done(&mut first, &one, 6).await, numbers(0..6));
        assert_eq!(refusal(inbox(2), &other).await, Code::InUse);
        assert_eq!(refusal(inbox(3), &one).await, Code::InUse);
        one.unsubscribe(first.key, Place::Keep).await.unwrap();
        publish_numbers(&one, "/topic/a", 10..200).await;
        let mut second = inbox(4).on(&other).await;
        assert_eq!(second.subscribed.recovered, Some(true));
        assert_eq!(done(&mut second, &other, 194).await, numbers(6..200));
        assert_eq!(refusal(inbox(5), &one).await, Code::InUse);
        other.close().await;
        // An instance that starts now finds the place in the topic.
        let later = open(&config).await;
        publish(&one, "/topic/a", "last").await;
        let mut third = inbox(6).on(&later).await;
        assert_eq!(third.bodies(1).await, ["last"]);
        later.unsubscribe(third.key, Place::Forget).await.unwrap();
        let mut anew = inbox(7).on(&one).await;
        assert_eq!(anew.subscribed.recovered, None);
        anew.is_quiet().await;
        one.close().await;
        later.close().await;
    }
}

/// More than `from` would ever replay, out of the log, while nobody was there.
#[tokio::test]
async fn a_place_far_behind_is_caught_up_with() {
    const MANY: u32 = 3_000;
    let Some(kafka) = one_node() else { return };
    let mut config = without_ring(fresh(&kafka, 2));
    config.broker.replay_records = 100;
    let broker = open(&config).await;
    let first = inbox(1).on(&broker).await;
    broker.unsubscribe(first.key, Place::Keep).await.unwrap();
    let replies: Vec<_> = (0..MANY)
        .map(|number| broker.publish(stomp_server::testing::listener::kept("/topic/a", number)))
        .collect();
    for reply in replies {
        reply.await.unwrap();
    }
    let mut again = inbox(2).on(&broker).await;
    assert_eq!(again.subscribed.recovered, Some(true));
    let mut got = Vec::new();
    while got.len() < MANY as usize {
        got.extend(done(&mut again, &broker, 500).await);
    }
    assert_eq!(got, numbers(0..MANY));
    publish(&broker, "/topic/a", "live").await;
    assert_eq!(again.bodies(1).await, ["live"]);
    broker.close().await;
}

#[tokio::test]
async fn a_place_that_nobody_used_for_too_long_is_not_recovered() {
    let Some(kafka) = one_node() else { return };
    let config = fresh(&kafka, 2);
    let place_age = Duration::from_millis(1);
    let config =
        KafkaConfig { broker: BrokerConfig { place_age, ..config.broker.clone() }, ..config };
    let broker = open(&config).await;
    let first = inbox(1).on(&broker).await;
    broker.unsubscribe(first.key, Place::Keep).await.unwrap();
    publish(&broker, "/topic/a", "missed").await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    let mut again = inbox(2).on(&broker).await;
    assert_eq!(again.subscribed.recovered, Some(false));
    publish(&broker, "/topic/a", "next").await;
    assert_eq!(again.bodies(1).await, ["next"]);
    broker.close().await;
}
