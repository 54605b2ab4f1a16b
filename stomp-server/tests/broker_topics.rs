//! What the conformance suite leaves open: the bounds of the ring and what lies beyond them.

#![cfg(feature = "testing")]
#![allow(clippy::unwrap_used, reason = "a test that cannot begin has failed")]

use std::{sync::Arc, time::Duration};

use stomp_server::{
    broker::{
        Broker, BrokerConfig, JournalBroker, MemoryBroker, StartFrom, journal::MemoryJournal,
    },
    session::SlowConsumer,
    testing::listener::{Listening, kept, numbers, publish, publish_numbers},
};
use tokio::time::timeout;

fn small_ring() -> BrokerConfig {
    BrokerConfig { ring_bytes: 64 << 10, ..BrokerConfig::default() }
}

#[tokio::test]
async fn a_place_that_has_left_the_ring_is_not_recovered_but_quiet_destinations_are() {
    let broker = MemoryBroker::new(small_ring());
    let busy = publish(&broker, "/topic/busy", "first").await;
    let _keeps_the_channel = Listening::to(1, "/topic/quiet").on(&broker).await;
    let quiet = publish(&broker, "/topic/quiet", "only").await;
    for _ in 0..200 {
        publish(&broker, "/topic/busy", "x".repeat(1024)).await;
    }
    let cases = [("/topic/busy", busy, false), ("/topic/quiet", quiet, true)];
    for (connection, (route, place, recovered)) in (2..).zip(cases) {
        let asked = Listening::to(connection, route).from(StartFrom::After(place));
        let mut listener = asked.on(&broker).await;
        assert_eq!(listener.subscribed.recovered, Some(recovered), "{route}");
        listener.is_quiet().await;
    }
}

#[tokio::test]
async fn a_journal_recovers_what_has_left_the_ring() {
    let journal = Arc::new(MemoryJournal::new());
    let broker = JournalBroker::over(journal, small_ring()).await.unwrap();
    let busy = publish(&broker, "/topic/busy", "0").await;
    publish_numbers(&broker, "/topic/busy", 1..500).await;
    for (connection, from, replayed) in [
        (1, StartFrom::After(busy), 1..500),
        (2, StartFrom::First, 0..500),
        (3, StartFrom::Last(450), 50..500),
    ] {
        let mut listener = Listening::to(connection, "/topic/busy").from(from).on(&broker).await;
        assert_eq!(listener.subscribed.recovered, Some(true), "{from:?}");
        assert_eq!(listener.bodies(replayed.len()).await, numbers(replayed));
    }
}

#[tokio::test]
async fn more_kept_than_a_replay_may_take_is_not_recovered_from_the_first() {
    let config = BrokerConfig { replay_records: 10, ring_bytes: 0, ..BrokerConfig::default() };
    let journal = Arc::new(MemoryJournal::new());
    let journaled = JournalBroker::over(journal, config.clone()).await.unwrap();
    let config = BrokerConfig { ring_bytes: 1 << 20, ..config };
    let brokers: [&dyn Broker; 2] = [&MemoryBroker::new(config), &journaled];
    for broker in brokers {
        publish_numbers(broker, "/topic/a", 0..10).await;
        let mut all = Listening::to(1, "/topic/a").from(StartFrom::First).on(broker).await;
        assert_eq!(all.subscribed.recovered, Some(true));
        publish(broker, "/topic/a", "10").await;
        assert_eq!(all.bodies(11).await, numbers(0..11));
        let mut none = Listening::to(2, "/topic/a").from(StartFrom::First).on(broker).await;
        assert_eq!(none.subscribed.recovered, Some(false));
        publish(broker, "/topic/a", "live").await;
        assert_eq!(none.bodies(1).await, ["live"]);
    }
}

#[tokio::test]
async fn who_falls_out_of_the_ring_while_catching_up_meets_the_policy() {
    for policy in [SlowConsumer::Disconnect, SlowConsumer::DropOldest] {
        let broker = MemoryBroker::new(small_ring());
        let asked = Listening::to(1, "/topic/a").acking(1).policy(policy);
        let mut behind = asked.on(&broker).await;
        publish_numbers(&broker, "/topic/a", 0..1_000).await;
        let first = behind.take(1).await;
        behind.settle(&broker, &first, stomp_server::broker::Outcome::Ack).await;
        match policy {
            SlowConsumer::Disconnect => {
                behind.queue.ready().await;
                assert!(behind.queue.has_overflowed());
            }
            SlowConsumer::DropOldest => {
                let next: u32 = behind.bodies(1).await[0].parse().unwrap();
                assert!(next > 1, "it goes on behind the gap");
                assert_eq!(behind.dropped, 1);
            }
        }
    }
}

#[tokio::test]
async fn a_worker_holds_back_what_it_has_not_taken_over() {
    let broker = MemoryBroker::new(small_ring());
    let head = broker.log().await.unwrap().heads[0];
    let mut reader = broker.read_log(&[head]).await.unwrap();
    let mut sent = 0;
    while broker.has_room() {
        publish(&broker, ["/topic/a", "/topic/b"][sent % 2], sent).await;
        sent += 1;
    }
    assert!(broker.publish(kept("/topic/a", "more")).await.is_err());
    let mut got = 0;
    while got < sent {
        let batch = reader.next(7).await.unwrap();
        for record in &batch.records {
            assert_eq!(record.logged.message.body(), got.to_string().as_bytes());
            got += 1;
        }
        reader.taken_over(batch.partition, batch.next);
    }
    timeout(Duration::from_secs(60), broker.room()).await.unwrap();
    publish(&broker, "/topic/a", "fits again").await;
    assert!(broker.read_log(&[head]).await.is_err(), "it has been trimmed");
}

#[tokio::test]
async fn closing_ends_the_tasks_of_readers_that_do_not_read() {
    let broker = MemoryBroker::default();
    publish_numbers(&broker, "/topic/a", 0..100).await;
    let asked = Listening::to(1, "/topic/a").from(StartFrom::First).within(1 << 10);
    let _stalled = asked.on(&broker).await;
    timeout(Duration::from_secs(60), broker.close()).await.unwrap();
}
