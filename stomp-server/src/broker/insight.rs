//! What there is to see of a broker, for people and their tools.

use serde::Serialize;

/// One queue, as it is now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct QueueInfo {
    /// Its destination.
    pub name: String,
    /// Messages that nobody has acknowledged yet: those that wait and those with a consumer.
    pub messages: usize,
    /// Messages that a consumer has and has not acknowledged.
    pub unacked: usize,
    /// Messages that came back and wait for their pause to be over.
    pub returned: usize,
    /// Subscriptions that take from it.
    pub consumers: usize,
}

/// What a broker keeps, and who has yet to take it over.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct StorageInfo {
    /// The newest messages, in memory for those who resume.
    pub ring_bytes: u64,
    /// How many those are.
    pub ring_messages: u64,
    /// What all queues of this process hold in memory.
    pub queue_bytes: u64,
    /// How many queues there are in this process.
    pub queues: usize,
    /// What the journal has on disk; none where there is no journal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub journal_bytes: Option<u64>,
    /// How large it may grow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub journal_max: Option<u64>,
    /// Publications that wait for the log, in bytes.
    pub backlog_bytes: u64,
    /// How many messages the slowest worker has yet to take over; none without workers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lag: Option<u64>,
}
