//! What handlers return.

use std::borrow::Cow;

use serde::Serialize;
use smallvec::SmallVec;
use stomp_core::SharedMessage;

use super::{Emit, Json, Request, emit};
use crate::{broker::Publish, problem::Problem};

/// What comes of a SEND: messages to be accepted, and headers of the receipt.
#[derive(Debug, Default)]
pub struct Outcome {
    pub(super) publish: SmallVec<[Publish; 1]>,
    pub(super) receipt: Vec<(Cow<'static, str>, String)>,
}

/// What a handler of SENDs may return.
///
/// * `()`: taken over; the receipt says so.
/// * [`Emit`], [`Publish`], also in an `Option`, a `Vec` or a tuple: sent; the receipt comes when
///   the log has the last of them, with its position.
/// * [`ReceiptHeader`]: for the receipt, alone or in a tuple.
/// * `Result` of these: an error becomes the problem that the sender is told.
pub trait IntoOutcome {
    /// Turns it into what the session does next.
    ///
    /// # Errors
    /// The problem that the sender is told.
    fn into_outcome(self, request: &Request) -> Result<Outcome, Problem>;
}

/// A header of the receipt.
#[derive(Clone, Debug)]
pub struct ReceiptHeader(pub &'static str, pub String);

impl IntoOutcome for () {
    fn into_outcome(self, _request: &Request) -> Result<Outcome, Problem> {
        Ok(Outcome::default())
    }
}

impl IntoOutcome for Publish {
    fn into_outcome(self, _request: &Request) -> Result<Outcome, Problem> {
        let mut outcome = Outcome::default();
        outcome.publish.push(self);
        Ok(outcome)
    }
}

impl IntoOutcome for Emit {
    fn into_outcome(self, request: &Request) -> Result<Outcome, Problem> {
        self.into_publish(Some(request))?.into_outcome(request)
    }
}

impl IntoOutcome for ReceiptHeader {
    fn into_outcome(self, _request: &Request) -> Result<Outcome, Problem> {
        let receipt = vec![(Cow::Borrowed(self.0), self.1)];
        Ok(Outcome { receipt, ..Outcome::default() })
    }
}

impl<T: IntoOutcome> IntoOutcome for Option<T> {
    fn into_outcome(self, request: &Request) -> Result<Outcome, Problem> {
        self.map_or_else(|| Ok(Outcome::default()), |some| some.into_outcome(request))
    }
}

impl<T: IntoOutcome> IntoOutcome for Vec<T> {
    fn into_outcome(self, request: &Request) -> Result<Outcome, Problem> {
        let mut outcome = Outcome::default();
        for one in self {
            outcome.add(one.into_outcome(request)?);
        }
        Ok(outcome)
    }
}

impl<A: IntoOutcome, B: IntoOutcome> IntoOutcome for (A, B) {
    fn into_outcome(self, request: &Request) -> Result<Outcome, Problem> {
        let mut outcome = self.0.into_outcome(request)?;
        outcome.add(self.1.into_outcome(request)?);
        Ok(outcome)
    }
}

impl<A: IntoOutcome, B: IntoOutcome, C: IntoOutcome> IntoOutcome for (A, B, C) {
    fn into_outcome(self, request: &Request) -> Result<Outcome, Problem> {
        ((self.0, self.1), self.2).into_outcome(request)
    }
}

impl<T: IntoOutcome, E: Into<Problem>> IntoOutcome for Result<T, E> {
    fn into_outcome(self, request: &Request) -> Result<Outcome, Problem> {
        self.map_err(Into::into)?.into_outcome(request)
    }
}

impl Outcome {
    fn add(&mut self, other: Self) {
        self.publish.extend(other.publish);
        self.receipt.extend(other.receipt);
    }
}

/// What a handler of SUBSCRIBEs may return: [`Json`], a text, a [`SharedMessage`], or a
/// `Result` of these.
pub trait IntoReply {
    /// The one message that answers a SUBSCRIBE to `destination`.
    ///
    /// # Errors
    /// The problem that the subscriber is told.
    fn into_reply(self, destination: &str) -> Result<SharedMessage, Problem>;
}

impl<T: Serialize> IntoReply for Json<T> {
    fn into_reply(self, destination: &str) -> Result<SharedMessage, Problem> {
        let body = emit::to_json(&self.0)?;
        Ok(SharedMessage::new(destination, [("content-type", "application/json")], body))
    }
}

impl IntoReply for String {
    fn into_reply(self, destination: &str) -> Result<SharedMessage, Problem> {
        Ok(SharedMessage::new(destination, [("content-type", "text/plain")], self))
    }
}

impl IntoReply for &'static str {
    fn into_reply(self, destination: &str) -> Result<SharedMessage, Problem> {
        Ok(SharedMessage::new(destination, [("content-type", "text/plain")], self))
    }
}

impl IntoReply for SharedMessage {
    fn into_reply(self, _destination: &str) -> Result<SharedMessage, Problem> {
        Ok(self)
    }
}

impl<T: IntoReply, E: Into<Problem>> IntoReply for Result<T, E> {
    fn into_reply(self, destination: &str) -> Result<SharedMessage, Problem> {
        self.map_err(Into::into)?.into_reply(destination)
    }
}
