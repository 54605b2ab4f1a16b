//! A message that is going to be sent.

use bytes::Bytes;
use serde::Serialize;
use stomp_core::{Command, Frame, FrameBuilder};

use super::ClientError;

/// A message for [`Client::send`](super::Client::send).
///
/// ```
/// use stomp_server::client::Draft;
///
/// let draft = Draft::to("/topic/greetings").text("hello").header("lang", "en");
/// let order = Draft::to("/queue/orders").json(&serde_json::json!({ "item": 7 }))?;
/// # Ok::<(), stomp_server::client::ClientError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a draft is sent by Client::send"]
pub struct Draft {
    destination: String,
    headers: Vec<(String, String)>,
    dedup_id: Option<String>,
    once: bool,
    body: Bytes,
}

impl Draft {
    /// A message without a body for this destination.
    pub fn to(destination: impl Into<String>) -> Self {
        Self {
            destination: destination.into(),
            headers: Vec::new(),
            dedup_id: None,
            once: false,
            body: Bytes::new(),
        }
    }

    /// A text.
    pub fn text(self, text: impl Into<String>) -> Self {
        self.body("text/plain", text.into())
    }

    /// A value as JSON.
    ///
    /// # Errors
    /// [`ClientError::Invalid`] if the value has no JSON form.
    pub fn json(self, value: &impl Serialize) -> Result<Self, ClientError> {
        let text = serde_json::to_vec(value)
            .map_err(|error| ClientError::invalid(format!("the body has no JSON form: {error}")))?;
        Ok(self.body("application/json", text))
    }

    /// Octets with their media type.
    pub fn body(mut self, content_type: &str, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self.header("content-type", content_type)
    }

    /// One more header. Of repeated ones the first counts.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// The id by which the server knows a retry: 1 to 64 of `[A-Za-z0-9_-]`. Without one,
    /// a random id is made up, so that retries after a lost connection are harmless; give
    /// one of your own to make a retry after a restart of your program harmless too.
    pub fn dedup_id(mut self, id: impl Into<String>) -> Self {
        self.dedup_id = Some(id.into());
        self
    }

    /// Nobody keeps it (`persistent:false`); it is sent at most once. Topics only.
    pub fn volatile(self) -> Self {
        self.once().header("persistent", "false")
    }

    /// Sent at most once: if the connection is lost before the receipt, the outcome is
    /// [`ClientError::Lost`] instead of a retry.
    pub fn once(mut self) -> Self {
        self.once = true;
        self
    }

    pub(super) fn is_once(&self) -> bool {
        self.once
    }

    /// Goes to a handler, whose refusals come by way of the errors queue.
    pub(super) fn is_for_handlers(&self) -> bool {
        self.destination.starts_with("/app/")
    }

    pub(super) fn check(&self) -> Result<(), ClientError> {
        if self.destination.is_empty() {
            return Err(ClientError::invalid("a message needs a destination"));
        }
        Ok(())
    }

    /// The SEND frame; `frame` adds what belongs to this sending of it.
    pub(super) fn into_frame(self, frame: impl FnOnce(FrameBuilder) -> FrameBuilder) -> Frame {
        let mut builder =
            frame(Frame::builder(Command::Send).header("destination", &self.destination));
        if !self.once {
            let id = self.dedup_id.unwrap_or_else(|| format!("{:032x}", rand::random::<u128>()));
            builder = builder.header("message-dedup-id", &id);
        } else if let Some(id) = &self.dedup_id {
            builder = builder.header("message-dedup-id", id);
        }
        for (name, value) in &self.headers {
            builder = builder.header(name, value);
        }
        builder.body(self.body).build()
    }
}

/// What a frame takes in the outbox: its octets, and a share for what stands round it.
pub(super) fn weight(frame: &Frame) -> usize {
    const AROUND: usize = 256;
    let line = |header: stomp_core::Header<'_>| header.raw_name().len() + header.raw_value().len();
    AROUND + frame.body().len() + frame.headers().map(line).sum::<usize>()
}
