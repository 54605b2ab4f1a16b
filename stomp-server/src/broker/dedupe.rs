//! The window of publishers' ids that have been seen.

use std::{
    collections::{HashMap, VecDeque},
    hash::{BuildHasher, BuildHasherDefault, Hasher, RandomState},
    time::Duration,
};

use tokio::time::Instant;

use super::DedupeKey;

/// Remembers who published which id where, up to a time and a number.
///
/// It keeps 128 bits of two keyed hashes instead of the words: a quarter of the memory, and a
/// collision (a message taken for another's duplicate) is beyond anybody's reach.
#[derive(Debug)]
pub(super) struct Dedupe {
    window: Duration,
    max: usize,
    keys: [RandomState; 2],
    seen: HashMap<Print, u64, BuildHasherDefault<Ready>>,
    by_age: VecDeque<(Instant, Print)>,
}

/// What is remembered of a (route, sender, id).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Print(u64, u64);

impl Dedupe {
    pub(super) fn new(window: Duration, max: usize) -> Self {
        let keys = [RandomState::new(), RandomState::new()];
        Self { window, max, keys, seen: HashMap::default(), by_age: VecDeque::new() }
    }

    /// The print of a publication's id.
    pub(super) fn print(&self, route: &str, key: &DedupeKey) -> Print {
        let [one, two] = &self.keys;
        let scope = (route, key.sender.as_str(), key.id.as_str());
        Print(one.hash_one(scope), two.hash_one(scope))
    }

    /// Where the first one of this id stands, if it was seen within the window.
    pub(super) fn first(&mut self, print: Print, now: Instant) -> Option<u64> {
        self.forget_old(now);
        self.seen.get(&print).copied()
    }

    /// Remembers an id that was accepted at this offset.
    pub(super) fn remember(&mut self, print: Print, offset: u64, now: Instant) {
        if self.seen.len() >= self.max {
            self.forget_oldest();
        }
        if self.max > 0 && self.seen.insert(print, offset).is_none() {
            self.by_age.push_back((now, print));
        }
    }

    fn forget_old(&mut self, now: Instant) {
        while let Some((at, _)) = self.by_age.front()
            && now.saturating_duration_since(*at) >= self.window
        {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        if let Some((_, print)) = self.by_age.pop_front() {
            self.seen.remove(&print);
        }
    }
}

impl std::hash::Hash for Print {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0);
    }
}

/// Takes a keyed hash for what it is.
#[derive(Clone, Copy, Debug, Default)]
struct Ready(u64);

impl Hasher for Ready {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(sender: &str, id: &str) -> DedupeKey {
        DedupeKey { sender: sender.into(), id: id.into() }
    }

    #[test]
    fn the_first_of_an_id_is_remembered_for_its_route_and_sender_alone() {
        let mut dedupe = Dedupe::new(Duration::from_secs(1), 10);
        let now = Instant::now();
        let print = dedupe.print("/topic/a", &key("ann", "1"));
        dedupe.remember(print, 7, now);
        assert_eq!(dedupe.first(print, now), Some(7));
        for (route, key) in [
            ("/topic/b", key("ann", "1")),
            ("/topic/a", key("bob", "1")),
            ("/topic/a", key("ann", "2")),
            ("/topic/a", key("", "ann1")),
        ] {
            let other = dedupe.print(route, &key);
            assert_eq!(dedupe.first(other, now), None);
        }
    }

    #[test]
    fn ids_are_forgotten_by_age_and_by_number() {
        let mut dedupe = Dedupe::new(Duration::from_secs(1), 2);
        let start = Instant::now();
        let prints: Vec<_> =
            (0..3).map(|n| dedupe.print("/topic/a", &key("ann", &n.to_string()))).collect();
        for (offset, print) in (1..).zip(&prints) {
            dedupe.remember(*print, offset, start);
        }
        assert_eq!(dedupe.first(prints[0], start), None);
        assert_eq!(dedupe.first(prints[2], start), Some(3));
        let later = start + Duration::from_secs(1);
        assert_eq!(dedupe.first(prints[2], later), None);
        assert!(dedupe.by_age.is_empty());
    }
}
