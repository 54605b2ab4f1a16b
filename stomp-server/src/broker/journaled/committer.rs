//! The one task that writes the journal: group commit, then fan-out, then replies.

use std::{collections::HashMap, sync::Arc, time::Duration};

use tokio::time::{Instant, MissedTickBehavior, interval};

use super::{
    inbox::{Inbox, Job, Work},
    upkeep::Upkeep,
};
use crate::broker::{
    Accepted, Publish,
    dedupe::{Dedupe, Print},
    hub::{Hub, now_ms},
    journal::{Change, Entry, Journal, JournalError, QueueEntry},
    queues::is_queue,
};

/// How much one transaction takes, in bytes: more gains nothing, and a reply waits for all.
const BATCH: usize = 4 << 20;

/// How often the journal is looked after, and a commit that does not end is asked about.
const TICK: Duration = Duration::from_secs(1);

/// The pause before a failed commit is tried again, doubled up to a second.
const RETRY: Duration = Duration::from_millis(50);

/// Owns the order of the log.
pub(super) struct Committer {
    hub: Arc<Hub>,
    inbox: Arc<Inbox>,
    journal: Arc<dyn Journal>,
    dedupe: Dedupe,
    upkeep: Upkeep,
    /// The offset that the next message gets.
    next: u64,
}

/// Calls on their way into the journal, and what becomes of each.
struct Batch {
    jobs: Vec<Job>,
    fates: Vec<Fate>,
    changes: Vec<Change>,
    last: Option<u64>,
}

enum Fate {
    /// A message that gets this place.
    Append(Entry, Option<Print>),
    /// A message that comes to this place in its queue.
    Enqueue(QueueEntry, Option<Print>),
    /// A message that was there already.
    Duplicate(u64),
    /// Something else.
    Change,
}

impl Committer {
    pub(super) fn new(
        hub: Arc<Hub>,
        inbox: Arc<Inbox>,
        journal: Arc<dyn Journal>,
        dedupe: Dedupe,
    ) -> Self {
        let upkeep = Upkeep::new(hub.clone(), journal.clone());
        Self { hub, inbox, journal, dedupe, upkeep, next: 1 }
    }

    /// Serves the inbox until it is closed and empty.
    pub(super) async fn run(mut self, next: u64) {
        self.next = next;
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                _ = ticks.tick() => self.look_after().await,
                goes_on = self.inbox.wait() => {
                    if !goes_on {
                        let last = self.upkeep.places_and_cursor();
                        return self.accept(jobs(last)).await;
                    }
                    let jobs = self.inbox.take(BATCH);
                    self.accept(jobs).await;
                }
            }
        }
    }

    /// Keeps the journal within its bounds.
    async fn look_after(&mut self) {
        loop {
            let changes = self.upkeep.run().await;
            if changes.is_empty() {
                return;
            }
            self.accept(jobs(changes)).await;
            if !self.upkeep.is_behind() {
                return;
            }
        }
    }

    /// Brings calls into the journal, however long that takes, and answers them.
    async fn accept(&mut self, mut jobs: Vec<Job>) {
        let mut pause = RETRY;
        while !jobs.is_empty() {
            let mut batch = self.prepare(jobs);
            match self.commit(&mut batch).await {
                Ok(()) => {
                    self.inbox.set_stuck(false);
                    return self.conclude(batch).await;
                }
                Err(error) => {
                    tracing::warn!(%error, waiting = batch.jobs.len(), "the journal failed; trying again");
                    self.inbox.set_stuck(true);
                    jobs = self.expire(batch.jobs);
                }
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(TICK);
            jobs.extend(self::jobs(self.upkeep.run().await));
            jobs.extend(self.inbox.take_changes());
            jobs = self.keep_changes(jobs).await;
        }
        self.inbox.set_stuck(false);
    }

    /// Gives every message of a batch its place, or finds the one that was there before.
    fn prepare(&mut self, jobs: Vec<Job>) -> Batch {
        let (now, at_ms) = (Instant::now(), now_ms());
        let mut next = self.next;
        let mut fresh: HashMap<Print, u64> = HashMap::new();
        let mut batch =
            Batch { fates: Vec::with_capacity(jobs.len()), jobs, changes: Vec::new(), last: None };
        for job in &batch.jobs {
            let publish = match &job.what {
                Work::Publish(publish, ..) => publish,
                Work::Replace(gone, publish, _) => {
                    batch.changes.push(Change::Dequeue(*gone));
                    publish
                }
                Work::Change(changes, _) => {
                    batch.changes.extend_from_slice(changes);
                    batch.fates.push(Fate::Change);
                    continue;
                }
            };
            let print = publish.dedupe.as_ref().map(|key| self.dedupe.print(&publish.route, key));
            let first = print.and_then(|print| {
                fresh.get(&print).copied().or_else(|| self.dedupe.first(print, now))
            });
            if let Some(first) = first {
                batch.fates.push(Fate::Duplicate(first));
                continue;
            }
            fresh.extend(print.map(|print| (print, next)));
            let (change, fate) = self.place(publish.clone(), next, at_ms, print);
            batch.changes.push(change);
            batch.fates.push(fate);
            batch.last = Some(next);
            next += 1;
        }
        batch
    }

    fn place(
        &self,
        publish: Publish,
        offset: u64,
        at_ms: u64,
        print: Option<Print>,
    ) -> (Change, Fate) {
        if is_queue(&publish.route) {
            let entry = self.hub.queue_entry(publish, offset, at_ms);
            return (Change::Enqueue(entry.clone()), Fate::Enqueue(entry, print));
        }
        let entry = self.hub.entry(publish, offset, at_ms);
        (Change::Append(entry.clone()), Fate::Append(entry, print))
    }

    /// Commits a batch. Once this has returned, it is known whether the journal has it.
    async fn commit(&self, batch: &mut Batch) -> Result<(), JournalError> {
        if batch.changes.is_empty() {
            return Ok(()); // nothing but duplicates
        }
        if batch.jobs.iter().any(Job::is_publish) {
            self.upkeep.check_room()?;
        }
        let Batch { jobs, changes, last, .. } = batch;
        let mut commit = std::pin::pin!(self.journal.commit(changes));
        let outcome = loop {
            tokio::select! {
                outcome = &mut commit => break outcome,
                () = tokio::time::sleep(TICK) => self.lose_patience(jobs),
            }
        };
        match outcome {
            Err(JournalError::Unknown(cause)) => self.find_out(jobs, *last, &cause).await,
            outcome => outcome,
        }
    }

    /// Asks the journal until it says whether it has a batch.
    async fn find_out(
        &self,
        jobs: &mut [Job],
        last: Option<u64>,
        cause: &str,
    ) -> Result<(), JournalError> {
        loop {
            match self.journal.extent().await {
                Ok(extent) if last.is_some_and(|last| extent.newest >= last) => return Ok(()),
                Ok(_) => return Err(JournalError::NotCommitted(cause.into())),
                Err(error) => tracing::warn!(%error, "it is not known whether a commit was made"),
            }
            tokio::time::sleep(TICK).await;
            self.lose_patience(jobs);
        }
    }

    /// Answers those who have waited too long for a commit that has not ended: nobody knows.
    fn lose_patience(&self, jobs: &mut [Job]) {
        self.inbox.set_stuck(true);
        let timeout = self.hub.config.publish_timeout;
        for job in jobs.iter_mut().filter(|job| job.since.elapsed() >= timeout) {
            job.leave_unknown();
        }
        self.inbox.expire(timeout);
    }

    /// Refuses those who have waited too long for a journal that certainly does not have them.
    /// What is not a message stays until it is kept, or until the end.
    fn expire(&self, jobs: Vec<Job>) -> Vec<Job> {
        let timeout = self.hub.config.publish_timeout;
        let gives_up = self.inbox.is_closed();
        let (late, mut kept): (Vec<_>, Vec<_>) = jobs.into_iter().partition(|job| {
            let may_go = gives_up || job.is_publish();
            may_go && job.since.elapsed() >= timeout
        });
        self.answer(late, Job::refuse);
        for job in kept.iter_mut().filter(|job| job.since.elapsed() >= timeout) {
            job.leave_unknown();
        }
        self.inbox.expire(timeout);
        kept
    }

    /// While messages have to wait, what is not a message goes on: it is small, and it may be
    /// what makes room.
    async fn keep_changes(&mut self, jobs: Vec<Job>) -> Vec<Job> {
        let (messages, changes): (Vec<_>, Vec<_>) = jobs.into_iter().partition(Job::is_publish);
        if changes.is_empty() {
            return messages;
        }
        let mut batch = self.prepare(changes);
        match self.commit(&mut batch).await {
            Ok(()) => {
                self.conclude(batch).await;
                messages
            }
            Err(_) => batch.jobs.into_iter().chain(messages).collect(),
        }
    }

    /// Fans out what the journal has, in log order, and answers.
    async fn conclude(&mut self, batch: Batch) {
        let now = Instant::now();
        if let Some(last) = batch.last {
            self.next = last + 1;
        }
        let mut freed = 0;
        for (job, fate) in batch.jobs.into_iter().zip(batch.fates) {
            freed += job.weight;
            self.finish(job.what, fate, now);
            tokio::task::consume_budget().await; // sessions have to write meanwhile
        }
        self.inbox.free(freed);
    }

    /// Brings one message to those who wait for it, then answers its publisher.
    fn finish(&mut self, what: Work, fate: Fate, now: Instant) {
        let (room, replier) = match what {
            Work::Publish(_, room, replier) => (room, replier),
            Work::Replace(_, _, room) => (Some(room), None),
            Work::Change(_, replier) => {
                if let Some(replier) = replier {
                    replier.send(Ok(()));
                }
                return;
            }
        };
        let (offset, duplicate, print) = match (fate, room) {
            (Fate::Append(entry, print), _) => {
                self.hub.fan_out(&entry);
                (entry.offset, false, print)
            }
            (Fate::Enqueue(entry, print), Some(room)) => {
                let offset = entry.entry.offset;
                self.hub.fan_in(&entry, room);
                (offset, false, print)
            }
            (Fate::Enqueue(entry, print), None) => (entry.entry.offset, false, print),
            (Fate::Duplicate(first), _) => (first, true, None),
            (Fate::Change, _) => return,
        };
        if let Some(print) = print {
            self.dedupe.remember(print, offset, now);
        }
        if let Some(replier) = replier {
            let position = Some(self.hub.position(offset));
            replier.send(Ok(Accepted { position, duplicate }));
        }
    }

    fn answer(&self, jobs: Vec<Job>, answer: fn(Job)) {
        let freed = jobs.iter().map(|job| job.weight).sum();
        jobs.into_iter().for_each(answer);
        self.inbox.free(freed);
    }
}

/// The committer's own changes, as a call that nobody waits for.
fn jobs(changes: Vec<Change>) -> Vec<Job> {
    let what = Work::Change(changes, None);
    vec![Job { since: Instant::now(), weight: 0, what }]
}
