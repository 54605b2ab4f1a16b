//! What this instance has taken from the queues' topics and not done with.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use parking_lot::Mutex;

use super::window::Window;

/// Where a message came from: a topic of its queue and a partition of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Origin {
    /// The topic in which returned messages wait, or else the queue's own.
    pub(super) is_retry: bool,
    pub(super) partition: i32,
}

/// What one reader holds.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    pub(super) windows: Mutex<HashMap<Origin, Window>>,
    /// Octets of all that is open.
    bytes: AtomicUsize,
}

impl Shelf {
    pub(super) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }
}

/// All that is open, by the number that it has in its queue.
#[derive(Debug, Default)]
pub(super) struct Opened {
    numbers: AtomicU64,
    /// Locked before a shelf, never after.
    by_number: Mutex<HashMap<u64, Whence>>,
}

#[derive(Debug)]
struct Whence {
    shelf: Arc<Shelf>,
    origin: Origin,
    offset: i64,
    weight: usize,
}

impl Opened {
    /// Puts a record on a shelf and gives it a number; numbers rise as records arrive. Nothing
    /// if it has been there already.
    pub(super) fn put(
        &self,
        shelf: &Arc<Shelf>,
        origin: Origin,
        offset: i64,
        weight: usize,
    ) -> Option<u64> {
        let mut by_number = self.by_number.lock();
        let mut windows = shelf.windows.lock();
        let window = windows.entry(origin).or_insert_with(|| Window::new(offset));
        if window.has_seen(offset) {
            return None;
        }
        let number = self.numbers.fetch_add(1, Ordering::Relaxed) + 1;
        window.open(offset, number);
        shelf.bytes.fetch_add(weight, Ordering::Relaxed);
        by_number.insert(number, Whence { shelf: shelf.clone(), origin, offset, weight });
        Some(number)
    }

    /// A message is done with. Says whether it was open.
    pub(super) fn done(&self, number: u64) -> bool {
        let Some(whence) = self.by_number.lock().remove(&number) else { return false };
        whence.shelf.bytes.fetch_sub(whence.weight, Ordering::Relaxed);
        if let Some(window) = whence.shelf.windows.lock().get_mut(&whence.origin) {
            window.done(whence.offset);
        }
        true
    }

    /// A word for where an open message came from, the same whoever reads it.
    pub(super) fn origin(&self, number: u64) -> Option<String> {
        let by_number = self.by_number.lock();
        let whence = by_number.get(&number)?;
        let topic = if whence.origin.is_retry { 'r' } else { 'q' };
        Some(format!("{topic}{}-{}", whence.origin.partition, whence.offset))
    }

    /// Forgets a partition that is somebody else's now; tells what was open of it.
    pub(super) fn clear(&self, shelf: &Shelf, origin: Origin) -> Vec<u64> {
        let mut by_number = self.by_number.lock();
        let Some(window) = shelf.windows.lock().remove(&origin) else { return Vec::new() };
        let numbers: Vec<_> = window.into_open().collect();
        for whence in numbers.iter().filter_map(|number| by_number.remove(number)) {
            shelf.bytes.fetch_sub(whence.weight, Ordering::Relaxed);
        }
        numbers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_taken_away_can_no_longer_be_done() {
        let (opened, shelf) = (Opened::default(), Arc::new(Shelf::default()));
        let origin = Origin { is_retry: false, partition: 0 };
        let one = opened.put(&shelf, origin, 5, 10).expect("it is new");
        assert_eq!(opened.put(&shelf, origin, 5, 10), None, "it was read again");
        let two = opened.put(&shelf, origin, 6, 10).expect("it is new");
        assert!(two > one);
        assert!(opened.done(one) && !opened.done(one));
        assert_eq!(shelf.windows.lock()[&origin].place(), 6);
        assert_eq!(shelf.bytes(), 10);
        assert_eq!(opened.origin(two).as_deref(), Some("q0-6"));
        assert_eq!(opened.clear(&shelf, origin), [two]);
        assert!(!opened.done(two));
        assert_eq!(shelf.bytes(), 0);
    }
}
