//! A bound on failed logins: of one account, and from one address.

use std::{
    collections::HashMap,
    hash::Hash,
    net::IpAddr,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use stomp_server::problem::{Code, Problem};

use crate::domain::UserId;

/// What is counted is forgotten after this time.
const WINDOW: Duration = Duration::from_secs(60);
/// Accounts or addresses watched at a time; beyond that the oldest are dropped.
const CAPACITY: usize = 100_000;
/// Many people may share an address: it may fail this many times as often as an account.
const SHARING: u32 = 10;

/// Counts failures; successes cost nothing, so a reconnecting client never meets it.
#[derive(Debug)]
pub(crate) struct Throttle {
    per_window: u32,
    accounts: Failures<UserId>,
    addresses: Failures<IpAddr>,
}

impl Throttle {
    /// So many failures of an account in a minute.
    pub(crate) fn new(per_window: u32) -> Self {
        let per_address = per_window.saturating_mul(SHARING);
        Self {
            per_window,
            accounts: Failures::new(per_window),
            addresses: Failures::new(per_address),
        }
    }

    /// Refuses whoever has failed too often in the last minute.
    pub(crate) fn check(&self, user: &UserId, from: Option<IpAddr>) -> Result<(), Problem> {
        self.check_address(from)?;
        match self.accounts.wait(user) {
            None => Ok(()),
            Some(wait) => {
                Err(self.refusal("Too many failed logins of this account.", self.per_window, wait))
            }
        }
    }

    /// Refuses an address from which too much has failed. One that is not known for sure is
    /// never refused.
    pub(crate) fn check_address(&self, from: Option<IpAddr>) -> Result<(), Problem> {
        match from.and_then(|from| self.addresses.wait(&network(from))) {
            None => Ok(()),
            Some(wait) => {
                let limit = self.per_window.saturating_mul(SHARING);
                Err(self.refusal("Too many logins from this address.", limit, wait))
            }
        }
    }

    pub(crate) fn failed(&self, user: &UserId, from: Option<IpAddr>) {
        self.accounts.count(user);
        self.counts(from);
    }

    /// Something that costs as much as a failed login.
    pub(crate) fn counts(&self, from: Option<IpAddr>) {
        if let Some(from) = from {
            self.addresses.count(&network(from));
        }
    }

    pub(crate) fn succeeded(&self, user: &UserId) {
        self.accounts.forget(user);
    }

    fn refusal(&self, detail: &'static str, limit: u32, wait: Duration) -> Problem {
        Problem::new(Code::RateLimited, detail)
            .with_limit("rate-login", u64::from(limit))
            .with_retry_after(wait)
    }
}

/// Whoever has an address of IPv6 has at least 2^64 of them.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
        address => address,
    }
}

#[derive(Debug)]
struct Failures<K> {
    limit: u32,
    counted: Mutex<HashMap<K, (Instant, u32)>>,
}

impl<K: Clone + Eq + Hash> Failures<K> {
    fn new(limit: u32) -> Self {
        Self { limit, counted: Mutex::default() }
    }

    /// How long it has to wait, if it has to.
    fn wait(&self, key: &K) -> Option<Duration> {
        let counted = self.counted.lock();
        let (since, count) = counted.get(key)?;
        let passed = since.elapsed();
        (passed < WINDOW && *count >= self.limit).then(|| WINDOW - passed)
    }

    fn count(&self, key: &K) {
        let mut counted = self.counted.lock();
        if counted.len() >= CAPACITY && !counted.contains_key(key) {
            make_room(&mut counted);
        }
        let entry = counted.entry(key.clone()).or_insert_with(|| (Instant::now(), 0));
        if entry.0.elapsed() >= WINDOW {
            *entry = (Instant::now(), 0);
        }
        entry.1 = entry.1.saturating_add(1);
    }

    fn forget(&self, key: &K) {
        self.counted.lock().remove(key);
    }
}

/// Drops those whose time is over; where that is nobody, those who have failed least.
fn make_room<K: Eq + Hash>(counted: &mut HashMap<K, (Instant, u32)>) {
    counted.retain(|_, (since, _)| since.elapsed() < WINDOW);
    let mut least = 1;
    while counted.len() >= CAPACITY {
        counted.retain(|_, (_, count)| *count > least);
        least = least.saturating_mul(2);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(name: &str) -> UserId {
        UserId::parse(name).unwrap()
    }

    #[test]
    fn failures_add_up_and_a_success_forgets_them() {
        let throttle = Throttle::new(2);
        let ann = user("ann");
        throttle.failed(&ann, None);
        assert!(throttle.check(&ann, None).is_ok());
        throttle.failed(&ann, None);
        assert_eq!(throttle.check(&ann, None).unwrap_err().code, Code::RateLimited);
        assert!(throttle.check(&user("bob"), None).is_ok());
        throttle.succeeded(&ann);
        assert!(throttle.check(&ann, None).is_ok());
    }

    #[test]
    fn an_address_that_tries_many_accounts_is_refused_for_all_of_them() {
        let throttle = Throttle::new(1);
        let address = |text: &str| Some(text.parse().unwrap());
        let bad = address("203.0.113.7");
        for n in 0..SHARING {
            assert!(throttle.check(&user("zoe"), bad).is_ok(), "{n}");
            throttle.failed(&user(&format!("u{n}")), bad);
        }
        assert_eq!(throttle.check(&user("zoe"), bad).unwrap_err().code, Code::RateLimited);
        assert!(throttle.check(&user("zoe"), address("203.0.113.8")).is_ok());
        assert!(throttle.check(&user("zoe"), None).is_ok());
    }

    #[test]
    fn the_addresses_of_one_network_are_one() {
        let of = |text: &str| network(text.parse().unwrap());
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:1"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!(of("::ffff:203.0.113.7"), of("203.0.113.7"));
    }

    #[test]
    fn what_is_watched_is_bounded() {
        let failures = Failures::new(3);
        failures.count(&0);
        failures.count(&0);
        failures.count(&0);
        for key in 1..=CAPACITY {
            failures.count(&key);
        }
        assert!(failures.counted.lock().len() <= CAPACITY);
        assert!(failures.wait(&0).is_some(), "who failed most is still watched");
    }
}
