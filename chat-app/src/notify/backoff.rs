//! When a push that did not go is tried again.

use std::time::Duration;

/// How patient the sender is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// Before the second attempt; twice as long before each further one.
    pub(crate) first: Duration,
    pub(crate) longest: Duration,
    /// Behind so many attempts a push is dead, and an operator may look at it.
    pub(crate) attempts: u32,
}

impl Default for Patience {
    /// About two hours in all: longer than a service's bad afternoon, shorter than a night in
    /// which all messages of a day would wait and then arrive at once.
    fn default() -> Self {
        let (first, longest) = (Duration::from_secs(2), Duration::from_secs(900));
        Self { first, longest, attempts: 16 }
    }
}

impl Patience {
    /// How long to wait behind this attempt (from one), at least as long as the service asked
    /// for; `None` when it was the last. `chance` in 0..1 spreads those that failed together.
    pub(crate) fn after(
        &self,
        attempt: u32,
        asked: Option<Duration>,
        chance: f64,
    ) -> Option<Duration> {
        if attempt >= self.attempts {
            return None;
        }
        let doubled = self.first.saturating_mul(1 << attempt.saturating_sub(1).min(20));
        let spread = doubled.min(self.longest).mul_f64(0.5 + chance / 2.0);
        Some(spread.max(asked.unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_are_spread_and_end() {
        let patience = Patience::default();
        let after = |attempt, chance| patience.after(attempt, None, chance);
        assert_eq!(after(1, 0.0), Some(Duration::from_secs(1)));
        assert_eq!(after(1, 0.5), Some(Duration::from_millis(1500)));
        assert_eq!(after(3, 0.0), Some(Duration::from_secs(4)));
        assert_eq!(after(15, 0.0), Some(Duration::from_secs(450)));
        assert_eq!(after(16, 0.0), None);
        let asked = Some(Duration::from_secs(60));
        assert_eq!(patience.after(1, asked, 0.0), asked, "the service knows better");
    }
}
