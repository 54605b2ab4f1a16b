//! Looking after the journal: what may go by age and size, and what workers still need.

use std::{sync::Arc, time::Duration};

use compact_str::CompactString;
use tokio::time::Instant;

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
}

/// How often the journal is measured; in between it grows by seconds' worth.
const PAUSE: Duration = Duration::from_secs(1);

impl Upkeep {
    pub(super) fn new(hub: Arc<Hub>, journal: Arc<dyn Journal>) -> Self {
        Self { hub, journal, kept_cursor: None, bytes: 0, checked: None }
    }

    /// Trims what has to go and may go.
    pub(super) async fn run(&mut self) {
        if self.checked.is_some_and(|checked| checked.elapsed() < PAUSE) {
            return;
        }
        self.checked = Some(Instant::now());
        if let Err(error) = self.trim().await {
            tracing::warn!(%error, "the journal could not be trimmed");
        }
    }

    /// Keeps the workers' place for the next start.
    pub(super) async fn finish(&mut self) {
        if let Err(error) = self.keep_cursor(None).await {
            tracing::warn!(%error, "the workers' place could not be kept");
        }
    }

    /// Refuses messages while the journal is as large as it may be.
    pub(super) fn check_room(&self) -> Result<(), JournalError> {
        if self.bytes <= self.hub.config.journal_max {
            return Ok(());
        }
        let cause = "the journal has reached its bound (--journal-max), and nothing may be trimmed";
        Err(JournalError::NotCommitted(cause.into()))
    }

    async fn trim(&mut self) -> Result<(), JournalError> {
        self.bytes = self.journal.bytes().await?;
        let config = &self.hub.config;
        let is_too_large = self.bytes > config.journal_max / 10 * 9;
        let before_ms = if is_too_large {
            u64::MAX
        } else {
            now_ms().saturating_sub(config.journal_age.as_millis() as u64)
        };
        let oldest = self.journal.oldest(before_ms, TRIM).await?;
        let held = self.hub.log.lock().hold().saturating_sub(1);
        let upto = oldest.map(|oldest| oldest.min(held));
        let upto = upto.filter(|upto| self.hub.raise_trimmed(*upto));
        self.keep_cursor(upto).await?;
        if is_too_large && upto.is_some() {
            self.bytes = self.journal.bytes().await?;
            self.checked = None; // there may be more to go, before the next second
        }
        Ok(())
    }

    /// Writes down the workers' place, with what is trimmed in the same transaction.
    async fn keep_cursor(&mut self, trim: Option<u64>) -> Result<(), JournalError> {
        let hold = Some(self.hub.log.lock().hold()).filter(|hold| *hold < u64::MAX);
        let mut changes = Vec::new();
        if hold != self.kept_cursor {
            changes.extend(hold.map(cursor));
        }
        changes.extend(trim.map(Change::Trim));
        if !changes.is_empty() {
            self.journal.commit(&changes).await?;
            self.kept_cursor = hold;
        }
        Ok(())
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
    Ok(dedupe)
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
