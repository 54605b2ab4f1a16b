//! Our topics: making them, and making sure that they can keep what we promise.

use std::{collections::HashSet, time::Duration};

use rdkafka::{
    admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication},
    config::FromClientConfigAndContext,
    consumer::Consumer,
    error::RDKafkaErrorCode,
};

use super::{
    client::{self, PATIENCE, Quiet, Reader},
    config::{KafkaConfig, KafkaStartError},
};
use crate::broker::JournalSync;

/// How long kept messages stay at least: as long as a durable place.
const RETENTION: Duration = Duration::from_secs(7 * 24 * 3600);

/// How long volatile messages stay: long enough for a reader to be slow.
const LIVE_RETENTION: Duration = Duration::from_secs(60);

/// How long a record of a place stays, also when there are newer ones.
const COMPACTION_LAG: Duration = Duration::from_secs(3600);

/// Where there is one copy only, a receipt waits for its disk, as a journal's does: no other
/// node could bring back what a loss of power takes.
const FLUSH: (&str, &str) = ("flush.messages", "1");

/// Makes topics and asks about them.
pub(super) struct Topics<'a> {
    config: &'a KafkaConfig,
    admin: AdminClient<Quiet>,
    brokers: i32,
    names: HashSet<String>,
}

/// A topic as it should be.
struct Wanted {
    partitions: i32,
    settings: Vec<(&'static str, String)>,
}

/// What a topic of the log turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) partitions: u32,
    pub(super) min_in_sync: u32,
}

impl<'a> Topics<'a> {
    /// Asks the cluster who it is.
    pub(super) fn of(config: &'a KafkaConfig, reader: &Reader) -> Result<Self, KafkaStartError> {
        let metadata = reader.fetch_metadata(None, config.start_timeout);
        let metadata = metadata.map_err(|error| {
            KafkaStartError::Unavailable(format!("{} does not answer ({error})", config.bootstrap))
        })?;
        let admin = AdminClient::from_config_and_context(&client::common(config), Quiet);
        let admin = admin.map_err(|error| KafkaStartError::Unavailable(error.to_string()))?;
        let names = metadata.topics().iter().map(|topic| topic.name().to_owned()).collect();
        Ok(Self { config, admin, brokers: metadata.brokers().len() as i32, names })
    }

    /// The topics that the cluster had when it was asked.
    pub(super) fn names(&self) -> &HashSet<String> {
        &self.names
    }

    /// Makes a topic of a queue: its messages stay until they are done with.
    pub(super) async fn make_queue(
        &self,
        name: &str,
        partitions: u32,
    ) -> Result<(), KafkaStartError> {
        let settings = self.safe_log("-1".to_owned());
        self.make(name, Wanted { partitions: partitions as i32, settings }).await
    }

    /// Makes the topic that names the epoch.
    pub(super) async fn make_meta(&self, name: &str) -> Result<(), KafkaStartError> {
        let mut settings = self.safe();
        settings.extend([("retention.ms", "-1".to_owned()), ("retention.bytes", "-1".to_owned())]);
        self.make(name, Wanted { partitions: 1, settings }).await
    }

    /// Makes the topic of kept messages.
    pub(super) async fn make_log(&self, name: &str) -> Result<(), KafkaStartError> {
        let settings = self.safe_log(RETENTION.as_millis().to_string());
        self.make(name, Wanted { partitions: self.config.partitions as i32, settings }).await
    }

    /// The settings of a topic of messages that are kept so long, in milliseconds.
    fn safe_log(&self, retention: String) -> Vec<(&'static str, String)> {
        let mut settings = self.safe();
        settings.extend([
            ("message.timestamp.type", "LogAppendTime".to_owned()),
            ("retention.ms", retention),
            ("retention.bytes", "-1".to_owned()),
            ("max.message.bytes", self.config.max_record().to_string()),
        ]);
        if self.copies() == 1 && self.must_flush() {
            settings.push((FLUSH.0, FLUSH.1.to_owned()));
        }
        settings
    }

    /// Makes the topic of durable subscriptions' places: the newest of each stays.
    pub(super) async fn make_cursors(&self, name: &str) -> Result<(), KafkaStartError> {
        let mut settings = self.safe();
        settings.retain(|(name, _)| *name != "cleanup.policy");
        settings.extend([
            ("cleanup.policy", "compact".to_owned()),
            ("message.timestamp.type", "LogAppendTime".to_owned()),
            // Nothing goes while it may still decide who holds a place.
            ("min.compaction.lag.ms", COMPACTION_LAG.as_millis().to_string()),
        ]);
        self.make(name, Wanted { partitions: 1, settings }).await
    }

    /// Makes the topic of volatile messages.
    pub(super) async fn make_live(
        &self,
        name: &str,
        partitions: u32,
    ) -> Result<(), KafkaStartError> {
        let settings = vec![
            ("cleanup.policy", "delete".to_owned()),
            ("min.insync.replicas", "1".to_owned()),
            ("retention.ms", LIVE_RETENTION.as_millis().to_string()),
            ("segment.ms", LIVE_RETENTION.as_millis().to_string()),
            ("max.message.bytes", self.config.max_record().to_string()),
        ];
        self.make(name, Wanted { partitions: partitions as i32, settings }).await
    }

    /// Refuses a log whose settings could lose what was receipted, and says what it is.
    pub(super) async fn check_log(
        &self,
        name: &str,
        reader: &Reader,
    ) -> Result<Found, KafkaStartError> {
        let settings = self.settings(name).await?;
        let (partitions, copies) = layout(reader, name)?;
        let number = |name: &str| settings(name).parse::<i64>().unwrap_or(0);
        let min_in_sync = number("min.insync.replicas").max(1);
        if number("max.message.bytes") < self.config.max_record() as i64 {
            return Err(KafkaStartError::Refused(format!(
                "the topic {name} takes messages up to {} bytes, but {} are needed for \
                 --max-body: raise its max.message.bytes, or lower --max-body",
                number("max.message.bytes"),
                self.config.max_record()
            )));
        }
        let mut faults = Vec::new();
        let mut want = |is_good: bool, fault: String| {
            if !is_good {
                faults.push(fault);
            }
        };
        let wanted = i64::from(self.copies());
        want(copies >= wanted, format!("replication factor {copies} instead of {wanted}"));
        let in_sync = (copies - 1).max(1);
        want(min_in_sync >= in_sync, format!("min.insync.replicas {min_in_sync}, not {in_sync}"));
        for (name, value) in [
            ("unclean.leader.election.enable", "false"),
            ("message.timestamp.type", "LogAppendTime"),
            ("cleanup.policy", "delete"),
        ] {
            want(settings(name) == value, format!("{name} {}, not {value}", settings(name)));
        }
        if min_in_sync < 2 && self.must_flush() {
            want(settings(FLUSH.0) == FLUSH.1, format!("{} {}, not 1", FLUSH.0, settings(FLUSH.0)));
        }
        let retention = number("retention.ms");
        let week = RETENTION.as_millis() as i64;
        want(retention < 0 || retention >= week, format!("retention.ms {retention}, below {week}"));
        let bytes = number("retention.bytes");
        want(bytes < 0, format!("retention.bytes {bytes}, not -1"));
        self.judge(name, &faults)?;
        Ok(Found { partitions, min_in_sync: min_in_sync as u32 })
    }

    fn judge(&self, name: &str, faults: &[String]) -> Result<(), KafkaStartError> {
        if faults.is_empty() {
            return Ok(());
        }
        let faults = faults.join("; ");
        if self.config.allow_weak_log {
            tracing::warn!(topic = name, "a weak log may lose what was receipted: {faults}");
            return Ok(());
        }
        Err(KafkaStartError::Refused(format!(
            "the topic {name} could lose what was receipted: {faults}. Mend its settings, or \
             say --allow-weak-log if that is what you want"
        )))
    }

    async fn settings(
        &self,
        name: &str,
    ) -> Result<impl Fn(&str) -> String + use<>, KafkaStartError> {
        let unavailable = |error: String| {
            KafkaStartError::Unavailable(format!("the settings of {name} cannot be read: {error}"))
        };
        let asked = [ResourceSpecifier::Topic(name)];
        let answer = self.admin.describe_configs(&asked, &options()).await;
        let answer = answer.map_err(|error| unavailable(error.to_string()))?;
        let resource = answer.into_iter().next();
        let resource = resource.ok_or_else(|| unavailable("no answer".to_owned()))?;
        let resource = resource.map_err(|code| unavailable(code.to_string()))?;
        Ok(move |name: &str| {
            let entry = resource.get(name);
            entry.and_then(|entry| entry.value.clone()).unwrap_or_default()
        })
    }

    async fn make(&self, name: &str, wanted: Wanted) -> Result<(), KafkaStartError> {
        let replication = TopicReplication::Fixed(self.copies());
        let mut topic = NewTopic::new(name, wanted.partitions, replication);
        for (setting, value) in &wanted.settings {
            topic = topic.set(setting, value);
        }
        let made = self.admin.create_topics([&topic], &options()).await;
        let made = made.map_err(|error| {
            KafkaStartError::Unavailable(format!("the topic {name} cannot be made: {error}"))
        })?;
        match made.into_iter().next() {
            Some(Err((_, code))) if code != RDKafkaErrorCode::TopicAlreadyExists => {
                Err(KafkaStartError::Unavailable(format!("the topic {name}: {code}")))
            }
            _ => Ok(()),
        }
    }

    /// The settings of topics whose messages have been promised.
    fn safe(&self) -> Vec<(&'static str, String)> {
        vec![
            ("cleanup.policy", "delete".to_owned()),
            ("min.insync.replicas", (self.copies() - 1).max(1).to_string()),
            ("unclean.leader.election.enable", "false".to_owned()),
        ]
    }

    /// Whether a receipt has to survive a loss of power where one copy is all there is.
    fn must_flush(&self) -> bool {
        self.config.broker.journal_sync == JournalSync::Full
    }

    fn copies(&self) -> i32 {
        self.brokers.clamp(1, 3)
    }
}

/// Whether there is such a topic.
pub(super) fn exists(reader: &Reader, name: &str) -> Result<bool, KafkaStartError> {
    let metadata = reader.fetch_metadata(Some(name), PATIENCE);
    let metadata = metadata.map_err(|error| KafkaStartError::Unavailable(error.to_string()))?;
    let topic = metadata.topics().iter().find(|topic| topic.name() == name);
    Ok(topic.is_some_and(|topic| topic.error().is_none() && !topic.partitions().is_empty()))
}

/// Waits until all partitions of a topic that has just been made have a leader, and says how
/// many there are and in how many copies.
pub(super) fn layout(reader: &Reader, name: &str) -> Result<(u32, i64), KafkaStartError> {
    const PAUSE: Duration = Duration::from_millis(20);
    let begin = std::time::Instant::now();
    loop {
        let metadata = reader.fetch_metadata(Some(name), PATIENCE);
        let metadata = metadata.map_err(|error| KafkaStartError::Unavailable(error.to_string()))?;
        let topic = metadata.topics().iter().find(|topic| topic.name() == name);
        if let Some(topic) = topic.filter(|topic| topic.error().is_none()) {
            let partitions = topic.partitions();
            let are_led = partitions.iter().all(|one| one.error().is_none() && one.leader() >= 0);
            let copies = partitions.iter().map(|one| one.replicas().len()).min();
            if let Some(copies) = copies.filter(|_| are_led) {
                return Ok((partitions.len() as u32, copies as i64));
            }
        }
        if begin.elapsed() > PATIENCE {
            return Err(KafkaStartError::Unavailable(format!("{name} has no leader")));
        }
        std::thread::sleep(PAUSE);
    }
}

fn options() -> AdminOptions {
    AdminOptions::new().operation_timeout(Some(PATIENCE)).request_timeout(Some(PATIENCE))
}
