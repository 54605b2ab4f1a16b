//! When to send a heart-beat, and when to give a silent peer up (protocol decision 6).

use std::time::{Duration, Instant};

/// The two timers of one session. Pure: the caller brings the time.
#[derive(Debug)]
pub(crate) struct HeartBeats {
    send_every: Option<Duration>,
    silence_allowed: Option<Duration>,
    last_sent: Instant,
    last_received: Instant,
}

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// Nothing yet.
    Nothing,
    /// An EOL.
    Beat,
    /// The peer has been silent for too long.
    GiveUp,
}

/// A peer is given up after this many intervals of silence: one may be late on a network,
/// two are not.
const SILENT_INTERVALS: u32 = 2;

impl HeartBeats {
    /// Timers for a session that opens now; 0 turns a direction off. In milliseconds.
    pub(crate) fn new(send_ms: u32, want_ms: u32, now: Instant) -> Self {
        let interval = |ms: u32| (ms > 0).then(|| Duration::from_millis(u64::from(ms)));
        Self {
            send_every: interval(send_ms),
            silence_allowed: interval(want_ms).map(|wanted| wanted * SILENT_INTERVALS),
            last_sent: now,
            last_received: now,
        }
    }

    /// Any octet from the peer counts, also of an unfinished frame.
    pub(crate) fn received(&mut self, now: Instant) {
        self.last_received = now;
    }

    /// Any octet to the peer counts.
    pub(crate) fn sent(&mut self, now: Instant) {
        self.last_sent = now;
    }

    /// When to look again.
    pub(crate) fn next(&self) -> Option<Instant> {
        let beat = self.send_every.map(|every| self.last_sent + every);
        let give_up = self.silence_allowed.map(|allowed| self.last_received + allowed);
        match (beat, give_up) {
            (Some(beat), Some(give_up)) => Some(beat.min(give_up)),
            (one, other) => one.or(other),
        }
    }

    /// What is due at `now`.
    pub(crate) fn due(&self, now: Instant) -> Due {
        if self.silence_allowed.is_some_and(|allowed| now >= self.last_received + allowed) {
            return Due::GiveUp;
        }
        if self.send_every.is_some_and(|every| now >= self.last_sent + every) {
            return Due::Beat;
        }
        Due::Nothing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_beat_is_due_one_interval_after_the_last_octet() {
        let start = Instant::now();
        let mut beats = HeartBeats::new(1_000, 0, start);
        assert_eq!(beats.next(), Some(start + SECOND));
        assert_eq!(beats.due(start + SECOND / 2), Due::Nothing);
        assert_eq!(beats.due(start + SECOND), Due::Beat);
        beats.sent(start + SECOND);
        assert_eq!(beats.due(start + SECOND), Due::Nothing);
    }

    #[test]
    fn decision_6_a_peer_is_given_up_after_two_silent_intervals() {
        let start = Instant::now();
        let mut beats = HeartBeats::new(0, 1_000, start);
        assert_eq!(beats.due(start + SECOND * 2 - Duration::from_millis(1)), Due::Nothing);
        assert_eq!(beats.due(start + SECOND * 2), Due::GiveUp);
        beats.received(start + SECOND * 2);
        assert_eq!(beats.next(), Some(start + SECOND * 4));
    }

    #[test]
    fn without_heart_beats_nothing_is_ever_due() {
        let start = Instant::now();
        let beats = HeartBeats::new(0, 0, start);
        assert_eq!((beats.next(), beats.due(start + SECOND * 3600)), (None, Due::Nothing));
    }
}
