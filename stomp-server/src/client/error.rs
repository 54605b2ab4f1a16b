//! Why the client did not do something, and who can mend it.

use std::{io, sync::Arc};

use stomp_core::Mender;

use crate::problem::{Code, Problem};

/// What went wrong, told to whoever waits for it.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The server refused it, and says why. Definite: it has not been done.
    #[error("refused: {0}")]
    Refused(#[from] Problem),
    /// No connection could be made. Definite.
    #[error("the server cannot be reached: {0}")]
    Unreachable(Arc<io::Error>),
    /// The server does not speak STOMP 1.2 as it should.
    #[error("the server broke the protocol: {0}")]
    Protocol(String),
    /// The connection went away before the outcome was known, and the request was one that
    /// is not tried again. It may have been done.
    #[error("the connection was lost; whether this was done is not known")]
    Lost,
    /// The client was closed, or given up. What was not receipted may have been done.
    #[error("this client is closed")]
    Closed,
    /// The outbox is full. Nothing was sent.
    #[error("{0} octets wait for their receipts already")]
    Full(usize),
    /// The message is larger than the whole outbox. Nothing was sent.
    #[error("a message of {size} octets does not fit an outbox of {outbox}")]
    TooLarge {
        /// What it takes.
        size: usize,
        /// What there is: [`ClientBuilder::outbox`](super::ClientBuilder::outbox).
        outbox: usize,
    },
    /// What was asked for cannot be asked for; the sentence says why. Nothing was sent.
    #[error("{0}")]
    Invalid(String),
}

impl ClientError {
    /// Who can mend it: [`Mender::Peer`] is the server, [`Mender::Caller`] whoever called.
    ///
    /// ```
    /// use stomp_core::Mender;
    /// use stomp_server::client::ClientError;
    ///
    /// assert!(matches!(ClientError::Full(1).mender(), Mender::Caller));
    /// assert!(matches!(ClientError::Lost.mender(), Mender::Peer));
    /// ```
    pub fn mender(&self) -> Mender {
        match self {
            Self::Refused(problem) if is_passing(problem.code) => Mender::Peer,
            Self::Unreachable(_) | Self::Protocol(_) | Self::Lost => Mender::Peer,
            _ => Mender::Caller,
        }
    }

    /// Whether the same request may succeed later without anybody changing it.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Refused(problem) => is_passing(problem.code),
            Self::Unreachable(_) | Self::Lost | Self::Full(_) => true,
            _ => false,
        }
    }

    /// Whether it is certain that nothing was done.
    pub fn is_definite(&self) -> bool {
        !matches!(self, Self::Lost | Self::Closed | Self::Protocol(_))
    }

    pub(super) fn invalid(sentence: impl Into<String>) -> Self {
        Self::Invalid(sentence.into())
    }
}

impl From<io::Error> for ClientError {
    fn from(error: io::Error) -> Self {
        Self::Unreachable(Arc::new(error))
    }
}

/// Refusals that go away with time.
pub(super) fn is_passing(code: Code) -> bool {
    matches!(code, Code::RateLimited | Code::Unavailable | Code::Shutdown | Code::InUse)
}
