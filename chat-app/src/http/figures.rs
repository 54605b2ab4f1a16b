//! Numbers for the operator's page: taken from the parts themselves, kept for its plots.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use moka::future::Cache;
use parking_lot::Mutex;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::metrics::{Metrics, Readings};
use crate::{
    domain::Timestamp,
    notify::ports::{Backlog, PushStore},
    ports::{Census, StoreError},
    service::Log,
    store::{Progress, sql::Sql},
};

/// How often the numbers are written down.
pub(super) const EVERY: Duration = Duration::from_secs(2);
/// How many times are kept: a quarter of an hour.
const KEPT: usize = 450;
/// Rates are taken over so many samples, ten seconds, so that they do not flicker.
const OVER: usize = 5;
/// Counting reads whole tables; all who look share one answer this long.
const CENSUS_LIFE: Duration = Duration::from_secs(10);
/// Open notifications are asked for with every sample, by all who look together.
const BACKLOG_LIFE: Duration = Duration::from_secs(1);
/// Rooms on the page, those written to last.
const ROOMS: u32 = 25;

/// The numbers of one moment.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Sample {
    at: Timestamp,
    /// Of the log, in all.
    records: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    lag: Option<u64>,
    open: i64,
}

/// How the parts stand.
#[derive(Debug, Serialize)]
pub(super) struct Tally {
    log: LogTally,
    store: StoreTally,
    notifications: PushTally,
    caches: BTreeMap<String, CacheTally>,
}

#[derive(Debug, Serialize)]
struct LogTally {
    records: u64,
    /// A second, over the last ten.
    rate: f64,
}

#[derive(Debug, Serialize)]
struct StoreTally {
    /// Records of the log that are not in SQL yet; absent while one of the two does not answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    lag: Option<u64>,
    well: bool,
}

#[derive(Debug, Serialize)]
struct PushTally {
    open: i64,
    dead: i64,
    oldest_seconds: u64,
    /// By this process, since its start.
    due: u64,
    sent: u64,
}

#[derive(Debug, Default, Serialize)]
struct CacheTally {
    hits: u64,
    misses: u64,
}

/// Asks the parts, and remembers what they said.
pub(crate) struct Figures {
    sql: Sql,
    log: Log,
    progress: Progress,
    metrics: Metrics,
    samples: Mutex<VecDeque<Sample>>,
    census: Cache<(), Arc<Census>>,
    backlog: Cache<(), Backlog>,
}

impl Figures {
    pub(crate) fn new(sql: Sql, log: Log, progress: Progress, metrics: Metrics) -> Self {
        let samples = Mutex::default();
        let census = Cache::builder().max_capacity(1).time_to_live(CENSUS_LIFE).build();
        let backlog = Cache::builder().max_capacity(1).time_to_live(BACKLOG_LIFE).build();
        Self { sql, log, progress, metrics, samples, census, backlog }
    }

    /// Writes the history until `stop`.
    pub(crate) async fn run(self: Arc<Self>, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            // A part that is away leaves a gap, and no zero that looks like a fall.
            if let Some(Some(sample)) = stop.run_until_cancelled(self.sample()).await {
                self.keep(sample);
            }
        }
    }

    /// All samples, the oldest first.
    pub(super) fn samples(&self) -> Vec<Sample> {
        self.samples.lock().iter().cloned().collect()
    }

    /// How much there is, at most ten seconds old.
    pub(super) async fn census(&self) -> Result<Arc<Census>, Arc<StoreError>> {
        self.census.try_get_with((), async { self.sql.census(ROOMS).await.map(Arc::new) }).await
    }

    pub(super) async fn tally(&self) -> Tally {
        let (records, lag) = self.heads().await.unwrap_or_default();
        let backlog = self.backlog().await.unwrap_or_default();
        let readings = self.metrics.read();
        Tally {
            log: LogTally { records, rate: self.rate() },
            store: StoreTally { lag, well: self.progress.is_well() },
            notifications: PushTally {
                open: backlog.open,
                dead: backlog.dead,
                oldest_seconds: backlog.oldest.as_secs(),
                due: readings.sum("chat_push_due_total"),
                sent: readings.sum("chat_push_sent_total"),
            },
            caches: caches(&readings),
        }
    }

    async fn sample(&self) -> Option<Sample> {
        let (records, lag) = self.heads().await?;
        let open = self.backlog().await?.open;
        Some(Sample { at: Timestamp::now(), records, lag, open })
    }

    /// Records of the log, and how many of them the store has still to take over.
    async fn heads(&self) -> Option<(u64, Option<u64>)> {
        let log = self.log.broker().log().await.ok()?;
        Some((log.heads.iter().sum(), self.progress.behind(&log).await))
    }

    async fn backlog(&self) -> Option<Backlog> {
        self.backlog.try_get_with((), self.sql.backlog()).await.ok()
    }

    fn rate(&self) -> f64 {
        let samples = self.samples.lock();
        let first = samples.get(samples.len().saturating_sub(OVER + 1));
        let (Some(first), Some(last)) = (first, samples.back()) else { return 0.0 };
        let seconds = (last.at.millis() - first.at.millis()) as f64 / 1000.0;
        let records = last.records.saturating_sub(first.records) as f64;
        if seconds > 0.0 { records / seconds } else { 0.0 }
    }

    fn keep(&self, sample: Sample) {
        let mut samples = self.samples.lock();
        if samples.len() == KEPT {
            samples.pop_front();
        }
        samples.push_back(sample);
    }
}

fn caches(readings: &Readings) -> BTreeMap<String, CacheTally> {
    let mut caches = BTreeMap::<String, CacheTally>::new();
    for (cache, hits) in readings.by_label("chat_cache_hits_total", "cache") {
        caches.entry(cache).or_default().hits = hits;
    }
    for (cache, misses) in readings.by_label("chat_cache_misses_total", "cache") {
        caches.entry(cache).or_default().misses = misses;
    }
    caches
}
