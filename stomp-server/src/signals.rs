//! What the operating system tells the program.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Signals, listened to from the first moment on: a SIGHUP that nobody listens to would end
/// the process.
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
}

impl Signals {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// Until SIGTERM or Ctrl-C; each SIGHUP before that reloads.
    pub(crate) async fn until_told_to_end(mut self, reload: impl Fn()) {
        loop {
            tokio::select! {
                _ = self.interrupt.recv() => return,
                _ = self.terminate.recv() => return,
                _ = self.hang_up.recv() => reload(),
            }
        }
    }
}
