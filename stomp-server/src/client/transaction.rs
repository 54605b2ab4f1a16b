//! Several messages that are accepted together.

use std::fmt;

use stomp_core::{Command as Verb, Frame};

use super::{
    Client, ClientError, Draft, Sent, command::Command, draft, handle::Prepared, outbox::Item,
};

/// Messages that are collected here and sent as one transaction.
///
/// The whole of it is one item of the outbox: retried as a whole, each message with its id,
/// until the receipt of COMMIT. Dropped without a commit, nothing was sent.
///
/// ```no_run
/// # async fn example(client: stomp_server::client::Client) -> Result<(), stomp_server::client::ClientError> {
/// use stomp_server::client::Draft;
///
/// let mut transaction = client.transaction();
/// transaction.send(Draft::to("/queue/debit").text("10"))?;
/// transaction.send(Draft::to("/queue/credit").text("10"))?;
/// transaction.commit().await?;
/// # Ok(())
/// # }
/// ```
#[must_use = "nothing is sent before the commit"]
pub struct Transaction {
    client: Client,
    number: u64,
    frames: Vec<Frame>,
    weight: usize,
}

impl Transaction {
    pub(super) fn new(client: Client) -> Self {
        let number = client.number();
        let begin = Frame::builder(Verb::Begin).header("transaction", &name(number)).build();
        Self { client, number, weight: draft::weight(&begin), frames: vec![begin] }
    }

    /// Adds a message. Nothing is sent yet.
    ///
    /// # Errors
    /// [`ClientError::Invalid`] for destinations that take no part in transactions (`/app`).
    pub fn send(&mut self, draft: Draft) -> Result<(), ClientError> {
        draft.check()?;
        if draft.is_for_handlers() {
            return Err(ClientError::invalid("a message to /app takes no part in a transaction"));
        }
        let transaction = name(self.number);
        let frame = draft.into_frame(|frame| frame.header("transaction", &transaction));
        self.weight += draft::weight(&frame);
        self.frames.push(frame);
        Ok(())
    }

    /// Sends all of it and waits for the receipt: the log has every message then.
    ///
    /// # Errors
    /// As for [`Client::send`].
    pub async fn commit(mut self) -> Result<Sent, ClientError> {
        let commit = Frame::builder(Verb::Commit)
            .header("transaction", &name(self.number))
            .header("receipt", &Item::receipt(self.number));
        self.frames.push(commit.build());
        let room = self.client.room(self.weight).await?;
        let prepared = Prepared {
            number: self.number,
            frames: self.frames,
            weight: self.weight,
            once: false,
            for_handlers: false,
        };
        let (item, sending) = prepared.item(room);
        self.client.command(Command::Send(item)).await?;
        sending.await
    }
}

fn name(number: u64) -> String {
    format!("t-{number}")
}

impl fmt::Debug for Transaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transaction").field("frames", &self.frames.len()).finish_non_exhaustive()
    }
}
