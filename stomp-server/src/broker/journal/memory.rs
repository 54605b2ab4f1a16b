//! A journal without a disk: the same behaviour, for tests and as the simplest example.

use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;
use compact_str::CompactString;
use parking_lot::Mutex;

use super::{Change, Entry, Extent, Journal, JournalError, PlaceEntry, QueueEntry, Seen, Span};
use crate::broker::{DurableKey, Epoch};

/// Keeps everything in maps, and nothing beyond its own end.
#[derive(Debug)]
pub struct MemoryJournal {
    epoch: Epoch,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    extent: Extent,
    log: BTreeMap<u64, Entry>,
    queued: BTreeMap<u64, QueueEntry>,
    seen: BTreeMap<u64, Seen>,
    places: HashMap<DurableKey, PlaceEntry>,
    cursors: HashMap<CompactString, u64>,
}

impl MemoryJournal {
    /// An empty journal.
    pub fn new() -> Self {
        Self { epoch: Epoch::random(), state: Mutex::default() }
    }
}

impl Default for MemoryJournal {
    fn default() -> Self {
        Self::new()
    }
}

impl State {
    fn apply(&mut self, change: &Change) {
        match change {
            Change::Append(entry) => {
                self.extent.newest = self.extent.newest.max(entry.offset);
                self.log.insert(entry.offset, entry.clone());
            }
            Change::Enqueue(entry) => {
                self.seen.extend(seen(entry).map(|seen| (seen.offset, seen)));
                self.extent.newest = self.extent.newest.max(entry.entry.offset);
                self.queued.insert(entry.entry.offset, entry.clone());
            }
            Change::Dequeue(offset) => {
                self.queued.remove(offset);
            }
            Change::Returned(offset, returns) => {
                if let Some(entry) = self.queued.get_mut(offset) {
                    entry.returns = *returns;
                }
            }
            Change::Place(place) => {
                self.places.insert(place.key.clone(), place.clone());
            }
            Change::Forget(key) => {
                self.places.remove(key);
            }
            Change::Unsee(before_ms) => {
                self.seen.retain(|_, seen| seen.at_ms >= *before_ms);
            }
            Change::Cursor(name, next) => {
                self.cursors.insert(name.clone(), *next);
            }
            Change::Trim(upto) => {
                self.log = self.log.split_off(&(upto + 1));
                self.extent.trimmed = self.extent.trimmed.max(*upto);
            }
        }
    }

    fn of_route<'a>(
        &'a self,
        route: &'a str,
        span: Span,
    ) -> impl DoubleEndedIterator<Item = &'a Entry> {
        self.span(span).filter(move |entry| entry.logged.route == route)
    }

    fn span(&self, Span { after, upto }: Span) -> impl DoubleEndedIterator<Item = &Entry> {
        let first = after.saturating_add(1);
        self.log
            .range(first..=upto.max(first))
            .map(|(_, entry)| entry)
            .filter(move |entry| entry.offset <= upto)
    }
}

/// The id that a queue's message was published under.
fn seen(queued: &QueueEntry) -> Option<Seen> {
    let Entry { offset, at_ms, logged } = &queued.entry;
    let key = logged.dedupe.clone()?;
    Some(Seen { offset: *offset, at_ms: *at_ms, route: logged.route.clone(), key })
}

#[async_trait]
impl Journal for MemoryJournal {
    fn epoch(&self) -> Epoch {
        self.epoch
    }

    async fn extent(&self) -> Result<Extent, JournalError> {
        Ok(self.state.lock().extent)
    }

    async fn commit(&self, batch: &[Change]) -> Result<(), JournalError> {
        let mut state = self.state.lock();
        for change in batch {
            state.apply(change);
        }
        Ok(())
    }

    async fn read(&self, span: Span, max: usize) -> Result<Vec<Entry>, JournalError> {
        Ok(self.state.lock().span(span).take(max).cloned().collect())
    }

    async fn read_route(
        &self,
        route: &str,
        span: Span,
        max: usize,
    ) -> Result<Vec<Entry>, JournalError> {
        Ok(self.state.lock().of_route(route, span).take(max).cloned().collect())
    }

    async fn count_route(
        &self,
        route: &str,
        span: Span,
        at_most: usize,
    ) -> Result<usize, JournalError> {
        Ok(self.state.lock().of_route(route, span).take(at_most).count())
    }

    async fn first_of_last(
        &self,
        route: &str,
        span: Span,
        count: usize,
    ) -> Result<Option<u64>, JournalError> {
        let state = self.state.lock();
        Ok(state.of_route(route, span).rev().take(count).last().map(|entry| entry.offset))
    }

    async fn oldest(&self, before_ms: u64, at_most: usize) -> Result<Option<u64>, JournalError> {
        let state = self.state.lock();
        let mut oldest = state.log.values().take(at_most).filter(|entry| entry.at_ms < before_ms);
        Ok(oldest.next_back().map(|entry| entry.offset))
    }

    async fn cursor(&self, name: &str) -> Result<Option<u64>, JournalError> {
        Ok(self.state.lock().cursors.get(name).copied())
    }

    async fn queued(&self, after: u64, max: usize) -> Result<Vec<QueueEntry>, JournalError> {
        let state = self.state.lock();
        Ok(state.queued.range(after + 1..).take(max).map(|(_, entry)| entry.clone()).collect())
    }

    async fn seen(&self, after: u64, max: usize) -> Result<Vec<Seen>, JournalError> {
        let state = self.state.lock();
        Ok(state.seen.range(after + 1..).take(max).map(|(_, seen)| seen.clone()).collect())
    }

    async fn places(&self) -> Result<Vec<PlaceEntry>, JournalError> {
        Ok(self.state.lock().places.values().cloned().collect())
    }

    async fn bytes(&self) -> Result<u64, JournalError> {
        let state = self.state.lock();
        Ok(state.log.values().map(|entry| entry.logged.message.size() as u64).sum())
    }

    async fn close(&self) {}
}
