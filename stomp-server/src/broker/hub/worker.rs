//! Workers: readers of the whole log, out of the ring or what is behind it.

use std::sync::{Arc, atomic::Ordering};

use async_trait::async_trait;

use super::{Hub, Log};
use crate::{
    broker::{
        Batch, BrokerError, LogReader, Record,
        journal::{Entry, Span},
        ring::Kept,
    },
    problem::Code,
};

/// The number of a reader that is away; a journal is kept for it until it comes back.
const ABSENT: u64 = 0;

/// A reader whose place holds the ring back.
#[derive(Debug)]
pub(in crate::broker) struct HubReader {
    hub: Arc<Hub>,
    number: u64,
    next: u64,
}

impl Hub {
    /// A reader from `start` on; the log keeps everything from there until it is taken over.
    pub(in crate::broker) fn reader(
        self: &Arc<Self>,
        start: u64,
    ) -> Result<HubReader, BrokerError> {
        let mut log = self.log.lock();
        self.check_open()?;
        let oldest = match &self.archive {
            Some(_) => self.trimmed.load(Ordering::Acquire) + 1,
            None => log.ring.evicted() + 1,
        };
        check_start(start, oldest, log.next)?;
        let mut number = ABSENT + 1;
        while log.holds.contains_key(&number) {
            number += 1;
        }
        log.holds.remove(&ABSENT);
        log.holds.insert(number, start);
        self.is_read.store(true, Ordering::Release);
        Ok(HubReader { hub: self.clone(), number, next: start })
    }

    /// Keeps the log from here on for a reader that will come back.
    pub(in crate::broker) fn hold_for_absent(&self, next: u64) {
        self.log.lock().holds.insert(ABSENT, next);
    }

    /// Says that the archive is about to be trimmed up to an offset; false where it was already.
    pub(in crate::broker) fn raise_trimmed(&self, upto: u64) -> bool {
        self.trimmed.fetch_max(upto, Ordering::AcqRel) < upto
    }

    /// Whether readers hold back so much that no more should be accepted.
    pub(in crate::broker) fn is_overfull(&self) -> bool {
        self.archive.is_none()
            && self.is_read.load(Ordering::Acquire)
            && self.log.lock().ring.is_overfull()
    }

    /// Waits until readers have let go. Cancel-safe.
    pub(in crate::broker) async fn until_released(&self) {
        loop {
            let released = self.released.notified();
            tokio::pin!(released);
            released.as_mut().enable();
            if !self.is_overfull() {
                return;
            }
            tokio::select! {
                () = released => {}
                () = self.closing.cancelled() => return,
            }
        }
    }

    /// Changes what readers hold, and gives up what nobody holds any more.
    fn release(&self, change: impl FnOnce(&mut Log)) {
        let mut log = self.log.lock();
        change(&mut log);
        let hold = log.hold();
        let evicted = log.ring.shrink(hold); // a ring over a journal is never too full
        self.is_read.store(!log.holds.is_empty(), Ordering::Release);
        drop(log);
        for gone in evicted.iter().filter(|gone| gone.was_last) {
            self.channels.vacate(gone.stored.route(), &self.log);
        }
        self.released.notify_waiters();
    }

    fn record(&self, kept: &Kept) -> Record {
        let logged = kept.stored.whole(self.position(kept.offset));
        Record { offset: kept.offset, logged, at_ms: kept.at_ms }
    }

    /// Some records from an offset on; nothing at the head.
    async fn read_from(&self, next: u64, max: usize) -> Result<Vec<Record>, BrokerError> {
        let after = next.saturating_sub(1);
        let upto = {
            let log = self.log.lock();
            if log.ring.evicted() <= after {
                return Ok(log.ring.read_all(after, max).map(|kept| self.record(kept)).collect());
            }
            log.newest()
        };
        let Some(archive) = &self.archive else {
            return Err(BrokerError::unknown("the log no longer has what the reader needs"));
        };
        let entries = archive.read(Span { after, upto }, max).await;
        let entries = entries.map_err(|error| BrokerError::unknown(error.to_string()))?;
        Ok(entries.into_iter().map(Record::from).collect())
    }
}

impl From<Entry> for Record {
    fn from(entry: Entry) -> Self {
        Self { offset: entry.offset, logged: entry.logged, at_ms: entry.at_ms }
    }
}

#[async_trait]
impl LogReader for HubReader {
    async fn next(&mut self, max: usize) -> Result<Batch, BrokerError> {
        loop {
            let appended = self.hub.appended.notified();
            tokio::pin!(appended);
            appended.as_mut().enable();
            let records = self.hub.read_from(self.next, max.max(1)).await?;
            if let Some(last) = records.last() {
                self.next = last.offset + 1;
                return Ok(Batch { partition: 0, records, next: self.next });
            }
            self.hub.check_open()?;
            tokio::select! {
                () = appended => {}
                () = self.hub.closing.cancelled() => {}
            }
        }
    }

    fn taken_over(&mut self, partition: u32, next: u64) {
        if partition == 0 {
            self.hub.release(|log| {
                let hold = log.holds.entry(self.number).or_default();
                *hold = next.max(*hold);
            });
        }
    }
}

impl Drop for HubReader {
    fn drop(&mut self) {
        let comes_back = self.hub.archive.is_some();
        self.hub.release(|log| {
            let Some(held) = log.holds.remove(&self.number) else { return };
            if comes_back {
                let absent = log.holds.entry(ABSENT).or_insert(held);
                *absent = held.min(*absent);
            }
        });
    }
}

/// Refuses a start that the log no longer, or not yet, has.
pub(in crate::broker) fn check_start(
    start: u64,
    oldest: u64,
    head: u64,
) -> Result<(), BrokerError> {
    // Offsets begin with 1, so 0 asks for everything as well as 1 does.
    if start.max(1) < oldest {
        return Err(BrokerError::refused(
            Code::NotFound,
            format!("The log begins at offset {oldest}; {start} has been trimmed already."),
        ));
    }
    if start > head {
        return Err(BrokerError::refused(
            Code::Conflict,
            format!(
                "The log ends at offset {head}, before {start}: it is not the log that was read \
                 up to there. Restore that log, or start over without the old place."
            ),
        ));
    }
    Ok(())
}

/// The start for the only partition of a log of this machine.
pub(in crate::broker) fn only_start(starts: &[u64]) -> Result<u64, BrokerError> {
    match starts {
        [start] => Ok(*start),
        _ => Err(BrokerError::refused(
            Code::Invalid,
            format!("This log has 1 partition, not {}.", starts.len()),
        )),
    }
}
