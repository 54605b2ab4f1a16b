//! How many messages a user may send in a second.

use std::{fmt, num::NonZeroU32, sync::Arc, time::Duration};

use async_trait::async_trait;
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter, clock::Clock};
use metrics::{Counter, counter};

use super::{Authorize, Decision, Intent, Principal};
use crate::problem::{Code, Problem};

/// Users remembered before those who have been quiet are forgotten.
const MANY: usize = 1_024;

/// Asks another authorizer, and refuses what a user sends beyond a rate. One second's worth
/// may come at once. Sessions that nobody logged in to share one rate.
pub struct RateLimited<A> {
    inner: A,
    rate: NonZeroU32,
    users: DefaultKeyedRateLimiter<Arc<str>>,
    refusals: Counter,
}

impl<A> RateLimited<A> {
    /// At most `rate` messages a second and user.
    pub fn new(inner: A, rate: NonZeroU32) -> Self {
        let users = RateLimiter::keyed(Quota::per_second(rate));
        let refusals = counter!("stomp_limit_refusals_total", "limit" => "rate-send");
        Self { inner, rate, users, refusals }
    }

    fn wait(&self, who: &Principal) -> Option<Duration> {
        if self.users.len() > MANY {
            self.users.retain_recent();
        }
        let user = who.user.clone().unwrap_or_else(|| "".into());
        let refused = self.users.check_key(&user).err()?;
        Some(refused.wait_time_from(self.users.clock().now()))
    }
}

#[async_trait]
impl<A: Authorize> Authorize for RateLimited<A> {
    fn decide(&self, who: &Principal, intent: Intent<'_>) -> Option<Decision> {
        self.inner.decide(who, intent).map(|decision| self.limit(decision, who, intent))
    }

    async fn authorize(&self, who: &Principal, intent: Intent<'_>) -> Decision {
        let decision = self.inner.authorize(who, intent).await;
        self.limit(decision, who, intent)
    }
}

impl<A> RateLimited<A> {
    /// Takes back what another has allowed, where it is too much.
    fn limit(&self, decision: Decision, who: &Principal, intent: Intent<'_>) -> Decision {
        if !matches!((&decision, intent), (Decision::Allow, Intent::Send(_))) {
            return decision;
        }
        let Some(wait) = self.wait(who) else { return Decision::Allow };
        self.refusals.increment(1);
        let problem = Problem::new(Code::RateLimited, "That is more than a user may send.")
            .with_limit("rate-send", u64::from(self.rate.get()))
            .with_retry_after(wait);
        Decision::Refuse(problem)
    }
}

impl<A: fmt::Debug> fmt::Debug for RateLimited<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimited").field("rate", &self.rate).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::AllowAll;

    #[tokio::test]
    async fn limit_rate_send_holds_for_each_user_alone_with_a_burst_of_one_second() {
        let (ann, bob) = (Principal::user("ann"), Principal::user("bob"));
        let send = Intent::Send("/topic/a");
        // A machine that stops for a third of a second in between has earned one more.
        let (limited, fourth) = loop {
            let begun = std::time::Instant::now();
            let limited = RateLimited::new(AllowAll, NonZeroU32::new(3).unwrap());
            for _ in 0..3 {
                assert_eq!(limited.authorize(&ann, send).await, Decision::Allow);
            }
            let fourth = limited.authorize(&ann, send).await;
            if begun.elapsed() < Duration::from_millis(300) {
                break (limited, fourth);
            }
        };
        let Decision::Refuse(problem) = fourth else { panic!("the fourth is too many") };
        assert_eq!(problem.code, Code::RateLimited);
        assert_eq!(problem.limit.as_deref(), Some("rate-send 3"));
        assert!(problem.retry_after.is_some_and(|wait| wait <= Duration::from_millis(334)));
        assert_eq!(limited.authorize(&bob, send).await, Decision::Allow);
        let subscribe = Intent::Subscribe("/topic/a");
        assert_eq!(limited.authorize(&ann, subscribe).await, Decision::Allow);
    }

    #[tokio::test]
    async fn quiet_users_are_forgotten() {
        let limited = RateLimited::new(AllowAll, NonZeroU32::new(1_000).unwrap());
        for n in 0..5 * MANY {
            let who = Principal::user(format!("user-{n}"));
            limited.authorize(&who, Intent::Send("/topic/a")).await;
            if n % MANY == 0 {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        assert!(limited.users.len() <= 2 * MANY + 1, "{}", limited.users.len());
    }
}
