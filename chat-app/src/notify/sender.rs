//! From jobs to push services: at least once, however often everything in between dies.
//!
//! A job is claimed for the time of a lease, looked at once more, sent and settled. A process
//! that dies in between leaves a lease that ends; what it sent is sent again under the same
//! collapse key.

use std::{sync::Arc, time::Duration};

use tokio::{task::JoinSet, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{
    backoff::Patience,
    gateway::{Outcome, PushGateway},
    hosts::Hosts,
    metrics,
    ports::{Fate, Job, Look, PushStore},
};

/// Requests under way in this process.
const IN_FLIGHT: usize = 256;
/// Jobs taken, and fates written, at a time.
const STRIDE: usize = 64;
/// Longer than a request can take with its look and its settlement.
const LEASE: Duration = Duration::from_secs(15);
/// How often jobs are looked for when there were none.
const POLL: Duration = Duration::from_millis(200);
/// Between two attempts while the database is away.
const PAUSE: Duration = Duration::from_millis(500);
/// How often what waits is counted.
const COUNT: Duration = Duration::from_secs(5);

/// Sends what is due. Several may run, in one process or many.
pub(crate) struct Sender {
    worker: Arc<Worker>,
}

/// What one attempt needs.
struct Worker {
    store: Arc<dyn PushStore>,
    gateway: Arc<dyn PushGateway>,
    hosts: Hosts,
    patience: Patience,
}

impl Sender {
    pub(crate) fn new(
        store: Arc<dyn PushStore>,
        gateway: Arc<dyn PushGateway>,
        patience: Patience,
    ) -> Self {
        Self { worker: Arc::new(Worker { store, gateway, hosts: Hosts::default(), patience }) }
    }

    /// Works until `stop`; requests under way then come to their end.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let mut flying = JoinSet::new();
        let mut next_count = Instant::now();
        loop {
            let mut pause = POLL;
            if !stop.is_cancelled() && flying.len() + STRIDE <= IN_FLIGHT {
                match self.worker.store.claim(STRIDE as u32, LEASE).await {
                    Ok(jobs) => {
                        if jobs.len() == STRIDE {
                            pause = Duration::ZERO;
                        }
                        for job in jobs {
                            flying.spawn(self.worker.clone().attempt(job));
                        }
                    }
                    Err(error) => {
                        tracing::warn!(%error, "pushes wait: the database does not answer");
                        pause = PAUSE;
                    }
                }
            }
            if next_count <= Instant::now() {
                next_count = Instant::now() + COUNT;
                self.count().await;
            }
            if stop.is_cancelled() && flying.is_empty() {
                return;
            }
            let done = wait(&mut flying, pause, &stop).await;
            self.settle(done).await;
        }
    }

    /// Writes down what became of these. What cannot be written is not lost: leases end, and
    /// the push is made again.
    async fn settle(&self, fates: Vec<(Job, Fate)>) {
        if fates.is_empty() {
            return;
        }
        let deadline = Instant::now() + LEASE;
        while let Err(error) = self.worker.store.settle(&fates).await {
            tracing::warn!(%error, "pushes that are made are not settled yet");
            if Instant::now() > deadline {
                return;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn count(&self) {
        if let Ok(backlog) = self.worker.store.backlog().await {
            metrics::backlog(&backlog);
        }
    }
}

/// What has come to its end, once something has or the pause is over; at most a stride of it.
async fn wait(
    flying: &mut JoinSet<Option<(Job, Fate)>>,
    pause: Duration,
    stop: &CancellationToken,
) -> Vec<(Job, Fate)> {
    let mut done = Vec::new();
    let first = tokio::select! {
        Some(first) = flying.join_next() => Some(first),
        () = tokio::time::sleep(pause) => None,
        () = stop.cancelled(), if flying.is_empty() => None,
    };
    let mut next = first;
    while let Some(finished) = next {
        match finished {
            Ok(fate) => done.extend(fate),
            Err(error) => tracing::error!(%error, "an attempt failed; its lease will end"),
        }
        next = if done.len() < STRIDE { flying.try_join_next() } else { None };
    }
    done
}

impl Worker {
    /// Looks, sends, and says what became of it; nothing if the database cannot say.
    async fn attempt(self: Arc<Self>, job: Job) -> Option<(Job, Fate)> {
        let claimed = Instant::now();
        let look = match self.store.look(&job).await {
            Ok(look) => look,
            Err(error) => {
                tracing::warn!(%error, "a push waits for its last look");
                return None;
            }
        };
        let fate = match look {
            Some(look) => self.send(&job, &look, claimed).await,
            None => {
                metrics::cancelled();
                Fate::Over
            }
        };
        Some((job, fate))
    }

    async fn send(&self, job: &Job, look: &Look, claimed: Instant) -> Fate {
        let Some(said) = look.window.due_for(&look.who, &look.blocks, look.now) else {
            metrics::cancelled();
            return Fate::Over;
        };
        let host = look.address.host();
        if let Err(wait) = self.hosts.admit(host, Instant::now()) {
            // Not tried: it does not count as an attempt. Spread, so that not all come at once.
            return Fate::Again { wait: wait.mul_f64(1.0 + rand::random::<f64>()), cause: None };
        }
        let note = look.room.note(said, look.unread, look.who.wishes.preview);
        let push = look.room.push(note, said, &job.user, &job.device, look.language);
        let outcome = self.gateway.push(&look.address, &push).await;
        self.hosts.done(host, &outcome, Instant::now());
        if outcome == Outcome::Sent {
            metrics::sent(look.address.kind(), job.age + claimed.elapsed());
        }
        self.fate(job, outcome)
    }

    fn fate(&self, job: &Job, outcome: Outcome) -> Fate {
        match outcome {
            Outcome::Sent => Fate::Over,
            Outcome::Gone => {
                metrics::gone();
                Fate::Gone
            }
            Outcome::Refused { cause } => dead(job, cause),
            Outcome::Later { wait, cause, .. } => {
                match self.patience.after(job.attempt, wait, rand::random()) {
                    Some(wait) => {
                        metrics::retried();
                        Fate::Again { wait, cause: Some(cause) }
                    }
                    None => dead(job, cause),
                }
            }
        }
    }
}

fn dead(job: &Job, cause: String) -> Fate {
    metrics::dead();
    tracing::warn!(job = job.id, user = %job.user, cause, "a push is given up");
    Fate::Dead { cause }
}
