//! Write-behind: reads what the log has accepted and takes it over into SQL, a transaction
//! for each batch. What is in SQL follows from the log alone, so this task may die at any
//! point and begin again from its cursor.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use stomp_server::{
    broker::{Broker, BrokerError, Durability, LogInfo, LogReader, Position, Record},
    problem::Code,
};
use tokio::{sync::watch, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{plan::plan, sql::is_about_the_data};
use crate::ports::{Applied, LogBatch, LogCursor, LogStore, StoreError};

/// Batches follow each other no faster than this: under load it decides how many messages
/// share the cost of a transaction. After a pause the first message is taken over at once.
const PACE: Duration = Duration::from_millis(100);
/// Records in one transaction at most; bounds its memory and how long it holds the write lock.
const BATCH: usize = 1000;
/// Between two attempts while the database or the log is away.
const PAUSE: Duration = Duration::from_millis(500);

/// Why the store cannot begin.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    /// The log is another one than the database was filled from.
    #[error(
        "the log at hand ({epoch:08x}) is not the one that the database was filled from \
         ({cursor:08x}). Restore that log beside this database, or this log's database beside it; \
         if the old log is lost for good, start with a new --database"
    )]
    Replaced { epoch: u32, cursor: u32 },
    /// The log has lost its end, or is an older copy.
    #[error(
        "the database has taken over the log up to {next}, but the log ends at {head}: it is an \
         older copy. Restore the newer log, or a database as old as the log"
    )]
    Ahead { next: u64, head: u64 },
    /// The log has another number of partitions than it had.
    #[error("the log has {log} partitions, the database knows {database}")]
    Partitions { log: usize, database: usize },
    #[error("the log cannot be read: {0}")]
    Log(#[from] BrokerError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl StartError {
    /// The log is being closed, which the next read will find out as well.
    fn is_shutdown(&self) -> bool {
        matches!(self, Self::Log(BrokerError::Refused(problem)) if problem.code == Code::Shutdown)
    }
}

/// How far the store has come, for whoever waits for it. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Progress {
    cursors: watch::Receiver<Vec<LogCursor>>,
    well: Arc<AtomicBool>,
}

impl Progress {
    /// Waits until everything up to `position` is in SQL, but no longer than `patience`.
    pub(crate) async fn reached(
        &self,
        partition: u32,
        position: Position,
        patience: Duration,
    ) -> bool {
        let mut cursors = self.cursors.clone();
        let there = |cursors: &Vec<LogCursor>| {
            cursors.iter().any(|cursor| {
                cursor.partition == partition
                    && cursor.epoch == position.epoch.0
                    && cursor.next > position.offset
            })
        };
        matches!(tokio::time::timeout(patience, cursors.wait_for(there)).await, Ok(Ok(_)))
    }

    /// Whether the last attempt to write went well.
    pub(crate) fn is_well(&self) -> bool {
        self.well.load(Ordering::Relaxed)
    }
}

/// The task that takes over the log.
pub(crate) struct StoreWriter {
    broker: Arc<dyn Broker>,
    store: Arc<dyn LogStore>,
    reader: Box<dyn LogReader>,
    cursors: Vec<LogCursor>,
    told: watch::Sender<Vec<LogCursor>>,
    well: Arc<AtomicBool>,
    not_before: Instant,
}

impl StoreWriter {
    /// Finds the place where the last one stopped.
    ///
    /// # Errors
    /// If that place is not one of this log: nothing could be taken over without loss.
    pub(crate) async fn open(
        broker: Arc<dyn Broker>,
        store: Arc<dyn LogStore>,
    ) -> Result<(Self, Progress), StartError> {
        let log = broker.log().await?;
        let cursors = place(&*broker, &*store, &log).await?;
        let reader = broker.read_log(&starts(&cursors)).await?;
        let (told, seen) = watch::channel(cursors.clone());
        let well = Arc::new(AtomicBool::new(true));
        let progress = Progress { cursors: seen, well: well.clone() };
        let not_before = Instant::now();
        Ok((Self { broker, store, reader, cursors, told, well, not_before }, progress))
    }

    /// Works until the log is closed and empty, or until `stop`.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        loop {
            let read = tokio::select! {
                () = stop.cancelled() => return,
                read = self.read() => read,
            };
            match read {
                Ok(records) => self.take_over(&records, &stop).await,
                Err(BrokerError::Refused(problem)) if problem.code == Code::Shutdown => return,
                Err(error) => {
                    tracing::warn!(%error, "the log cannot be read");
                    self.well.store(false, Ordering::Relaxed);
                    if pause(&stop).await {
                        return;
                    }
                    self.resume(&stop).await;
                }
            }
        }
    }

    /// The next records, of all partitions, not before their time.
    async fn read(&mut self) -> Result<Vec<(u32, Record)>, BrokerError> {
        tokio::time::sleep_until(self.not_before).await;
        let mut records = Vec::new();
        let mut batch = self.reader.next(BATCH).await?;
        loop {
            records.extend(batch.records.into_iter().map(|record| (batch.partition, record)));
            if records.len() >= BATCH {
                return Ok(records);
            }
            // What is there already, and nothing that would have to be waited for.
            let more = self.reader.next(BATCH - records.len());
            match tokio::time::timeout(Duration::ZERO, more).await {
                Ok(more) => batch = more?,
                Err(_) => return Ok(records),
            }
        }
    }

    /// Brings the records into SQL, however long the database is away.
    async fn take_over(&mut self, records: &[(u32, Record)], stop: &CancellationToken) {
        self.not_before = Instant::now() + PACE;
        let batch = plan(&self.cursors, records);
        loop {
            match self.apply(&batch).await {
                Ok(Applied::Done) => return,
                Ok(Applied::Fenced) => return self.resume(stop).await,
                Err(error) if is_about_the_data(&error) => {
                    return self.take_over_singly(records, stop).await;
                }
                Err(_) if pause(stop).await => return,
                Err(_) => {}
            }
        }
    }

    /// Finds the record that the database refuses, and lets the others through.
    async fn take_over_singly(&mut self, records: &[(u32, Record)], stop: &CancellationToken) {
        for record in records {
            let mut batch = plan(&self.cursors, std::slice::from_ref(record));
            loop {
                match self.apply(&batch).await {
                    Ok(Applied::Done) => break,
                    // What comes behind this record is no longer what comes next.
                    Ok(Applied::Fenced) => return self.resume(stop).await,
                    Err(error) if is_about_the_data(&error) && batch.dead.is_empty() => {
                        tracing::error!(offset = record.1.offset, "a record is set aside");
                        batch = batch.given_up(record);
                    }
                    Err(_) if pause(stop).await => return,
                    Err(_) => {}
                }
            }
        }
    }

    async fn apply(&mut self, batch: &LogBatch) -> Result<Applied, StoreError> {
        let applied = self.store.take_over(batch).await.inspect_err(|error| {
            self.well.store(false, Ordering::Relaxed);
            tracing::error!(%error, "messages wait in the log: the database does not take them");
        })?;
        self.well.store(true, Ordering::Relaxed);
        match applied {
            Applied::Done => self.advance(batch),
            Applied::Fenced => tracing::warn!("somebody else has taken over this part of the log"),
        }
        Ok(applied)
    }

    fn advance(&mut self, batch: &LogBatch) {
        for to in &batch.to {
            self.reader.taken_over(to.partition, to.next);
            if let Some(cursor) =
                self.cursors.iter_mut().find(|cursor| cursor.partition == to.partition)
            {
                *cursor = *to;
            }
        }
        self.told.send_replace(self.cursors.clone());
    }

    /// Goes on from where the database says. Nothing is read before both ends agree: a batch
    /// from another place would leave a hole.
    async fn resume(&mut self, stop: &CancellationToken) {
        while let Err(error) = self.try_resume().await {
            self.well.store(false, Ordering::Relaxed);
            if error.is_shutdown() {
                return;
            }
            tracing::warn!(%error, "the store cannot go on");
            if pause(stop).await {
                return;
            }
        }
        self.told.send_replace(self.cursors.clone());
    }

    async fn try_resume(&mut self) -> Result<(), StartError> {
        let cursors = self.store.cursors().await?;
        self.reader = self.broker.read_log(&starts(&cursors)).await?;
        self.cursors = cursors;
        Ok(())
    }
}

/// Where the store stands in this log, if it is this log.
async fn place(
    broker: &dyn Broker,
    store: &dyn LogStore,
    log: &LogInfo,
) -> Result<Vec<LogCursor>, StartError> {
    let cursors = store.cursors().await?;
    let ended = broker.capabilities().durability == Durability::Memory
        && cursors.iter().any(|cursor| cursor.epoch != log.epoch.0);
    if cursors.is_empty() || ended {
        let fresh = (0..).zip(&log.heads).map(|(partition, _)| LogCursor {
            partition,
            epoch: log.epoch.0,
            next: 0,
        });
        let fresh = fresh.collect::<Vec<_>>();
        store.reset_cursors(&fresh).await?;
        return Ok(fresh);
    }
    if cursors.len() != log.heads.len() {
        return Err(StartError::Partitions { log: log.heads.len(), database: cursors.len() });
    }
    for (cursor, &head) in cursors.iter().zip(&log.heads) {
        if cursor.epoch != log.epoch.0 {
            return Err(StartError::Replaced { epoch: log.epoch.0, cursor: cursor.epoch });
        }
        if cursor.next > head {
            return Err(StartError::Ahead { next: cursor.next, head });
        }
    }
    Ok(cursors)
}

fn starts(cursors: &[LogCursor]) -> Vec<u64> {
    cursors.iter().map(|cursor| cursor.next).collect()
}

/// True if it is time to stop.
async fn pause(stop: &CancellationToken) -> bool {
    tokio::time::timeout(PAUSE, stop.cancelled()).await.is_ok()
}
