//! How a connection is doing.

use std::time::Duration;

use stomp_core::Frame;

/// What [`Client::status`](super::Client::status) shows.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Status {
    /// A connection is being made.
    Connecting,
    /// A session is open.
    Connected {
        /// The session's id, if the server gives one.
        session: Option<String>,
        /// The user that the server takes this client for.
        user: Option<String>,
        /// What a receipt survives: `memory`, `disk` or `replicated`.
        durability: Option<String>,
    },
    /// The next try comes after a pause.
    Waiting {
        /// How many pauses there have been.
        tries: u32,
        /// How long this one is.
        pause: Duration,
    },
    /// It is over.
    Closed,
}

impl Status {
    pub(super) fn connected(frame: &Frame) -> Self {
        let header = |name| frame.header(name).map(std::borrow::Cow::into_owned);
        Self::Connected {
            session: header("session"),
            user: header("user-name"),
            durability: header("durability"),
        }
    }

    /// Whether a session is open.
    pub fn is_connected(&self) -> bool {
        matches!(self, Self::Connected { .. })
    }
}
