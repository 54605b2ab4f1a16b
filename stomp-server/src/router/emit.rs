//! Messages that the program sends.

use std::sync::Arc;

use bytes::Bytes;
use compact_str::{CompactString, format_compact};
use serde::Serialize;
use stomp_core::SharedMessage;

use super::{Destination, Request};
use crate::{
    broker::{Class, DedupeKey, Publish},
    problem::{Code, Problem},
};

/// A message of the program: what a handler returns, and what [`Handle::send`](super::Handle::send)
/// takes.
///
/// ```
/// use stomp_server::router::Emit;
///
/// # #[derive(serde::Serialize)] struct Greeting { text: String }
/// let greeting = Greeting { text: "hello".into() };
/// Emit::to("/topic/greetings").json(&greeting); // to whoever subscribed
/// Emit::to_user("ann", "/queue/greetings").json(&greeting); // to all sessions of ann
/// Emit::reply("/queue/greetings").text("hello"); // to all sessions of the sender
/// ```
#[derive(Clone, Debug)]
#[must_use = "a message is sent when a handler returns it, or by Handle::send"]
pub struct Emit {
    to: To,
    headers: Vec<(CompactString, String)>,
    body: Result<Bytes, Problem>,
    is_volatile: bool,
    dedupe: Option<DedupeKey>,
    id: Option<Arc<str>>,
}

#[derive(Clone, Debug)]
enum To {
    Destination(CompactString),
    User { name: CompactString, queue: CompactString },
    Sender { queue: CompactString },
}

impl Emit {
    /// For this destination: `/topic/…`, `/queue/…`, or `/user/NAME/queue/…`.
    pub fn to(destination: impl Into<CompactString>) -> Self {
        Self::new(To::Destination(destination.into()))
    }

    /// For every session of this user that is subscribed to `/user` and `queue`, as in
    /// `/queue/greetings`. Nothing is kept for users who are not there.
    pub fn to_user(name: impl Into<CompactString>, queue: impl Into<CompactString>) -> Self {
        Self::new(To::User { name: name.into(), queue: queue.into() })
    }

    /// For every session of whoever sent the frame that is being handled; for this one session
    /// where nobody has logged in.
    pub fn reply(queue: impl Into<CompactString>) -> Self {
        Self::new(To::Sender { queue: queue.into() })
    }

    fn new(to: To) -> Self {
        let body = Ok(Bytes::new());
        Self { to, headers: Vec::new(), body, is_volatile: false, dedupe: None, id: None }
    }

    /// A value as JSON. One that has no JSON form costs the frame, not the server.
    pub fn json(mut self, value: &impl Serialize) -> Self {
        self.body = to_json(value);
        self.header("content-type", "application/json")
    }

    /// A text.
    pub fn text(self, text: impl Into<String>) -> Self {
        self.body("text/plain", text.into())
    }

    /// Octets with their media type.
    pub fn body(mut self, content_type: &str, body: impl Into<Bytes>) -> Self {
        self.body = Ok(body.into());
        self.header("content-type", content_type)
    }

    /// One more header. Of repeated ones the first counts.
    pub fn header(mut self, name: impl Into<CompactString>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Out of the log: whoever listens now gets it, and nobody later. Always so for users.
    pub fn volatile(mut self) -> Self {
        self.is_volatile = true;
        self
    }

    /// Makes a second one with the same id from the same sender harmless. What a handler
    /// returns takes the id of the frame's `message-dedup-id` by itself.
    pub fn deduplicated(
        mut self,
        sender: impl Into<CompactString>,
        id: impl Into<CompactString>,
    ) -> Self {
        self.dedupe = Some(DedupeKey { sender: sender.into(), id: id.into() });
        self
    }

    /// The message's id; without one the broker gives it one.
    pub fn id(mut self, id: impl Into<Arc<str>>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// What the broker takes; `request` is what it answers, if it answers one.
    ///
    /// # Errors
    /// The body had no JSON form, or the destination is none that can be sent to.
    pub(super) fn into_publish(self, request: Option<&Request>) -> Result<Publish, Problem> {
        let (route, shown, for_user) = route(self.to, request)?;
        let message = SharedMessage::new(&shown, self.headers, self.body?);
        let mut publish = Publish::kept(message).routed(route);
        if self.is_volatile || for_user {
            publish.class = Class::Volatile;
        }
        publish.dedupe = self.dedupe;
        publish.message_id = self.id;
        Ok(publish)
    }
}

/// Along which route, as what it is shown, and whether it is for a user.
fn route(
    to: To,
    request: Option<&Request>,
) -> Result<(CompactString, CompactString, bool), Problem> {
    match to {
        To::Destination(destination) => match Destination::parse(&destination)? {
            Destination::Topic(_) | Destination::Queue(_) => {
                Ok((destination.clone(), destination, false))
            }
            Destination::User { rest, .. } => {
                let shown = format_compact!("/user{rest}");
                Ok((destination, shown, true))
            }
            Destination::TempQueue(name) if name.contains('/') => {
                Ok((destination.clone(), destination, false))
            }
            _ => Err(Problem::new(
                Code::Invalid,
                format!("{destination} belongs to one session, or to handlers."),
            )),
        },
        To::User { name, queue } => {
            check_queue(&queue)?;
            Ok((format_compact!("/user/{name}{queue}"), format_compact!("/user{queue}"), true))
        }
        To::Sender { queue } => {
            check_queue(&queue)?;
            let request = request
                .ok_or_else(|| Problem::new(Code::Invalid, "There is nobody to reply to here."))?;
            let route = own_route(request.who(), request.connection(), &queue);
            Ok((route, format_compact!("/user{queue}"), true))
        }
    }
}

/// Where `/user` and `queue` leads for one session: to all sessions of its user, or to
/// itself where nobody has logged in.
pub(crate) fn own_route(
    who: &crate::auth::Principal,
    connection: crate::broker::ConnectionId,
    queue: &str,
) -> CompactString {
    match &who.user {
        Some(user) => format_compact!("/user/{user}{queue}"),
        // No header can hold a NUL, so no user can have this name.
        None => format_compact!("/user/\0{}{queue}", connection.0),
    }
}

fn check_queue(queue: &str) -> Result<(), Problem> {
    match queue.strip_prefix("/queue/") {
        Some(name) if !name.is_empty() => Ok(()),
        _ => Err(Problem::new(Code::Invalid, format!("{queue} does not begin with /queue/."))),
    }
}

pub(super) fn to_json(value: &impl Serialize) -> Result<Bytes, Problem> {
    match serde_json::to_vec(value) {
        Ok(json) => Ok(json.into()),
        Err(error) => {
            tracing::error!(%error, "an answer has no JSON form");
            Err(Problem::new(Code::Unavailable, "The server failed at this; it has been noted."))
        }
    }
}
