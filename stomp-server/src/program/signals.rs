//! What the operating system tells the program, and what it wants to hear.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::systemd::Watchdog;

/// Signals, listened to from the first moment on: a SIGHUP that nobody listens to would end
/// the process.
#[derive(Debug)]
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
}

impl Signals {
    /// Listens from now on.
    ///
    /// # Errors
    /// Where the operating system does not let it.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// Until SIGTERM or Ctrl-C. Each SIGHUP before that reloads, and the service manager gets
    /// the beats that it wants from the same task, so that they stop when it hangs.
    pub async fn until_told_to_end(&mut self, reload: impl Fn()) {
        let mut watchdog = Watchdog::new();
        loop {
            tokio::select! {
                _ = self.interrupt.recv() => return,
                _ = self.terminate.recv() => return,
                _ = self.hang_up.recv() => reload(),
                () = watchdog.beat() => {}
            }
        }
    }
}
