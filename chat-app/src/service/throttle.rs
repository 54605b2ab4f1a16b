//! A bound on failed logins of one account.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use stomp_server::problem::{Code, Problem};

use crate::domain::UserId;

/// What is counted is forgotten after this time.
const WINDOW: Duration = Duration::from_secs(60);
/// Accounts watched at a time; beyond that the ones whose time is over are dropped.
const CAPACITY: usize = 100_000;

/// Counts failures; successes cost nothing, so a reconnecting client never meets it.
#[derive(Debug)]
pub(crate) struct Throttle {
    per_window: u32,
    failures: Mutex<HashMap<UserId, (Instant, u32)>>,
}

impl Throttle {
    pub(crate) fn new(per_window: u32) -> Self {
        Self { per_window, failures: Mutex::default() }
    }

    /// Refuses whoever has failed too often in the last minute.
    pub(crate) fn check(&self, user: &UserId) -> Result<(), Problem> {
        let failures = self.failures.lock();
        let Some((since, count)) = failures.get(user) else { return Ok(()) };
        let passed = since.elapsed();
        if passed >= WINDOW || *count < self.per_window {
            return Ok(());
        }
        Err(Problem::new(Code::RateLimited, "Too many failed logins of this account.")
            .with_limit("rate-login", u64::from(self.per_window))
            .with_retry_after(WINDOW - passed))
    }

    pub(crate) fn failed(&self, user: &UserId) {
        let mut failures = self.failures.lock();
        if failures.len() >= CAPACITY {
            failures.retain(|_, (since, _)| since.elapsed() < WINDOW);
        }
        let entry = failures.entry(user.clone()).or_insert_with(|| (Instant::now(), 0));
        if entry.0.elapsed() >= WINDOW {
            *entry = (Instant::now(), 0);
        }
        entry.1 += 1;
    }

    pub(crate) fn succeeded(&self, user: &UserId) {
        self.failures.lock().remove(user);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_add_up_and_a_success_forgets_them() {
        let throttle = Throttle::new(2);
        let ann = UserId::parse("ann").unwrap();
        throttle.failed(&ann);
        assert!(throttle.check(&ann).is_ok());
        throttle.failed(&ann);
        assert_eq!(throttle.check(&ann).unwrap_err().code, Code::RateLimited);
        assert!(throttle.check(&UserId::parse("bob").unwrap()).is_ok());
        throttle.succeeded(&ann);
        assert!(throttle.check(&ann).is_ok());
    }
}
