//! How long to wait before the next try.

use std::time::Duration;

/// Pauses that double, each shortened by chance, so that the clients of a server that
/// went away do not come back all at once.
#[derive(Clone, Debug)]
pub(super) struct Backoff {
    first: Duration,
    longest: Duration,
    tries: u32,
}

impl Backoff {
    pub(super) fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, tries: 0 }
    }

    /// The next pause: half to all of the doubled one, and never less than `at_least`,
    /// which is what the server asked for.
    pub(super) fn next(&mut self, at_least: Option<Duration>) -> Duration {
        let doubled = self.first.saturating_mul(1 << self.tries.min(20)).min(self.longest);
        self.tries += 1;
        let pause = doubled.mul_f64(rand::random_range(0.5..=1.0));
        at_least.map_or(pause, |wait| wait.min(self.longest).max(pause))
    }

    /// How many pauses there have been since the last success.
    pub(super) fn tries(&self) -> u32 {
        self.tries
    }

    /// It worked.
    pub(super) fn reset(&mut self) {
        self.tries = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_begin_anew_after_a_success() {
        let ms = Duration::from_millis;
        let mut backoff = Backoff::new(ms(100), ms(1_000));
        for doubled in [100, 200, 400, 800, 1_000, 1_000] {
            let pause = backoff.next(None);
            assert!((ms(doubled / 2)..=ms(doubled)).contains(&pause), "{pause:?}");
        }
        backoff.reset();
        assert!(backoff.next(None) <= ms(100));
        assert_eq!(backoff.tries(), 1);
    }

    #[test]
    fn what_the_server_asks_for_is_waited_at_least() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(10));
        assert_eq!(backoff.next(Some(Duration::from_secs(3))), Duration::from_secs(3));
        assert_eq!(backoff.next(Some(Duration::from_secs(3_600))), Duration::from_secs(10));
    }
}
