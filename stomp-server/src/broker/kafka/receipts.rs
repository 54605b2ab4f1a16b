//! Publications on their way: what became of them, told in the order of their partition.
//!
//! A publication is answered when two have spoken: the producer, who knows the place that it
//! got, and, where it could be a duplicate, the reader of the log, who has seen whether another
//! instance was first. Within a partition answers come in the order of the calls.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{sync::Notify, time::Instant};

use crate::{
    broker::{Accepted, BrokerError, Epoch, Position, Replier, Reply},
    problem::Code,
};

/// All publications that have not been answered.
#[derive(Debug)]
pub(super) struct Receipts {
    epoch: Epoch,
    limit: usize,
    lanes: Vec<Mutex<Lane>>,
    /// Bytes that are on their way.
    bytes: AtomicUsize,
    is_closed: AtomicBool,
    /// Told when something was answered.
    answered: Notify,
}

/// Those of one partition, in the order in which they were handed over.
#[derive(Debug, Default)]
struct Lane {
    /// The number of the first that waits.
    first: u64,
    waiting: VecDeque<Waiting>,
    /// The highest offset that the log is known to have.
    logged: u64,
    /// Up to here the reader has come.
    read: u64,
    /// Offsets at which the reader found a duplicate, and where the first one stands; only
    /// those that somebody may still ask for.
    duplicates: BTreeMap<u64, u64>,
}

#[derive(Debug)]
struct Waiting {
    replier: Replier<Accepted>,
    weight: usize,
    /// The reader has to say whether it is a duplicate.
    may_be_duplicate: bool,
    since: Instant,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// Handed to the producer.
    Sent,
    /// The log has it, at this offset.
    Logged(u64),
    /// It is known what to answer.
    Known(Result<Accepted, BrokerError>),
}

/// Which publication a delivery report is about.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ticket {
    pub(super) partition: usize,
    number: u64,
}

/// What a publication needs beside its message.
const OVERHEAD: usize = 512;

impl Receipts {
    pub(super) fn new(epoch: Epoch, partitions: usize, limit: usize) -> Self {
        Self {
            epoch,
            limit,
            lanes: (0..partitions).map(|_| Mutex::default()).collect(),
            bytes: AtomicUsize::new(0),
            is_closed: AtomicBool::new(false),
            answered: Notify::new(),
        }
    }

    /// Hands a publication over with `send` and promises an answer. The lane is locked
    /// meanwhile, so that the producer gets them in the order of their answers.
    pub(super) fn send(
        &self,
        partition: usize,
        size: usize,
        may_be_duplicate: bool,
        send: impl FnOnce(Ticket) -> Result<(), BrokerError>,
    ) -> Reply<Accepted> {
        let weight = size + OVERHEAD;
        let mut lane = self.lanes[partition].lock();
        if let Err(error) = self.admit(weight) {
            return Reply::now(Err(error));
        }
        let number = lane.first + lane.waiting.len() as u64;
        if let Err(error) = send(Ticket { partition, number }) {
            return Reply::now(Err(error));
        }
        let (replier, reply) = Reply::later();
        self.bytes.fetch_add(weight, Ordering::AcqRel);
        let (since, stage) = (Instant::now(), Stage::Sent);
        lane.waiting.push_back(Waiting { replier, weight, may_be_duplicate, since, stage });
        reply
    }

    /// Answers a publication that was there already, behind those before it.
    pub(super) fn duplicate(&self, partition: usize, first: u64) -> Reply<Accepted> {
        let mut lane = self.lanes[partition].lock();
        let known = Ok(self.accepted(first, true));
        if lane.waiting.is_empty() {
            return Reply::now(known);
        }
        let (replier, reply) = Reply::later();
        let (since, stage) = (Instant::now(), Stage::Known(known));
        lane.waiting.push_back(Waiting {
            replier,
            weight: 0,
            may_be_duplicate: false,
            since,
            stage,
        });
        reply
    }

    /// The producer says what became of a publication.
    pub(super) fn delivered(&self, ticket: Ticket, outcome: Result<u64, BrokerError>) {
        let mut lane = self.lanes[ticket.partition].lock();
        if let Ok(offset) = outcome {
            lane.logged = lane.logged.max(offset);
        }
        let Some(at) = ticket.number.checked_sub(lane.first) else { return };
        let Some(waiting) = lane.waiting.get_mut(at as usize) else { return };
        if matches!(waiting.stage, Stage::Known(_)) {
            return;
        }
        waiting.stage = match outcome {
            Ok(offset) => Stage::Logged(offset),
            Err(error) => Stage::Known(Err(error)),
        };
        self.answer(&mut lane);
    }

    /// The reader has come to this offset, and found it to be another's duplicate.
    pub(super) fn read(&self, partition: usize, offset: u64, first: Option<u64>) {
        let mut lane = self.lanes[partition].lock();
        lane.read = offset;
        if lane.waiting.is_empty() {
            return;
        }
        if let Some(first) = first {
            lane.duplicates.insert(offset, first);
        }
        self.answer(&mut lane);
    }

    /// Gives up on those whose record the reader has not met for too long: it is in the log,
    /// but nobody knows whether it was the first.
    pub(super) fn expire(&self, timeout: Duration) {
        for lane in &self.lanes {
            let mut lane = lane.lock();
            for waiting in &mut lane.waiting {
                if matches!(waiting.stage, Stage::Logged(_)) && waiting.since.elapsed() > timeout {
                    let error = BrokerError::unknown("the log could not be read back");
                    waiting.stage = Stage::Known(Err(error));
                }
            }
            self.answer(&mut lane);
        }
    }

    /// The highest offset of a partition that was receipted here.
    pub(super) fn logged(&self, partition: usize) -> u64 {
        self.lanes[partition].lock().logged
    }

    /// How many bytes are on their way.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Acquire)
    }

    pub(super) fn has_room(&self) -> bool {
        self.bytes.load(Ordering::Acquire) < self.limit || self.is_closed.load(Ordering::Acquire)
    }

    /// Waits until there may be room. Cancel-safe.
    pub(super) async fn room(&self) {
        self.until(|| self.has_room()).await;
    }

    /// Refuses everything from here on, and waits until all is answered.
    pub(super) async fn close(&self) {
        self.is_closed.store(true, Ordering::Release);
        self.until(|| self.lanes.iter().all(|lane| lane.lock().waiting.is_empty())).await;
    }

    /// Refuses everything from here on, and leaves what waits without an outcome.
    pub(super) fn abandon(&self) {
        self.refuse_more();
        for lane in &self.lanes {
            let mut lane = lane.lock();
            for waiting in &mut lane.waiting {
                if !matches!(waiting.stage, Stage::Known(_)) {
                    waiting.stage = Stage::Known(Err(BrokerError::unknown("no reader")));
                }
            }
            self.answer(&mut lane);
        }
    }

    pub(super) fn refuse_more(&self) {
        self.is_closed.store(true, Ordering::Release);
    }

    async fn until(&self, is_done: impl Fn() -> bool) {
        loop {
            let answered = self.answered.notified();
            tokio::pin!(answered);
            answered.as_mut().enable();
            if is_done() {
                return;
            }
            answered.await;
        }
    }

    fn admit(&self, weight: usize) -> Result<(), BrokerError> {
        if self.is_closed.load(Ordering::Acquire) {
            return Err(BrokerError::refused(Code::Shutdown, "This server is going away."));
        }
        let bytes = self.bytes.load(Ordering::Acquire);
        if bytes > 0 && bytes + weight > self.limit.saturating_mul(2) {
            return Err(super::unavailable());
        }
        Ok(())
    }

    /// Answers all at the front of a lane of which everything is known.
    fn answer(&self, lane: &mut Lane) {
        let mut freed = 0;
        let mut has_answered = false;
        while let Some(waiting) = lane.waiting.pop_front() {
            let outcome = match waiting.stage {
                Stage::Known(outcome) => outcome,
                Stage::Logged(offset) if !waiting.may_be_duplicate || lane.read >= offset => {
                    let first = lane.duplicates.remove(&offset);
                    lane.duplicates = lane.duplicates.split_off(&offset);
                    Ok(self.accepted(first.unwrap_or(offset), first.is_some()))
                }
                stage => {
                    lane.waiting.push_front(Waiting { stage, ..waiting });
                    break;
                }
            };
            lane.first += 1;
            freed += waiting.weight;
            has_answered = true;
            waiting.replier.send(outcome);
        }
        if lane.waiting.is_empty() {
            lane.duplicates.clear();
        }
        if has_answered {
            self.bytes.fetch_sub(freed, Ordering::AcqRel);
            self.answered.notify_waiters();
        }
    }

    fn accepted(&self, offset: u64, duplicate: bool) -> Accepted {
        Accepted { position: Some(Position { epoch: self.epoch, offset }), duplicate }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    fn receipts() -> Receipts {
        Receipts::new(Epoch(1), 1, 10_000)
    }

    fn sent(receipts: &Receipts, may_be_duplicate: bool) -> (Ticket, Reply<Accepted>) {
        let mut ticket = None;
        let reply = receipts.send(0, 100, may_be_duplicate, |given| {
            ticket = Some(given);
            Ok(())
        });
        (ticket.expect("it was handed over"), reply)
    }

    fn offset(reply: Reply<Accepted>) -> Option<(u64, bool)> {
        let accepted = reply.now_or_never()?.expect("it is accepted");
        accepted.position.map(|position| (position.offset, accepted.duplicate))
    }

    #[test]
    fn answers_come_in_the_order_of_the_calls() {
        let receipts = receipts();
        let ((one, first), (two, mut second)) = (sent(&receipts, false), sent(&receipts, false));
        receipts.delivered(two, Ok(8));
        assert!((&mut second).now_or_never().is_none());
        receipts.delivered(one, Ok(7));
        assert_eq!(offset(first), Some((7, false)));
        assert_eq!(offset(second), Some((8, false)));
        assert_eq!(receipts.bytes.load(Ordering::Acquire), 0);
    }

    #[test]
    fn the_reader_says_what_is_a_duplicate_before_or_after_the_producer_does() {
        for reader_is_first in [true, false] {
            let receipts = receipts();
            let (ticket, mut reply) = sent(&receipts, true);
            if reader_is_first {
                receipts.read(0, 9, Some(5));
                assert!((&mut reply).now_or_never().is_none());
                receipts.delivered(ticket, Ok(9));
            } else {
                receipts.delivered(ticket, Ok(9));
                assert!((&mut reply).now_or_never().is_none());
                receipts.read(0, 9, Some(5));
            }
            assert_eq!(offset(reply), Some((5, true)));
        }
    }

    #[test]
    fn what_is_too_much_is_refused_and_what_is_refused_does_not_count() {
        let receipts = receipts();
        let refused = receipts.send(0, 1, false, |_| Err(super::super::unavailable()));
        assert!(matches!(refused.now_or_never(), Some(Err(BrokerError::Refused(_)))));
        let kept: Vec<_> = (0..32).map(|_| sent(&receipts, false)).collect();
        assert!(!receipts.has_room());
        let full = receipts.send(0, 1_000, false, |_| Ok(()));
        assert!(matches!(full.now_or_never(), Some(Err(BrokerError::Refused(_)))));
        for (ticket, _) in &kept {
            receipts.delivered(*ticket, Err(BrokerError::unknown("no answer")));
        }
        assert!(receipts.has_room());
    }

    #[test]
    fn a_known_duplicate_waits_for_those_before_it() {
        let receipts = receipts();
        assert_eq!(offset(receipts.duplicate(0, 3)), Some((3, true)));
        let (ticket, _first) = sent(&receipts, false);
        let mut later = receipts.duplicate(0, 3);
        assert!((&mut later).now_or_never().is_none());
        receipts.delivered(ticket, Ok(4));
        assert_eq!(offset(later), Some((3, true)));
    }
}
