//! The knobs of the broker on Kafka.

use std::time::Duration;

use crate::broker::BrokerConfig;

/// Where the log is, and how it is used.
#[derive(Clone, Debug)]
pub struct KafkaConfig {
    /// Some nodes of the cluster, `host:port[,host:port]`.
    pub bootstrap: String,
    /// What the names of all our topics begin with; instances with the same prefix are one
    /// broker. Default `stomp`.
    pub prefix: String,
    /// How many partitions a new log gets. Default 64: enough to spread over a dozen nodes;
    /// every instance reads all of them, so more only cost. A log keeps the number that it has.
    pub partitions: u32,
    /// Use a log whose settings could lose what was receipted. Default false.
    pub allow_weak_log: bool,
    /// The largest body, which Kafka has to be ready for. Default 4 MiB.
    pub max_body: usize,
    /// How many bytes of publications may be on their way before sessions stop reading; twice
    /// of it is refused. Default 64 MiB, a second of a fast network.
    pub in_flight: usize,
    /// How long the cluster may take to answer at the start. Default 30 s.
    pub start_timeout: Duration,
    /// Queues that are there from the start, each with a number of partitions of its own.
    pub queues: Vec<KafkaQueue>,
    /// How many queues may be made by being used. Default 100: each is a Kafka topic, and
    /// clients must not be able to fill the cluster with them.
    pub max_queues: usize,
    /// How long a consumer of a queue may keep a message without settling it, before it is
    /// offered to somebody else. Default 30 minutes: longer than any one piece of work, and a
    /// consumer that hangs gives its messages back the same day.
    pub ack_timeout: Duration,
    /// How long an instance goes on reading a queue after its last consumer has left, while no
    /// other instance reads it. Default 60 s: a consumer that reconnects finds it as it was.
    pub queue_linger: Duration,
    /// Kafka topics of other programs that are read into a destination.
    pub bridges: Vec<KafkaBridge>,
    /// What holds for every broker: ring, dedupe window, replays, the time to publish.
    pub broker: BrokerConfig,
}

impl KafkaConfig {
    /// The defaults, on this cluster.
    pub fn new(bootstrap: impl Into<String>) -> Self {
        Self {
            bootstrap: bootstrap.into(),
            prefix: "stomp".to_owned(),
            partitions: 64,
            allow_weak_log: false,
            max_body: 4 << 20,
            in_flight: 64 << 20,
            start_timeout: Duration::from_secs(30),
            queues: Vec::new(),
            max_queues: 100,
            ack_timeout: Duration::from_secs(30 * 60),
            queue_linger: Duration::from_secs(60),
            bridges: Vec::new(),
            broker: BrokerConfig::default(),
        }
    }

    /// The largest record: a body, the largest head, and what Kafka adds.
    pub(super) fn max_record(&self) -> usize {
        const HEAD: usize = 128 << 10;
        self.max_body + HEAD
    }

    /// Says what is wrong with the prefix.
    pub(super) fn check(&self) -> Result<(), KafkaStartError> {
        let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if self.prefix.is_empty() || self.prefix.len() > 150 || !self.prefix.chars().all(is_word) {
            return Err(KafkaStartError::Refused(format!(
                "the prefix {:?} cannot begin the name of a Kafka topic: use letters, digits, \
                 dots, hyphens and underscores, at most 150",
                self.prefix
            )));
        }
        Ok(())
    }
}

/// A queue that is there from the start.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KafkaQueue {
    /// Its name behind `/queue/`: `orders`.
    pub name: String,
    /// How many instances can take from it at once, at most.
    pub partitions: u32,
}

/// A Kafka topic of another program whose records become messages.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KafkaBridge {
    /// The Kafka topic, as the other program calls it: `legacy.events`.
    pub topic: String,
    /// Where its records appear: `/topic/legacy`.
    pub destination: String,
}

/// Why the broker did not start.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KafkaStartError {
    /// What is there cannot serve; the sentence says what to do.
    #[error("{0}")]
    Refused(String),
    /// The cluster does not answer, or not well enough. Trying again may help.
    #[error("Kafka is not available: {0}")]
    Unavailable(String),
}
