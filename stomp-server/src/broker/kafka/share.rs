//! Dividing the reading of the log among instances: a consumer group in which nobody consumes.
//!
//! Kafka's group says whose a partition is; what is read, and from where, is the owner's
//! affair. So a member holds its partitions paused, and only listens for changes.

use std::{sync::Arc, time::Duration};

use rdkafka::{
    ClientContext, TopicPartitionList,
    config::{FromClientConfigAndContext, RDKafkaLogLevel},
    consumer::{BaseConsumer, Consumer, ConsumerContext, Rebalance},
    error::{KafkaError, KafkaResult},
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{client, config::KafkaConfig};
use crate::broker::{Share, hub::Hub};

/// How long to listen before looking whether to leave.
const POLL: Duration = Duration::from_millis(100);

type Member = BaseConsumer<Listening>;

/// Becomes a member of the group of this name.
pub(super) fn join(
    config: &KafkaConfig,
    hub: &Arc<Hub>,
    topic: &str,
    name: &str,
) -> KafkaResult<Share> {
    let (told, partitions) = watch::channel(Vec::new());
    let mut settings = client::common(config);
    settings
        .set("group.id", format!("{}.{name}", config.prefix))
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "latest")
        // As soon as Kafka's own defaults allow: what a dead member had waits for so long.
        .set("session.timeout.ms", "6000")
        .set("heartbeat.interval.ms", "1500");
    let member = Member::from_config_and_context(&settings, Listening(told))?;
    member.subscribe(&[topic])?;
    let leave = CancellationToken::new();
    let (until, closing) = (leave.clone(), hub.closing.clone());
    hub.tasks.spawn_blocking(move || {
        while !until.is_cancelled() && !closing.is_cancelled() {
            if let Some(Err(error)) = member.poll(POLL) {
                tracing::debug!(%error, "a member of a group waits for Kafka");
            }
        }
        // Dropped, it leaves, and the others need not wait for its session to end.
    });
    Ok(Share::of_member(partitions, leave))
}

/// Tells which partitions are ours.
struct Listening(watch::Sender<Vec<u32>>);

impl ClientContext for Listening {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        client::log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, reason, "Kafka");
    }
}

impl ConsumerContext for Listening {
    fn pre_rebalance(&self, _: &BaseConsumer<Self>, change: &Rebalance<'_>) {
        if !matches!(change, Rebalance::Assign(_)) {
            self.0.send_replace(Vec::new());
        }
    }

    fn post_rebalance(&self, member: &BaseConsumer<Self>, change: &Rebalance<'_>) {
        if let Rebalance::Assign(given) = change {
            if let Err(error) = member.pause(given) {
                tracing::warn!(%error, "partitions are fetched though nobody reads them here");
            }
            self.0.send_replace(numbers(given));
        }
    }
}

fn numbers(given: &TopicPartitionList) -> Vec<u32> {
    let mut numbers: Vec<_> =
        given.elements().iter().map(|place| place.partition().max(0) as u32).collect();
    numbers.sort_unstable();
    numbers
}
