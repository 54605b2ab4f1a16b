//! A journal whose commits go wrong when they are told to.

#![allow(dead_code, reason = "each test file uses its part")]

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use async_trait::async_trait;
use stomp_server::broker::{
    Epoch,
    journal::{Change, Entry, Extent, Journal, JournalError, PlaceEntry, QueueEntry, Seen, Span},
};
use tokio::sync::watch;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing.
    None,
    /// A commit fails and leaves nothing behind.
    NotCommitted,
    /// A commit is made, but its answer is lost.
    UnknownKept,
    /// A commit is not made, and its answer is lost too.
    UnknownLost,
    /// A commit does not end while this lasts.
    Hang,
}

/// A journal over a sound one.
#[derive(Debug)]
pub(crate) struct Flaky<J> {
    inner: J,
    fault: watch::Sender<Fault>,
    /// Every third commit goes wrong once.
    often: AtomicBool,
    /// How many commits were made.
    pub(crate) commits: AtomicU32,
    /// How often its size was asked for.
    measured: watch::Sender<u32>,
}

impl<J: Journal> Flaky<J> {
    /// One that works, for now.
    pub(crate) fn over(inner: J) -> Self {
        Self {
            inner,
            fault: watch::Sender::new(Fault::None),
            often: AtomicBool::new(false),
            commits: AtomicU32::new(0),
            measured: watch::Sender::new(0),
        }
    }

    /// Lets every third commit go wrong in one of three ways.
    pub(crate) fn fail_often(&self) {
        self.often.store(true, Ordering::Relaxed);
    }

    fn fault(&self) -> Fault {
        if !self.often.load(Ordering::Relaxed) {
            return *self.fault.borrow();
        }
        match self.commits.fetch_add(1, Ordering::Relaxed) % 9 {
            2 => Fault::NotCommitted,
            5 => Fault::UnknownKept,
            8 => Fault::UnknownLost,
            _ => Fault::None,
        }
    }

    /// From now on.
    pub(crate) fn set(&self, fault: Fault) {
        self.fault.send_replace(fault);
    }

    /// Waits until the broker has measured this journal so often: that is how it begins to
    /// decide what is to be trimmed.
    pub(crate) async fn measured(&self, times: u32) {
        let mut measured = self.measured.subscribe();
        let enough = measured.wait_for(|measured| *measured >= times);
        let enough = tokio::time::timeout(std::time::Duration::from_secs(60), enough).await;
        enough.expect("the journal is looked after").expect("the sender is here");
    }

    async fn commit_now(&self, batch: &[Change]) -> Result<(), JournalError> {
        self.commits.fetch_add(1, Ordering::Relaxed);
        self.inner.commit(batch).await?;
        // Others get to see what is committed before the broker knows that it is.
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        Ok(())
    }
}

#[async_trait]
impl<J: Journal> Journal for Flaky<J> {
    fn epoch(&self) -> Epoch {
        self.inner.epoch()
    }

    async fn extent(&self) -> Result<Extent, JournalError> {
        self.inner.extent().await
    }

    async fn commit(&self, batch: &[Change]) -> Result<(), JournalError> {
        match self.fault() {
            Fault::None => self.commit_now(batch).await,
            Fault::NotCommitted => Err(JournalError::NotCommitted("the disk is full".into())),
            Fault::UnknownKept => {
                self.commit_now(batch).await?;
                Err(JournalError::Unknown("the answer was lost".into()))
            }
            Fault::UnknownLost => Err(JournalError::Unknown("the answer was lost".into())),
            Fault::Hang => {
                let mut fault = self.fault.subscribe();
                let _ = fault.wait_for(|fault| *fault != Fault::Hang).await;
                self.commit_now(batch).await
            }
        }
    }

    async fn read(&self, span: Span, max: usize) -> Result<Vec<Entry>, JournalError> {
        self.inner.read(span, max).await
    }

    async fn read_route(
        &self,
        route: &str,
        span: Span,
        max: usize,
    ) -> Result<Vec<Entry>, JournalError> {
        self.inner.read_route(route, span, max).await
    }

    async fn count_route(
        &self,
        route: &str,
        span: Span,
        at_most: usize,
    ) -> Result<usize, JournalError> {
        self.inner.count_route(route, span, at_most).await
    }

    async fn first_of_last(
        &self,
        route: &str,
        span: Span,
        count: usize,
    ) -> Result<Option<u64>, JournalError> {
        self.inner.first_of_last(route, span, count).await
    }

    async fn oldest(&self, before_ms: u64, at_most: usize) -> Result<Option<u64>, JournalError> {
        self.inner.oldest(before_ms, at_most).await
    }

    async fn cursor(&self, name: &str) -> Result<Option<u64>, JournalError> {
        self.inner.cursor(name).await
    }

    async fn queued(&self, after: u64, max: usize) -> Result<Vec<QueueEntry>, JournalError> {
        self.inner.queued(after, max).await
    }

    async fn seen(&self, after: u64, max: usize) -> Result<Vec<Seen>, JournalError> {
        self.inner.seen(after, max).await
    }

    async fn places(&self) -> Result<Vec<PlaceEntry>, JournalError> {
        self.inner.places().await
    }

    async fn bytes(&self) -> Result<u64, JournalError> {
        self.measured.send_modify(|measured| *measured += 1);
        self.inner.bytes().await
    }

    async fn close(&self) {
        self.inner.close().await;
    }
}
