//! Who reads which partitions of a log that several instances read together.

use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};

/// A place among those who share the reading of a log. Dropped, it is given up.
#[derive(Debug)]
pub struct Share {
    partitions: watch::Receiver<Vec<u32>>,
    /// Keeps the sender of a share that never changes.
    _whole: Option<watch::Sender<Vec<u32>>>,
    _member: Option<DropGuard>,
}

impl Share {
    /// All of these partitions, for ever.
    pub fn all(partitions: u32) -> Self {
        let (told, partitions) = watch::channel((0..partitions).collect());
        Self { partitions, _whole: Some(told), _member: None }
    }

    /// What a member is told, who leaves when `member` is cancelled.
    pub fn of_member(partitions: watch::Receiver<Vec<u32>>, member: CancellationToken) -> Self {
        Self { partitions, _whole: None, _member: Some(member.drop_guard()) }
    }

    /// The partitions that are ours now, in order.
    pub fn now(&mut self) -> Vec<u32> {
        self.partitions.borrow_and_update().clone()
    }

    /// Waits until they are others. Cancel-safe.
    pub async fn changed(&mut self) {
        if self.partitions.changed().await.is_err() {
            // Whoever told us is gone, and with it the log: its readers will hear of that.
            std::future::pending::<()>().await;
        }
    }
}
