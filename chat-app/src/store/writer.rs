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
    broker::{Broker, BrokerError, Durability, LogInfo, LogReader, Record, Share},
    problem::Code,
};
use tokio::{sync::watch, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{plan::plan, progress::Progress, sql::is_about_the_data};
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

/// Whether others may write beside this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shared {
    /// It has the log and the database for itself.
    No,
    /// Partitions are divided among all processes that write.
    Yes,
}

/// Under this name those who write share the reading of the log.
const GROUP: &str = "store";

/// The task that takes over the log.
pub(crate) struct StoreWriter {
    broker: Arc<dyn Broker>,
    store: Arc<dyn LogStore>,
    share: Share,
    /// None while no partition is ours.
    reader: Option<Box<dyn LogReader>>,
    /// Of the partitions that are ours.
    cursors: Vec<LogCursor>,
    told: watch::Sender<Vec<LogCursor>>,
    well: Arc<AtomicBool>,
    not_before: Instant,
}

impl StoreWriter {
    /// Finds the places where the last one stopped.
    ///
    /// # Errors
    /// If one of them is not in this log: nothing could be taken over without loss.
    pub(crate) async fn open(
        broker: Arc<dyn Broker>,
        store: Arc<dyn LogStore>,
        shared: Shared,
    ) -> Result<(Self, Progress), StartError> {
        let log = broker.log().await?;
        let cursors = place(&*broker, &*store, &log).await?;
        let well = Arc::new(AtomicBool::new(true));
        let (told, seen) = watch::channel(cursors.clone());
        let (share, progress) = match shared {
            Shared::No => {
                let all = Share::all(log.heads.len() as u32);
                (all, Progress::here(seen, well.clone()))
            }
            Shared::Yes => {
                let progress = Progress::shared(store.clone()).with_health_of(well.clone());
                (broker.share(GROUP).await?, progress)
            }
        };
        let not_before = Instant::now();
        let mut writer =
            Self { broker, store, share, reader: None, cursors, told, well, not_before };
        writer.try_resume().await?;
        Ok((writer, progress))
    }

    /// Works until the log is closed and empty, or until `stop`.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        loop {
            let read = tokio::select! {
                () = stop.cancelled() => return,
                () = self.share.changed() => None,
                read = read(self.reader.as_mut(), self.not_before) => Some(read),
            };
            match read {
                None => self.resume(&stop).await,
                Some(Ok(records)) => self.take_over(&records, &stop).await,
                Some(Err(BrokerError::Refused(problem))) if problem.code == Code::Shutdown => {
                    return;
                }
                Some(Err(error)) => {
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
            if let Some(reader) = &mut self.reader {
                reader.taken_over(to.partition, to.next);
            }
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
        let ours = self.share.now();
        let mut cursors = self.store.cursors().await?;
        cursors.retain(|cursor| ours.contains(&cursor.partition));
        let starts: Vec<_> = cursors.iter().map(|cursor| (cursor.partition, cursor.next)).collect();
        self.reader = None;
        if !starts.is_empty() {
            self.reader = Some(self.broker.read_partitions(&starts).await?);
        }
        tracing::debug!(partitions = starts.len(), "the store reads on");
        self.cursors = cursors;
        Ok(())
    }
}

/// The next records, of all partitions, not before their time. Without a reader it waits.
async fn read(
    reader: Option<&mut Box<dyn LogReader>>,
    not_before: Instant,
) -> Result<Vec<(u32, Record)>, BrokerError> {
    let Some(reader) = reader else { return std::future::pending().await };
    tokio::time::sleep_until(not_before).await;
    let mut records = Vec::new();
    let mut batch = reader.next(BATCH).await?;
    loop {
        records.extend(batch.records.into_iter().map(|record| (batch.partition, record)));
        if records.len() >= BATCH {
            return Ok(records);
        }
        // What is there already, and nothing that would have to be waited for.
        let more = reader.next(BATCH - records.len());
        match tokio::time::timeout(Duration::ZERO, more).await {
            Ok(more) => batch = more?,
            Err(_) => return Ok(records),
        }
    }
}

/// Where the store stands in this log, if it is this log.
async fn place(
    broker: &dyn Broker,
    store: &dyn LogStore,
    log: &LogInfo,
) -> Result<Vec<LogCursor>, StartError> {
    let mut cursors = store.cursors().await?;
    let fresh = (0..).zip(&log.heads).map(|(partition, _)| LogCursor {
        partition,
        epoch: log.epoch.0,
        next: 0,
    });
    let fresh = fresh.collect::<Vec<_>>();
    let ended = broker.capabilities().durability == Durability::Memory
        && cursors.iter().any(|cursor| cursor.epoch != log.epoch.0);
    if ended {
        store.reset_cursors(&fresh).await?;
        return Ok(fresh);
    }
    if cursors.is_empty() {
        store.begin_cursors(&fresh).await?;
        cursors = store.cursors().await?;
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

/// True if it is time to stop.
async fn pause(stop: &CancellationToken) -> bool {
    tokio::time::timeout(PAUSE, stop.cancelled()).await.is_ok()
}
