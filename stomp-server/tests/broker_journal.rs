//! The journal: what it refuses, what it keeps, what it gives up, and what happens when it fails.

#![cfg(all(feature = "testing", feature = "sqlite"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot begin has failed")]

mod flaky;

use std::{
    path::Path,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use stomp_server::{
    broker::{
        Broker, BrokerConfig, BrokerError, Epoch, JournalBroker, JournalSync, Outcome, Place,
        StartFrom,
        journal::{Journal, MemoryJournal, SqliteJournal},
    },
    problem::Code,
    testing::listener::{Listening, kept, numbers, publish, publish_numbers},
};
use tokio::time::{Instant, timeout};

use self::flaky::{Fault, Flaky};

/// How long a slow disk may take for what it does within a second or two elsewhere.
const BOUND: Duration = Duration::from_secs(60);

/// A broker, and the journal below it.
async fn over(path: &Path, config: BrokerConfig) -> (JournalBroker, Arc<Flaky<SqliteJournal>>) {
    let journal = SqliteJournal::open(path, JournalSync::Full).await.unwrap();
    let journal = Arc::new(Flaky::over(journal));
    (JournalBroker::over(journal.clone(), config).await.unwrap(), journal)
}

/// The same, of which all may be trimmed at once.
async fn trimming(path: &Path) -> (JournalBroker, Arc<Flaky<SqliteJournal>>) {
    over(path, BrokerConfig { journal_age: Duration::ZERO, ..BrokerConfig::default() }).await
}

/// Waits until something holds.
async fn until(condition: impl AsyncFn() -> bool) {
    let met = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(BOUND, met).await.expect("it is so at last");
}

/// Waits until a journal has been trimmed up to an offset.
async fn trimmed(journal: &dyn Journal, upto: u64) {
    until(async || journal.extent().await.unwrap().trimmed >= upto).await;
}

async fn open(path: &Path) -> JournalBroker {
    JournalBroker::open(path, BrokerConfig::default()).await.unwrap()
}

/// Why a file is refused.
async fn refusal(path: &Path) -> String {
    let error = JournalBroker::open(path, BrokerConfig::default()).await.err();
    error.expect("it is refused").to_string()
}

#[tokio::test]
async fn everything_is_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.db");
    let broker = open(&path).await;
    publish_numbers(&broker, "/topic/a", 0..100).await;
    let one = || kept("/topic/b", "one").deduplicated("ann", "1").with_id("given");
    let first = broker.publish(one()).await.unwrap();
    let epoch = broker.log().await.unwrap().epoch;
    broker.close().await;

    let broker = open(&path).await;
    assert_eq!(broker.log().await.unwrap().epoch, epoch);
    let mut all = Listening::to(1, "/topic/a").from(StartFrom::First).on(&broker).await;
    assert_eq!(all.bodies(100).await, numbers(0..100));
    let again = broker.publish(one()).await.unwrap();
    assert!(again.duplicate);
    assert_eq!(again.position, first.position);
    let mut given = Listening::to(2, "/topic/b").from(StartFrom::First).on(&broker).await;
    assert_eq!(given.next().await.logged.id.to_string(), "given");
    assert!(publish(&broker, "/topic/a", 100).await > first.position.unwrap());
    broker.close().await;
}

#[tokio::test]
async fn durable_places_survive_a_restart_and_a_long_absence_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.db");
    let subscribe = |connection| Listening::to(connection, "/topic/a").durable("ann", "inbox");
    let config = BrokerConfig { replay_records: 10, ring_bytes: 0, ..BrokerConfig::default() };
    let broker = JournalBroker::open(&path, config.clone()).await.unwrap();
    let mut listener = subscribe(1).acking(100).on(&broker).await;
    publish_numbers(&broker, "/topic/a", 0..20).await;
    let got = listener.take(20).await;
    listener.settle(&broker, &got[..5], Outcome::Ack).await;
    broker.close().await; // nobody has unsubscribed: it might as well have been killed
    drop((broker, listener));

    let broker = JournalBroker::open(&path, config.clone()).await.unwrap();
    publish_numbers(&broker, "/topic/a", 20..30).await;
    let mut again = subscribe(2).on(&broker).await;
    assert_eq!(again.subscribed.recovered, Some(true));
    assert_eq!(again.bodies(25).await, numbers(5..30), "all of it, however much");
    broker.unsubscribe(again.key, Place::Keep).await.unwrap();
    broker.close().await;
    drop(broker);

    let forgetful = BrokerConfig { place_age: Duration::ZERO, ..config };
    let (broker, journal) = over(&path, forgetful).await;
    until(async || journal.places().await.unwrap().is_empty()).await;
    let anew = subscribe(3).on(&broker).await;
    assert_eq!(anew.subscribed.recovered, None);
    broker.close().await;
}

#[tokio::test]
async fn a_file_that_cannot_serve_is_refused_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.db");

    let missing = folder.path().join("no/such/folder/log.db");
    assert!(refusal(&missing).await.contains("make its folder"));

    std::fs::write(&path, "dear diary, today").unwrap();
    assert!(refusal(&path).await.contains("is not a journal: move it away"));
    assert_eq!(std::fs::read(&path).unwrap(), b"dear diary, today", "it is left alone");
    std::fs::remove_file(&path).unwrap();

    let broker = open(&path).await;
    assert!(refusal(&path).await.contains("in use by another process: stop that one"));
    publish_numbers(&broker, "/topic/a", 0..200).await;
    broker.close().await;
    drop(broker);
    open(&path).await.close().await;

    let mut octets = std::fs::read(&path).unwrap();
    let middle = octets.len() / 4;
    octets[middle..].fill(0x5a);
    std::fs::write(&path, octets).unwrap();
    let said = refusal(&path).await;
    assert!(said.contains("is damaged") && said.contains("restore it from a backup"), "{said}");
}

#[tokio::test]
async fn another_programs_file_and_a_newer_format_are_refused() {
    use sqlx::{Connection, SqliteConnection};
    let folder = tempfile::tempdir().unwrap();
    let change = async |path: &Path, sql: &'static str| {
        let url = format!("sqlite://{}?mode=rwc", path.display());
        let mut connection = SqliteConnection::connect(&url).await.unwrap();
        sqlx::query(sql).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    };
    let foreign = folder.path().join("foreign.db");
    change(&foreign, "CREATE TABLE cats (name TEXT)").await;
    assert!(refusal(&foreign).await.contains("an SQLite file of something else"));

    let newer = folder.path().join("newer.db");
    open(&newer).await.close().await;
    change(&newer, "PRAGMA user_version = 99").await;
    assert!(refusal(&newer).await.contains("written by a newer version (format 99"));
}

#[tokio::test]
async fn offsets_are_never_given_twice_also_when_all_is_trimmed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.db");
    let (broker, journal) = trimming(&path).await;
    publish_numbers(&broker, "/topic/a", 0..10).await;
    let last = publish(&broker, "/topic/a", "last").await;
    trimmed(&*journal, last.offset).await;
    broker.close().await;
    drop((broker, journal));
    let (broker, journal) = trimming(&path).await;
    let extent = journal.extent().await.unwrap();
    assert_eq!((extent.trimmed, extent.newest), (last.offset, last.offset));
    assert!(publish(&broker, "/topic/a", "next").await > last);
    broker.close().await;
}

#[tokio::test]
async fn a_worker_that_has_not_taken_over_holds_the_trim_back_across_restarts() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.db");
    let (broker, journal) = trimming(&path).await;
    let mut reader = broker.read_log(&[1]).await.unwrap();
    publish_numbers(&broker, "/topic/a", 0..10).await;
    let batch = reader.next(4).await.unwrap();
    reader.taken_over(0, batch.next);
    trimmed(&*journal, batch.next - 1).await;
    broker.close().await;
    drop((reader, broker, journal));

    let (broker, journal) = trimming(&path).await;
    journal.measured(3).await; // by then it has been decided twice what may go
    assert_eq!(journal.extent().await.unwrap().trimmed, batch.next - 1);
    assert!(broker.read_log(&[1]).await.is_err(), "what was taken over has been trimmed");
    let mut reader = broker.read_log(&[batch.next]).await.expect("the rest is still there");
    let rest = reader.next(100).await.unwrap();
    assert_eq!(rest.records.len(), 6);
    broker.close().await;
}

#[tokio::test]
async fn at_its_bound_a_journal_gives_up_the_oldest_or_waits_for_its_worker() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.db");
    let config = BrokerConfig {
        journal_max: 512 << 10,
        publish_timeout: Duration::from_secs(8),
        ..BrokerConfig::default()
    };
    let broker = JournalBroker::open(&path, config).await.unwrap();
    let text = "x".repeat(4 << 10);
    let mut reader = broker.read_log(&[1]).await.unwrap();
    let refused = loop {
        let replies: Vec<_> = (0..20).map(|_| broker.publish(kept("/topic/a", &text))).collect();
        let mut outcomes = Vec::new();
        for reply in replies {
            outcomes.push(reply.await);
        }
        if let Some(Err(error)) = outcomes.pop() {
            break error;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    let BrokerError::Refused(problem) = refused else { panic!("it is certain: {refused}") };
    assert_eq!(problem.code, Code::Unavailable);

    let waiting = broker.publish(kept("/topic/a", "waits"));
    loop {
        let batch = reader.next(50).await.unwrap();
        reader.taken_over(0, batch.next);
        if batch.records.iter().any(|record| record.logged.message.body() == "waits") {
            break;
        }
    }
    waiting.await.expect("it was accepted once the worker had made room");
    for _ in 0..400 {
        let batch = broker.publish(kept("/topic/a", &text)).await.map(|_| broker.log());
        let next = batch.expect("the oldest go").await.unwrap().heads[0];
        reader.taken_over(0, next);
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    broker.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_failing_disk_makes_publications_wait_and_then_go_on_in_order() {
    let flaky = Arc::new(Flaky::over(MemoryJournal::new()));
    let broker = JournalBroker::over(flaky.clone(), BrokerConfig::default()).await.unwrap();
    let mut listener = Listening::to(1, "/topic/a").on(&broker).await;
    publish(&broker, "/topic/a", 0).await;
    flaky.set(Fault::NotCommitted);
    let replies: Vec<_> = (1..50).map(|n| broker.publish(kept("/topic/a", n))).collect();
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(!broker.has_room());
    flaky.set(Fault::None);
    timeout(BOUND, broker.room()).await.unwrap();
    let mut last = None;
    for reply in replies {
        let position = reply.await.unwrap().position;
        assert!(position > last);
        last = position;
    }
    assert_eq!(listener.bodies(50).await, numbers(0..50));
    broker.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_stays_away_is_unavailable_and_certainly_has_nothing() {
    let flaky = Arc::new(Flaky::over(MemoryJournal::new()));
    let broker = JournalBroker::over(flaky.clone(), BrokerConfig::default()).await.unwrap();
    flaky.set(Fault::NotCommitted);
    let begun = Instant::now();
    let replies: Vec<_> = (0..50).map(|n| broker.publish(kept("/topic/a", n))).collect();
    for reply in replies {
        let Err(BrokerError::Refused(problem)) = reply.await else { panic!("it is refused") };
        assert_eq!(problem.code, Code::Unavailable);
        assert!(problem.retry_after.is_some());
    }
    assert!((29..35).contains(&begun.elapsed().as_secs()));
    flaky.set(Fault::None);
    publish(&broker, "/topic/a", "on").await;
    let mut all = Listening::to(1, "/topic/a").from(StartFrom::First).on(&broker).await;
    assert_eq!(all.bodies(1).await, ["on"]);
    broker.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_commit_of_unknown_outcome_is_looked_up_and_never_doubled() {
    for (fault, kept_by) in [(Fault::UnknownKept, 1), (Fault::UnknownLost, 1)] {
        let flaky = Arc::new(Flaky::over(MemoryJournal::new()));
        let broker = JournalBroker::over(flaky.clone(), BrokerConfig::default()).await.unwrap();
        let mut listener = Listening::to(1, "/topic/a").on(&broker).await;
        flaky.set(fault);
        let reply = broker.publish(kept("/topic/a", "one"));
        tokio::time::sleep(Duration::from_secs(1)).await;
        flaky.set(Fault::None);
        assert!(!reply.await.unwrap().duplicate, "{fault:?}");
        assert_eq!(listener.rest().await.len(), kept_by, "{fault:?}");
        broker.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_commit_that_hangs_leaves_its_publishers_in_doubt_and_is_finished_later() {
    let flaky = Arc::new(Flaky::over(MemoryJournal::new()));
    let broker = JournalBroker::over(flaky.clone(), BrokerConfig::default()).await.unwrap();
    let mut listener = Listening::to(1, "/topic/a").on(&broker).await;
    tokio::time::sleep(Duration::from_millis(10)).await; // the journal's own upkeep is done
    flaky.set(Fault::Hang);
    let hanging = broker.publish(kept("/topic/a", "one").deduplicated("ann", "1"));
    tokio::time::sleep(Duration::from_millis(10)).await;
    let behind = broker.publish(kept("/topic/a", "two"));
    assert!(matches!(hanging.await, Err(BrokerError::Unknown(_))));
    assert!(matches!(behind.await, Err(BrokerError::Refused(_))), "it was never handed over");
    flaky.set(Fault::None);
    let retry = broker.publish(kept("/topic/a", "one").deduplicated("ann", "1")).await.unwrap();
    assert!(retry.duplicate);
    assert_eq!(listener.bodies(1).await, ["one"]);
    listener.is_quiet().await;
    broker.close().await;
}

#[tokio::test(start_paused = true)]
async fn more_than_the_backlog_asks_to_wait_and_more_than_twice_of_it_is_refused() {
    let flaky = Arc::new(Flaky::over(MemoryJournal::new()));
    let config = BrokerConfig { journal_backlog: 64 << 10, ..BrokerConfig::default() };
    let broker = JournalBroker::over(flaky.clone(), config).await.unwrap();
    flaky.set(Fault::Hang);
    let text = "x".repeat(8 << 10);
    let mut replies: Vec<_> = (0..8).map(|_| broker.publish(kept("/topic/a", &text))).collect();
    assert!(!broker.has_room());
    replies.extend((0..20).map(|_| broker.publish(kept("/topic/a", &text))));
    tokio::time::sleep(Duration::from_secs(1)).await;
    flaky.set(Fault::None);
    let mut refused = 0;
    for reply in replies {
        refused += u32::from(reply.await.is_err());
    }
    assert!(refused > 0);
    assert!(broker.has_room());
    assert!(flaky.commits.load(Ordering::Relaxed) <= 6, "what waits goes in one transaction");
    broker.close().await;
}

#[tokio::test]
async fn a_place_of_another_journal_is_not_recovered() {
    let folder = tempfile::tempdir().unwrap();
    let broker = open(&folder.path().join("one.db")).await;
    let place = publish(&broker, "/topic/a", "one").await;
    let other = open(&folder.path().join("two.db")).await;
    publish(&other, "/topic/a", "two").await;
    let epoch: Epoch = other.log().await.unwrap().epoch;
    assert_ne!(epoch, place.epoch);
    let asked = Listening::to(1, "/topic/a").from(StartFrom::After(place));
    assert_eq!(asked.on(&other).await.subscribed.recovered, Some(false));
    broker.close().await;
    other.close().await;
}
