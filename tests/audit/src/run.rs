//! One cell, from its first process to its verdict.

use std::{
    path::Path,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use rand::{Rng, SeedableRng, rngs::StdRng, seq::SliceRandom};
use stomp_server::testing::{Fate, Writer};
use tokio::{task::JoinSet, time::sleep};

use crate::{
    book::Book,
    cells::{Cell, is_caught},
    cluster::Cluster,
    fleet::{Rest, close_door, open_door},
    judge::judge,
    plan::{Fault, Step},
    publisher::{Manner, Publisher},
    report::{Outcome, Told},
    stage::{Stage, blocking},
    subscriber::Subscriber,
};

/// How long everybody may take to get where they begin, or end.
const BEGIN: Duration = Duration::from_secs(60);
const DRAIN: Duration = Duration::from_secs(60);
const CATCH_UP: Duration = Duration::from_secs(30);

/// After everything has come, so long is listened for what must not come.
const QUIET: Duration = Duration::from_millis(500);

/// How long gauges may take to show that nobody is there.
const REST: Duration = Duration::from_secs(20);

/// Memory that an instance may keep beside three times what it was sent: its ring holds
/// messages on purpose, and allocators hold pages.
const MEMORY: u64 = 48 << 20;

/// Files that it may keep: Kafka's client holds a few connections to each node.
const FILES: usize = 40;

/// Gauges that are zero when nobody is connected and nothing on its way.
const GAUGES: [&str; 4] = [
    "stomp_connections",
    "stomp_subscriptions",
    "stomp_kafka_in_flight_bytes",
    "stomp_kafka_lag_records",
];

/// Runs a cell. `Err` is for what kept it from being played at all.
pub(crate) async fn run(
    cell: &Cell,
    cluster: Option<Arc<Mutex<Cluster>>>,
    binary: &Path,
    folder: &Path,
    seed: u64,
) -> Result<Outcome, String> {
    let begin = Instant::now();
    let mut chance = StdRng::seed_from_u64(seed);
    let plan = (cell.plan)(&mut chance);
    let prefix = format!("audit-{seed:016x}");
    if let Some(cluster) = cluster.clone() {
        blocking(move || cluster.lock().heal()).await??;
    }
    let stage = Stage::build(cell, &plan, cluster.clone(), binary, &prefix, folder).await?;
    let mut play = Play::begin(cell, &stage, seed).await?;
    let mut outcome = Outcome::of(cell, seed, &plan);
    for step in &plan {
        sleep(step.after).await;
        let what = play.step(step, &mut chance).await?;
        outcome.told(play.told(&what));
    }
    sleep(cell.calm).await;
    play.end(&mut outcome).await?;
    outcome.took = begin.elapsed();
    if let Some(cluster) = cluster {
        let forgotten = forget(cluster, prefix).await;
        if let Err(why) = forgotten {
            eprintln!("      the topics stay: {why}");
        }
    }
    Ok(outcome)
}

async fn forget(cluster: Arc<Mutex<Cluster>>, prefix: String) -> Result<(), String> {
    let runtime = tokio::runtime::Handle::current();
    blocking(move || runtime.block_on(cluster.lock().forget(&prefix))).await?
}

/// A cell that is being played.
struct Play<'a> {
    cell: &'a Cell,
    stage: &'a Stage,
    book: Arc<Book>,
    publishers: JoinSet<()>,
    subscribers: JoinSet<()>,
    at_rest: Vec<Option<Rest>>,
    begin: Instant,
    /// What went wrong beside what the judge sees.
    faults: Vec<String>,
    longest_end: Duration,
}

impl<'a> Play<'a> {
    /// Subscribers first: when the publishers begin, all of them are entitled to everything.
    async fn begin(cell: &'a Cell, stage: &'a Stage, seed: u64) -> Result<Self, String> {
        let load = &cell.load;
        let book = Arc::new(Book::new(load.destinations, stage.doors()));
        let at_rest = stage.fleet.lock().rest();
        let mut chance = StdRng::seed_from_u64(!seed);
        let mut subscribers = JoinSet::new();
        let mut tracks = 0;
        for number in 0..load.subscribers {
            let mut topics: Vec<_> = (0..load.destinations).collect();
            if number > 0 {
                topics.shuffle(&mut chance);
                topics.truncate(load.topics);
            }
            tracks += topics.len();
            let stay = load.stay.clone();
            subscribers.spawn(Subscriber::new(number, &topics, stay, book.clone(), seed).run());
        }
        let waiting = Instant::now();
        while book.begun() < tracks {
            if waiting.elapsed() > BEGIN {
                return Err("not everybody was subscribed in time".to_owned());
            }
            sleep(Duration::from_millis(20)).await;
        }
        let mut publishers = JoinSet::new();
        for number in 0..load.publishers {
            // The last one never sends again what had no receipt.
            let retries = load.manner.retries && number + 1 < load.publishers;
            let manner = Manner { retries, ..load.manner };
            let publisher = Publisher::new(number, manner, load.destinations, book.clone(), seed);
            publishers.spawn(publisher.run());
        }
        Ok(Self {
            cell,
            stage,
            book,
            publishers,
            subscribers,
            at_rest,
            begin: Instant::now(),
            faults: vec![],
            longest_end: Duration::ZERO,
        })
    }

    /// A line of what has happened so far.
    fn told(&self, what: &str) -> Told {
        let figures = self.book.figures.lock();
        let told = Told { at: self.begin.elapsed(), what: what.to_owned() };
        let (receipted, delivered) = (figures.receipted, figures.delivered);
        println!(
            "    {:5.1} s  {what}; so far {receipted} receipted, {delivered} delivered",
            told.at.as_secs_f64()
        );
        told
    }

    async fn step(&mut self, step: &Step, chance: &mut StdRng) -> Result<String, String> {
        match &step.fault {
            Fault::Kill(who) => {
                close_door(&self.book, *who);
                self.fleet(*who, |fleet, who| fleet.kill(who)).await?;
            }
            Fault::Terminate(who) => self.terminate(*who).await?,
            Fault::Start(who) => {
                let address = self.fleet(*who, |fleet, who| fleet.restart(who)).await??;
                open_door(&self.book, *who, self.stage.moved(*who, address));
            }
            Fault::Freeze(who) => self.stage.fleet.lock().signal(*who, "STOP"),
            Fault::Thaw(who) => self.stage.fleet.lock().signal(*who, "CONT"),
            Fault::ClockJumps(who, seconds) => self.stage.set_clock(*who, *seconds)?,
            Fault::SocketsAreCut => self.hurt_sockets(chance, Fate::Cut),
            Fault::SocketsStall => self.hurt_sockets(chance, Fate::Stall),
            Fault::SocketsAreLeft => {
                self.stage.proxies.iter().for_each(|proxy| proxy.set_fate(|| Fate::Pass));
            }
            Fault::JournalDiskFills => self.disk(|disk| disk.fill())?,
            Fault::JournalDiskIsFreed => self.disk(|disk| {
                disk.free();
                Ok(())
            })?,
            Fault::UntilMoved(times) => self.until_moved(*times).await?,
            fault => self.cluster(fault.clone()).await?,
        }
        Ok(step.fault.to_string())
    }

    /// Clients notice by themselves: the door stays open as long as the instance does.
    async fn terminate(&mut self, who: usize) -> Result<(), String> {
        let ended = self.fleet(who, |fleet, who| fleet.terminate(who)).await?;
        close_door(&self.book, who);
        match ended {
            Some(ended) => {
                self.longest_end = self.longest_end.max(ended.took);
                if !ended.is_clean() {
                    self.faults.push(format!("SIGTERM ended with {}", ended.status));
                }
            }
            None => self.faults.push("SIGTERM did not end an instance".to_owned()),
        }
        Ok(())
    }

    async fn until_moved(&self, times: usize) -> Result<(), String> {
        let patience = Duration::from_secs(300);
        let (begin, mut told) = (Instant::now(), Instant::now());
        loop {
            let moves = self.book.figures.lock().moves.len();
            if moves >= times {
                return Ok(());
            }
            if begin.elapsed() > patience {
                return Err(format!("only {moves} moves in {patience:?}"));
            }
            if told.elapsed() > Duration::from_secs(10) {
                told = Instant::now();
                self.told(&format!("{moves} moves"));
            }
            sleep(Duration::from_millis(50)).await;
        }
    }

    async fn fleet<T: Send + 'static>(
        &self,
        who: usize,
        work: impl FnOnce(&mut crate::fleet::Fleet, usize) -> T + Send + 'static,
    ) -> Result<T, String> {
        let fleet = self.stage.fleet.clone();
        blocking(move || work(&mut fleet.lock(), who)).await
    }

    fn disk(
        &self,
        work: impl FnOnce(&crate::cluster::Disk) -> Result<(), String>,
    ) -> Result<(), String> {
        work(self.stage.disk.as_ref().ok_or("there is no disk to fill")?)
    }

    async fn cluster(&self, fault: Fault) -> Result<(), String> {
        let cluster = self.stage.cluster.clone().ok_or("there is no cluster to hurt")?;
        blocking(move || {
            let mut cluster = cluster.lock();
            match fault {
                Fault::NodesDie(nodes) => nodes.into_iter().for_each(|node| cluster.kill(node)),
                Fault::NodeFreezes(node) => cluster.pause(node),
                Fault::NodesReturn(nodes) => cluster.resume(&nodes),
                Fault::NodeIsCutOff(node) => cluster.isolate(node, false)?,
                Fault::NodeLosesControllers(node) => cluster.isolate(node, true)?,
                Fault::NodesMeet => cluster.join(),
                Fault::DiskFills => cluster.fill_disk()?,
                Fault::DiskIsFreed => cluster.free_disk(),
                other => return Err(format!("not a fault of the cluster: {other}")),
            }
            Ok(())
        })
        .await?
    }

    fn hurt_sockets(&self, chance: &mut StdRng, how: fn(Writer, u64) -> Fate) {
        for proxy in &self.stage.proxies {
            let mut chance = StdRng::seed_from_u64(chance.random());
            proxy.set_fate(move || {
                let writer = if chance.random() { Writer::Client } else { Writer::Server };
                how(writer, chance.random_range(100..30_000))
            });
            proxy.cut_all(); // so that everybody comes again, under the new fate
        }
    }

    /// Lets everybody finish, looks at what is left, and asks the judge.
    async fn end(mut self, outcome: &mut Outcome) -> Result<(), String> {
        let draining = Instant::now();
        self.book.stop_publishing.store(true, Ordering::Release);
        let publishers = usize::from(self.cell.load.publishers);
        let book = self.book.clone();
        if !until(DRAIN, || book.publishers_done.load(Ordering::Acquire) == publishers).await {
            self.faults.push(format!("publishers still wait after {DRAIN:?}"));
        }
        if !until(CATCH_UP, || book.behind() == 0).await {
            self.faults.push(format!("{} subscriptions are behind", book.behind()));
        }
        outcome.drained = draining.elapsed();
        sleep(QUIET).await;
        self.book.stop.store(true, Ordering::Release);
        while self.publishers.join_next().await.is_some() {}
        while self.subscribers.join_next().await.is_some() {}
        self.look_at_rest(outcome).await?;
        outcome.verdict = judge(&self.book.record());
        outcome.measured(&self.book.figures.lock());
        outcome.longest_end = self.longest_end;
        outcome.faults.append(&mut self.faults);
        match self.cell.sabotage {
            // Nothing else is asked of a run that is broken on purpose.
            Some(sabotage) => {
                outcome.faults.clear();
                if !is_caught(sabotage, &outcome.verdict) {
                    outcome.faults.push("the judge did not notice".to_owned());
                }
            }
            None => outcome.compare(self.cell),
        }
        Ok(())
    }

    /// I6 and I7: what instances hold when nobody is there, and how they end.
    async fn look_at_rest(&mut self, outcome: &mut Outcome) -> Result<(), String> {
        let fleet = self.stage.fleet.clone();
        let (at_rest, sent) = (self.at_rest.clone(), self.book.record().sent.len() as u64);
        let allowed = MEMORY + 3 * sent * (self.cell.load.manner.body as u64 + 500);
        let looked = blocking(move || {
            let mut faults = Vec::new();
            let mut fleet = fleet.lock();
            for gauge in GAUGES {
                let begin = Instant::now();
                loop {
                    let values = fleet.metric(gauge);
                    if values.iter().all(|value| *value == Some(0.0)) {
                        break;
                    }
                    if begin.elapsed() > REST {
                        faults.push(format!("{gauge} is {values:?} at rest"));
                        break;
                    }
                    std::thread::sleep(Duration::from_millis(100));
                }
            }
            let mut growth = 0;
            for (before, after) in at_rest.iter().zip(fleet.rest()) {
                let (Some(before), Some(after)) = (before, after) else { continue };
                growth = growth.max(after.memory.saturating_sub(before.memory));
                if after.memory > before.memory + allowed {
                    faults.push(format!("memory grew from {before:?} to {after:?}"));
                }
                if after.files > before.files + FILES {
                    faults.push(format!("files grew from {before:?} to {after:?}"));
                }
            }
            faults.extend(fleet.end());
            faults.extend(fleet.panics());
            (faults, growth)
        });
        let (mut faults, growth) = looked.await?;
        outcome.memory_growth = growth;
        self.faults.append(&mut faults);
        Ok(())
    }
}

async fn until(patience: Duration, is_done: impl Fn() -> bool) -> bool {
    let begin = Instant::now();
    while begin.elapsed() < patience {
        if is_done() {
            return true;
        }
        sleep(Duration::from_millis(50)).await;
    }
    is_done()
}
