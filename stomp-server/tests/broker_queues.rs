//! Queues beyond the conformance suite: bounds, restarts, private queues, times.

#![cfg(all(feature = "testing", feature = "sqlite"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot begin has failed")]

use std::{path::Path, sync::Arc, time::Duration};

use stomp_server::{
    broker::{
        Broker, BrokerConfig, BrokerError, Class, JournalBroker, MemoryBroker, Outcome, Place,
        Publish, StartFrom, journal::MemoryJournal,
    },
    problem::Code,
    testing::listener::{Listening, body, kept, numbers, publish, publish_numbers},
};

const QUEUE: &str = "/queue/a";

fn config() -> BrokerConfig {
    BrokerConfig { redelivery_pause: Duration::from_millis(1), ..BrokerConfig::default() }
}

async fn open(path: &Path) -> JournalBroker {
    JournalBroker::open(path, config()).await.unwrap()
}

#[tokio::test]
async fn queues_and_acks_survive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.db");
    let broker = open(&path).await;
    publish_numbers(&broker, QUEUE, 0..10).await;
    let mut consumer = Listening::to(1, QUEUE).acking(6).on(&broker).await;
    let got = consumer.take(6).await;
    consumer.settle(&broker, &got[..3], Outcome::Ack).await;
    consumer.settle(&broker, &got[3..4], Outcome::Nack).await;
    broker.close().await;
    drop(broker);

    let broker = open(&path).await;
    let mut consumer = Listening::to(1, QUEUE).acking(100).on(&broker).await;
    let again = consumer.take(7).await;
    assert_eq!(again.iter().map(body).collect::<Vec<_>>(), numbers(3..10));
    assert!(again[0].redeliveries >= 1, "the count is kept too");
    assert_eq!(again[6].redeliveries, 0);
    assert!(publish(&broker, QUEUE, "new").await > again[6].logged.position.unwrap());
    broker.close().await;
}

#[tokio::test]
async fn a_retry_stays_a_duplicate_after_a_restart_though_its_message_is_long_done() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.db");
    let order = || kept(QUEUE, "order").deduplicated("ann", "1");
    let broker = open(&path).await;
    let first = broker.publish(order()).await.unwrap();
    let mut consumer = Listening::to(1, QUEUE).acking(1).on(&broker).await;
    let got = consumer.take(1).await;
    consumer.settle(&broker, &got, Outcome::Ack).await;
    broker.close().await;
    drop(broker);

    let broker = open(&path).await;
    let again = broker.publish(order()).await.unwrap();
    assert!(again.duplicate);
    assert_eq!(again.position, first.position);
    Listening::to(2, QUEUE).acking(1).on(&broker).await.is_quiet().await;
    broker.close().await;
}

#[tokio::test]
async fn all_queues_together_hold_no_more_than_their_memory() {
    let config = BrokerConfig { queue_bytes: 8 << 10, ..config() };
    let broker = MemoryBroker::new(config);
    let text = "x".repeat(3 << 10);
    publish(&broker, "/queue/a", &text).await;
    publish(&broker, "/queue/b", &text).await;
    let refused = broker.publish(kept("/queue/c", &text)).await.unwrap_err();
    assert!(refused.to_string().contains("as much as they may"), "{refused}");
    let mut consumer = Listening::to(1, "/queue/a").acking(1).on(&broker).await;
    let got = consumer.take(1).await;
    consumer.settle(&broker, &got, Outcome::Ack).await;
    publish(&broker, "/queue/c", &text).await;
}

#[tokio::test]
async fn dead_letters_survive_a_restart_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.db");
    let config = BrokerConfig { max_deliveries: 2, ..config() };
    let broker = JournalBroker::open(&path, config.clone()).await.unwrap();
    publish(&broker, QUEUE, "bad").await;
    let mut consumer = Listening::to(1, QUEUE).acking(1).on(&broker).await;
    for _ in 0..2 {
        let bad = consumer.take(1).await;
        consumer.settle(&broker, &bad, Outcome::Nack).await;
    }
    broker.close().await;
    drop(broker);

    let broker = JournalBroker::open(&path, config).await.unwrap();
    let mut dead = Listening::to(1, "/queue/a.dlq").acking(1).on(&broker).await;
    assert_eq!(dead.bodies(1).await, ["bad"]);
    let mut none = Listening::to(2, QUEUE).acking(1).on(&broker).await;
    none.is_quiet().await;
    broker.close().await;
}

#[tokio::test]
async fn what_expired_while_the_broker_was_away_goes_to_the_dead_letters() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.db");
    let broker = open(&path).await;
    let short = Publish { ttl: Some(Duration::from_millis(20)), ..kept(QUEUE, "short") };
    broker.publish(short).await.unwrap();
    broker.close().await;
    drop(broker);
    tokio::time::sleep(Duration::from_millis(40)).await;
    let broker = open(&path).await;
    let mut none = Listening::to(1, QUEUE).acking(1).on(&broker).await;
    let mut dead = Listening::to(2, "/queue/a.dlq").acking(1).on(&broker).await;
    assert_eq!(dead.bodies(1).await, ["short"]);
    none.is_quiet().await;
    broker.close().await;
}

#[tokio::test]
async fn a_full_queue_refuses_with_its_limit_and_takes_again_when_one_is_gone() {
    let config = BrokerConfig { queue_max: 3, ..config() };
    let journal = Arc::new(MemoryJournal::new());
    let journaled = JournalBroker::over(journal, config.clone()).await.unwrap();
    let brokers: [&dyn Broker; 2] = [&MemoryBroker::new(config), &journaled];
    for broker in brokers {
        publish_numbers(broker, QUEUE, 0..3).await;
        let refused = broker.publish(kept(QUEUE, "more")).await.unwrap_err();
        let BrokerError::Refused(problem) = refused else { panic!("it is certain") };
        assert_eq!(problem.code, Code::Limit);
        assert_eq!(problem.limit.as_deref(), Some("queue-max 3"));
        let mut consumer = Listening::to(1, QUEUE).acking(1).on(broker).await;
        let first = consumer.take(1).await;
        assert!(broker.publish(kept(QUEUE, "more")).await.is_err(), "an open one still counts");
        consumer.settle(broker, &first, Outcome::Ack).await;
        publish(broker, QUEUE, "3").await;
        broker.unsubscribe(consumer.key, Place::Keep).await.unwrap();
        let duplicate = || kept("/queue/b", "once").deduplicated("ann", "1");
        for _ in 0..10 {
            broker.publish(duplicate()).await.unwrap();
        }
        publish_numbers(broker, "/queue/b", 0..2).await; // duplicates have taken no room
    }
}

#[tokio::test]
async fn a_private_queue_ends_with_its_consumer() {
    const ROUTE: &str = "/temp-queue/secret/x";
    let journal = Arc::new(MemoryJournal::new());
    let journaled = JournalBroker::over(journal, config()).await.unwrap();
    let brokers: [&dyn Broker; 2] = [&MemoryBroker::new(config()), &journaled];
    for broker in brokers {
        let nobody = broker.publish(kept(ROUTE, "nobody")).await.unwrap();
        assert_eq!(nobody.position, None);
        let mut owner = Listening::to(1, ROUTE).acking(1).on(broker).await;
        let accepted = broker.publish(kept(ROUTE, "1")).await.unwrap();
        assert_eq!(accepted.position, None, "nothing of it is in the log");
        broker.publish(Publish { class: Class::Volatile, ..kept(ROUTE, "2") }).await.unwrap();
        let first = owner.take(1).await;
        assert_eq!(body(&first[0]), "1");
        broker.unsubscribe(owner.key, Place::Keep).await.unwrap();
        let mut other = Listening::to(2, ROUTE).acking(1).on(broker).await;
        other.is_quiet().await;
    }
}

#[tokio::test]
async fn what_only_topics_have_is_refused() {
    let broker = MemoryBroker::new(config());
    let volatile = Publish { class: Class::Volatile, ..kept(QUEUE, "x") };
    let volatile = broker.publish(volatile).await.unwrap_err();
    assert!(volatile.to_string().contains("persistent:false is for topics"), "{volatile}");
    let from = Listening::to(1, QUEUE).from(StartFrom::First).start(&broker).await;
    assert!(from.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_message_that_only_one_consumer_refuses_pauses_longer_each_time() {
    let broker = MemoryBroker::default();
    let mut consumer = Listening::to(1, QUEUE).acking(1).on(&broker).await;
    publish(&broker, QUEUE, "hot").await;
    let mut pauses = Vec::new();
    for _ in 0..4 {
        let hot = consumer.take(1).await;
        let begun = tokio::time::Instant::now();
        consumer.settle(&broker, &hot, Outcome::Nack).await;
        consumer.queue.ready().await;
        pauses.push(begun.elapsed().as_millis());
    }
    for (pause, expected) in pauses.iter().zip([100, 200, 400, 800]) {
        assert!((expected..expected + 20).contains(pause), "{pauses:?}");
    }
}

#[tokio::test]
async fn a_consumer_that_does_not_read_holds_nobody_up() {
    let broker = MemoryBroker::new(config());
    let stalled = Listening::to(1, QUEUE).acking(1_000).within(4 << 10).on(&broker).await;
    let mut healthy = Listening::to(2, QUEUE).acking(1_000).on(&broker).await;
    publish_numbers(&broker, QUEUE, 0..1_000).await;
    healthy.take(950).await; // the stalled one has only what its outbound takes
    broker.unsubscribe(stalled.key, Place::Keep).await.unwrap();
    healthy.take(50).await;
    healthy.is_quiet().await;
}

#[tokio::test]
async fn without_acknowledgements_a_message_is_done_when_it_is_handed_over() {
    let broker = MemoryBroker::new(config());
    let mut automatic = Listening::to(1, QUEUE).on(&broker).await;
    publish_numbers(&broker, QUEUE, 0..10).await;
    let got = automatic.take(10).await;
    assert!(got.iter().all(|delivery| delivery.token.is_none()));
    broker.unsubscribe(automatic.key, Place::Keep).await.unwrap();
    Listening::to(2, QUEUE).on(&broker).await.is_quiet().await;
}

#[tokio::test]
async fn a_message_larger_than_half_an_outbound_comes_when_nothing_else_waits() {
    let broker = MemoryBroker::new(config());
    let mut consumer = Listening::to(1, QUEUE).acking(10).within(4 << 10).on(&broker).await;
    publish(&broker, QUEUE, "small").await;
    publish(&broker, QUEUE, "x".repeat(8 << 10)).await;
    publish(&broker, QUEUE, "last").await;
    let got = consumer.bodies(3).await;
    assert_eq!((got[0].as_str(), got[1].len(), got[2].as_str()), ("small", 8 << 10, "last"));
}
