//! What a cell plays on: its instances, the ways to them, and the log behind them.

use std::{
    fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use parking_lot::Mutex;
use stomp_server::testing::FaultProxy;

use crate::{
    cells::{Cell, Log},
    cluster::{Cluster, Disk},
    fleet::Fleet,
    instance::Recipe,
    plan::{Fault, Step},
    sabotage::{Sabotage, frames::FrameProxy},
};

/// Where Debian has libfaketime; `FAKETIME_LIBRARY` names another place.
const FAKETIME: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";

/// All that is needed while a cell runs. Dropped, it is gone.
pub(crate) struct Stage {
    pub(crate) fleet: Arc<Mutex<Fleet>>,
    /// The cluster, for cells on Kafka.
    pub(crate) cluster: Option<Arc<Mutex<Cluster>>>,
    /// The small disk of a journal.
    pub(crate) disk: Option<Disk>,
    folder: PathBuf,
    sabotaging: Vec<FrameProxy>,
    pub(crate) proxies: Vec<FaultProxy>,
}

impl Stage {
    /// Sets it up. `folder` is for the files of this cell.
    pub(crate) async fn build(
        cell: &Cell,
        plan: &[Step],
        cluster: Option<Arc<Mutex<Cluster>>>,
        binary: &Path,
        prefix: &str,
        folder: &Path,
    ) -> Result<Self, String> {
        let needs = |wanted: fn(&Fault) -> bool| plan.iter().any(|step| wanted(&step.fault));
        let journal = folder.join("journal");
        fs::create_dir_all(&journal).map_err(|error| error.to_string())?;
        let disk = if needs(|fault| matches!(fault, Fault::JournalDiskFills)) {
            Some(Disk::mount(&journal)?)
        } else {
            None
        };
        let mut arguments = match cell.log {
            Log::Memory => vec!["--broker".to_owned(), "memory".to_owned()],
            Log::Journal => {
                vec!["--broker".to_owned(), format!("sqlite:{}", journal.join("log").display())]
            }
            Log::Kafka => {
                let cluster = cluster.as_ref().ok_or("there is no cluster")?;
                let bootstrap = format!("kafka://{}", cluster.lock().bootstrap());
                ["--broker", &bootstrap, "--kafka-prefix", prefix].map(str::to_owned).into()
            }
        };
        arguments.extend(cell.arguments.iter().map(|argument| (*argument).to_owned()));
        let clocks = needs(|fault| matches!(fault, Fault::ClockJumps(..)));
        let mut recipes = Vec::new();
        for number in 0..cell.instances {
            let environment = if clocks { clock(folder, number)? } else { vec![] };
            let arguments = arguments.clone();
            recipes.push(Recipe { binary: binary.to_owned(), arguments, environment });
        }
        let logs = folder.to_owned();
        let fleet = blocking(move || Fleet::start(recipes, logs)).await??;
        let mut stage = Self {
            fleet: Arc::new(Mutex::new(fleet)),
            cluster,
            disk,
            folder: folder.to_owned(),
            sabotaging: vec![],
            proxies: vec![],
        };
        stage.build_proxies(cell, plan).await.map_err(|error| format!("no proxy: {error}"))?;
        Ok(stage)
    }

    async fn build_proxies(&mut self, cell: &Cell, plan: &[Step]) -> io::Result<()> {
        if !cell.is_proxied(plan) {
            return Ok(());
        }
        let addresses = self.fleet.lock().addresses();
        for address in addresses {
            let mut address = address;
            if let Some(sabotage) = cell.sabotage.filter(|sabotage| *sabotage != Sabotage::OneAck) {
                let proxy = FrameProxy::start(address, sabotage).await?;
                address = proxy.address();
                self.sabotaging.push(proxy);
            }
            self.proxies.push(FaultProxy::start(address).await?);
        }
        Ok(())
    }

    /// Where clients find the instances.
    pub(crate) fn doors(&self) -> Vec<SocketAddr> {
        if self.proxies.is_empty() {
            return self.fleet.lock().addresses();
        }
        self.proxies.iter().map(FaultProxy::address).collect()
    }

    /// An instance is now elsewhere. Says where clients find it.
    pub(crate) fn moved(&self, number: usize, address: SocketAddr) -> SocketAddr {
        let Some(proxy) = self.proxies.get(number) else { return address };
        match self.sabotaging.get(number) {
            Some(sabotaging) => sabotaging.set_target(address),
            None => proxy.set_target(address),
        }
        proxy.address()
    }

    /// Sets an instance's wall clock to so many seconds from the true time.
    pub(crate) fn set_clock(&self, number: usize, seconds: i64) -> Result<(), String> {
        set_clock(&self.folder, number, seconds).map_err(|error| error.to_string())
    }
}

/// Runs what blocks where it keeps nobody waiting.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, String> {
    tokio::task::spawn_blocking(work).await.map_err(|error| error.to_string())
}

/// The environment under which an instance's wall clock, and no other of its clocks, is read
/// from a file.
fn clock(folder: &Path, number: usize) -> Result<Vec<(String, String)>, String> {
    let library = std::env::var("FAKETIME_LIBRARY").unwrap_or_else(|_| FAKETIME.to_owned());
    if !Path::new(&library).exists() {
        return Err(format!("no clock can jump here: {library} is missing (libfaketime)"));
    }
    set_clock(folder, number, 0).map_err(|error| error.to_string())?;
    let file = clock_file(folder, number).to_string_lossy().into_owned();
    let one = "1".to_owned();
    Ok([
        ("LD_PRELOAD", library),
        ("FAKETIME_TIMESTAMP_FILE", file),
        ("FAKETIME_NO_CACHE", one.clone()),
        ("FAKETIME_DONT_FAKE_MONOTONIC", one.clone()),
        ("DONT_FAKE_MONOTONIC", one),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into())
}

fn clock_file(folder: &Path, number: usize) -> PathBuf {
    folder.join(format!("clock-{number}"))
}

fn set_clock(folder: &Path, number: usize, seconds: i64) -> io::Result<()> {
    // Written beside and moved: it is read at every look at the clock.
    let (file, new) = (clock_file(folder, number), folder.join(format!("clock-{number}.new")));
    fs::write(&new, format!("{seconds:+}s\n"))?;
    fs::rename(new, file)
}
