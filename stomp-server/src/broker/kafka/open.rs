//! Starting: which log it is, whether it is safe, and reading its tail before anybody comes.

use std::{sync::Arc, time::Duration};

use parking_lot::{Mutex, RwLock};
use rdkafka::{
    Offset, TopicPartitionList,
    consumer::Consumer,
    error::{KafkaError, KafkaResult},
};
use tokio::time::timeout;

use super::{
    KafkaBroker, KafkaConfig, KafkaStartError,
    acceptor::Acceptor,
    bridge::Bridge,
    client::{self, PATIENCE, Reader, patiently},
    cursors::Cursors,
    epoch::{self, Meta},
    joining::Joining,
    ledger::KafkaLedger,
    producer::Told,
    queue::KafkaQueues,
    reach::Reach,
    receipts::{Flight, Receipts},
    scan::Readers,
    tail::{Progress, Tail, damaged_records},
    topics::{self, Found, Topics},
    upkeep::{Current, Upkeep},
    window::Window,
    worker::WorkerPlaces,
};
use crate::broker::{
    Durability, Epoch,
    dedupe::Dedupe,
    hub::{Hub, now_ms},
    partition::Partitions,
};

/// How many partitions the volatile messages have: enough to spread them over some nodes.
const LIVE_PARTITIONS: u32 = 8;

/// How much longer than the window the tail reaches back, for clocks that differ.
const SLACK: Duration = Duration::from_secs(60);

/// How long the tail may take to be read, beyond which the start fails.
const WARM_UP: Duration = Duration::from_secs(300);

/// A log that can serve.
struct Log {
    epoch: Epoch,
    topic: String,
    live_topic: String,
    live_partitions: u32,
    durability: Durability,
    /// From where the tail is read, and up to where it reaches now, for each partition.
    starts: Vec<u64>,
    heads: Vec<u64>,
    live_heads: Vec<u64>,
    cursors_topic: String,
    /// From where to where the places of durable subscriptions reach.
    cursors: (u64, u64),
    origin_ms: u64,
}

pub(super) async fn open(config: KafkaConfig) -> Result<KafkaBroker, KafkaStartError> {
    config.check()?;
    let (log, reader) = {
        let config = config.clone();
        let handle = tokio::runtime::Handle::current();
        let found = tokio::task::spawn_blocking(move || {
            let reader = client::reader(&config).map_err(unavailable)?;
            let log = handle.block_on(find_log(&config, &reader))?;
            Ok((log, reader))
        });
        found.await.map_err(|error| KafkaStartError::Unavailable(error.to_string()))??
    };
    start(config, log, reader).await
}

/// Finds the log, or makes it. Blocks where Kafka is asked.
async fn find_log(config: &KafkaConfig, reader: &Reader) -> Result<Log, KafkaStartError> {
    let topics = Topics::of(config, reader)?;
    let meta_topic = format!("{}.meta", config.prefix);
    let live_topic = format!("{}.live", config.prefix);
    topics.make_meta(&meta_topic).await?;
    topics::layout(reader, &meta_topic)?;
    let Meta { epoch, is_made } = epoch::find(config, reader, &meta_topic)?;
    let topic = format!("{}.topic.{epoch}", config.prefix);
    if !is_made {
        topics.make_log(&topic).await?;
        topics::layout(reader, &topic)?;
        epoch::mark_made(config, &meta_topic, epoch)?;
    } else if !topics::exists(reader, &topic)? {
        return Err(log_is_gone(&topic, &meta_topic));
    }
    let Found { partitions, min_in_sync } = topics.check_log(&topic, reader).await?;
    topics.make_live(&live_topic, LIVE_PARTITIONS).await?;
    let (live_partitions, _) = topics::layout(reader, &live_topic)?;
    let cursors_topic = format!("{}.cursors", config.prefix);
    topics.make_cursors(&cursors_topic).await?;
    topics::layout(reader, &cursors_topic)?;
    let cursors = client::extent(reader, &cursors_topic, 0).map_err(unavailable)?;
    let extents = extents(reader, &topic, partitions).map_err(unavailable)?;
    let live_extents = extents_of_live(reader, &live_topic, live_partitions)?;
    let reach_back = config.broker.dedupe_window + SLACK;
    let origin_ms = now_ms().saturating_sub(reach_back.as_millis() as u64);
    let most = config.broker.dedupe_ids as u64;
    let starts = starts(reader, &topic, &extents, origin_ms, most).map_err(unavailable)?;
    Ok(Log {
        epoch,
        topic,
        live_topic,
        live_partitions,
        durability: if min_in_sync >= 2 { Durability::Replicated } else { Durability::Disk },
        starts,
        heads: extents.into_iter().map(|(_, high)| high).collect(),
        live_heads: live_extents,
        cursors_topic,
        cursors,
        origin_ms,
    })
}

pub(super) fn log_is_gone(topic: &str, meta_topic: &str) -> KafkaStartError {
    KafkaStartError::Refused(format!(
        "the topic {topic} is gone, and with it everything that was receipted: restore it, or \
         begin a new log by deleting {meta_topic} or choosing another --kafka-prefix"
    ))
}

/// Reads the tail, and is ready when it has come to where the log was at the start.
async fn start(
    config: KafkaConfig,
    log: Log,
    reader: Reader,
) -> Result<KafkaBroker, KafkaStartError> {
    let partitions = log.starts.len();
    let flight = Arc::new(Flight::new(config.in_flight));
    let receipts = Arc::new(Receipts::new(log.epoch, partitions, flight.clone()));
    let dedupe = Dedupe::new(config.broker.dedupe_window, config.broker.dedupe_ids);
    let window = Arc::new(Mutex::new(Window::new(dedupe, log.origin_ms)));
    let progress = Arc::new(Progress::new(partitions));
    let readers = Arc::new(Readers::new(config.clone()));
    let log_topic: Arc<str> = log.topic.as_str().into();
    let reach = Arc::new(Reach::new(
        log_topic.clone(),
        receipts.clone(),
        window.clone(),
        progress.clone(),
        readers,
    ));
    let told = Told { receipts: receipts.clone(), window: window.clone() };
    let log_producer = client::log_producer(&config, told).map_err(unavailable)?;
    let log_producer: Current = Arc::new(RwLock::new(Arc::new(log_producer)));
    let live_producer = Arc::new(client::live_producer(&config).map_err(unavailable)?);
    let queues = Arc::new(KafkaQueues::new(
        config.clone(),
        log.epoch,
        flight.clone(),
        log_producer.clone(),
        reach.readers.clone(),
    ));
    let producer = log_producer.clone();
    let cursors = Cursors::new(log.cursors_topic, log.epoch, &config.broker, producer);
    let cursors = Arc::new(cursors);
    let ledger = KafkaLedger { queues: queues.clone(), cursors: cursors.clone() };
    let (broker, starts) = (config.broker.clone(), log.starts.clone());
    let hub = Hub::reading(broker, log.epoch, starts, reach.clone(), Arc::new(ledger));
    let hub = Arc::new(hub);
    let tail = Tail {
        hub: hub.clone(),
        receipts: receipts.clone(),
        window: window.clone(),
        progress: progress.clone(),
        log_topic: log.topic,
        live_topic: log.live_topic.clone(),
        next: log.starts,
        cursors: cursors.clone(),
        damaged: damaged_records(),
    };
    let (cursors_start, cursors_end) = log.cursors;
    tail.assign(&reader, &log.live_heads, cursors_start).map_err(unavailable)?;
    let tail = tokio::task::spawn_blocking(move || tail.run(&reader));
    let workers = Arc::<WorkerPlaces>::default();
    let upkeep = Upkeep {
        config: config.clone(),
        hub: hub.clone(),
        reach: reach.clone(),
        flight: flight.clone(),
        cursors: cursors.clone(),
        workers: workers.clone(),
        producer: log_producer.clone(),
    };
    hub.tasks.spawn(upkeep.run());
    let acceptor = Acceptor {
        hub: hub.clone(),
        max_record: config.max_record(),
        receipts: receipts.clone(),
        window,
        queues: queues.clone(),
        log_topic: log_topic.clone(),
        log_producer,
        live_topic: log.live_topic.into(),
        live_partitions: Partitions::new(log.live_partitions),
        live_producer,
    };
    let joining = Joining {
        hub: hub.clone(),
        queues: queues.clone(),
        cursors: cursors.clone(),
        pending: Arc::default(),
    };
    let broker = KafkaBroker {
        config,
        durability: log.durability,
        hub,
        acceptor,
        joining,
        queues,
        cursors,
        workers,
        flight,
        receipts,
        reach,
        progress,
        log_topic,
        tail: Mutex::new(Some(tail)),
    };
    let warm = async {
        for (partition, head) in log.heads.iter().enumerate() {
            broker.reach.read_up_to(&broker.hub, partition, *head).await;
        }
        broker.cursors.read_up_to(cursors_end as i64).await;
    };
    if timeout(WARM_UP, warm).await.is_err() {
        return Err(KafkaStartError::Unavailable("the log could not be read in time".to_owned()));
    }
    broker.queues.declare().await?;
    for bridge in &broker.config.bridges {
        let (hub, acceptor) = (broker.hub.clone(), broker.acceptor.clone());
        let bridge = Bridge::new(&broker.config, bridge.clone(), hub, acceptor);
        broker.hub.tasks.spawn_blocking(move || bridge.run());
    }
    Ok(broker)
}

fn extents(reader: &Reader, topic: &str, count: u32) -> KafkaResult<Vec<(u64, u64)>> {
    (0..count as usize).map(|partition| client::extent(reader, topic, partition)).collect()
}

fn extents_of_live(reader: &Reader, topic: &str, count: u32) -> Result<Vec<u64>, KafkaStartError> {
    let extents = extents(reader, topic, count).map_err(unavailable)?;
    Ok(extents.into_iter().map(|(_, high)| high).collect())
}

/// Where the tail begins: at what was logged at `origin_ms`, but with no more than `most`
/// records in all.
fn starts(
    reader: &Reader,
    topic: &str,
    extents: &[(u64, u64)],
    origin_ms: u64,
    most: u64,
) -> KafkaResult<Vec<u64>> {
    let mut times = TopicPartitionList::new();
    for partition in 0..extents.len() {
        times.add_partition_offset(topic, partition as i32, Offset::Offset(origin_ms as i64))?;
    }
    let found = patiently(|| reader.offsets_for_times(times.clone(), PATIENCE))?;
    let start_of = |partition: usize, (low, high): (u64, u64)| {
        let found = found.find_partition(topic, partition as i32).map(|place| place.offset());
        let start = match found {
            Some(Offset::Offset(offset)) => offset.max(0) as u64,
            _ => high, // nothing as new as that
        };
        start.clamp(low, high)
    };
    let starts = extents.iter().enumerate().map(|(at, extent)| start_of(at, *extent)).collect();
    Ok(shortened(starts, extents, most))
}

/// Begins later in every partition, in proportion, until all of it is no more than `most`.
fn shortened(starts: Vec<u64>, extents: &[(u64, u64)], most: u64) -> Vec<u64> {
    let lengths = || starts.iter().zip(extents).map(|(start, (_, high))| (high - start, *high));
    let total: u128 = lengths().map(|(length, _)| u128::from(length)).sum();
    if total <= u128::from(most) {
        return starts;
    }
    let shorter = |length: u64| (u128::from(length) * u128::from(most) / total) as u64;
    lengths().map(|(length, high)| high - shorter(length)).collect()
}

fn unavailable(error: KafkaError) -> KafkaStartError {
    KafkaStartError::Unavailable(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tail_that_is_too_long_is_shortened_everywhere_in_proportion() {
        let extents = [(0, 100), (50, 1_000), (7, 7)];
        let starts = vec![0, 100, 7];
        assert_eq!(shortened(starts.clone(), &extents, 1_000), starts);
        assert_eq!(shortened(starts, &extents, 100), [90, 910, 7]);
    }
}
