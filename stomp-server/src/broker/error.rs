//! Why a broker did not do something, and whether that is certain.

use crate::problem::{Code, Problem};

/// The outcome of a call that did not succeed.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BrokerError {
    /// Definitely not done, for this reason. The peer may be told.
    #[error(transparent)]
    Refused(#[from] Problem),
    /// Perhaps done, perhaps not. Only a retry with the same id can tell.
    #[error("unknown outcome: {0}")]
    Unknown(std::sync::Arc<str>),
}

impl BrokerError {
    /// A definite refusal.
    pub fn refused(code: Code, detail: impl Into<std::borrow::Cow<'static, str>>) -> Self {
        Self::Refused(Problem::new(code, detail))
    }

    /// An unknown outcome, with what is known about its cause (for the log, not for peers).
    pub fn unknown(cause: impl AsRef<str>) -> Self {
        Self::Unknown(cause.as_ref().into())
    }
}
