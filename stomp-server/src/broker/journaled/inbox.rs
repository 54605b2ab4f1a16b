//! What waits for the journal: calls in their order, bounded in bytes.

use std::{collections::VecDeque, time::Duration};

use parking_lot::Mutex;
use tokio::{sync::Notify, time::Instant};

use crate::{
    broker::{
        Accepted, BrokerError, Publish, Replier, Reply, journal::Change, queue::Room,
        queues::Ledger,
    },
    problem::{Code, Problem},
};

/// Calls that wait for the journal.
#[derive(Debug)]
pub(super) struct Inbox {
    /// More bytes than this, and publishers are asked to wait; twice of it is refused.
    limit: usize,
    state: Mutex<State>,
    arrived: Notify,
    freed: Notify,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Job>,
    /// Bytes that wait, or that the committer has in its hands.
    bytes: usize,
    /// The journal does not take anything at the moment.
    is_stuck: bool,
    is_closed: bool,
}

/// One call.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) since: Instant,
    pub(super) weight: usize,
    pub(super) what: Work,
}

/// What it wants.
#[derive(Debug)]
pub(super) enum Work {
    /// A message to be appended, or put into this room. The reply is gone once it was given.
    Publish(Publish, Option<Room>, Option<Replier<Accepted>>),
    /// The message at this offset goes, and this one comes for it into this room.
    Replace(u64, Publish, Room),
    /// Something else to be kept.
    Change(Vec<Change>, Option<Replier<()>>),
}

/// What a call weighs beside its message.
const OVERHEAD: usize = 512;

impl Inbox {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, state: Mutex::default(), arrived: Notify::new(), freed: Notify::new() }
    }

    pub(super) fn publish(&self, publish: Publish, room: Option<Room>) -> Reply<Accepted> {
        let weight = publish.message.size() + OVERHEAD;
        let (replier, reply) = Reply::later();
        match self.push(weight, Work::Publish(publish, room, Some(replier))) {
            Ok(()) => reply,
            Err(error) => Reply::now(Err(error)),
        }
    }

    pub(super) fn change(&self, changes: Vec<Change>) -> Reply<()> {
        let (replier, reply) = Reply::later();
        match self.push(OVERHEAD, Work::Change(changes, Some(replier))) {
            Ok(()) => reply,
            Err(error) => Reply::now(Err(error)),
        }
    }

    fn push(&self, weight: usize, what: Work) -> Result<(), BrokerError> {
        let mut state = self.state.lock();
        if state.is_closed {
            return Err(BrokerError::refused(Code::Shutdown, "This server is going away."));
        }
        let is_publish = matches!(what, Work::Publish(..));
        if is_publish && state.bytes > 0 && state.bytes + weight > self.limit.saturating_mul(2) {
            return Err(unavailable());
        }
        state.bytes += weight;
        state.waiting.push_back(Job { since: Instant::now(), weight, what });
        drop(state);
        self.arrived.notify_one();
        Ok(())
    }

    pub(super) fn has_room(&self) -> bool {
        let state = self.state.lock();
        state.is_closed || (!state.is_stuck && state.bytes < self.limit)
    }

    /// Bytes that wait, or that are being written.
    pub(super) fn bytes(&self) -> usize {
        self.state.lock().bytes
    }

    /// Waits until there may be room. Cancel-safe.
    pub(super) async fn room(&self) {
        loop {
            let freed = self.freed.notified();
            tokio::pin!(freed);
            freed.as_mut().enable();
            if self.has_room() {
                return;
            }
            freed.await;
        }
    }

    /// Takes calls of at most `bytes`, but at least one; none where none waits.
    pub(super) fn take(&self, bytes: usize) -> Vec<Job> {
        let mut state = self.state.lock();
        let mut taken = 0;
        let mut jobs = Vec::new();
        while let Some(job) = state.waiting.front() {
            if !jobs.is_empty() && taken + job.weight > bytes {
                break;
            }
            taken += job.weight;
            jobs.extend(state.waiting.pop_front());
        }
        jobs
    }

    /// Takes the calls that are not publications.
    pub(super) fn take_changes(&self) -> Vec<Job> {
        let mut state = self.state.lock();
        let is_change = |job: &Job| !job.is_publish();
        let waiting = std::mem::take(&mut state.waiting);
        let (changes, waiting): (VecDeque<_>, _) = waiting.into_iter().partition(is_change);
        state.waiting = waiting;
        changes.into()
    }

    pub(super) fn is_closed(&self) -> bool {
        self.state.lock().is_closed
    }

    /// Waits until something waits or the end has come; says whether there is more to do.
    pub(super) async fn wait(&self) -> bool {
        loop {
            {
                let state = self.state.lock();
                if !state.waiting.is_empty() {
                    return true;
                }
                if state.is_closed {
                    return false;
                }
            }
            self.arrived.notified().await;
        }
    }

    /// Gives back the room of calls that have been answered.
    pub(super) fn free(&self, bytes: usize) {
        let mut state = self.state.lock();
        state.bytes = state.bytes.saturating_sub(bytes);
        drop(state);
        self.freed.notify_waiters();
    }

    /// Says whether the journal takes anything.
    pub(super) fn set_stuck(&self, is_stuck: bool) {
        self.state.lock().is_stuck = is_stuck;
        if !is_stuck {
            self.freed.notify_waiters();
        }
    }

    /// Refuses publications that have waited for longer than `timeout`: they never reached the
    /// journal, so this is certain.
    pub(super) fn expire(&self, timeout: Duration) {
        let mut state = self.state.lock();
        let mut kept = VecDeque::new();
        let mut gone = Vec::new();
        let mut freed = 0;
        while let Some(job) = state.waiting.pop_front() {
            if job.is_publish() && job.since.elapsed() >= timeout {
                freed += job.weight;
                gone.push(job);
            } else {
                kept.push_back(job);
            }
        }
        state.waiting = kept;
        drop(state);
        for job in gone {
            job.refuse();
        }
        if freed > 0 {
            self.free(freed);
        }
    }

    pub(super) fn close(&self) {
        self.state.lock().is_closed = true;
        self.arrived.notify_one();
        self.freed.notify_waiters();
    }
}

impl Job {
    /// Whether it is a message that may be refused.
    pub(super) fn is_publish(&self) -> bool {
        matches!(self.what, Work::Publish(..))
    }

    /// Answers that it certainly was not done.
    pub(super) fn refuse(self) {
        match self.what {
            Work::Publish(_, _, Some(replier)) => replier.send(Err(unavailable())),
            Work::Change(_, Some(replier)) => replier.send(Err(unavailable())),
            Work::Publish(..) | Work::Change(..) | Work::Replace(..) => {}
        }
    }

    /// Answers, once, that nobody knows whether it was done.
    pub(super) fn leave_unknown(&mut self) {
        let unknown = BrokerError::unknown("the journal does not answer");
        match &mut self.what {
            Work::Publish(_, _, replier) => {
                if let Some(replier) = replier.take() {
                    replier.send(Err(unknown));
                }
            }
            Work::Change(_, replier) => {
                if let Some(replier) = replier.take() {
                    replier.send(Err(unknown));
                }
            }
            Work::Replace(..) => {}
        }
    }
}

impl Ledger for Inbox {
    fn keep(&self, changes: Vec<Change>) -> Reply<()> {
        self.change(changes)
    }

    fn replace(&self, offset: u64, publish: Publish, room: Room) {
        let weight = publish.message.size() + OVERHEAD;
        // Refused only when it is closed; then the message is still in its old place.
        let _ = self.push(weight, Work::Replace(offset, publish, room));
    }
}

fn unavailable() -> BrokerError {
    Problem::new(Code::Unavailable, "The log cannot take messages at the moment.")
        .with_retry_after(Duration::from_secs(5))
        .into()
}
