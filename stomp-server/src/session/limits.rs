//! What one session may ask for, and why not more.

use std::time::Duration;

use super::SlowConsumer;

/// The limits of a session. Each is counted while reading, and named in the problem that
/// refuses what goes past it.
#[derive(Clone, Debug)]
pub struct SessionLimits {
    /// Sizes of frames once logged in.
    pub frame: stomp_core::Limits,
    /// The largest head before login, in bytes. A stranger may make us hold no more than this.
    pub head_before_login: usize,
    /// From accept until CONNECT has been read whole, not from the last byte: a stranger who
    /// sends a byte a second is still gone after this time. 10 s: a phone on a bad network
    /// needs two or three.
    pub connect_timeout: Duration,
    /// Subscriptions at a time. 128: each costs memory in the index.
    pub subscriptions: usize,
    /// Transactions open at a time. 16: each buffers what it will send.
    pub transactions: usize,
    /// Sends and acknowledgements in one transaction. 1,024.
    pub transaction_actions: usize,
    /// Deliveries open at a time on a subscription that acknowledges, where it asks for
    /// nothing else. 256, at least the 201 of protocol decision 20.
    pub prefetch: u32,
    /// The most that a `prefetch-count` may ask for. 10,000.
    pub max_prefetch: u32,
    /// Bytes that wait for a slow reader before the policy strikes. 1 MiB: a second of a
    /// good phone connection.
    pub outbound: usize,
    /// What strikes.
    pub slow_consumer: SlowConsumer,
    /// The shortest heart-beat interval that the server takes on, in milliseconds; a client
    /// that wishes for less gets this. 500: shorter ones cost more than they tell.
    pub heartbeat_min: Duration,
    /// Frames whose outcome is not known yet; the session reads on when there are fewer. 1,024.
    pub in_flight: usize,
    /// Names that CONNECT's `host` may have; empty takes any (there are no virtual hosts).
    pub hosts: Vec<String>,
}

impl Default for SessionLimits {
    fn default() -> Self {
        Self {
            frame: stomp_core::Limits::default(),
            head_before_login: 16 * 1024,
            connect_timeout: Duration::from_secs(10),
            subscriptions: 128,
            transactions: 16,
            transaction_actions: 1024,
            prefetch: 256,
            max_prefetch: 10_000,
            outbound: 1024 * 1024,
            slow_consumer: SlowConsumer::default(),
            heartbeat_min: Duration::from_millis(500),
            in_flight: 1024,
            hosts: Vec::new(),
        }
    }
}

impl SessionLimits {
    /// The sizes that hold before login: no body, and a small head.
    pub(crate) fn before_login(&self) -> stomp_core::Limits {
        stomp_core::Limits {
            head: self.frame.head.min(self.head_before_login),
            body: self.frame.body.min(self.head_before_login),
            ..self.frame
        }
    }
}
