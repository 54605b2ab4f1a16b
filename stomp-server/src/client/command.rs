//! What handles ask of the task that owns the connection.

use std::time::Duration;

use tokio::sync::oneshot;

use super::{ClientError, entry::Entry, outbox::Item};

/// Somebody who waits for an outcome.
pub(super) type Told<T> = oneshot::Sender<Result<T, ClientError>>;

/// One request. Requests of one caller are dealt with in order.
pub(super) enum Command {
    /// Send it, and keep it until its receipt.
    Send(Item),
    /// Subscribe, now and after every reconnect.
    Subscribe(Box<Entry>),
    /// End a subscription, and wait for the receipt of that.
    Unsubscribe { number: u64, forget: bool, told: Told<()> },
    /// Acknowledge or return a message of this connection.
    Settle { generation: u64, id: String, done: bool, told: Told<()> },
    /// Wait for receipts up to this time, then say goodbye.
    Close { within: Duration, told: Told<()> },
}
