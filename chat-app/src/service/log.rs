//! The log, as services append to it: patient, and honest about what is not known.

use std::{sync::Arc, time::Duration};

use stomp_core::SharedMessage;
use stomp_server::{
    broker::{Accepted, Broker, BrokerError, Publish, Reply},
    problem::{Code, Problem},
};

use crate::domain::{RoomId, room_topic};

/// Appends to the log. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Log {
    broker: Arc<dyn Broker>,
    /// How long an append may take before its outcome is called unknown.
    patience: Duration,
}

impl Log {
    pub(crate) fn new(broker: Arc<dyn Broker>, patience: Duration) -> Self {
        Self { broker, patience }
    }

    pub(crate) fn broker(&self) -> &Arc<dyn Broker> {
        &self.broker
    }

    /// The partition that a room's records are in, markers included.
    pub(crate) fn partition_of(&self, room: &RoomId) -> u32 {
        self.broker.partition_of(&room_topic(room))
    }

    /// Waits until the log takes more.
    ///
    /// # Errors
    /// `unavailable`, and definitely not appended.
    pub(crate) async fn room(&self) -> Result<(), Problem> {
        if self.broker.has_room() {
            return Ok(());
        }
        tokio::time::timeout(self.patience, self.broker.room()).await.map_err(|_| {
            Problem::new(Code::Unavailable, "The log takes nothing at the moment.")
                .with_retry_after(Duration::from_secs(1))
        })
    }

    /// Appends, and returns once the log has it.
    ///
    /// # Errors
    /// A refusal is definite. `unavailable` with the word *unknown* is not: only the same
    /// request with the same id can tell.
    pub(crate) async fn append(&self, publish: Publish) -> Result<Accepted, Problem> {
        self.room().await?;
        self.settled(self.broker.publish(publish)).await
    }

    /// Appends these in this order, and returns once the log has all of them.
    pub(crate) async fn append_all(
        &self,
        all: impl IntoIterator<Item = Publish>,
    ) -> Result<(), Problem> {
        self.room().await?;
        // A call takes its place when it is made, so all are made before any is waited for.
        let replies: Vec<_> = all.into_iter().map(|one| self.broker.publish(one)).collect();
        for reply in replies {
            self.settled(reply).await?;
        }
        Ok(())
    }

    async fn settled(&self, reply: Reply<Accepted>) -> Result<Accepted, Problem> {
        match tokio::time::timeout(self.patience, reply).await {
            Ok(Ok(accepted)) => Ok(accepted),
            Ok(Err(BrokerError::Refused(problem))) => Err(problem),
            Ok(Err(error)) => {
                tracing::error!(%error, "an append has an unknown outcome");
                Err(unknown())
            }
            Err(_) => Err(unknown()),
        }
    }

    /// Tells whoever listens now, anywhere; nobody waits for it and nothing is kept.
    pub(crate) fn tell(&self, publish: Publish) {
        drop(self.broker.publish(publish));
    }

    /// Tells whoever listens now in this process: what each process derives from the log.
    pub(crate) fn tell_here(&self, publish: Publish) {
        self.broker.tell_here(publish);
    }
}

fn unknown() -> Problem {
    Problem::new(
        Code::Unavailable,
        "It is unknown whether the log has it: send the same again, under the same id.",
    )
    .with_retry_after(Duration::from_secs(1))
}

/// A message with a JSON body for this destination.
pub(crate) fn json_message(destination: &str, body: String) -> SharedMessage {
    SharedMessage::new(destination, [("content-type", "application/json")], body)
}
