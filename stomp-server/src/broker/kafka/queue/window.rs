//! What of a partition has been done with, so that its offset can be committed.
//!
//! Messages are acknowledged in any order, but Kafka keeps one number for a partition: the
//! window remembers what is open, and commits up to the oldest of it.

use std::collections::BTreeMap;

/// The open messages of one partition, by their offsets as Kafka counts.
#[derive(Debug)]
pub(super) struct Window {
    next: i64,
    /// What each open record is called here.
    open: BTreeMap<i64, u64>,
    committed: i64,
}

impl Window {
    /// A window on a partition that is read from this offset on.
    pub(super) fn new(first: i64) -> Self {
        Self { next: first, open: BTreeMap::new(), committed: first }
    }

    /// Whether a record has been here before.
    pub(super) fn has_seen(&self, offset: i64) -> bool {
        offset < self.next
    }

    /// Takes in a record that is open under this number.
    pub(super) fn open(&mut self, offset: i64, number: u64) {
        self.pass(offset);
        self.open.insert(offset, number);
    }

    /// Takes in a record that needs nobody.
    pub(super) fn pass(&mut self, offset: i64) {
        self.next = self.next.max(offset + 1);
    }

    /// A record is done with.
    pub(super) fn done(&mut self, offset: i64) {
        self.open.remove(&offset);
    }

    /// From where another would have to read on.
    pub(super) fn place(&self) -> i64 {
        self.open.first_key_value().map_or(self.next, |(offset, _)| *offset)
    }

    /// The place, if it has not been committed.
    pub(super) fn to_commit(&self) -> Option<i64> {
        Some(self.place()).filter(|place| *place != self.committed)
    }

    pub(super) fn committed(&mut self, place: i64) {
        self.committed = place;
    }

    /// The numbers of all that is open.
    pub(super) fn into_open(self) -> impl Iterator<Item = u64> {
        self.open.into_values()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_is_that_of_the_oldest_open_record() {
        let mut window = Window::new(10);
        assert_eq!(window.to_commit(), None);
        for (offset, number) in [(10, 1), (11, 2), (14, 3)] {
            assert!(!window.has_seen(offset));
            window.open(offset, number);
        }
        assert!(window.has_seen(12), "offsets have gaps");
        window.done(11);
        assert_eq!(window.to_commit(), None);
        window.done(10);
        assert_eq!(window.to_commit(), Some(14));
        window.committed(14);
        assert_eq!(window.to_commit(), None);
        window.done(14);
        window.pass(15);
        assert_eq!(window.to_commit(), Some(16));
    }

    #[test]
    fn what_is_open_can_be_told() {
        let mut window = Window::new(0);
        window.open(0, 7);
        window.open(1, 8);
        window.done(0);
        assert_eq!(window.into_open().collect::<Vec<_>>(), [8]);
    }
}
