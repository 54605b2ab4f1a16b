//! What the numbers were in the last quarter of an hour, for the plots.

use std::{
    collections::VecDeque,
    sync::{
        Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime},
};

use parking_lot::Mutex;
use serde::Serialize;

use super::Admin;
use crate::insight::{Insight, Moment, Totals};

/// How often the numbers are written down.
pub(super) const EVERY: Duration = Duration::from_secs(2);
/// How many times are kept: a quarter of an hour.
const KEPT: usize = 450;
/// Rates are taken over so many samples, ten seconds, so that they do not flicker.
const OVER: usize = 5;

/// The numbers of one moment.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Sample {
    at: Moment,
    connections: usize,
    outbound_bytes: u64,
    ring_bytes: u64,
    queue_bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    journal_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lag: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    memory_bytes: Option<u64>,
    #[serde(flatten)]
    totals: SampledTotals,
}

/// Totals under names that say so.
#[derive(Clone, Copy, Debug, Serialize)]
struct SampledTotals {
    total_accepted: u64,
    total_refused: u64,
    total_frames_received: u64,
    total_frames_sent: u64,
    total_bytes_received: u64,
    total_bytes_sent: u64,
    total_dropped: u64,
    total_slow_consumers: u64,
}

/// What happens in a second.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(super) struct Rates {
    accepted: f64,
    frames_received: f64,
    frames_sent: f64,
    bytes_received: f64,
    bytes_sent: f64,
    dropped: f64,
}

#[derive(Default)]
pub(super) struct History {
    samples: Mutex<VecDeque<Sample>>,
    has_writer: AtomicBool,
}

impl History {
    /// Whether the caller is to write it; true once.
    pub(super) fn begin(&self) -> bool {
        !self.has_writer.swap(true, Ordering::AcqRel)
    }

    /// All samples, the oldest first.
    pub(super) fn samples(&self) -> Vec<Sample> {
        self.samples.lock().iter().cloned().collect()
    }

    /// Rates of the last ten seconds.
    pub(super) fn rates(&self) -> Rates {
        let samples = self.samples.lock();
        let Some(last) = samples.back() else { return Rates::default() };
        let Some(first) = samples.get(samples.len().saturating_sub(OVER + 1)) else {
            return Rates::default();
        };
        let seconds = last.at.0.duration_since(first.at.0).unwrap_or_default().as_secs_f64();
        if seconds <= 0.0 {
            return Rates::default();
        }
        let (old, new) = (&first.totals, &last.totals);
        let rate = |old: u64, new: u64| new.saturating_sub(old) as f64 / seconds;
        Rates {
            accepted: rate(old.total_accepted, new.total_accepted),
            frames_received: rate(old.total_frames_received, new.total_frames_received),
            frames_sent: rate(old.total_frames_sent, new.total_frames_sent),
            bytes_received: rate(old.total_bytes_received, new.total_bytes_received),
            bytes_sent: rate(old.total_bytes_sent, new.total_bytes_sent),
            dropped: rate(old.total_dropped, new.total_dropped),
        }
    }

    fn push(&self, sample: Sample) {
        let mut samples = self.samples.lock();
        if samples.len() == KEPT {
            samples.pop_front();
        }
        samples.push_back(sample);
    }
}

/// Writes the history for as long as anybody could ask for it.
pub(super) async fn write(insight: Insight, admin: Weak<Admin>) {
    let mut tick = tokio::time::interval(EVERY);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let sample = sample(&insight).await;
        let Some(admin) = admin.upgrade() else { return };
        admin.history.push(sample);
    }
}

async fn sample(insight: &Insight) -> Sample {
    let storage = insight.storage().await;
    Sample {
        at: Moment(SystemTime::now()),
        connections: insight.connection_count(),
        outbound_bytes: insight.outbound_bytes(),
        ring_bytes: storage.ring_bytes,
        queue_bytes: storage.queue_bytes,
        journal_bytes: storage.journal_bytes,
        lag: storage.lag,
        memory_bytes: memory(),
        totals: insight.totals().into(),
    }
}

impl From<Totals> for SampledTotals {
    fn from(totals: Totals) -> Self {
        Self {
            total_accepted: totals.accepted,
            total_refused: totals.refused,
            total_frames_received: totals.frames_received,
            total_frames_sent: totals.frames_sent,
            total_bytes_received: totals.bytes_received,
            total_bytes_sent: totals.bytes_sent,
            total_dropped: totals.dropped,
            total_slow_consumers: totals.slow_consumers,
        }
    }
}

/// What this process holds of the machine's memory, where the system tells.
pub(super) fn memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kib| kib * 1024)
}
