//! Figures, asked for by name: `cargo test --release --test broker_kafka figures -- --ignored --nocapture`.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use futures::{StreamExt, stream::FuturesUnordered};
use rdkafka::{
    ClientConfig, Offset, TopicPartitionList,
    consumer::{Consumer, StreamConsumer},
    producer::{FutureProducer, FutureRecord},
};
use stomp_core::SharedMessage;
use stomp_server::{
    broker::{Broker, JournalSync, KafkaConfig, Publish},
    testing::{Kafka, listener::Listening},
};
use tokio::task::JoinSet;

use crate::{fresh, open};

const PUBLISHERS: usize = 16;
const WINDOW: usize = 64;
const SECONDS: u64 = 5;
const BODY: usize = 256;

/// How many receipts a second, next to a bare producer and consumer of the same topic with the
/// same settings? This is what the broker costs on top of its log.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn receipts_a_second_next_to_a_bare_producer_and_consumer() {
    let Some(kafka) = Kafka::start(1) else { return };
    let mut config = fresh(&kafka, 8);
    config.broker.journal_sync = JournalSync::Normal;
    let mut best = 0.0_f64;
    for round in 1..=3 {
        let ours = broker(&config).await;
        let bare = bare(&config).await;
        best = best.max(ours / bare);
        eprintln!(
            "round {round}: {ours:.0} receipts/s, bare {bare:.0}/s, ratio {:.2}",
            ours / bare
        );
    }
    eprintln!("best ratio {best:.2}");
}

/// How long does a single publication take, from the call to the receipt, and what does a
/// start cost with as many partitions as a new log gets?
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn one_at_a_time_and_a_start() {
    let Some(kafka) = Kafka::start(1) else { return };
    let mut config = fresh(&kafka, 64);
    config.broker.journal_sync = JournalSync::Normal;
    for what in ["the first start", "a start on a log that is there"] {
        let begin = Instant::now();
        let broker = open(&config).await;
        eprintln!("{what}: {:?}", begin.elapsed());
        for with_id in [false, true] {
            let mut times = Vec::new();
            for number in 0..500 {
                let mut publish = message("/topic/a");
                if with_id {
                    publish = publish.deduplicated(what, number.to_string());
                }
                let begin = Instant::now();
                broker.publish(publish).await.unwrap();
                times.push(begin.elapsed());
            }
            times.sort();
            eprintln!("with an id: {with_id}: p50 {:?}, p99 {:?}", times[250], times[495]);
        }
        broker.close().await;
    }
}

/// What does an instance pay for a record that nobody here wants, next to a bare consumer loop
/// over the same records?
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn a_record_that_nobody_wants_next_to_a_bare_consumer() {
    let Some(kafka) = Kafka::start(1) else { return };
    let mut config = fresh(&kafka, 8);
    config.broker.journal_sync = JournalSync::Normal;
    config.broker.publish_timeout = Duration::from_secs(120);
    const RECORDS: u32 = 400_000;
    let filling = open(&config).await;
    let mut waiting = FuturesUnordered::new();
    for number in 0..RECORDS {
        waiting.push(filling.publish(message(&format!("/topic/{}", number % 1_000))));
        if waiting.len() > 10_000 {
            waiting.next().await.unwrap().unwrap();
        }
    }
    while let Some(reply) = waiting.next().await {
        reply.unwrap();
    }
    let epoch = filling.log().await.unwrap().epoch;
    filling.close().await;
    // A start that reads nothing, so that what a start costs by itself can be told apart.
    let mut at_the_head = config.clone();
    at_the_head.broker.dedupe_ids = 0;
    let topic = format!("{}.topic.{epoch}", config.prefix);
    let mut best = f64::MAX;
    for round in 1..=5 {
        let start = start_cost(&at_the_head).await;
        let begin = processor_time();
        read_bare(&config, &topic, RECORDS).await;
        let bare = processor_time() - begin;
        let all = start_cost(&config).await; // reads all of it before it is ready
        let ours = all.saturating_sub(start);
        let ratio = ours.as_secs_f64() / bare.as_secs_f64();
        best = best.min(ratio);
        eprintln!(
            "round {round}: {ours:?} ours (and {start:?} to start), {bare:?} bare, for {RECORDS} \
             records: ratio {ratio:.2}"
        );
    }
    eprintln!("best ratio {best:.2}");
}

/// What it takes of the processors to open a broker; closing it does not count.
async fn start_cost(config: &KafkaConfig) -> Duration {
    let begin = processor_time();
    let broker = open(config).await;
    let cost = processor_time() - begin;
    broker.close().await;
    cost
}

async fn read_bare(config: &KafkaConfig, topic: &str, records: u32) {
    let consumer: rdkafka::consumer::BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", &config.bootstrap)
        .set("group.id", "bare")
        .set("enable.auto.commit", "false")
        .create()
        .unwrap();
    let mut places = TopicPartitionList::new();
    for partition in 0..config.partitions {
        places.add_partition_offset(topic, partition as i32, Offset::Offset(0)).unwrap();
    }
    consumer.assign(&places).unwrap();
    let reading = tokio::task::spawn_blocking(move || {
        let mut count = 0;
        while count < records {
            count += u32::from(matches!(consumer.poll(Duration::from_millis(100)), Some(Ok(_))));
        }
    });
    reading.await.unwrap();
}

/// What this process has used of its processors, in ticks of 10 ms.
fn processor_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<_> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    let ticks = |at: usize| fields[at].parse::<u64>().unwrap();
    Duration::from_millis(10 * (ticks(11) + ticks(12)))
}

async fn broker(config: &KafkaConfig) -> f64 {
    let broker = Arc::new(open(config).await);
    let mut listener = Listening::to(1, "/topic/0").within(256 << 20).on(&*broker).await;
    let reading = tokio::spawn(async move {
        loop {
            listener.next().await;
        }
    });
    let count = Arc::new(AtomicU64::new(0));
    let begin = Instant::now();
    let mut publishing = JoinSet::new();
    for publisher in 0..PUBLISHERS {
        let (broker, count) = (broker.clone(), count.clone());
        publishing.spawn(async move {
            let route = format!("/topic/{publisher}");
            let mut open = FuturesUnordered::new();
            while begin.elapsed() < Duration::from_secs(SECONDS) {
                while open.len() < WINDOW {
                    open.push(broker.publish(message(&route)));
                }
                open.next().await.unwrap().unwrap();
                count.fetch_add(1, Ordering::Relaxed);
            }
            while open.next().await.is_some() {}
        });
    }
    while publishing.join_next().await.is_some() {}
    reading.abort();
    broker.close().await;
    count.load(Ordering::Relaxed) as f64 / SECONDS as f64
}

async fn bare(config: &KafkaConfig) -> f64 {
    let opened = open(config).await;
    let topic = format!("{}.topic.{}", config.prefix, opened.log().await.unwrap().epoch);
    let heads = opened.log().await.unwrap().heads;
    opened.close().await;
    let producer: FutureProducer = ClientConfig::new()
        .set("bootstrap.servers", &config.bootstrap)
        .set("enable.idempotence", "true")
        .set("acks", "all")
        .set("linger.ms", "0.5")
        .set("socket.nagle.disable", "true")
        .create()
        .unwrap();
    let consumer: StreamConsumer = ClientConfig::new()
        .set("bootstrap.servers", &config.bootstrap)
        .set("group.id", "bare")
        .set("enable.auto.commit", "false")
        .create()
        .unwrap();
    let mut places = TopicPartitionList::new();
    for (partition, head) in heads.iter().enumerate() {
        let from = Offset::Offset(*head as i64 - 1);
        places.add_partition_offset(&topic, partition as i32, from).unwrap();
    }
    consumer.assign(&places).unwrap();
    let reading = tokio::spawn(async move {
        loop {
            consumer.recv().await.unwrap();
        }
    });
    let count = Arc::new(AtomicU64::new(0));
    let begin = Instant::now();
    let mut publishing = JoinSet::new();
    for publisher in 0..PUBLISHERS {
        let (producer, count, topic) = (producer.clone(), count.clone(), topic.clone());
        publishing.spawn(async move {
            let (key, body) = (format!("/topic/{publisher}"), vec![b'x'; BODY]);
            let mut open = FuturesUnordered::new();
            while begin.elapsed() < Duration::from_secs(SECONDS) {
                while open.len() < WINDOW {
                    let record = FutureRecord::to(&topic).key(&key).payload(&body);
                    open.push(producer.send_result(record).map_err(|(error, _)| error).unwrap());
                }
                open.next().await.unwrap().unwrap().unwrap();
                count.fetch_add(1, Ordering::Relaxed);
            }
            while open.next().await.is_some() {}
        });
    }
    while publishing.join_next().await.is_some() {}
    reading.abort();
    count.load(Ordering::Relaxed) as f64 / SECONDS as f64
}

fn message(route: &str) -> Publish {
    Publish::kept(SharedMessage::new(route, [("content-type", "text/plain")], vec![b'x'; BODY]))
}
