//! Tasks and who waits for them.

use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Tasks that end together.
pub(super) struct Tasks {
    pub(super) stop: CancellationToken,
    handles: Vec<(&'static str, JoinHandle<()>)>,
}

impl Tasks {
    pub(super) fn new() -> Self {
        Self { stop: CancellationToken::new(), handles: Vec::new() }
    }

    pub(super) fn spawn(
        &mut self,
        name: &'static str,
        task: impl Future<Output = ()> + Send + 'static,
    ) {
        self.handles.push((name, tokio::spawn(task)));
    }

    /// Tells all of them to stop, and waits.
    pub(super) async fn stop(self, patience: Duration) {
        self.stop.cancel();
        self.join(patience).await;
    }

    /// Waits for all of them; who is not done in time is ended.
    pub(super) async fn join(self, patience: Duration) {
        let deadline = tokio::time::Instant::now() + patience;
        for (name, mut handle) in self.handles {
            match tokio::time::timeout_at(deadline, &mut handle).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::error!(name, %error, "a task failed"),
                Err(_) => {
                    tracing::warn!(name, "a task did not end in time");
                    handle.abort();
                }
            }
        }
        self.stop.cancel();
    }
}
