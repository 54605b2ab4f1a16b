//! The journal in an SQLite file: write-ahead log, one writer, group commit.
//!
//! The writer's connection belongs to commits; reads have their own, which see the last
//! commit and do not wait for the next. The file is locked against a second process by a
//! lock on `PATH.lock`, which ends with the process however that ends.

mod open;
mod read;
mod write;
mod writer;

use std::{fs::File, path::Path, sync::Arc};

use async_trait::async_trait;
use sqlx::SqlitePool;
use tokio::sync::Mutex;

use self::writer::Writer;
use super::{Change, Entry, Extent, Journal, JournalError, PlaceEntry, QueueEntry, Seen, Span};
use crate::broker::{Epoch, JournalSync};

/// A journal in a file.
#[derive(Debug)]
pub struct SqliteJournal {
    epoch: Epoch,
    writer: Mutex<Writer>,
    readers: SqlitePool,
    /// Holds the lock; given back with it.
    lock: parking_lot::Mutex<Option<File>>,
}

impl SqliteJournal {
    /// Opens the journal at a path, or makes an empty one there.
    ///
    /// # Errors
    /// [`JournalError::Refused`], with what to do, for a file that another process uses, that is
    /// not a journal, that is damaged, or that a newer version has written.
    pub async fn open(path: impl AsRef<Path>, sync: JournalSync) -> Result<Self, JournalError> {
        open::open(path.as_ref(), sync).await
    }
}

#[async_trait]
impl Journal for SqliteJournal {
    fn epoch(&self) -> Epoch {
        self.epoch
    }

    async fn extent(&self) -> Result<Extent, JournalError> {
        read::extent(&self.readers).await.map_err(unreadable)
    }

    async fn commit(&self, batch: &[Change]) -> Result<(), JournalError> {
        self.writer.lock().await.commit(batch).await
    }

    async fn read(&self, span: Span, max: usize) -> Result<Vec<Entry>, JournalError> {
        read::all(&self.readers, self.epoch, span, max).await
    }

    async fn read_route(
        &self,
        route: &str,
        span: Span,
        max: usize,
    ) -> Result<Vec<Entry>, JournalError> {
        read::of_route(&self.readers, self.epoch, route, span, max).await
    }

    async fn count_route(
        &self,
        route: &str,
        span: Span,
        at_most: usize,
    ) -> Result<usize, JournalError> {
        read::count_route(&self.readers, route, span, at_most).await.map_err(unreadable)
    }

    async fn first_of_last(
        &self,
        route: &str,
        span: Span,
        count: usize,
    ) -> Result<Option<u64>, JournalError> {
        read::first_of_last(&self.readers, route, span, count).await.map_err(unreadable)
    }

    async fn oldest(&self, before_ms: u64, at_most: usize) -> Result<Option<u64>, JournalError> {
        read::oldest(&self.readers, before_ms, at_most).await.map_err(unreadable)
    }

    async fn cursor(&self, name: &str) -> Result<Option<u64>, JournalError> {
        read::cursor(&self.readers, name).await.map_err(unreadable)
    }

    async fn queued(&self, after: u64, max: usize) -> Result<Vec<QueueEntry>, JournalError> {
        read::queued(&self.readers, self.epoch, after, max).await
    }

    async fn seen(&self, after: u64, max: usize) -> Result<Vec<Seen>, JournalError> {
        read::seen(&self.readers, after, max).await.map_err(unreadable)
    }

    async fn places(&self) -> Result<Vec<PlaceEntry>, JournalError> {
        read::places(&self.readers).await.map_err(unreadable)
    }

    async fn bytes(&self) -> Result<u64, JournalError> {
        read::bytes(&self.readers).await.map_err(unreadable)
    }

    async fn close(&self) {
        self.readers.close().await;
        self.writer.lock().await.close().await;
        if let Some(lock) = self.lock.lock().take() {
            // Closing it would do, but not while a child that is just being started has a copy.
            let _ = lock.unlock();
        }
    }
}

/// By which a topic's messages are found: FNV-1a, so that the index holds eight octets and
/// not the name. Whoever reads compares the name.
fn route_hash(route: &str) -> i64 {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for octet in route.bytes() {
        hash = (hash ^ u64::from(octet)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    hash.cast_signed()
}

/// SQLite counts in signed numbers.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

fn unreadable(error: sqlx::Error) -> JournalError {
    JournalError::Unreadable(cause(&error))
}

fn cause(error: &sqlx::Error) -> Arc<str> {
    error.to_string().into()
}
