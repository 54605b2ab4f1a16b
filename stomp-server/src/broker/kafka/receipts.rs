//! Publications on their way: what became of them, told in the order of their partition.
//!
//! A publication is answered when two have spoken: the producer, who knows the place that it
//! got, and, where it could be a duplicate, the reader of the log, who has seen whether another
//! instance was first. Within a partition answers come in the order of the calls.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{sync::Notify, time::Instant};

use crate::{
    broker::{Accepted, BrokerError, Epoch, Position, Replier, Reply, dedupe::Print},
    problem::Code,
};

/// All publications to one topic that have not been answered.
#[derive(Debug)]
pub(super) struct Receipts {
    epoch: Epoch,
    numbering: Numbering,
    lanes: Vec<Mutex<Lane>>,
    flight: Arc<Flight>,
}

/// What all publications of a broker take together while they are on their way.
#[derive(Debug)]
pub(super) struct Flight {
    limit: usize,
    bytes: AtomicUsize,
    is_closed: AtomicBool,
    /// Told when something was answered.
    answered: Notify,
}

/// How places are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Numbering {
    /// A destination is in one partition, and its places are those of the partition.
    Partition,
    /// A destination is in all partitions, so that a place has to tell which one it is in.
    Interleaved,
}

impl Numbering {
    /// The place that the record at `offset` (as we count, from 1) of a partition has.
    pub(super) fn place(self, offset: u64, partition: usize, partitions: usize) -> u64 {
        match self {
            Self::Partition => offset,
            Self::Interleaved => (offset - 1) * partitions as u64 + partition as u64 + 1,
        }
    }
}

impl Flight {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            bytes: AtomicUsize::new(0),
            is_closed: AtomicBool::new(false),
            answered: Notify::new(),
        }
    }

    /// How many bytes are on their way.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Acquire)
    }

    pub(super) fn has_room(&self) -> bool {
        self.bytes() < self.limit || self.is_closed.load(Ordering::Acquire)
    }

    /// Waits until there may be room. Cancel-safe.
    pub(super) async fn room(&self) {
        self.until(|| self.has_room()).await;
    }

    pub(super) fn refuse_more(&self) {
        self.is_closed.store(true, Ordering::Release);
    }

    /// Whether one more may go on its way.
    pub(super) fn admit(&self, size: usize) -> Result<(), BrokerError> {
        if self.is_closed.load(Ordering::Acquire) {
            return Err(BrokerError::refused(Code::Shutdown, "This server is going away."));
        }
        let (bytes, weight) = (self.bytes(), size + OVERHEAD);
        if bytes > 0 && bytes + weight > self.limit.saturating_mul(2) {
            return Err(super::unavailable());
        }
        Ok(())
    }

    /// Counts one that is on its way.
    pub(super) fn take(&self, size: usize) {
        self.bytes.fetch_add(size + OVERHEAD, Ordering::AcqRel);
    }

    /// Counts one that no longer is.
    pub(super) fn give_back(&self, size: usize) {
        self.free(size + OVERHEAD);
    }

    fn free(&self, weight: usize) {
        self.bytes.fetch_sub(weight, Ordering::AcqRel);
        self.answered.notify_waiters();
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
    /// How many wait at [`Stage::Placeless`].
    placeless: usize,
}

#[derive(Debug)]
struct Waiting {
    replier: Replier<Accepted>,
    weight: usize,
    /// Its id, if it has one: the reader then has to say whether it is a duplicate.
    print: Option<Print>,
    since: Instant,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// Handed to the producer.
    Sent,
    /// The log has it, at this offset.
    Logged(u64),
    /// The log has it, and the reader will say where its id stands.
    Placeless,
    /// It is known what to answer.
    Known(Result<Accepted, BrokerError>),
}

/// Which publication a delivery report is about.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ticket {
    pub(super) partition: usize,
    number: u64,
}

/// The id of a record that the reader came to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Met {
    pub(super) print: Print,
    /// Where the first one of this id stands, if the record is not it.
    pub(super) first: Option<u64>,
}

/// What a publication needs beside its message.
const OVERHEAD: usize = 512;

impl Receipts {
    pub(super) fn new(epoch: Epoch, partitions: usize, flight: Arc<Flight>) -> Self {
        let lanes = (0..partitions).map(|_| Mutex::default()).collect();
        Self { epoch, numbering: Numbering::Partition, lanes, flight }
    }

    /// The same for a topic that is one destination.
    pub(super) fn interleaved(self) -> Self {
        Self { numbering: Numbering::Interleaved, ..self }
    }

    /// Hands a publication over with `send` and promises an answer. The lane is locked
    /// meanwhile, so that the producer gets them in the order of their answers.
    pub(super) fn send(
        &self,
        partition: usize,
        size: usize,
        print: Option<Print>,
        send: impl FnOnce(Ticket) -> Result<(), BrokerError>,
    ) -> Reply<Accepted> {
        let (replier, reply) = Reply::later();
        if let Err(error) = self.flight.admit(size) {
            return Reply::now(Err(error));
        }
        self.send_to(replier, partition, size, print, send);
        reply
    }

    /// The same for a publication that has been admitted, and that somebody waits for.
    pub(super) fn send_to(
        &self,
        replier: Replier<Accepted>,
        partition: usize,
        size: usize,
        print: Option<Print>,
        send: impl FnOnce(Ticket) -> Result<(), BrokerError>,
    ) {
        let mut lane = self.lanes[partition].lock();
        let number = lane.first + lane.waiting.len() as u64;
        if let Err(error) = send(Ticket { partition, number }) {
            return replier.send(Err(error));
        }
        self.flight.take(size);
        let (since, stage, weight) = (Instant::now(), Stage::Sent, size + OVERHEAD);
        lane.waiting.push_back(Waiting { replier, weight, print, since, stage });
    }

    /// Answers a publication that was there already, behind those before it.
    pub(super) fn duplicate(&self, partition: usize, first: u64) -> Reply<Accepted> {
        let (replier, reply) = Reply::later();
        self.duplicate_to(replier, partition, first);
        reply
    }

    /// The same for a publication that somebody waits for.
    pub(super) fn duplicate_to(&self, replier: Replier<Accepted>, partition: usize, first: u64) {
        let mut lane = self.lanes[partition].lock();
        let known = Ok(self.accepted(partition, first, true));
        if lane.waiting.is_empty() {
            return replier.send(known);
        }
        let (since, stage) = (Instant::now(), Stage::Known(known));
        lane.waiting.push_back(Waiting { replier, weight: 0, print: None, since, stage });
    }

    /// The producer says what became of a publication. It may be certain that the log has it and
    /// not know where; its id then tells, `looked_up` for the case that the reader has met it.
    pub(super) fn delivered(
        &self,
        ticket: Ticket,
        outcome: Result<Option<u64>, BrokerError>,
        looked_up: impl FnOnce(Print) -> Option<u64>,
    ) {
        let Some(print) = self.note(ticket, outcome) else { return };
        // Not under the lane's lock: publications hold the window's when they ask for a lane.
        if let Some(first) = looked_up(print) {
            let mut lane = self.lanes[ticket.partition].lock();
            self.place(ticket.partition, &mut lane, print, first);
            self.answer(ticket.partition, &mut lane);
        }
    }

    /// Says whose place is still to be found.
    fn note(&self, ticket: Ticket, outcome: Result<Option<u64>, BrokerError>) -> Option<Print> {
        let mut lane = self.lanes[ticket.partition].lock();
        if let Ok(Some(offset)) = outcome {
            lane.logged = lane.logged.max(offset);
        }
        let at = ticket.number.checked_sub(lane.first)? as usize;
        let waiting = lane.waiting.get_mut(at)?;
        if matches!(waiting.stage, Stage::Known(_)) {
            return None;
        }
        let print = waiting.print;
        waiting.stage = match outcome {
            Ok(Some(offset)) => Stage::Logged(offset),
            Ok(None) if print.is_some() => Stage::Placeless,
            Ok(None) => Stage::Known(Err(BrokerError::unknown("the log does not tell where"))),
            Err(error) => Stage::Known(Err(error)),
        };
        if matches!(waiting.stage, Stage::Placeless) {
            lane.placeless += 1;
            return print;
        }
        self.answer(ticket.partition, &mut lane);
        None
    }

    /// The reader has come to this offset, and met this id.
    pub(super) fn read(&self, partition: usize, offset: u64, met: Option<Met>) {
        let mut lane = self.lanes[partition].lock();
        lane.read = offset;
        if lane.waiting.is_empty() {
            return;
        }
        if let Some(Met { print, first }) = met {
            if let Some(first) = first {
                lane.duplicates.insert(offset, first);
            }
            self.place(partition, &mut lane, print, first.unwrap_or(offset));
        }
        self.answer(partition, &mut lane);
    }

    /// The first one of an id stands here: whoever waits for its place gets this one.
    fn place(&self, partition: usize, lane: &mut Lane, print: Print, first: u64) {
        if lane.placeless == 0 {
            return;
        }
        let mut found = 0;
        for waiting in &mut lane.waiting {
            if waiting.print == Some(print) && matches!(waiting.stage, Stage::Placeless) {
                waiting.stage = Stage::Known(Ok(self.accepted(partition, first, false)));
                found += 1;
            }
        }
        lane.placeless -= found;
    }

    /// Gives up on those whose record the reader has not met for too long: it is in the log,
    /// but nobody knows whether it was the first.
    pub(super) fn expire(&self, timeout: Duration) {
        for (partition, lane) in self.lanes.iter().enumerate() {
            let mut lane = lane.lock();
            for waiting in &mut lane.waiting {
                let must_be_read = matches!(waiting.stage, Stage::Logged(_) | Stage::Placeless);
                if must_be_read && waiting.since.elapsed() > timeout {
                    let error = BrokerError::unknown("the log could not be read back");
                    waiting.stage = Stage::Known(Err(error));
                }
            }
            lane.count_placeless();
            self.answer(partition, &mut lane);
        }
    }

    /// The highest offset of a partition that was receipted here.
    pub(super) fn logged(&self, partition: usize) -> u64 {
        self.lanes[partition].lock().logged
    }

    /// Refuses everything from here on, and waits until all is answered.
    pub(super) async fn close(&self) {
        self.flight.refuse_more();
        let is_empty = || self.lanes.iter().all(|lane| lane.lock().waiting.is_empty());
        self.flight.until(is_empty).await;
    }

    /// Refuses everything from here on, and leaves what waits without an outcome.
    pub(super) fn abandon(&self) {
        self.flight.refuse_more();
        for (partition, lane) in self.lanes.iter().enumerate() {
            let mut lane = lane.lock();
            for waiting in &mut lane.waiting {
                if !matches!(waiting.stage, Stage::Known(_)) {
                    waiting.stage = Stage::Known(Err(BrokerError::unknown("no reader")));
                }
            }
            lane.count_placeless();
            self.answer(partition, &mut lane);
        }
    }

    /// Answers all at the front of a lane of which everything is known.
    fn answer(&self, partition: usize, lane: &mut Lane) {
        let mut freed = 0;
        let mut has_answered = false;
        while let Some(waiting) = lane.waiting.pop_front() {
            let outcome = match waiting.stage {
                Stage::Known(outcome) => outcome,
                Stage::Logged(offset) if waiting.print.is_none() || lane.read >= offset => {
                    let first = lane.duplicates.remove(&offset);
                    lane.duplicates = lane.duplicates.split_off(&offset);
                    Ok(self.accepted(partition, first.unwrap_or(offset), first.is_some()))
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
            self.flight.free(freed);
        }
    }

    fn accepted(&self, partition: usize, offset: u64, duplicate: bool) -> Accepted {
        let offset = self.numbering.place(offset, partition, self.lanes.len());
        Accepted { position: Some(Position { epoch: self.epoch, offset }), duplicate }
    }
}

impl Lane {
    fn count_placeless(&mut self) {
        let is_placeless = |waiting: &&Waiting| matches!(waiting.stage, Stage::Placeless);
        self.placeless = self.waiting.iter().filter(is_placeless).count();
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;
    use crate::broker::{DedupeKey, dedupe::Dedupe};

    fn receipts() -> Receipts {
        Receipts::new(Epoch(1), 1, Arc::new(Flight::new(10_000)))
    }

    fn print() -> Option<Print> {
        let key = DedupeKey { sender: "ann".into(), id: "1".into() };
        Some(Dedupe::new(Duration::from_secs(1), 10).print("/topic/a", &key))
    }

    fn met(print: Option<Print>, first: Option<u64>) -> Option<Met> {
        print.map(|print| Met { print, first })
    }

    fn nowhere(_: Print) -> Option<u64> {
        None
    }

    fn sent(receipts: &Receipts, print: Option<Print>) -> (Ticket, Reply<Accepted>) {
        let mut ticket = None;
        let reply = receipts.send(0, 100, print, |given| {
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
        let ((one, first), (two, mut second)) = (sent(&receipts, None), sent(&receipts, None));
        receipts.delivered(two, Ok(Some(8)), nowhere);
        assert!((&mut second).now_or_never().is_none());
        receipts.delivered(one, Ok(Some(7)), nowhere);
        assert_eq!(offset(first), Some((7, false)));
        assert_eq!(offset(second), Some((8, false)));
        assert_eq!(receipts.flight.bytes(), 0);
    }

    #[test]
    fn the_reader_says_what_is_a_duplicate_before_or_after_the_producer_does() {
        for reader_is_first in [true, false] {
            let receipts = receipts();
            let id = print();
            let (ticket, mut reply) = sent(&receipts, id);
            if reader_is_first {
                receipts.read(0, 9, met(id, Some(5)));
                assert!((&mut reply).now_or_never().is_none());
                receipts.delivered(ticket, Ok(Some(9)), nowhere);
            } else {
                receipts.delivered(ticket, Ok(Some(9)), nowhere);
                assert!((&mut reply).now_or_never().is_none());
                receipts.read(0, 9, met(id, Some(5)));
            }
            assert_eq!(offset(reply), Some((5, true)));
        }
    }

    #[test]
    fn what_is_too_much_is_refused_and_what_is_refused_does_not_count() {
        let receipts = receipts();
        let refused = receipts.send(0, 1, None, |_| Err(super::super::unavailable()));
        assert!(matches!(refused.now_or_never(), Some(Err(BrokerError::Refused(_)))));
        let kept: Vec<_> = (0..32).map(|_| sent(&receipts, None)).collect();
        assert!(!receipts.flight.has_room());
        let full = receipts.send(0, 1_000, None, |_| Ok(()));
        assert!(matches!(full.now_or_never(), Some(Err(BrokerError::Refused(_)))));
        for (ticket, _) in &kept {
            receipts.delivered(*ticket, Err(BrokerError::unknown("no answer")), nowhere);
        }
        assert!(receipts.flight.has_room());
    }

    #[test]
    fn a_known_duplicate_waits_for_those_before_it() {
        let receipts = receipts();
        assert_eq!(offset(receipts.duplicate(0, 3)), Some((3, true)));
        let (ticket, _first) = sent(&receipts, None);
        let mut later = receipts.duplicate(0, 3);
        assert!((&mut later).now_or_never().is_none());
        receipts.delivered(ticket, Ok(Some(4)), nowhere);
        assert_eq!(offset(later), Some((3, true)));
    }

    #[test]
    fn a_place_that_the_producer_does_not_know_is_found_by_its_id() {
        for reader_is_first in [true, false] {
            let (receipts, id) = (receipts(), print());
            let (ticket, mut reply) = sent(&receipts, id);
            if reader_is_first {
                receipts.read(0, 9, met(id, None));
                receipts.delivered(ticket, Ok(None), |asked| (Some(asked) == id).then_some(9));
            } else {
                receipts.delivered(ticket, Ok(None), nowhere);
                receipts.read(0, 8, met(print(), None));
                assert!((&mut reply).now_or_never().is_none(), "another id");
                receipts.read(0, 9, met(id, None));
            }
            assert_eq!(offset(reply), Some((9, false)));
        }
    }

    #[test]
    fn without_an_id_nobody_knows_the_place() {
        let receipts = receipts();
        let (ticket, reply) = sent(&receipts, None);
        receipts.delivered(ticket, Ok(None), nowhere);
        assert!(matches!(reply.now_or_never(), Some(Err(BrokerError::Unknown(_)))));
    }
}
