//! From SQL into the log: changes of rooms are committed first, then told under the room's key.
//!
//! One task does it, in the order of the commits. Who has made a change waits until the log
//! has it; what a crash left behind is swept up at the start.

use std::{sync::Arc, time::Duration};

use stomp_server::{
    broker::Publish,
    problem::{Code, Problem},
};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::{Log, log::json_message};
use crate::{
    domain::{markers_topic, room_topic},
    ports::{Outbox, OutboxRow},
};

/// Who waits for the log at a time; more have to wait for their place.
const WAITING: usize = 256;
/// Rows in one stride.
const STRIDE: u32 = 200;
/// What nobody waits for any more is swept up this often.
const SWEEP: Duration = Duration::from_secs(5);
/// How events begin that nobody is told of; they stand beside the room.
const SILENT: &str = r#"{"type":"changed","#;
/// The publisher's name in the log's dedupe; no user is called so.
const PUBLISHER: &str = "outbox:";

/// Asks the relay to go; cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Relay {
    requests: mpsc::Sender<oneshot::Sender<()>>,
}

/// The task behind it.
pub(crate) struct RelayTask {
    requests: mpsc::Receiver<oneshot::Sender<()>>,
    outbox: Arc<dyn Outbox>,
    log: Log,
}

impl Relay {
    pub(crate) fn new(outbox: Arc<dyn Outbox>, log: Log) -> (Self, RelayTask) {
        let (sender, requests) = mpsc::channel(WAITING);
        (Self { requests: sender }, RelayTask { requests, outbox, log })
    }

    /// Returns when everything committed before the call is in the log.
    ///
    /// # Errors
    /// `unavailable`: the change is made, and will be told when the log is back.
    pub(crate) async fn flush(&self) -> Result<(), Problem> {
        let later = || {
            Problem::new(Code::Unavailable, "The change is made, but the log cannot tell it yet.")
                .with_retry_after(SWEEP)
        };
        let (done, told) = oneshot::channel();
        self.requests.send(done).await.map_err(|_| later())?;
        told.await.map_err(|_| later())
    }
}

impl RelayTask {
    /// Works until `stop`, and once more behind it.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        let mut sweep = tokio::time::interval(SWEEP);
        let mut waiting = Vec::new();
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                arrived = self.requests.recv_many(&mut waiting, WAITING) => {
                    if arrived == 0 {
                        break;
                    }
                }
                _ = sweep.tick() => {}
            }
            self.serve(&mut waiting).await;
        }
        self.requests.close();
        while self.requests.recv_many(&mut waiting, WAITING).await > 0 {}
        self.serve(&mut waiting).await;
    }

    async fn serve(&mut self, waiting: &mut Vec<oneshot::Sender<()>>) {
        match self.relay().await {
            Ok(()) => waiting.drain(..).for_each(|done| {
                let _ = done.send(());
            }),
            Err(error) => {
                tracing::warn!(%error, "changes of rooms wait for the log");
                waiting.clear();
            }
        }
    }

    /// Everything that waits, in order.
    pub(crate) async fn relay(&mut self) -> Result<(), Problem> {
        loop {
            let rows = self.outbox.pending(STRIDE).await?;
            if rows.is_empty() {
                return Ok(());
            }
            let ids: Vec<_> = rows.iter().map(|row| row.id).collect();
            self.log.append_all(rows.into_iter().map(publication)).await?;
            self.outbox.done(&ids).await?;
        }
    }
}

/// A second relay of the same row is a duplicate while the log remembers; behind that,
/// readers go by the version.
fn publication(row: OutboxRow) -> Publish {
    let is_silent = row.event.starts_with(SILENT);
    let route = if is_silent { markers_topic(&row.room) } else { room_topic(&row.room) };
    Publish::kept(json_message(&route, row.event)).deduplicated(PUBLISHER, row.id.to_string())
}
