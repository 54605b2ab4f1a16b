//! How many messages a user may send in a second.

use std::num::NonZeroU32;

use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter, clock::Clock};
use stomp_server::problem::{Code, Problem};

use crate::domain::UserId;

/// Users remembered before those who have been quiet are forgotten.
const MANY: usize = 1_024;

/// A bound on sends, edits and deletions of each user; one second's worth may come at once.
pub(crate) struct SendRate(Option<Bound>);

struct Bound {
    rate: NonZeroU32,
    users: DefaultKeyedRateLimiter<UserId>,
}

impl SendRate {
    /// At most this many a second and user; none: no bound.
    pub(crate) fn new(rate: Option<NonZeroU32>) -> Self {
        let bound = |rate| Bound { rate, users: RateLimiter::keyed(Quota::per_second(rate)) };
        Self(rate.map(bound))
    }

    /// Counts one.
    ///
    /// # Errors
    /// `rate-limited`, with the time to wait.
    pub(super) fn take(&self, user: &UserId) -> Result<(), Problem> {
        let Some(bound) = &self.0 else { return Ok(()) };
        if bound.users.len() > MANY {
            bound.users.retain_recent();
        }
        let Err(refused) = bound.users.check_key(user) else { return Ok(()) };
        let wait = refused.wait_time_from(bound.users.clock().now());
        Err(Problem::new(Code::RateLimited, "That is more than a user may send.")
            .with_limit("rate-send", u64::from(bound.rate.get()))
            .with_retry_after(wait))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_seconds_worth_may_come_at_once_and_no_more() {
        let rate = SendRate::new(NonZeroU32::new(2));
        let user = |name| UserId::parse(name).unwrap();
        assert!(rate.take(&user("ann")).is_ok() && rate.take(&user("ann")).is_ok());
        let refused = rate.take(&user("ann")).unwrap_err();
        assert_eq!(refused.code, Code::RateLimited);
        assert!(refused.retry_after.is_some_and(|wait| wait.as_millis() <= 500));
        assert!(rate.take(&user("bob")).is_ok());
        let free = SendRate::new(None);
        assert!((0..100).all(|_| free.take(&user("ann")).is_ok()));
    }
}
