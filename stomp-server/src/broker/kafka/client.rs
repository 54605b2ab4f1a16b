//! How we speak to Kafka: the settings of every client, and where their words go.

use std::time::{Duration, Instant};

use rdkafka::{
    ClientConfig, ClientContext, Offset, TopicPartitionList,
    admin::{AdminClient, AdminOptions},
    config::{FromClientConfigAndContext, RDKafkaLogLevel},
    consumer::{BaseConsumer, Consumer, ConsumerContext, StreamConsumer},
    error::{KafkaError, KafkaResult, RDKafkaErrorCode},
    producer::{DeliveryResult, ProducerContext, ThreadedProducer},
};

use super::config::KafkaConfig;

/// How long one question to the cluster may take. Longer than the loss of a node takes to be
/// noticed with short broker sessions, so that questions survive it.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// A client that only listens to its own log lines.
#[derive(Clone, Debug)]
pub(super) struct Quiet;

pub(super) type Reader = BaseConsumer<Quiet>;
pub(super) type LiveProducer = ThreadedProducer<Quiet>;

impl ClientContext for Quiet {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, reason, "Kafka");
    }
}

impl ConsumerContext for Quiet {}

impl ProducerContext for Quiet {
    type DeliveryOpaque = ();

    fn delivery(&self, _: &DeliveryResult<'_>, (): ()) {}
}

/// Passes on what the library says; what it takes for an error is a node that is away.
pub(super) fn log(level: RDKafkaLogLevel, facility: &str, message: &str) {
    match level {
        RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
            tracing::error!(facility, "Kafka: {message}");
        }
        RDKafkaLogLevel::Error | RDKafkaLogLevel::Warning => {
            tracing::warn!(facility, "Kafka: {message}");
        }
        _ => tracing::debug!(facility, "Kafka: {message}"),
    }
}

/// What all clients share: a node that is gone is noticed within seconds.
pub(super) fn common(config: &KafkaConfig) -> ClientConfig {
    let mut client = ClientConfig::new();
    client
        .set("bootstrap.servers", &config.bootstrap)
        .set("client.id", &config.prefix)
        .set("allow.auto.create.topics", "false")
        .set("socket.timeout.ms", "4000")
        .set("socket.connection.setup.timeout.ms", "3000")
        .set("socket.nagle.disable", "true")
        .set("socket.keepalive.enable", "true")
        .set("reconnect.backoff.ms", "50")
        .set("reconnect.backoff.max.ms", "1000")
        .set("retry.backoff.ms", "50")
        .set("topic.metadata.refresh.interval.ms", "10000")
        .set("message.max.bytes", config.max_record().to_string());
    client
}

/// The producer of kept messages: everything in order, once, on all replicas in sync.
pub(super) fn log_producer<C: ProducerContext + 'static>(
    config: &KafkaConfig,
    context: C,
) -> KafkaResult<ThreadedProducer<C>> {
    let mut client = producer(config);
    client
        .set("enable.idempotence", "true")
        .set("acks", "all")
        .set("message.timeout.ms", config.broker.publish_timeout.as_millis().to_string());
    ThreadedProducer::from_config_and_context(&client, context)
}

/// The producer of volatile messages: what does not arrive soon is of no use.
pub(super) fn live_producer(config: &KafkaConfig) -> KafkaResult<LiveProducer> {
    let mut client = producer(config);
    client
        .set("acks", "1")
        .set("max.in.flight.requests.per.connection", "1")
        .set("message.timeout.ms", "10000");
    ThreadedProducer::from_config_and_context(&client, Quiet)
}

fn producer(config: &KafkaConfig) -> ClientConfig {
    let mut client = common(config);
    client
        .set("linger.ms", "0.5")
        .set("request.timeout.ms", "3000")
        // Bounded by us, in bytes; these only have to be larger.
        .set("queue.buffering.max.messages", "1000000")
        .set("queue.buffering.max.kbytes", (4 * config.in_flight / 1024).max(65_536).to_string());
    client
}

/// A consumer that is only ever assigned explicit offsets: no group, no commits. Out of range
/// is an error that we want to hear of.
pub(super) fn reader(config: &KafkaConfig) -> KafkaResult<Reader> {
    BaseConsumer::from_config_and_context(&consumer(config), Quiet)
}

/// The same for a worker, which reads asynchronously.
pub(super) fn worker(config: &KafkaConfig) -> KafkaResult<StreamConsumer<Quiet>> {
    StreamConsumer::from_config_and_context(&consumer(config), Quiet)
}

/// A member of the group that shares a queue. It begins where the group has come to, commits
/// when it is told to, and gives up only those partitions that another one gets.
pub(super) fn member<C: ConsumerContext + 'static>(
    config: &KafkaConfig,
    group: &str,
    context: C,
) -> KafkaResult<BaseConsumer<C>> {
    let mut client = consumer(config);
    client
        .set("group.id", group)
        .set("partition.assignment.strategy", "cooperative-sticky")
        // The shortest that a cluster allows by default: what a lost instance had open comes
        // back after this time.
        .set("session.timeout.ms", "6000")
        .set("heartbeat.interval.ms", "1500")
        .set("auto.offset.reset", "earliest")
        .set("fetch.wait.max.ms", "100")
        // A queue is bounded by what its consumers take, not by what could be fetched ahead.
        .set("queued.max.messages.kbytes", "8192");
    BaseConsumer::from_config_and_context(&client, context)
}

fn consumer(config: &KafkaConfig) -> ClientConfig {
    let fetch = config.max_record().max(16 << 20);
    let mut client = common(config);
    client
        // Assigning needs the name of a group, though none is ever joined.
        .set("group.id", format!("{}.reader", config.prefix))
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "error")
        .set("isolation.level", "read_uncommitted")
        .set("check.crcs", "true")
        .set("fetch.wait.max.ms", "500")
        .set("fetch.error.backoff.ms", "50")
        .set("fetch.queue.backoff.ms", "50")
        .set("queued.max.messages.kbytes", "32768")
        .set("fetch.message.max.bytes", config.max_record().min(1 << 20).to_string())
        .set("fetch.max.bytes", fetch.to_string())
        .set("receive.message.max.bytes", (fetch + (1 << 20)).max(100_000_000).to_string());
    client
}

/// Lets Kafka delete what lies before these offsets. Blocks.
pub(super) fn delete(config: &KafkaConfig, before: &TopicPartitionList) -> KafkaResult<()> {
    let admin: AdminClient<Quiet> = AdminClient::from_config_and_context(&common(config), Quiet)?;
    let options = AdminOptions::new().request_timeout(Some(PATIENCE));
    let deleted = admin.delete_records(before, &options);
    tokio::runtime::Handle::current().block_on(deleted).map(|_| ())
}

/// From where to where a partition reaches, as Kafka counts.
pub(super) fn extent(reader: &Reader, topic: &str, partition: usize) -> KafkaResult<(u64, u64)> {
    let (low, high) = patiently(|| reader.fetch_watermarks(topic, partition as i32, PATIENCE))?;
    Ok((low.max(0) as u64, high.max(0) as u64))
}

/// From where to where each partition reaches, as Kafka counts: two questions to each node,
/// however many partitions there are.
pub(super) fn extents(
    reader: &Reader,
    topic: &str,
    partitions: usize,
) -> KafkaResult<Vec<(u64, u64)>> {
    let ends = |end: Offset| -> KafkaResult<Vec<u64>> {
        let mut places = TopicPartitionList::new();
        for partition in 0..partitions {
            places.add_partition_offset(topic, partition as i32, end)?;
        }
        // Where a time is asked for, these two stand for the beginning and the end.
        let found = patiently(|| {
            let found = reader.offsets_for_times(places.clone(), PATIENCE)?;
            found.elements().iter().try_for_each(|place| place.error())?;
            Ok(found)
        })?;
        let place = |partition| found.find_partition(topic, partition).map(|place| place.offset());
        (0..partitions as i32)
            .map(|partition| match place(partition) {
                Some(Offset::Offset(offset)) => Ok(offset.max(0) as u64),
                _ => Err(KafkaError::OffsetFetch(RDKafkaErrorCode::UnknownPartition)),
            })
            .collect()
    };
    let (low, high) = (ends(Offset::Beginning)?, ends(Offset::End)?);
    Ok(low.into_iter().zip(high).collect())
}

/// Asks again while a partition is looking for its leader, as one that was just made does.
/// Blocks.
pub(super) fn patiently<T>(mut ask: impl FnMut() -> KafkaResult<T>) -> KafkaResult<T> {
    const PAUSE: Duration = Duration::from_millis(50);
    let begin = Instant::now();
    loop {
        match ask() {
            Err(error) if begin.elapsed() < PATIENCE => {
                tracing::debug!(%error, "asking Kafka again");
                std::thread::sleep(PAUSE);
            }
            outcome => return outcome,
        }
    }
}
