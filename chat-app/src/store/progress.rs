//! How far the store has come, for whoever waits for it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use moka::future::Cache;
use stomp_server::broker::{LogInfo, Position};
use tokio::sync::watch;

use crate::ports::{LogCursor, LogStore};

/// How often the database is asked while somebody waits; all who wait share one answer.
const LOOK: Duration = Duration::from_millis(25);

/// Tells how far the store has come. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Progress {
    source: Source,
    well: Arc<AtomicBool>,
}

#[derive(Clone)]
enum Source {
    /// This process writes everything.
    Here(watch::Receiver<Vec<LogCursor>>),
    /// Others write too: only the database knows.
    Database(Arc<dyn LogStore>, Cache<(), Arc<Vec<LogCursor>>>),
}

impl Progress {
    /// What the writer of this process tells.
    pub(super) fn here(told: watch::Receiver<Vec<LogCursor>>, well: Arc<AtomicBool>) -> Self {
        Self { source: Source::Here(told), well }
    }

    /// What the database tells, whoever writes.
    pub(crate) fn shared(store: Arc<dyn LogStore>) -> Self {
        let answers = Cache::builder().max_capacity(1).time_to_live(LOOK).build();
        Self { source: Source::Database(store, answers), well: Arc::new(AtomicBool::new(true)) }
    }

    /// The same, also told how the writer of this process fares.
    pub(super) fn with_health_of(self, well: Arc<AtomicBool>) -> Self {
        Self { well, ..self }
    }

    /// Waits until everything up to `position` is in SQL, but no longer than `patience`.
    pub(crate) async fn reached(
        &self,
        partition: u32,
        position: Position,
        patience: Duration,
    ) -> bool {
        let there = |cursors: &Vec<LogCursor>| {
            cursors.iter().any(|cursor| {
                cursor.partition == partition
                    && cursor.epoch == position.epoch.0
                    && cursor.next > position.offset
            })
        };
        let waiting = async {
            match &self.source {
                Source::Here(cursors) => cursors.clone().wait_for(there).await.is_ok(),
                Source::Database(store, answers) => loop {
                    let asked =
                        answers.try_get_with((), async { store.cursors().await.map(Arc::new) });
                    match asked.await {
                        Ok(cursors) if there(&cursors) => return true,
                        Ok(_) => {}
                        Err(error) => tracing::debug!(%error, "the store's place is not known"),
                    }
                    tokio::time::sleep(LOOK).await;
                },
            }
        };
        tokio::time::timeout(patience, waiting).await.unwrap_or(false)
    }

    /// How many records up to this head are not in SQL yet; none if the database does not answer.
    pub(crate) async fn behind(&self, log: &LogInfo) -> Option<u64> {
        let cursors = match &self.source {
            Source::Here(cursors) => Arc::new(cursors.borrow().clone()),
            Source::Database(store, answers) => {
                let asked = async { store.cursors().await.map(Arc::new) };
                answers.try_get_with((), asked).await.ok()?
            }
        };
        let taken = |partition: usize| {
            let of = |cursor: &&LogCursor| {
                cursor.partition as usize == partition && cursor.epoch == log.epoch.0
            };
            cursors.iter().find(of).map_or(0, |cursor| cursor.next)
        };
        let heads = log.heads.iter().enumerate();
        Some(heads.map(|(partition, head)| head.saturating_sub(taken(partition))).sum())
    }

    /// Whether the last attempt of this process to write went well.
    pub(crate) fn is_well(&self) -> bool {
        self.well.load(Ordering::Relaxed)
    }
}
