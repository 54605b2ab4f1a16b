//! Several messages that are accepted together.

use std::fmt;

use stomp_core::{Command as Verb, Frame};

use super::{
    Client, ClientError, Draft, Message, Sent,
    command::Command,
    draft,
    handle::Prepared,
    outbox::{Item, Tries},
};

/// Messages and acknowledgements that are collected here and sent as one transaction.
///
/// The whole of it is one item of the outbox: retried as a whole, each message with its id,
/// until the receipt of COMMIT. Dropped without a commit, nothing was sent.
///
/// One that acknowledges is bound to the connection by which its messages came: if that is lost
/// before the receipt, [`commit`](Self::commit) fails with [`ClientError::Lost`] and the
/// messages come again, unless it was done after all. Work that is done twice then stays
/// harmless if what is sent has ids made from those of the messages:
///
/// ```no_run
/// # async fn example(client: stomp_server::client::Client) -> Result<(), stomp_server::client::ClientError> {
/// use stomp_server::client::{ClientError, Draft};
///
/// let mut orders = client.subscribe("/queue/orders").explicit_acks().await?;
/// loop {
///     let order = orders.message().await?;
///     let mut transaction = client.transaction();
///     let bill = Draft::to("/queue/bills").text(order.text()).dedup_id(order.id());
///     transaction.send(bill)?;
///     match transaction.ack(&order).map(|()| transaction) {
///         Ok(transaction) => match transaction.commit().await {
///             Ok(_) | Err(ClientError::Lost) => {} // lost: the order comes again
///             Err(error) => return Err(error),
///         },
///         Err(ClientError::Lost) => {}
///         Err(error) => return Err(error),
///     }
/// }
/// # }
/// ```
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
    tries: Tries,
}

impl Transaction {
    pub(super) fn new(client: Client) -> Self {
        let number = client.number();
        let begin = Frame::builder(Verb::Begin).header("transaction", &name(number)).build();
        let weight = draft::weight(&begin);
        Self { client, number, weight, frames: vec![begin], tries: Tries::UntilReceipted }
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

    /// Acknowledges a message of a subscription with
    /// [`explicit_acks`](super::Subscribe::explicit_acks); it counts with the commit.
    ///
    /// # Errors
    /// [`ClientError::Lost`] if the message came by an earlier connection than another one that
    /// is acknowledged here; [`ClientError::Invalid`] if it needs no acknowledgement.
    pub fn ack(&mut self, message: &Message) -> Result<(), ClientError> {
        self.settle(Verb::Ack, message)
    }

    /// Gives a message back, likewise.
    ///
    /// # Errors
    /// As for [`ack`](Self::ack).
    pub fn nack(&mut self, message: &Message) -> Result<(), ClientError> {
        self.settle(Verb::Nack, message)
    }

    fn settle(&mut self, verb: Verb, message: &Message) -> Result<(), ClientError> {
        let Some(ticket) = message.ticket() else {
            return Err(ClientError::invalid("this message is acknowledged by itself"));
        };
        let own = Tries::Within(ticket.generation);
        if self.tries != Tries::UntilReceipted && self.tries != own {
            return Err(ClientError::Lost);
        }
        self.tries = own;
        let frame = Frame::builder(verb)
            .header("id", &ticket.id)
            .header("transaction", &name(self.number))
            .build();
        self.weight += draft::weight(&frame);
        self.frames.push(frame);
        Ok(())
    }

    /// Sends all of it and waits for the receipt: the log has every message then.
    ///
    /// # Errors
    /// As for [`Client::send`]; [`ClientError::Lost`] for one that acknowledges.
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
            tries: self.tries,
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
