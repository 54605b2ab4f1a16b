//! How push services are: one that is away is left alone, one that works is not overrun.

use std::{collections::HashMap, time::Duration};

use parking_lot::Mutex;
use tokio::time::Instant;

use super::gateway::Outcome;

/// Requests to one host at a time: a slow one holds these and no more.
const AT_ONCE: u32 = 32;
/// Requests to one host in a second.
const RATE: f64 = 200.0;
/// After so many failures in a row a host is left alone.
const FAILURES: u32 = 5;
/// For how long at first; twice as long each time, up to the longest.
const REST: Duration = Duration::from_secs(2);
const LONGEST_REST: Duration = Duration::from_secs(60);
/// Hosts that are remembered. Users name hosts, so their number has to have an end.
const REMEMBERED: usize = 10_000;
/// When all places are taken, strangers wait so long.
const FULL: Duration = Duration::from_secs(1);

/// One state a host, in this process.
#[derive(Debug, Default)]
pub(super) struct Hosts(Mutex<HashMap<String, Host>>);

#[derive(Debug)]
struct Host {
    in_flight: u32,
    failures: u32,
    closed_until: Option<Instant>,
    tokens: f64,
    seen: Instant,
}

impl Hosts {
    /// Lets a request go, or says how long it should wait. Whoever goes must come back with
    /// [`Hosts::done`].
    pub(super) fn admit(&self, name: &str, now: Instant) -> Result<(), Duration> {
        let mut hosts = self.0.lock();
        if !hosts.contains_key(name) {
            if hosts.len() >= REMEMBERED {
                hosts.retain(|_, host| !host.is_forgettable(now));
            }
            if hosts.len() >= REMEMBERED {
                return Err(FULL);
            }
        }
        hosts.entry(name.to_owned()).or_insert_with(|| Host::new(now)).admit(now)
    }

    /// What became of a request that was let go.
    pub(super) fn done(&self, name: &str, outcome: &Outcome, now: Instant) {
        if let Some(host) = self.0.lock().get_mut(name) {
            host.done(outcome, now);
        }
    }
}

impl Host {
    fn new(now: Instant) -> Self {
        Self { in_flight: 0, failures: 0, closed_until: None, tokens: RATE, seen: now }
    }

    fn admit(&mut self, now: Instant) -> Result<(), Duration> {
        let passed = now.saturating_duration_since(self.seen).as_secs_f64();
        self.tokens = (self.tokens + passed * RATE).min(RATE);
        self.seen = now;
        if let Some(until) = self.closed_until {
            if until > now {
                return Err(until - now);
            }
            // Its rest is over: one goes and looks, the others wait for what it finds.
            if self.in_flight > 0 {
                return Err(REST);
            }
        }
        if self.in_flight >= AT_ONCE || self.tokens < 1.0 {
            return Err(Duration::from_millis(200));
        }
        self.tokens -= 1.0;
        self.in_flight += 1;
        Ok(())
    }

    fn done(&mut self, outcome: &Outcome, now: Instant) {
        self.in_flight = self.in_flight.saturating_sub(1);
        match outcome {
            Outcome::Later { service: true, wait, .. } => {
                self.failures += 1;
                // A service that says when to come back is believed at once.
                if wait.is_some() || self.failures >= FAILURES {
                    let doubled = REST * 2_u32.pow((self.failures.max(FAILURES) - FAILURES).min(5));
                    let rest = wait.unwrap_or(doubled).min(LONGEST_REST);
                    self.closed_until = self.closed_until.max(Some(now + rest));
                }
            }
            _ => {
                self.failures = 0;
                self.closed_until = None;
            }
        }
    }

    fn is_forgettable(&self, now: Instant) -> bool {
        self.in_flight == 0
            && self.closed_until.is_none_or(|until| until <= now)
            && now.saturating_duration_since(self.seen) > LONGEST_REST
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn away(wait: Option<Duration>) -> Outcome {
        Outcome::Later { wait, cause: "away".into(), service: true }
    }

    #[test]
    fn a_host_that_fails_is_left_alone_and_then_asked_by_one() {
        let (hosts, start) = (Hosts::default(), Instant::now());
        for _ in 0..FAILURES {
            hosts.admit("a", start).unwrap();
            hosts.done("a", &away(None), start);
        }
        assert_eq!(hosts.admit("a", start), Err(REST));
        assert_eq!(hosts.admit("b", start), Ok(()), "others are not concerned");
        let later = start + REST;
        assert_eq!(hosts.admit("a", later), Ok(()), "one looks");
        assert!(hosts.admit("a", later).is_err(), "the others wait");
        hosts.done("a", &away(None), later);
        assert_eq!(hosts.admit("a", later), Err(2 * REST), "twice as long");
        let later = later + 2 * REST;
        hosts.admit("a", later).unwrap();
        hosts.done("a", &Outcome::Sent, later);
        assert!((0..10).all(|_| hosts.admit("a", later).is_ok()), "all is well again");
    }

    #[test]
    fn a_service_that_names_a_time_is_believed_but_not_for_ever() {
        let (hosts, start) = (Hosts::default(), Instant::now());
        hosts.admit("a", start).unwrap();
        hosts.done("a", &away(Some(Duration::from_secs(7))), start);
        assert_eq!(hosts.admit("a", start), Err(Duration::from_secs(7)));
        hosts.admit("b", start).unwrap();
        hosts.done("b", &away(Some(Duration::from_secs(3600))), start);
        assert_eq!(hosts.admit("b", start), Err(LONGEST_REST));
    }

    #[test]
    fn one_devices_trouble_is_not_its_services() {
        let (hosts, now) = (Hosts::default(), Instant::now());
        for _ in 0..3 * FAILURES {
            hosts.admit("a", now).unwrap();
            let outcome = Outcome::Later { wait: None, cause: "403".into(), service: false };
            hosts.done("a", &outcome, now);
        }
        assert_eq!(hosts.admit("a", now), Ok(()));
    }

    #[test]
    fn a_slow_host_holds_its_share_and_a_quick_one_has_a_rate() {
        let (hosts, now) = (Hosts::default(), Instant::now());
        assert!((0..AT_ONCE).all(|_| hosts.admit("slow", now).is_ok()));
        assert!(hosts.admit("slow", now).is_err());
        for _ in 0..RATE as u32 {
            hosts.admit("quick", now).unwrap();
            hosts.done("quick", &Outcome::Sent, now);
        }
        assert!(hosts.admit("quick", now).is_err());
        assert!(hosts.admit("quick", now + Duration::from_millis(10)).is_ok());
    }

    #[test]
    fn the_number_of_hosts_has_an_end() {
        let (hosts, now) = (Hosts::default(), Instant::now());
        for n in 0..REMEMBERED {
            hosts.admit(&n.to_string(), now).unwrap();
            hosts.done(&n.to_string(), &Outcome::Sent, now);
        }
        assert_eq!(hosts.admit("one more", now), Err(FULL));
        assert_eq!(hosts.admit("one more", now + 2 * LONGEST_REST), Ok(()));
    }
}
