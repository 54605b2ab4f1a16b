//! `stomp-server bench`: a bounded load, and what became of it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use stomp_server::client::{Client, ClientError, Draft};
use tokio::{sync::Semaphore, task::JoinSet};

use super::{GOODBYE, Server};

/// Nothing delivered for this long means that nothing more comes.
const PATIENCE: Duration = Duration::from_secs(30);
/// Latencies that are remembered for each task; beyond that every second one is.
const SAMPLES: usize = 100_000;

/// Measure a server: how fast messages are receipted and delivered.
#[derive(Clone, Debug, Args)]
pub(crate) struct Bench {
    /// Connections that send.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..=1_000))]
    publishers: u64,
    /// Connections that listen, each to everything.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u64).range(0..=1_000))]
    subscribers: u64,
    /// Messages in all.
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    messages: u64,
    /// Octets in each body.
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u64).range(20..=1_000_000))]
    size: u64,
    /// Messages of one publisher that wait for their receipts.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u64).range(1..=1_000))]
    window: u64,
    /// The topic; a random one by default.
    #[arg(long)]
    destination: Option<String>,
    #[command(flatten)]
    server: Server,
}

impl Bench {
    pub(super) async fn run(self) -> Result<(), String> {
        let start = Instant::now();
        let progress = progress(self.messages * (1 + self.subscribers));
        let destination = self
            .destination
            .clone()
            .unwrap_or_else(|| format!("/topic/bench.{:016x}", rand::random::<u64>()));
        let mut readers = JoinSet::new();
        for _ in 0..self.subscribers {
            let client = self.server.connect().await?;
            let stream = client.subscribe(&destination).prefetch(1_000).await;
            let stream = stream.map_err(|error| error.to_string())?;
            readers.spawn(listen(client, stream, self.messages, start, progress.clone()));
        }
        let mut writers = JoinSet::new();
        let left = Arc::new(AtomicU64::new(self.messages));
        for _ in 0..self.publishers {
            let client = self.server.connect().await?;
            let load = Load {
                destination: destination.clone(),
                size: self.size as usize,
                window: self.window as u32,
                left: left.clone(),
                start,
            };
            writers.spawn(load.send(client, progress.clone()));
        }
        let begun = Instant::now();
        let receipts = gather(writers).await?;
        let sent = begun.elapsed();
        let deliveries = gather(readers).await?;
        let delivered = begun.elapsed();
        progress.finish_and_clear();
        report("receipted", self.messages, sent, receipts);
        report("delivered", self.messages * self.subscribers, delivered, deliveries);
        Ok(())
    }
}

struct Load {
    destination: String,
    size: usize,
    window: u32,
    left: Arc<AtomicU64>,
    start: Instant,
}

impl Load {
    async fn send(self, client: Client, progress: ProgressBar) -> Result<Samples, ClientError> {
        let room = Arc::new(Semaphore::new(self.window as usize));
        let mut waiting = JoinSet::new();
        let mut samples = Samples::default();
        while self.take() {
            // Never closed, so a permit always comes.
            let permit = room.clone().acquire_owned().await;
            let now = Instant::now();
            let mut body = format!("{:020}", self.start.elapsed().as_nanos()).into_bytes();
            body.resize(self.size.max(20), b'.');
            let draft = Draft::to(&self.destination).body("application/octet-stream", body);
            let sending = client.queue(draft).await?;
            let progress = progress.clone();
            waiting.spawn(async move {
                let outcome = sending.await;
                drop(permit);
                progress.inc(1);
                outcome.map(|_| now.elapsed())
            });
            while let Some(Ok(outcome)) = waiting.try_join_next() {
                samples.add(outcome?);
            }
        }
        while let Some(Ok(outcome)) = waiting.join_next().await {
            samples.add(outcome?);
        }
        let _ = client.close(GOODBYE).await;
        Ok(samples)
    }

    fn take(&self) -> bool {
        let less = |left: u64| left.checked_sub(1);
        self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok()
    }
}

async fn listen(
    client: Client,
    mut stream: stomp_server::client::Subscription,
    messages: u64,
    start: Instant,
    progress: ProgressBar,
) -> Result<Samples, ClientError> {
    let mut samples = Samples::default();
    for _ in 0..messages {
        let Ok(message) = tokio::time::timeout(PATIENCE, stream.message()).await else { break };
        let message = message?;
        let sent = message.text().get(..20).and_then(|digits| digits.parse().ok());
        samples.add(start.elapsed().saturating_sub(Duration::from_nanos(sent.unwrap_or(0))));
        progress.inc(1);
    }
    drop(stream);
    let _ = client.close(GOODBYE).await;
    Ok(samples)
}

/// Some of the times that were measured, and how many there were.
#[derive(Default)]
struct Samples {
    times: Vec<Duration>,
    count: u64,
    /// One of so many is kept.
    every: u64,
}

impl Samples {
    fn add(&mut self, time: Duration) {
        self.every = self.every.max(1);
        if self.count.is_multiple_of(self.every) {
            self.times.push(time);
        }
        self.count += 1;
        if self.times.len() >= SAMPLES {
            let mut odd = false;
            self.times.retain(|_| {
                odd = !odd;
                odd
            });
            self.every *= 2;
        }
    }

    fn merge(&mut self, other: Self) {
        self.times.extend(other.times);
        self.count += other.count;
    }
}

async fn gather(mut tasks: JoinSet<Result<Samples, ClientError>>) -> Result<Samples, String> {
    let mut all = Samples::default();
    while let Some(done) = tasks.join_next().await {
        let samples = done.map_err(|error| error.to_string())?;
        all.merge(samples.map_err(|error| error.to_string())?);
    }
    Ok(all)
}

fn report(what: &str, expected: u64, took: Duration, mut samples: Samples) {
    if expected == 0 {
        return;
    }
    samples.times.sort_unstable();
    let rate = samples.count as f64 / took.as_secs_f64();
    let at = |share: f64| {
        let index = (samples.times.len().saturating_sub(1) as f64 * share) as usize;
        samples.times.get(index).copied().unwrap_or_default().as_secs_f64() * 1e3
    };
    println!(
        "{what}  {} of {expected}  {rate:.0}/s  p50 {:.2} ms  p99 {:.2} ms  max {:.2} ms",
        samples.count,
        at(0.5),
        at(0.99),
        at(1.0)
    );
}

/// Hidden by the library where standard error is no terminal.
fn progress(length: u64) -> ProgressBar {
    let bar = ProgressBar::new(length);
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {percent}% {per_sec} {eta} left") {
        bar.set_style(style);
    }
    bar
}
