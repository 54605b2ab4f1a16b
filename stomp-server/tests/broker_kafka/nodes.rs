//! What the loss of a Kafka node costs: time, and nothing else.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use stomp_server::{
    broker::{Broker, BrokerError, Durability, KafkaBroker, KafkaConfig},
    testing::{
        Kafka,
        listener::{Listening, kept, numbers, publish_numbers},
    },
};
use tokio::{task::JoinSet, time::sleep};

use crate::{fresh, open};

/// What the publishers have come to know.
#[derive(Default)]
struct Book {
    stop: AtomicBool,
    receipted: AtomicU32,
    unknown: AtomicU32,
    duplicates: AtomicU32,
    /// The longest time without a receipt, of anybody.
    gap: Mutex<(Option<Instant>, Duration)>,
}

/// One node is killed and comes back, another stands still for longer than anybody waits, and
/// meanwhile two instances publish without a pause and retry what they do not know.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_of_three_may_die_or_stand_still_and_nothing_is_lost_doubled_or_out_of_order() {
    let Some(kafka) = Kafka::start(3) else { return };
    let config = fresh(&kafka, 6);
    let brokers = [Arc::new(open(&config).await), Arc::new(open(&config).await)];
    assert_eq!(brokers[0].capabilities().durability, Durability::Replicated);
    let mut listeners = Vec::new();
    for (connection, broker) in (0..).zip(&brokers) {
        for topic in 0..4 {
            let asked = Listening::to(connection * 4 + topic, &format!("/topic/{topic}"));
            listeners.push(asked.within(64 << 20).on(&**broker).await);
        }
    }
    let book = Arc::new(Book::default());
    let mut publishing = JoinSet::new();
    for publisher in 0..4_usize {
        publishing.spawn(publish_on(brokers[publisher % 2].clone(), publisher, book.clone()));
    }
    let kafka = Arc::new(kafka);
    for (name, hurt) in [("killed", Kafka::kill as fn(&Kafka, u32)), ("paused", Kafka::pause)] {
        sleep(Duration::from_secs(2)).await;
        book.gap.lock().1 = Duration::ZERO;
        let node = if name == "killed" { 2 } else { 3 };
        at_rest(&kafka, move |kafka| hurt(kafka, node)).await;
        sleep(Duration::from_secs(12)).await;
        at_rest(&kafka, move |kafka| kafka.resume(&[node])).await;
        sleep(Duration::from_secs(3)).await;
        eprintln!("a node {name}: the longest time without a receipt was {:?}", book.gap.lock().1);
    }
    book.stop.store(true, Ordering::Release);
    let mut sent = [0; 4];
    while let Some(done) = publishing.join_next().await {
        let (publisher, count) = done.unwrap();
        sent[publisher] = count;
    }
    eprintln!(
        "{} receipts, {} unknown outcomes, {} retries that had arrived",
        book.receipted.load(Ordering::Acquire),
        book.unknown.load(Ordering::Acquire),
        book.duplicates.load(Ordering::Acquire)
    );
    for (number, listener) in listeners.iter_mut().enumerate() {
        let publisher = number % 4;
        let expected: Vec<_> = (0..sent[publisher]).map(|number| number.to_string()).collect();
        assert_eq!(listener.bodies(expected.len()).await, expected, "listener {number}");
        listener.is_quiet().await;
    }
    for broker in brokers {
        broker.close().await;
    }
}

/// Publishes numbers to a topic of its own, each until it is receipted. Says how many.
async fn publish_on(broker: Arc<KafkaBroker>, publisher: usize, book: Arc<Book>) -> (usize, u32) {
    let route = format!("/topic/{publisher}");
    let mut number = 0;
    while !book.stop.load(Ordering::Acquire) {
        let publication = kept(&route, number).deduplicated("ann", number.to_string());
        match broker.publish(publication).await {
            Ok(accepted) => {
                book.receipted.fetch_add(1, Ordering::AcqRel);
                book.duplicates.fetch_add(accepted.duplicate.into(), Ordering::AcqRel);
                number += 1;
                note(&book);
            }
            Err(BrokerError::Unknown(_)) => {
                book.unknown.fetch_add(1, Ordering::AcqRel);
            }
            Err(refused) => panic!("{refused}"),
        }
        sleep(Duration::from_millis(5)).await;
    }
    (publisher, number)
}

fn note(book: &Book) {
    let mut gap = book.gap.lock();
    let now = Instant::now();
    if let Some(last) = gap.0.replace(now) {
        gap.1 = gap.1.max(now - last);
    }
}

/// Runs a script where it keeps nobody waiting.
async fn at_rest(kafka: &Arc<Kafka>, work: impl FnOnce(&Kafka) + Send + 'static) {
    let kafka = kafka.clone();
    tokio::task::spawn_blocking(move || work(&kafka)).await.unwrap();
}

/// With time for nodes that a busy machine takes long to start again.
fn patient(mut config: KafkaConfig) -> KafkaConfig {
    config.broker.publish_timeout = Duration::from_secs(120);
    config
}

/// The whole cluster is away for a while: publications wait, and are neither lost nor doubled.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kafka_may_be_away_and_come_back() {
    let Some(kafka) = Kafka::start(1) else { return };
    let kafka = Arc::new(kafka);
    let broker = open(&patient(fresh(&kafka, 4))).await;
    let mut listener = Listening::to(1, "/topic/a").on(&broker).await;
    publish_numbers(&broker, "/topic/a", 0..10).await;
    at_rest(&kafka, |kafka| kafka.kill(1)).await;
    let waiting: Vec<_> = (10..20).map(|number| broker.publish(kept("/topic/a", number))).collect();
    sleep(Duration::from_secs(5)).await;
    at_rest(&kafka, |kafka| kafka.resume(&[1])).await;
    for reply in waiting {
        assert!(!reply.await.unwrap().duplicate);
    }
    publish_numbers(&broker, "/topic/a", 20..30).await;
    assert_eq!(listener.bodies(30).await, numbers(0..30));
    listener.is_quiet().await;
    broker.close().await;
}

/// All nodes die at the same time, twice, and come back with what they had.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_nodes_may_die_and_come_back() {
    let Some(kafka) = Kafka::start(3) else { return };
    let kafka = Arc::new(kafka);
    let config = patient(fresh(&kafka, 6));
    let brokers = [Arc::new(open(&config).await), Arc::new(open(&config).await)];
    let mut listeners = Vec::new();
    for (connection, broker) in (0..).zip(&brokers) {
        let asked = Listening::to(connection, "/topic/0");
        listeners.push(asked.within(64 << 20).on(&**broker).await);
    }
    let book = Arc::new(Book::default());
    let publishing = tokio::spawn(publish_on(brokers[0].clone(), 0, book.clone()));
    for _ in 0..2 {
        sleep(Duration::from_secs(2)).await;
        book.gap.lock().1 = Duration::ZERO;
        let begin = Instant::now();
        at_rest(&kafka, |kafka| (1..=3).for_each(|node| kafka.kill(node))).await;
        at_rest(&kafka, |kafka| kafka.resume(&[1, 2, 3])).await;
        let took = begin.elapsed();
        sleep(Duration::from_secs(8)).await;
        let gap = book.gap.lock().1;
        eprintln!("all nodes back after {took:?}: the longest time without a receipt was {gap:?}");
    }
    book.stop.store(true, Ordering::Release);
    let (_, sent) = publishing.await.unwrap();
    for listener in &mut listeners {
        assert_eq!(listener.bodies(sent as usize).await, numbers(0..sent));
        listener.is_quiet().await;
    }
    for broker in brokers {
        broker.close().await;
    }
}

/// A log that stays away: the outcome of what was on its way is unknown, and the end is in time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_kafka_nothing_is_accepted_and_closing_ends() {
    let Some(kafka) = Kafka::start(1) else { return };
    let mut config = fresh(&kafka, 1);
    config.broker.publish_timeout = Duration::from_secs(2);
    let broker = open(&config).await;
    drop(kafka);
    let outcome = broker.publish(kept("/topic/a", "lost?")).await;
    assert!(matches!(outcome, Err(BrokerError::Unknown(_))), "{outcome:?}");
    let last = broker.publish(kept("/topic/a", "on its way"));
    let begin = Instant::now();
    broker.close().await;
    assert!(begin.elapsed() < Duration::from_secs(60), "{:?}", begin.elapsed());
    assert!(matches!(last.await, Err(BrokerError::Unknown(_))));
}
