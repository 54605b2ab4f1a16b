//! The one timer of a connection: everything that is due at some time.

use std::time::{Duration, Instant};

use super::{
    super::{
        action::Close,
        heartbeat::{Due, HeartBeats},
        work,
    },
    Driver,
};
use crate::{
    problem::{Code, Problem},
    transport::Transport,
};

/// As good as never, for a timer that nothing needs.
const FAR: Duration = Duration::from_secs(24 * 3600);

pub(super) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

impl<T: Transport> Driver<T> {
    pub(super) fn on_timer(&mut self) {
        let now = now();
        if self.connect_by.is_some_and(|by| now >= by) {
            self.connect_by = None;
            let limit = self.server.around.limits.connect_timeout;
            let problem = Problem::new(Code::Limit, "No CONNECT frame came in time.")
                .with_limit("connect-timeout-ms", limit.as_millis() as u64);
            self.machine.on_fault(problem, None, &mut self.actions);
        }
        if self.who.as_ref().and_then(|who| who.expires).is_some_and(|at| now >= at) {
            let problem = Problem::new(Code::Expired, "The token's time is over; log in again.");
            self.machine.on_fault(problem, None, &mut self.actions);
        }
        self.beat(now); // before a look at the login stops the reading for a moment
        self.recheck(now);
        let next = self.first_due().unwrap_or(now + FAR);
        self.sleep.as_mut().reset(next.into());
    }

    /// Asks now and then whether the login still holds.
    pub(super) fn recheck(&mut self, now: Instant) {
        if self.recheck_at.is_none_or(|at| now < at) {
            return;
        }
        self.recheck_at = self.server.authenticate.recheck_every().map(|every| now + every);
        if let (None, Some(who)) = (&self.work, &self.who) {
            self.work = Some(work::recheck(&self.server, who.clone()));
        }
    }

    pub(super) fn beat(&mut self, now: Instant) {
        let reads = self.wants_bytes();
        let Some(beats) = &mut self.beats else { return };
        if !reads {
            beats.received(now); // decision 6: while we do not read, silence does not count
        }
        match beats.due(now) {
            Due::Nothing => {}
            Due::Beat => {
                self.transport.queue_beat();
                beats.sent(now);
            }
            Due::GiveUp => self.close = Some(Close::Abort),
        }
    }

    /// Sets the one timer to what is due first. It is only ever brought forward: one that
    /// fires too early finds nothing due, which costs less than moving it with every frame.
    pub(super) fn arm(&mut self) {
        if let Some(first) = self.first_due()
            && first < self.sleep.deadline().into_std()
        {
            self.sleep.as_mut().reset(first.into());
        }
    }

    pub(super) fn first_due(&self) -> Option<Instant> {
        let beat = self.beats.as_ref().and_then(HeartBeats::next);
        if self.machine.is_closing() {
            return beat; // the rest has struck, or does not matter any more
        }
        let expires = self.who.as_ref().and_then(|who| who.expires);
        [self.connect_by, beat, expires, self.recheck_at].into_iter().flatten().min()
    }
}
