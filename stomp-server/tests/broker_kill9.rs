//! What is receipted is there after `kill -9`: once, in order, at its position.
//!
//! This program starts itself as a child that publishes as fast as the journal takes it, and
//! kills it at some moment. `STOMP_KILL_ROUNDS` sets how often (12; `scripts/long.sh` has more).

#![cfg(all(feature = "testing", feature = "sqlite", unix))]
#![allow(clippy::unwrap_used, reason = "a test that cannot begin has failed")]

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
    sync::mpsc,
    time::Duration,
};

use stomp_server::{
    broker::{Broker, BrokerConfig, JournalBroker, Position},
    testing::listener::kept,
};

const JOURNAL: &str = "STOMP_KILL_JOURNAL";
const FIRST: &str = "STOMP_KILL_FIRST";
const WINDOW: usize = 64;

/// The child's part; without its environment it is not a test.
#[tokio::test]
async fn child() {
    let (Ok(path), Ok(first)) = (std::env::var(JOURNAL), std::env::var(FIRST)) else { return };
    let first: u64 = first.parse().unwrap();
    let broker = JournalBroker::open(path, BrokerConfig::default()).await.unwrap();
    let mut open = std::collections::VecDeque::new();
    for number in first.. {
        let publish = kept("/topic/a", number).deduplicated("child", number.to_string());
        open.push_back((number, broker.publish(publish)));
        if open.len() == WINDOW {
            let (number, reply) = open.pop_front().unwrap();
            let accepted = reply.await.unwrap();
            println!("receipt {number} {}", accepted.position.unwrap());
        }
    }
}

#[tokio::test]
async fn receipted_messages_survive_kill_9_once_and_in_order() {
    if std::env::var(JOURNAL).is_ok() {
        return; // this is the child
    }
    let rounds = std::env::var("STOMP_KILL_ROUNDS").map_or(12, |rounds| rounds.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.db");
    let mut first = 0;
    let mut receipted = BTreeMap::new();
    for round in 0..rounds {
        let alive = Duration::from_millis(rand::random_range(1..150));
        let got = publish_and_die(&path, first, alive);
        assert!(!got.is_empty(), "round {round} got no receipt");
        receipted.extend(got);
        first = check(&path, &receipted).await;
    }
    println!("{} receipts in {rounds} rounds, {first} messages kept", receipted.len());
}

/// Lets a child publish from a number on, kills it, and says which receipts it had.
fn publish_and_die(path: &Path, first: u64, alive: Duration) -> BTreeMap<u64, Position> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture"])
        .env(JOURNAL, path)
        .env(FIRST, first.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    let (sender, receipts) = mpsc::channel();
    let reading = std::thread::spawn(move || {
        for line in output.lines() {
            let line = line.unwrap_or_default();
            let mut words = line.split(' ').skip_while(|word| !word.ends_with("receipt")).skip(1);
            let Some(number) = words.next().and_then(|word| word.parse().ok()) else { continue };
            // The last line may have been cut off: then it was no receipt.
            let Some(position) = words.next().and_then(|word| word.parse().ok()) else { continue };
            let _ = sender.send((number, position));
        }
    });
    let begun = receipts.recv_timeout(Duration::from_secs(30)).expect("the child begins");
    std::thread::sleep(alive);
    child.kill().unwrap();
    child.wait().unwrap();
    reading.join().unwrap();
    std::iter::once(begun).chain(receipts.try_iter()).collect()
}

/// Opens the journal again, checks it against the receipts, and says where to go on.
async fn check(path: &Path, receipted: &BTreeMap<u64, Position>) -> u64 {
    let broker = JournalBroker::open(path, BrokerConfig::default()).await.unwrap();
    let head = broker.log().await.unwrap().heads[0];
    let mut reader = broker.read_log(&[1]).await.unwrap();
    let mut kept_at = BTreeMap::new();
    let mut offset = 0;
    while offset + 1 < head {
        for record in reader.next(1_000).await.unwrap().records {
            assert!(record.offset > offset);
            offset = record.offset;
            let number: u64 =
                String::from_utf8_lossy(record.logged.message.body()).parse().unwrap();
            assert_eq!(number, kept_at.len() as u64, "none is missing, doubled or out of order");
            kept_at.insert(number, record.logged.position.unwrap());
        }
    }
    for (number, position) in receipted {
        assert_eq!(kept_at.get(number), Some(position), "receipt {number}");
    }
    let (last, position) = kept_at.pop_last().unwrap();
    let retry = kept("/topic/a", last).deduplicated("child", last.to_string());
    let accepted = broker.publish(retry).await.unwrap();
    assert!(accepted.duplicate, "the window of ids has survived too");
    assert_eq!(accepted.position, Some(position));
    broker.close().await;
    last + 1
}
