//! Looking after the journal: what may go by age and size, and what workers still need.

use std::{sync::Arc, time::Duration};

use compact_str::CompactString;
use tokio::time::{Instant, timeout};

use crate::broker::{
    BrokerConfig,
    dedupe::Dedupe,
    hub::{Hub, now_ms},
    journal::{Change, Extent, Journal, JournalError, Span},
};

/// The name of the place up to which all workers have taken over.
pub(super) const WORKERS: &str = "workers";

/// How many messages one transaction trims: it must not keep publications waiting.
const TRIM: usize = 5_000;

/// How much is read at once when the dedupe window is filled.
const PAGE: u64 = 4_096;

/// The change that keeps the workers' place.
pub(super) fn cursor(next: u64) -> Change {
    Change::Cursor(CompactString::const_new(WORKERS), next)
}

/// Keeps a journal within its bounds.
pub(super) struct Upkeep {
    hub: Arc<Hub>,
    journal: Arc<dyn Journal>,
    /// The workers' place that the journal has.
    kept_cursor: Option<u64>,
    bytes: u64,
    checked: Option<Instant>,
    forgotten: Option<Instant>,
}

/// How often ids that no longer count are removed.
const FORGET: Duration = Duration::from_secs(60);

/// How often the journal is measured; in between it grows by seconds' worth.
const PAUSE: Duration = Duration::from_secs(1);

impl Upkeep {
    pub(super) fn new(hub: Arc<Hub>, journal: Arc<dyn Journal>) -> Self {
        Self { hub, journal, kept_cursor: None, bytes: 0, checked: None, forgotten: None }
    }

    /// What has to be changed now: what is to be trimmed, and places and ids on the way.
    pub(super) async fn run(&mut self) -> Vec<Change> {
        if self.checked.is_some_and(|checked| checked.elapsed() < PAUSE) {
            return Vec::new();
        }
        self.checked = Some(Instant::now());
        let trim = match timeout(PAUSE, self.trim()).await {
            Ok(Ok(trim)) => trim,
            Ok(Err(error)) => {
                tracing::warn!(%error, "it could not be found out what to trim");
                None
            }
            Err(_) => None, // a disk that does not answer is told of by the next commit
        };
        let mut changes = self.places_and_cursor();
        changes.extend(trim.map(Change::Trim));
        changes.extend(self.forget_ids().map(Change::Unsee));
        changes
    }

    /// Whether there may be more to trim at once.
    pub(super) fn is_behind(&mut self) -> bool {
        if self.is_too_large() {
            self.checked = None;
        }
        self.is_too_large()
    }

    /// What is to be kept at the end, and from time to time.
    pub(super) fn places_and_cursor(&mut self) -> Vec<Change> {
        let mut changes = self.hub.place_changes();
        changes.extend(self.cursor());
        changes
    }

    /// The workers' place, where the journal does not have it yet.
    fn cursor(&mut self) -> Vec<Change> {
        let hold = Some(self.hub.log.lock().hold()).filter(|hold| *hold < u64::MAX);
        if hold == self.kept_cursor {
            return Vec::new();
        }
        self.kept_cursor = hold;
        hold.map(cursor).into_iter().collect()
    }

    /// Refuses messages while the journal is as large as it may be.
    pub(super) fn check_room(&self) -> Result<(), JournalError> {
        if self.bytes <= self.hub.config.journal_max {
            return Ok(());
        }
        let cause = "the journal has reached its bound (--journal-max), and nothing may be trimmed";
        Err(JournalError::NotCommitted(cause.into()))
    }

    fn is_too_large(&self) -> bool {
        self.bytes > self.hub.config.journal_max / 10 * 9
    }

    /// Up to where messages go now, of those that may.
    async fn trim(&mut self) -> Result<Option<u64>, JournalError> {
        self.bytes = self.journal.bytes().await?;
        let age = self.hub.config.journal_age.as_millis() as u64;
        let before_ms = if self.is_too_large() { u64::MAX } else { now_ms().saturating_sub(age) };
        let oldest = match self.journal.oldest(before_ms, 1).await? {
            Some(_) => self.journal.oldest(before_ms, TRIM).await?,
            None => None, // nothing is due, so nothing more is read
        };
        let held = self.hub.log.lock().hold().saturating_sub(1);
        let upto = oldest.map(|oldest| oldest.min(held));
        Ok(upto.filter(|upto| self.hub.raise_trimmed(*upto)))
    }

    /// Once in a while, from when on ids still count.
    fn forget_ids(&mut self) -> Option<u64> {
        if self.forgotten.is_some_and(|forgotten| forgotten.elapsed() < FORGET) {
            return None;
        }
        self.forgotten = Some(Instant::now());
        let window = self.hub.config.dedupe_window.as_millis() as u64;
        Some(now_ms().saturating_sub(window))
    }
}

/// The ids that were published within the window, as the journal has them.
pub(super) async fn seen_lately(
    journal: &dyn Journal,
    extent: Extent,
    config: &BrokerConfig,
) -> Result<Dedupe, JournalError> {
    let mut dedupe = Dedupe::new(config.dedupe_window, config.dedupe_ids);
    let (now, at_ms) = (Instant::now(), now_ms());
    let oldest_ms = at_ms.saturating_sub(config.dedupe_window.as_millis() as u64);
    let from = window_start(journal, extent, oldest_ms, config.dedupe_ids as u64).await?;
    let mut after = from;
    while after < extent.newest {
        let upto = extent.newest.min(after + PAGE);
        for entry in journal.read(Span { after, upto }, PAGE as usize).await? {
            if let Some(key) = &entry.logged.dedupe {
                let age = Duration::from_millis(at_ms.saturating_sub(entry.at_ms));
                let print = dedupe.print(&entry.logged.route, key);
                dedupe.remember(print, entry.offset, now.checked_sub(age).unwrap_or(now));
            }
        }
        after = upto;
    }
    let mut after = 0;
    loop {
        let page = journal.seen(after, PAGE as usize).await?;
        let Some(last) = page.last() else { return Ok(dedupe) };
        after = last.offset;
        for seen in page {
            let age = Duration::from_millis(at_ms.saturating_sub(seen.at_ms));
            let print = dedupe.print(&seen.route, &seen.key);
            dedupe.remember(print, seen.offset, now.checked_sub(age).unwrap_or(now));
        }
    }
}

/// The offset before the oldest page that reaches into the window.
async fn window_start(
    journal: &dyn Journal,
    extent: Extent,
    oldest_ms: u64,
    most: u64,
) -> Result<u64, JournalError> {
    let end = extent.trimmed.max(extent.newest.saturating_sub(most));
    let mut after = extent.newest;
    while after > end {
        after = after.saturating_sub(PAGE).max(end);
        let first = journal.read(Span { after, upto: extent.newest }, 1).await?;
        if first.first().is_some_and(|entry| entry.at_ms < oldest_ms) {
            break;
        }
    }
    Ok(after)
}
