//! What comes back: messages and receipts.

use std::{borrow::Cow, fmt};

use bytes::Bytes;
use serde::de::DeserializeOwned;
use stomp_core::Frame;
use tokio::sync::{mpsc, oneshot};

use super::{ClientError, command::Command};
use crate::broker::Position;

/// A message of a subscription.
#[derive(Clone)]
pub struct Message {
    frame: Frame,
    ticket: Option<Ticket>,
}

/// How an explicitly acknowledged message finds its way back.
#[derive(Clone)]
pub(super) struct Ticket {
    pub(super) commands: mpsc::WeakSender<Command>,
    pub(super) generation: u64,
    pub(super) id: String,
}

impl Message {
    pub(super) fn new(frame: Frame, ticket: Option<Ticket>) -> Self {
        Self { frame, ticket }
    }

    /// Where it was sent.
    pub fn destination(&self) -> Cow<'_, str> {
        self.frame.header("destination").unwrap_or_default()
    }

    /// Its id.
    pub fn id(&self) -> Cow<'_, str> {
        self.frame.header("message-id").unwrap_or_default()
    }

    /// Its place in the log; none for volatile ones.
    pub fn position(&self) -> Option<Position> {
        self.frame.header("position")?.parse().ok()
    }

    /// Whether it has been offered to somebody before.
    pub fn is_redelivered(&self) -> bool {
        self.frame.header("redelivered").as_deref() == Some("true")
    }

    /// The first header of this name.
    pub fn header(&self, name: &str) -> Option<Cow<'_, str>> {
        self.frame.header(name)
    }

    /// All headers in order, repeated ones included.
    pub fn headers(&self) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
        self.frame.headers().map(|header| (header.name(), header.value()))
    }

    /// The body.
    pub fn body(&self) -> &Bytes {
        self.frame.body()
    }

    /// The body as text; what is no UTF-8 is replaced.
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(self.frame.body())
    }

    /// The body as a value.
    ///
    /// # Errors
    /// [`ClientError::Invalid`] if it is not the JSON form of one.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, ClientError> {
        serde_json::from_slice(self.frame.body())
            .map_err(|error| ClientError::invalid(format!("the body is not as expected: {error}")))
    }

    /// Says that it has been dealt with: it is never offered again. Only for subscriptions
    /// with [`explicit_acks`](super::Subscribe::explicit_acks); others need none.
    ///
    /// # Errors
    /// [`ClientError::Lost`] if the connection that it came by is gone: it will come again.
    pub async fn ack(&self) -> Result<(), ClientError> {
        self.settle(true).await
    }

    /// Gives it back: a queue offers it to somebody else first.
    ///
    /// # Errors
    /// As for [`ack`](Self::ack).
    pub async fn nack(&self) -> Result<(), ClientError> {
        self.settle(false).await
    }

    /// The way back of one that is acknowledged explicitly.
    pub(super) fn ticket(&self) -> Option<&Ticket> {
        self.ticket.as_ref()
    }

    async fn settle(&self, done: bool) -> Result<(), ClientError> {
        let Some(ticket) = &self.ticket else { return Ok(()) };
        let commands = ticket.commands.upgrade().ok_or(ClientError::Closed)?;
        let (told, outcome) = oneshot::channel();
        let (generation, id) = (ticket.generation, ticket.id.clone());
        let settle = Command::Settle { generation, id, done, told };
        commands.send(settle).await.map_err(|_| ClientError::Closed)?;
        outcome.await.map_err(|_| ClientError::Closed)?
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.frame.fmt(f)
    }
}

/// What the receipt of a SEND said: the log has it.
#[derive(Clone, Debug)]
pub struct Sent {
    frame: Frame,
}

impl Sent {
    pub(super) fn new(frame: Frame) -> Self {
        Self { frame }
    }

    /// Its place in the log; none for volatile messages and transactions.
    pub fn position(&self) -> Option<Position> {
        self.frame.header("position")?.parse().ok()
    }

    /// It was there already, from an earlier try.
    pub fn is_duplicate(&self) -> bool {
        self.frame.header("duplicate").as_deref() == Some("true")
    }

    /// What a handler of the application put into the receipt.
    pub fn header(&self, name: &str) -> Option<Cow<'_, str>> {
        self.frame.header(name)
    }
}
