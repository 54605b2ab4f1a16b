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
    sync::{Arc, mpsc},
    time::Duration,
};

use stomp_server::{
    broker::{Broker, BrokerConfig, JournalBroker, Outcome, Position},
    testing::listener::{Listening, body, kept},
};

const JOURNAL: &str = "STOMP_KILL_JOURNAL";
const FIRST: &str = "STOMP_KILL_FIRST";
const WINDOW: usize = 64;
/// So many rounds on one file: each reads all of it.
const FILE: usize = 12;
const QUEUE: &str = "/queue/a";
/// What says that there is nothing more.
const LAST: u64 = u64::MAX;

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

/// The child's part for queues: it acknowledges what is even, and leaves the rest open.
#[tokio::test]
async fn queue_child() {
    let (Ok(path), Ok(first)) = (std::env::var(JOURNAL), std::env::var(FIRST)) else { return };
    let first: u64 = first.parse().unwrap();
    let broker = Arc::new(JournalBroker::open(path, BrokerConfig::default()).await.unwrap());
    let mut consumer = Listening::to(1, QUEUE).acking(u32::MAX).on(&*broker).await;
    let publisher = broker.clone();
    tokio::spawn(async move {
        for number in first.. {
            let accepted = publisher.publish(kept(QUEUE, number)).await.unwrap();
            println!("receipt {number} {}", accepted.position.unwrap());
        }
    });
    loop {
        let delivery = consumer.next().await;
        let number: u64 = body(&delivery).parse().unwrap();
        if number.is_multiple_of(2) {
            let position = delivery.logged.position.unwrap();
            consumer.settle(&*broker, &[delivery], Outcome::Ack).await;
            println!("acked {number} {position}");
        }
    }
}

#[tokio::test]
async fn acknowledged_messages_stay_gone_after_kill_9_and_no_others_do() {
    if std::env::var(JOURNAL).is_ok() {
        return; // this is the child
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.db");
    let mut open = BTreeMap::new();
    let mut first = 1_000_000;
    for round in 0..rounds() {
        let alive = Duration::from_millis(rand::random_range(1..100));
        let told = publish_and_die("queue_child", &path, first, alive);
        let broker = JournalBroker::open(&path, BrokerConfig::default()).await.unwrap();
        let asked = Listening::to(1, QUEUE).acking(u32::MAX).within(1 << 30);
        let mut consumer = asked.on(&broker).await;
        // What is published now stands behind all that was there.
        broker.publish(kept(QUEUE, LAST)).await.unwrap();
        let mut left = Vec::new();
        while left.last().is_none_or(|last| body(last) != LAST.to_string()) {
            left.push(consumer.next().await);
        }
        consumer.settle(&broker, &left.split_off(left.len() - 1), Outcome::Ack).await;
        let left: BTreeMap<u64, Position> = left
            .iter()
            .map(|one| (body(one).parse().unwrap(), one.logged.position.unwrap()))
            .collect();
        for number in told.acked.keys() {
            assert!(!left.contains_key(number), "round {round}: {number} was acknowledged");
        }
        open.extend(told.receipts.into_iter().filter(|(number, _)| !number.is_multiple_of(2)));
        for (number, position) in &open {
            assert_eq!(left.get(number), Some(position), "round {round}: {number} is still open");
        }
        // What nobody was told of may be there or not; from now on it counts like the rest.
        open = left;
        open.retain(|number, _| !number.is_multiple_of(2));
        first += 1_000_000;
        broker.close().await;
    }
    println!("{} messages open after {} rounds", open.len(), rounds());
}

#[tokio::test]
async fn receipted_messages_survive_kill_9_once_and_in_order() {
    if std::env::var(JOURNAL).is_ok() {
        return; // this is the child
    }
    let rounds = rounds();
    let folder = tempfile::tempdir().unwrap();
    let (mut first, mut total) = (0, 0);
    let mut receipted = BTreeMap::new();
    for round in 0..rounds {
        if round % FILE == 0 {
            total += receipted.len();
            first = 0;
            receipted.clear();
        }
        let path = folder.path().join(format!("log{}.db", round / FILE));
        let alive = Duration::from_millis(rand::random_range(1..150));
        let got = publish_and_die("child", &path, first, alive).receipts;
        assert!(!got.is_empty(), "round {round} got no receipt");
        receipted.extend(got);
        first = check(&path, &receipted).await;
    }
    println!("{} receipts in {rounds} rounds", total + receipted.len());
}

fn rounds() -> usize {
    std::env::var("STOMP_KILL_ROUNDS").map_or(12, |rounds| rounds.parse().unwrap())
}

/// What a child said before it died.
#[derive(Default)]
struct Told {
    receipts: BTreeMap<u64, Position>,
    acked: BTreeMap<u64, Position>,
}

impl Told {
    fn hear(&mut self, line: &str) -> Option<()> {
        let mut words =
            line.split(' ').skip_while(|word| !word.ends_with("receipt") && *word != "acked");
        let heard = match words.next()? {
            "acked" => &mut self.acked,
            _ => &mut self.receipts,
        };
        let number = words.next()?.parse().ok()?;
        // The last line may have been cut off: then it was not said.
        heard.insert(number, words.next()?.parse().ok()?);
        Some(())
    }
}

/// Lets a child publish from a number on, kills it, and says what it had said.
fn publish_and_die(role: &str, path: &Path, first: u64, alive: Duration) -> Told {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", role, "--nocapture"])
        .env(JOURNAL, path)
        .env(FIRST, first.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    let (begun, begins) = mpsc::channel();
    let reading = std::thread::spawn(move || {
        let mut told = Told::default();
        for line in output.lines().map_while(Result::ok) {
            if told.hear(&line).is_some() {
                let _ = begun.send(());
            }
        }
        told
    });
    begins.recv_timeout(Duration::from_secs(60)).expect("the child begins");
    std::thread::sleep(alive);
    child.kill().unwrap();
    child.wait().unwrap();
    reading.join().unwrap()
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
