//! A word to the service manager, where there is one: the socket that `NOTIFY_SOCKET` names.
//!
//! Without it nothing here does anything. A message that cannot be sent is logged and no more:
//! serving does not depend on who watches.

use std::time::Duration;

use sd_notify::NotifyState;
use tokio::time::{Interval, MissedTickBehavior};

/// The server serves.
pub fn ready(status: &str) {
    say(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// What it is doing, for `systemctl status`.
pub fn status(status: &str) {
    say(&[NotifyState::Status(status)]);
}

/// Something is read again; [`ready`] says when that is done.
pub fn reloading() {
    let now = NotifyState::monotonic_usec_now();
    match now {
        Ok(now) => say(&[NotifyState::Reloading, now]),
        Err(error) => tracing::warn!(%error, "the service manager cannot be told of a reload"),
    }
}

/// The server goes away, which may take so long.
pub fn stopping(within: Duration) {
    let micros = u32::try_from(within.as_micros()).unwrap_or(u32::MAX);
    say(&[NotifyState::Stopping, NotifyState::ExtendTimeoutUsec(micros)]);
}

/// The heart-beat that the service manager asks for (`WATCHDOG_USEC`), twice as often as it
/// must come. It is to be awaited by the task that would hang with the server.
#[derive(Debug)]
pub struct Watchdog(Option<Interval>);

impl Watchdog {
    /// As asked for in the environment.
    pub fn new() -> Self {
        Self(sd_notify::watchdog_enabled().map(|within| {
            let mut beat = tokio::time::interval((within / 2).max(Duration::from_millis(1)));
            beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
            beat
        }))
    }

    /// Waits for the next beat and sends it; for ever where none is asked for. Cancel-safe.
    pub async fn beat(&mut self) {
        match &mut self.0 {
            Some(interval) => {
                interval.tick().await;
                say(&[NotifyState::Watchdog]);
            }
            None => std::future::pending().await,
        }
    }
}

impl Default for Watchdog {
    fn default() -> Self {
        Self::new()
    }
}

fn say(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "the service manager does not listen");
    }
}
