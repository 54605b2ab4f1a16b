//! The one judge of all cells: a plain function of what was recorded.
//!
//! * **I1** every receipted message, and every one that anybody saw, reaches every subscriber
//!   that was entitled to it, or that subscriber was told `recovered:false` across it;
//! * **I2** nobody gets anything twice, and the log has nothing twice;
//! * **I3** everybody gets a destination in the order of its log, receipts and deliveries agree
//!   on the places, and messages of one publisher stand in the order in which it sent
//!   them;
//! * **I4** a message that was never receipted appears once at most.
//!
//! Epochs are logs of their own: what a broker in memory forgot with its process is not held
//! against the next one.

use std::collections::{BTreeSet, HashMap, HashSet};

use serde::Serialize;

use crate::record::{Id, Place, Record, Seen, Track};

/// So many examples of what is wrong are kept of each run.
const EXAMPLES: usize = 12;

/// What the judge found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Verdict {
    /// I1: messages that an entitled subscriber did not get.
    pub(crate) lost: usize,
    /// I2: messages that came twice, or stand in the log twice.
    pub(crate) doubled: usize,
    /// I3: messages that came or stand out of order.
    pub(crate) disordered: usize,
    /// I4: unreceipted messages that appeared more than once.
    pub(crate) unreceipted_twice: usize,
    /// Messages that nobody sent, or that came damaged.
    pub(crate) strange: usize,
    /// How often somebody was told `recovered:false`: allowed, and worth knowing.
    pub(crate) told: usize,
    pub(crate) examples: Vec<String>,
}

impl Verdict {
    /// Whether all was kept that was promised.
    pub(crate) fn is_clean(&self) -> bool {
        let faults =
            [self.lost, self.doubled, self.disordered, self.unreceipted_twice, self.strange];
        faults.iter().all(|count| *count == 0)
    }

    fn example(&mut self, text: impl FnOnce() -> String) {
        if self.examples.len() < EXAMPLES {
            self.examples.push(text());
        }
    }
}

/// Judges a record.
pub(crate) fn judge(record: &Record) -> Verdict {
    let mut verdict = Verdict { strange: record.strange.len(), ..Verdict::default() };
    for text in &record.strange {
        verdict.example(|| text.clone());
    }
    let logs = logs(record, &mut verdict);
    for log in logs.values() {
        check_publishers(record, log, &mut verdict);
    }
    for track in &record.tracks {
        let walked = walk(record, track, &mut verdict);
        if let Some(log) = logs.get(&track.destination) {
            check_complete(track, &walked, log, &mut verdict);
        }
    }
    verdict
}

/// A destination's log, as far as anybody has told of it.
type Log = BTreeSet<(Place, Id)>;

/// Puts the logs together from receipts and deliveries, and finds where they contradict.
fn logs(record: &Record, verdict: &mut Verdict) -> HashMap<usize, Log> {
    let mut logs: HashMap<usize, Log> = HashMap::new();
    let mut holders: HashMap<(usize, Place), Id> = HashMap::new();
    let mut places: HashMap<(Id, u32), Place> = HashMap::new();
    let receipted = record.sent.iter().flat_map(|(id, sent)| {
        sent.receipts.iter().map(move |place| (sent.destination, *place, *id))
    });
    let delivered = record.tracks.iter().flat_map(|track| {
        track.seen.iter().filter_map(move |seen| match seen {
            Seen::Message { place, id } => Some((track.destination, *place, *id)),
            Seen::Began { .. } => None,
        })
    });
    let mut twice = HashSet::new();
    for (destination, place, id) in receipted.chain(delivered) {
        let is_new = logs.entry(destination).or_default().insert((place, id));
        let other = *holders.entry((destination, place)).or_insert(id);
        if other != id && is_new {
            verdict.disordered += 1;
            verdict.example(|| format!("{place} is said to hold both {other} and {id}"));
        }
        let first = *places.entry((id, place.epoch)).or_insert(place);
        if first != place && twice.insert((id, place)) {
            let is_receipted = record.sent.get(&id).is_some_and(|sent| !sent.receipts.is_empty());
            if is_receipted {
                verdict.doubled += 1;
            } else {
                verdict.unreceipted_twice += 1;
            }
            verdict.example(|| format!("{id} stands at {first} and at {place}"));
        }
    }
    logs
}

/// Within one log, a publisher's messages stand in the order of its numbers.
fn check_publishers(record: &Record, log: &Log, verdict: &mut Verdict) {
    let mut newest: HashMap<(u32, u16, u32), u32> = HashMap::new();
    let mut counted = HashSet::new();
    for (place, id) in log {
        if !counted.insert((place.epoch, *id)) {
            continue; // a second one is a double, and no disorder
        }
        let line = record.sent.get(id).map_or(0, |sent| sent.line);
        let newest = newest.entry((place.epoch, id.publisher, line)).or_default();
        if id.number < *newest {
            verdict.disordered += 1;
            verdict.example(|| format!("{id} stands at {place}, behind a later one ({newest})"));
        }
        *newest = id.number.max(*newest);
    }
}

/// What a subscriber was entitled to, and what it got.
#[derive(Default)]
struct Walked {
    /// From behind one offset up to another, within an epoch.
    entitled: Vec<(u32, u64, u64)>,
    got: HashSet<(u32, Id)>,
}

/// Follows a subscriber from its first receipt to its last message.
fn walk(record: &Record, track: &Track, verdict: &mut Verdict) -> Walked {
    let who = || format!("subscriber {} of destination {}", track.subscriber, track.destination);
    let mut walked = Walked::default();
    let mut since: Option<Place> = None;
    let mut place: Option<Place> = None;
    for seen in &track.seen {
        match *seen {
            Seen::Began { recovered: Some(true), place: receipt } => {
                if place.is_none_or(|place| place.epoch != receipt.epoch) {
                    verdict.disordered += 1;
                    verdict.example(|| format!("{}: another log is no recovery", who()));
                }
            }
            Seen::Began { place: begin, recovered } => {
                verdict.told += usize::from(recovered == Some(false));
                if let (Some(since), Some(place)) = (since, place) {
                    walked.entitled.push((since.epoch, since.offset, place.offset));
                }
                (since, place) = (Some(begin), Some(begin));
            }
            Seen::Message { place: at, id } => {
                let is_sent =
                    record.sent.get(&id).is_some_and(|sent| sent.destination == track.destination);
                if !is_sent {
                    verdict.strange += 1;
                    verdict.example(|| format!("{}: nobody sent {id}", who()));
                }
                if !walked.got.insert((at.epoch, id)) {
                    verdict.doubled += 1;
                    verdict.example(|| format!("{}: {id} came again, at {at}", who()));
                } else if place.is_none_or(|place| at.epoch != place.epoch || at <= place) {
                    verdict.disordered += 1;
                    verdict.example(|| format!("{}: {id} at {at} came too late", who()));
                }
                place = Some(place.map_or(at, |place| place.max(at)));
            }
        }
    }
    if let Some(since) = since {
        walked.entitled.push((since.epoch, since.offset, u64::MAX));
    }
    walked
}

fn check_complete(track: &Track, walked: &Walked, log: &Log, verdict: &mut Verdict) {
    for (place, id) in log {
        let is_entitled = walked.entitled.iter().any(|(epoch, from, until)| {
            *epoch == place.epoch && *from < place.offset && place.offset <= *until
        });
        if is_entitled && !walked.got.contains(&(place.epoch, *id)) {
            verdict.lost += 1;
            verdict.example(|| {
                let Track { subscriber, destination, .. } = track;
                format!("subscriber {subscriber} of {destination} never got {id} at {place}")
            });
        }
    }
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
