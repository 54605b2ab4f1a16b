//! A gateway that only writes a line: for demos, and for who wants to see what would be sent.

use async_trait::async_trait;

use crate::notify::gateway::{Address, Outcome, Push, PushGateway};

/// Writes pushes to the program's log, without what was said.
#[derive(Debug)]
pub(crate) struct LogGateway;

#[async_trait]
impl PushGateway for LogGateway {
    async fn push(&self, to: &Address, push: &Push) -> Outcome {
        tracing::info!(
            device = push.device,
            to = ?to,
            room = %push.note.room,
            title = push.note.title,
            unread = push.note.unread,
            position = push.note.position,
            collapse_key = push.collapse_key(),
            "a push"
        );
        Outcome::Sent
    }
}
