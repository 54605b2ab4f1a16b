//! How many connections there may be: in all, of a user, of an address. The newest beyond
//! that is refused.

use std::{
    collections::HashMap,
    hash::Hash,
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use parking_lot::Mutex;

use crate::problem::{Code, Problem};

/// Connections beyond the limit that are told so at a time; those beyond are dropped
/// without a word, for telling costs a task and a file descriptor.
const TOLD_AT_A_TIME: usize = 512;

/// Counts connections in and out. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Gate(Arc<Counts>);

#[derive(Debug)]
struct Counts {
    limits: ConnectionLimits,
    open: AtomicUsize,
    /// Accepted, but in a handshake or a request still.
    #[cfg_attr(
        not(any(feature = "tls", feature = "websocket")),
        allow(dead_code, reason = "plain TCP has no handshake")
    )]
    waiting: AtomicUsize,
    users: Arc<Tally<Arc<str>>>,
    addresses: Arc<Tally<IpAddr>>,
}

/// The most connections at a time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ConnectionLimits {
    pub(crate) process: usize,
    pub(crate) user: Option<usize>,
    pub(crate) address: Option<usize>,
}

/// One counted connection; counts itself out again however its task ends.
#[derive(Debug)]
pub(crate) struct Open {
    gate: Gate,
    _address: Option<Place<IpAddr>>,
}

/// A connection in a handshake.
#[derive(Debug)]
#[cfg_attr(
    not(any(feature = "tls", feature = "websocket")),
    allow(dead_code, reason = "plain TCP has no handshake")
)]
pub(crate) struct Waiting(Gate);

impl Gate {
    pub(crate) fn new(limits: ConnectionLimits) -> Self {
        Self(Arc::new(Counts {
            limits,
            open: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
            users: Arc::default(),
            addresses: Arc::default(),
        }))
    }

    /// How many connections are open.
    pub(crate) fn open(&self) -> usize {
        self.0.open.load(Ordering::Relaxed)
    }

    /// Whether a connection is not even to be told why it is refused.
    pub(crate) fn is_flooded(&self) -> bool {
        self.open() >= self.0.limits.process.saturating_add(TOLD_AT_A_TIME)
    }

    /// Counts a connection that is in a handshake; none if there are too many of those.
    #[cfg_attr(
        not(any(feature = "tls", feature = "websocket")),
        allow(dead_code, reason = "plain TCP has no handshake")
    )]
    pub(crate) fn wait(&self) -> Option<Waiting> {
        let before = self.0.waiting.fetch_add(1, Ordering::Relaxed);
        let waiting = Waiting(self.clone());
        (before < self.0.limits.process.saturating_add(TOLD_AT_A_TIME)).then_some(waiting)
    }

    /// Counts a connection in, and says whether it must be refused.
    pub(crate) fn enter(&self, address: Option<IpAddr>) -> (Open, Option<Problem>) {
        let count = self.0.open.fetch_add(1, Ordering::Relaxed) + 1;
        let mut open = Open { gate: self.clone(), _address: None };
        let ConnectionLimits { process, address: limit, .. } = self.0.limits;
        if count > process {
            let detail = "This server holds as many connections as it may.";
            return (open, Some(too_many(detail, "max-connections", process)));
        }
        if let (Some(limit), Some(address)) = (limit, address) {
            open._address = self.0.addresses.take(address, limit);
            if open._address.is_none() {
                let detail = "This address holds as many connections as it may.";
                return (open, Some(too_many(detail, "max-connections-per-address", limit)));
            }
        }
        (open, None)
    }

    /// Counts a user's connection in, if there is room for one more.
    pub(crate) fn user(&self, user: Option<&Arc<str>>) -> Result<Option<UserPlace>, Problem> {
        let (Some(limit), Some(user)) = (self.0.limits.user, user) else { return Ok(None) };
        match self.0.users.take(user.clone(), limit) {
            Some(place) => Ok(Some(UserPlace { _place: place })),
            None => {
                let detail = "This user holds as many connections as it may.";
                Err(too_many(detail, "max-connections-per-user", limit))
            }
        }
    }
}

/// A user's place; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct UserPlace {
    _place: Place<Arc<str>>,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.gate.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

fn too_many(detail: &'static str, name: &str, limit: usize) -> Problem {
    Problem::new(Code::Limit, detail).with_limit(name, limit as u64)
}

/// How many of each there are; who has none takes no memory.
#[derive(Debug)]
struct Tally<K: Hash + Eq>(Mutex<HashMap<K, usize>>);

impl<K: Hash + Eq> Default for Tally<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Hash + Eq + Clone> Tally<K> {
    fn take(self: &Arc<Self>, key: K, limit: usize) -> Option<Place<K>> {
        let mut counts = self.0.lock();
        let count = counts.entry(key.clone()).or_default();
        if *count >= limit {
            if *count == 0 {
                counts.remove(&key);
            }
            return None;
        }
        *count += 1;
        Some(Place { tally: self.clone(), key })
    }
}

#[derive(Debug)]
struct Place<K: Hash + Eq> {
    tally: Arc<Tally<K>>,
    key: K,
}

impl<K: Hash + Eq> Drop for Place<K> {
    fn drop(&mut self) {
        let mut counts = self.tally.0.lock();
        if let Some(count) = counts.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(process: usize, user: Option<usize>, address: Option<usize>) -> Gate {
        Gate::new(ConnectionLimits { process, user, address })
    }

    #[test]
    fn limit_max_connections_the_newest_is_refused_and_room_comes_back() {
        let gate = gate(1, None, None);
        let (first, refusal) = gate.enter(None);
        assert_eq!(refusal, None);
        let (second, refusal) = gate.enter(None);
        assert_eq!(refusal.unwrap().limit.as_deref(), Some("max-connections 1"));
        drop((first, second));
        assert_eq!(gate.enter(None).1, None);
        assert_eq!(gate.open(), 0);
    }

    #[test]
    fn limit_max_connections_a_flood_is_not_even_told() {
        let gate = gate(1, None, None);
        let mut held = Vec::new();
        while !gate.is_flooded() {
            held.push(gate.enter(None));
        }
        assert_eq!(held.len(), 1 + TOLD_AT_A_TIME);
        let waiting: Vec<_> = std::iter::from_fn(|| gate.wait()).collect();
        assert_eq!(waiting.len(), 1 + TOLD_AT_A_TIME);
        drop(waiting);
        assert!(gate.wait().is_some());
    }

    #[test]
    fn limit_max_connections_per_user_holds_for_each_user_alone() {
        let gate = gate(100, Some(2), None);
        let (ann, bob): (Arc<str>, Arc<str>) = ("ann".into(), "bob".into());
        let first = gate.user(Some(&ann)).unwrap();
        let _second = gate.user(Some(&ann)).unwrap();
        let third = gate.user(Some(&ann)).unwrap_err();
        assert_eq!(third.limit.as_deref(), Some("max-connections-per-user 2"));
        assert!(gate.user(Some(&bob)).is_ok());
        assert!(gate.user(None).unwrap().is_none(), "nobody in particular is not counted");
        drop(first);
        assert!(gate.user(Some(&ann)).is_ok());
        assert_eq!(gate.0.users.0.lock().len(), 1, "who has none takes no memory");
    }

    #[test]
    fn limit_max_connections_per_address_counts_only_what_a_proxy_told() {
        let gate = gate(100, None, Some(1));
        let far: IpAddr = "203.0.113.7".parse().unwrap();
        let _first = gate.enter(Some(far));
        let (_, refusal) = gate.enter(Some(far));
        assert_eq!(refusal.unwrap().limit.as_deref(), Some("max-connections-per-address 1"));
        assert_eq!(gate.enter(Some("203.0.113.8".parse().unwrap())).1, None);
        assert_eq!(gate.enter(None).1, None);
    }
}
