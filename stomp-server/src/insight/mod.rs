//! What there is to see of a running server: for a page, a tool, a test.
//!
//! Looking costs whoever looks; serving pays a few numbers per read and write, and nothing
//! per delivery. Every list is given in pages.
//!
//! ```
//! let server = stomp_server::Server::builder().build();
//! let insight = server.insight();
//! assert!(insight.connections(0, 100, None).is_empty());
//! assert_eq!(insight.totals().logins, 0);
//! ```

mod look;
mod roster;
mod times;

use serde::Serialize;

pub(crate) use self::roster::{Present, Roster};
pub use self::{look::Insight, times::Moment};
pub use crate::broker::{QueueInfo, StorageInfo};

/// One connection, as it is now.
#[derive(Clone, Debug, Serialize)]
pub struct ConnectionInfo {
    /// Its number in this process; later ones are larger.
    pub number: u64,
    /// Who has logged in; none before that, and for an anonymous session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Where it comes from: the peer, or who a trusted proxy says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// What STOMP runs over: `tcp`, `tls`, `websocket`, `stream`.
    pub transport: &'static str,
    /// The STOMP version; none before the login.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<&'static str>,
    /// When it was accepted.
    pub since: Moment,
    /// When it was last read from or written to.
    pub last_activity: Moment,
    /// How many subscriptions it has at the broker.
    pub subscriptions: usize,
    /// Bytes that wait for it: in its queue or in the transport.
    pub outbound_bytes: u64,
    /// Octets read from it.
    pub bytes_received: u64,
    /// Octets written to it.
    pub bytes_sent: u64,
    /// Topic messages that it read too slowly for.
    pub dropped: u64,
}

/// One subscription, as it is now.
#[derive(Clone, Debug, Serialize)]
pub struct SubscriptionInfo {
    /// The connection's number.
    pub connection: u64,
    /// Its number within the connection; later ones are larger.
    pub number: u32,
    /// Who has subscribed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// A destination or a pattern.
    pub destination: String,
    /// Whether messages wait for an acknowledgement.
    pub acks: bool,
    /// How many messages may be unacknowledged at once.
    pub prefetch: u32,
    /// Whether its place is kept while the subscriber is away.
    pub durable: bool,
}

/// A subscriber that read too slowly.
#[derive(Clone, Debug, Serialize)]
pub struct SlowInfo {
    /// When it was noticed.
    pub at: Moment,
    /// The connection's number.
    pub connection: u64,
    /// Who it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Where it came from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// How many messages were dropped; none where it was disconnected instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dropped: Option<u64>,
}

/// What has happened since the server was built.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Connections ever accepted.
    pub connections: u64,
    /// Logins that were accepted.
    pub logins: u64,
    /// Logins that were refused.
    pub logins_refused: u64,
    /// Frames read from clients.
    pub frames_received: u64,
    /// Frames written to clients.
    pub frames_sent: u64,
    /// Octets read from clients.
    pub bytes_received: u64,
    /// Octets written to clients.
    pub bytes_sent: u64,
    /// Publications that the log has taken.
    pub accepted: u64,
    /// Publications that it had already.
    pub duplicate: u64,
    /// Publications that were refused.
    pub refused: u64,
    /// Publications whose outcome was not known.
    pub unknown: u64,
    /// Times that the slow-consumer policy struck.
    pub slow_consumers: u64,
    /// Messages that it dropped.
    pub dropped: u64,
}
