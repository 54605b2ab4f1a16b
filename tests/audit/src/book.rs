//! What all clients of a cell share: the record, the figures, and when to stop.

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use parking_lot::Mutex;

use crate::record::{Id, Place, Record, Seen, Sent, Track};

/// One cell's book.
pub(crate) struct Book {
    record: Mutex<Pages>,
    pub(crate) figures: Mutex<Figures>,
    /// Where each instance is reached; a new life has a new address.
    doors: Vec<Mutex<SocketAddr>>,
    /// Publishers finish what they have begun, and begin nothing more.
    pub(crate) stop_publishing: AtomicBool,
    /// Subscribers go.
    pub(crate) stop: AtomicBool,
    /// Publishers that have nothing open any more.
    pub(crate) publishers_done: AtomicUsize,
}

struct Pages {
    record: Record,
    /// The newest receipted place of each destination.
    heads: Vec<Option<Place>>,
}

/// What is measured beside what is judged.
#[derive(Clone, Debug, Default)]
pub(crate) struct Figures {
    pub(crate) receipted: u64,
    pub(crate) delivered: u64,
    /// Retries of which the log had the message already: its outcome had been unknown.
    pub(crate) unknown: u64,
    /// Connections that ended without our doing.
    pub(crate) ends: u64,
    /// Problems that were told, by code.
    pub(crate) refusals: Vec<String>,
    /// The longest time that one publisher waited with something open and got no receipt.
    pub(crate) longest_gap: Duration,
    /// From SEND to RECEIPT, of what was sent once.
    pub(crate) round_trips: Vec<Duration>,
    /// From the beginning of a reconnect until all is receipted and all is there that was known
    /// at its beginning.
    pub(crate) moves: Vec<Duration>,
}

impl Book {
    pub(crate) fn new(destinations: usize, doors: Vec<SocketAddr>) -> Self {
        let pages = Pages { record: Record::default(), heads: vec![None; destinations] };
        Self {
            record: Mutex::new(pages),
            figures: Mutex::default(),
            doors: doors.into_iter().map(Mutex::new).collect(),
            stop_publishing: AtomicBool::new(false),
            stop: AtomicBool::new(false),
            publishers_done: AtomicUsize::new(0),
        }
    }

    pub(crate) fn instances(&self) -> usize {
        self.doors.len()
    }

    pub(crate) fn door(&self, instance: usize) -> SocketAddr {
        *self.doors[instance % self.doors.len()].lock()
    }

    pub(crate) fn set_door(&self, instance: usize, address: SocketAddr) {
        *self.doors[instance].lock() = address;
    }

    /// Something is about to be sent for the first time.
    pub(crate) fn sent(&self, id: Id, destination: usize, line: u32) {
        let mut pages = self.record.lock();
        pages.record.sent.insert(id, Sent { destination, line, receipts: vec![] });
    }

    pub(crate) fn receipted(&self, id: Id, place: Place) {
        let mut pages = self.record.lock();
        let Some(sent) = pages.record.sent.get_mut(&id) else { return };
        sent.receipts.push(place);
        let destination = sent.destination;
        let head = &mut pages.heads[destination];
        // A later epoch is another log, whatever its number is.
        if head.is_none_or(|head| head.epoch != place.epoch || head < place) {
            *head = Some(place);
        }
        drop(pages);
        self.figures.lock().receipted += 1;
    }

    /// A subscriber takes a page for each of its destinations.
    pub(crate) fn track(&self, subscriber: usize, destination: usize) -> usize {
        let mut pages = self.record.lock();
        pages.record.tracks.push(Track { subscriber, destination, seen: vec![] });
        pages.record.tracks.len() - 1
    }

    pub(crate) fn seen(&self, track: usize, seen: Seen) {
        self.record.lock().record.tracks[track].seen.push(seen);
        if matches!(seen, Seen::Message { .. }) {
            self.figures.lock().delivered += 1;
        }
    }

    pub(crate) fn strange(&self, what: String) {
        self.record.lock().record.strange.push(what);
    }

    pub(crate) fn head(&self, destination: usize) -> Option<Place> {
        self.record.lock().heads[destination]
    }

    pub(crate) fn record(&self) -> Record {
        self.record.lock().record.clone()
    }

    /// Tracks that have not come to the newest receipted place of their destination.
    pub(crate) fn behind(&self) -> usize {
        let pages = self.record.lock();
        let is_behind = |track: &&Track| {
            let head = pages.heads[track.destination];
            let newest = track.seen.iter().rev().find_map(|seen| match seen {
                Seen::Message { place, .. } => Some(*place),
                Seen::Began { place, recovered: None | Some(false) } => Some(*place),
                Seen::Began { .. } => None,
            });
            head.is_some_and(|head| {
                newest.is_none_or(|newest| newest.epoch != head.epoch || newest < head)
            })
        };
        pages.record.tracks.iter().filter(is_behind).count()
    }

    /// How many subscribers have a receipt for each of their destinations.
    pub(crate) fn begun(&self) -> usize {
        let pages = self.record.lock();
        pages.record.tracks.iter().filter(|track| !track.seen.is_empty()).count()
    }

    pub(crate) fn must_stop(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    pub(crate) fn must_stop_publishing(&self) -> bool {
        self.stop_publishing.load(Ordering::Acquire)
    }
}

impl Figures {
    /// Notes that a publisher with something open got a receipt after so long without one.
    pub(crate) fn gap(&mut self, since: Instant) {
        self.longest_gap = self.longest_gap.max(since.elapsed());
    }

    /// Notes how a connection ended.
    pub(crate) fn ended(&mut self, end: &crate::link::End) {
        self.ends += 1;
        if let crate::link::End::Refused(code, message) = end {
            let told = format!("{code}: {message}");
            if !self.refusals.contains(&told) && self.refusals.len() < 20 {
                self.refusals.push(told);
            }
        }
    }
}

/// The value below which so many hundredths of the values lie.
pub(crate) fn percentile(values: &[Duration], hundredths: usize) -> Duration {
    let mut sorted = values.to_vec();
    sorted.sort();
    let at = (sorted.len() * hundredths / 100).min(sorted.len().saturating_sub(1));
    sorted.get(at).copied().unwrap_or_default()
}
