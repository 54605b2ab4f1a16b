//! The knobs of the brokers of this machine, in memory and journaled.

use std::{sync::Arc, time::Duration};

use super::{history::History, partition::whole};

/// What a broker of this machine may hold and how long, each with its reason.
///
/// ```
/// use stomp_server::broker::{BrokerConfig, MemoryBroker};
///
/// let config = BrokerConfig { ring_bytes: 16 << 20, ..BrokerConfig::default() };
/// let broker = MemoryBroker::new(config);
/// ```
#[derive(Clone, Debug)]
pub struct BrokerConfig {
    /// What splits the words of a destination, for wildcards only. Default `.`.
    pub separator: char,
    /// What of a destination decides which partition of a shared log it belongs to. Default all
    /// of it; destinations whose records must keep their order among each other give the same.
    /// All instances must agree, for as long as the log lives.
    pub partition_key: fn(&str) -> &str,
    /// Answers replays that reach behind the newest messages, in place of the log. Default none.
    pub history: Option<Arc<dyn History>>,
    /// How much of the newest messages stays in memory for replays, in bytes. Default 64 MiB:
    /// a reconnect storm is answered without touching a disk.
    pub ring_bytes: usize,
    /// How long a publisher's id is remembered. Default 10 minutes, longer than a client
    /// retries.
    pub dedupe_window: Duration,
    /// How many publishers' ids are remembered. Default 1,000,000, about 80 MiB when full; the
    /// cost that a flood of ids cannot pass.
    pub dedupe_ids: usize,
    /// How many kept messages a replay may take from outside the ring; more is
    /// `recovered:false`. Default 10,000: a subscriber that is further behind is better served
    /// by a page of history.
    pub replay_records: usize,
    /// How long the search for a replay's start may take. Default 2 s.
    pub replay_time: Duration,
    /// How many messages a queue holds before it refuses more. Default 1,000,000.
    pub queue_max: usize,
    /// How many bytes all queues hold together, in memory, before they refuse more. Default 1 GiB.
    pub queue_bytes: usize,
    /// How often a queue offers a message before it goes to the dead letters. Default 10.
    pub max_deliveries: u32,
    /// How long a message that was returned waits before the only consumer there is gets it
    /// again, doubled with every return up to 100 times this. Default 100 ms, so that a
    /// consumer that returns everything does not turn at full speed.
    pub redelivery_pause: Duration,
    /// How long a durable subscription's place stays while nobody uses it. Default 7 days; later
    /// its subscriber starts anew.
    pub place_age: Duration,
    /// How long a publication waits for a log that is away or full before it fails. Default
    /// 30 s, longer than a restart of what stands behind it.
    pub publish_timeout: Duration,
    /// How many bytes of publications may wait for the journal before sessions stop reading.
    /// Default 16 MiB, a second of a slow disk.
    pub journal_backlog: usize,
    /// How large the journal may grow, in bytes. The oldest messages go first, but none that a
    /// worker has yet to take over; then publications wait. Default 10 GiB.
    pub journal_max: u64,
    /// How long the journal keeps topic messages. Default 7 days, as long as a durable place.
    pub journal_age: Duration,
    /// What a commit waits for. Default [`JournalSync::Full`].
    pub journal_sync: JournalSync,
}

/// What a commit of the journal waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum JournalSync {
    /// The disk has it: it survives a loss of power.
    #[default]
    Full,
    /// The operating system has it: it survives the process, and is faster.
    Normal,
}

impl Default for BrokerConfig {
    fn default() -> Self {
        Self {
            separator: '.',
            partition_key: whole,
            history: None,
            ring_bytes: 64 << 20,
            dedupe_window: Duration::from_secs(600),
            dedupe_ids: 1_000_000,
            replay_records: 10_000,
            replay_time: Duration::from_secs(2),
            queue_max: 1_000_000,
            queue_bytes: 1 << 30,
            max_deliveries: 10,
            redelivery_pause: Duration::from_millis(100),
            place_age: Duration::from_secs(7 * 24 * 3600),
            publish_timeout: Duration::from_secs(30),
            journal_backlog: 16 << 20,
            journal_max: 10 << 30,
            journal_age: Duration::from_secs(7 * 24 * 3600),
            journal_sync: JournalSync::Full,
        }
    }
}
