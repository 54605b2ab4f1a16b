//! Handlers of the embedding program, behind `/app`.

use std::{borrow::Cow, sync::Arc};

use async_trait::async_trait;
use stomp_core::{Send as SendFrame, SharedMessage, Subscribe};

use super::Handle;
use crate::{
    auth::Principal,
    broker::{ConnectionId, Publish},
    problem::{Code, Problem},
};

/// A SEND to `/app/…`.
#[derive(Debug)]
pub struct AppSend {
    /// Who sends.
    pub who: Arc<Principal>,
    /// From which connection.
    pub connection: ConnectionId,
    /// The frame; its destination, headers and body.
    pub frame: SendFrame,
    /// The routes that this session is subscribed to at this moment, as it named them.
    pub subscriptions: Vec<String>,
}

/// A SUBSCRIBE to `/app/…`: a question with one answer.
#[derive(Debug)]
pub struct AppSubscribe {
    /// Who asks.
    pub who: Arc<Principal>,
    /// From which connection.
    pub connection: ConnectionId,
    /// The frame.
    pub frame: Subscribe,
}

/// What a handler made of a SEND.
#[derive(Debug)]
pub enum Answer {
    /// It has been taken over; the receipt, with these headers, says so at once.
    Done(Vec<(Cow<'static, str>, String)>),
    /// It becomes this message; the receipt comes when the log has it. The session goes on
    /// with the next frame meanwhile, and receipts stay in frame order.
    Publish {
        /// What to accept.
        publish: Box<Publish>,
        /// Headers of the receipt beside `position` and `duplicate`.
        receipt: Vec<(Cow<'static, str>, String)>,
    },
}

/// Serves `/app/**`. Calls of one session come one after the other.
///
/// A problem costs the frame only: it goes to the session's `/user/queue/errors`, and no
/// receipt is sent (a session without that subscription gets an ERROR and is closed).
#[async_trait]
pub trait Handler: Send + Sync + 'static {
    /// A server has been built with this handler; `handle` sends from outside of sessions. Called
    /// before any session, once for each server.
    fn attach(&self, _handle: &Handle) {}

    /// Takes a SEND.
    async fn send(&self, request: AppSend) -> Result<Answer, Problem>;

    /// Answers a SUBSCRIBE with one message; the subscription is over after it.
    async fn subscribe(&self, request: AppSubscribe) -> Result<SharedMessage, Problem>;

    /// A session has logged in.
    async fn connected(&self, _who: &Arc<Principal>, _connection: ConnectionId) {}

    /// A session is over, however it ended.
    async fn disconnected(&self, _who: &Arc<Principal>, _connection: ConnectionId) {}
}

/// A broker without an application.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoHandlers;

#[async_trait]
impl Handler for NoHandlers {
    async fn send(&self, _request: AppSend) -> Result<Answer, Problem> {
        Err(nobody())
    }

    async fn subscribe(&self, _request: AppSubscribe) -> Result<SharedMessage, Problem> {
        Err(nobody())
    }
}

fn nobody() -> Problem {
    Problem::new(Code::NotFound, "This server has no application behind /app.")
}
