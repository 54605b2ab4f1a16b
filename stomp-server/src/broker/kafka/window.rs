//! The ids that were published within the window, by the time of the log.
//!
//! Every instance reads the same records with the same times, so all agree on which one of
//! two was the first, and whether the second came within the window.

use std::time::Duration;

use tokio::time::Instant;

use crate::broker::{
    DedupeKey,
    dedupe::{Dedupe, Print},
    hub::now_ms,
};

/// A dedupe window whose clock is that of the log.
#[derive(Debug)]
pub(super) struct Window {
    dedupe: Dedupe,
    /// The moment that stands for `origin_ms`.
    origin: Instant,
    origin_ms: u64,
}

impl Window {
    /// An empty one, for records from `origin_ms` on.
    pub(super) fn new(dedupe: Dedupe, origin_ms: u64) -> Self {
        Self { dedupe, origin: Instant::now(), origin_ms }
    }

    /// What stands for an id in all that follows.
    pub(super) fn print(&self, route: &str, key: &DedupeKey) -> Print {
        self.dedupe.print(route, key)
    }

    /// Takes in a record of the log. Says where the first one of its id stands, if it is not it.
    pub(super) fn admit(&mut self, print: Print, offset: u64, at_ms: u64) -> Option<u64> {
        let now = self.at(at_ms);
        let first = self.dedupe.first(print, now).filter(|first| *first != offset);
        if first.is_none() {
            self.dedupe.remember(print, offset, now);
        }
        first
    }

    /// The same for an id that nothing has stood for yet.
    pub(super) fn meet(
        &mut self,
        route: &str,
        key: &DedupeKey,
        offset: u64,
        at_ms: u64,
    ) -> Option<u64> {
        let print = self.print(route, key);
        self.admit(print, offset, at_ms)
    }

    /// Where the first one of an id stands, if it is in the window now.
    pub(super) fn first(&mut self, print: Print) -> Option<u64> {
        let now = self.at(now_ms());
        self.dedupe.first(print, now)
    }

    fn at(&self, at_ms: u64) -> Instant {
        self.origin + Duration::from_millis(at_ms.saturating_sub(self.origin_ms))
    }
}
