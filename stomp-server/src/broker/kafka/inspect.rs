//! Looking at a log without making or changing anything, for whoever mends a cluster.

use tokio::runtime::Handle;

use super::{
    KafkaConfig, KafkaStartError,
    client::{self, Reader},
    epoch::{self, Meta},
    open::log_is_gone,
    topics::{self, Found, Topics},
};

/// A log as it is on the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KafkaLogInfo {
    /// Its topic.
    pub topic: String,
    /// How many partitions it has.
    pub partitions: u32,
    /// How many replicas a receipt waits for, at least.
    pub min_in_sync: u32,
}

pub(super) async fn inspect(config: KafkaConfig) -> Result<Option<KafkaLogInfo>, KafkaStartError> {
    config.check()?;
    let handle = Handle::current();
    let looked = tokio::task::spawn_blocking(move || {
        let reader = client::reader(&config)
            .map_err(|error| KafkaStartError::Unavailable(error.to_string()))?;
        handle.block_on(look(&config, &reader))
    });
    looked.await.map_err(|error| KafkaStartError::Unavailable(error.to_string()))?
}

async fn look(
    config: &KafkaConfig,
    reader: &Reader,
) -> Result<Option<KafkaLogInfo>, KafkaStartError> {
    let topics = Topics::of(config, reader)?;
    let meta_topic = format!("{}.meta", config.prefix);
    if !topics.names().contains(&meta_topic) {
        return Ok(None);
    }
    let Some(Meta { epoch, is_made: true }) = epoch::read(reader, &meta_topic)? else {
        return Ok(None); // a start was broken off, and the next one goes on from there
    };
    let topic = format!("{}.topic.{epoch}", config.prefix);
    if !topics::exists(reader, &topic)? {
        return Err(log_is_gone(&topic, &meta_topic));
    }
    let Found { partitions, min_in_sync } = topics.check_log(&topic, reader).await?;
    Ok(Some(KafkaLogInfo { topic, partitions, min_in_sync }))
}
