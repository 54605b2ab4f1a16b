//! Three nodes of Kafka that can be hurt one by one.

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use rdkafka::{
    ClientConfig,
    admin::{AdminClient, AdminOptions},
    client::DefaultClientContext,
    consumer::{BaseConsumer, Consumer},
};
use stomp_server::testing::Kafka;
use tempfile::TempDir;

use crate::net::{Isolation, Node};

/// The node that has a small disk of its own.
pub(crate) const SMALL_DISK: u32 = 2;

/// Octets of that disk: room for what a run writes, and quickly full.
const DISK: u64 = 512 << 20;

/// Node N runs as user 64200 + N, which nobody else is.
const FIRST_USER: u32 = 64_200;

/// How long the cluster may take to be whole again between two cells.
const HEALING: Duration = Duration::from_secs(90);

/// Folders of all audits begin with this; the number of their process follows.
const FOLDER: &str = "audit-kafka-";

const PATIENCE: Duration = Duration::from_secs(5);

/// The cluster. Dropped, it ends, and its disk and its isolation with it.
pub(crate) struct Cluster {
    kafka: Kafka,
    nodes: Vec<Node>,
    isolation: Option<Isolation>,
    disk: Option<Disk>,
    /// Why a node cannot be isolated here.
    pub(crate) no_isolation: Option<String>,
    /// Why no disk can be filled here.
    pub(crate) no_disk: Option<String>,
    _logs: Option<TempDir>,
}

impl Cluster {
    /// Starts it. `hurtable` asks for a user of its own for each node and for the small disk,
    /// which both need root.
    pub(crate) fn start(hurtable: bool) -> Result<Self, String> {
        let logs =
            tempfile::Builder::new().prefix(&format!("{FOLDER}{}-", std::process::id())).tempdir();
        let logs = logs.map_err(|error| format!("no folder for Kafka: {error}"))?;
        for node in 1..=3 {
            let folder = logs.path().join(node.to_string());
            fs::create_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        }
        let mut environment =
            vec![("KAFKA_LOGS".to_owned(), logs.path().to_string_lossy().into_owned())];
        let (disk, no_disk) = apart(if hurtable {
            Disk::mount(&logs.path().join(SMALL_DISK.to_string()))
        } else {
            Err("this run fills no disk".to_owned())
        });
        let no_isolation = if hurtable {
            Isolation::is_possible().err()
        } else {
            Some("this run isolates no node".to_owned())
        };
        if no_isolation.is_none() {
            open_up(logs.path())?;
            environment.push(("KAFKA_FIRST_UID".to_owned(), FIRST_USER.to_string()));
        }
        let kafka = Kafka::start_with(3, &[], environment).ok_or("Kafka does not start here")?;
        let nodes = nodes(&kafka);
        Ok(Self { kafka, nodes, isolation: None, disk, no_isolation, no_disk, _logs: Some(logs) })
    }

    /// Starts one whose nodes listen from one port on, and are told to be found from another on.
    pub(crate) fn start_behind(port: u16, advertised: u16) -> Result<Self, String> {
        let environment = vec![("KAFKA_ADVERTISED".to_owned(), advertised.to_string())];
        let arguments = ["--port", &port.to_string()];
        let kafka = Kafka::start_with(3, &arguments, environment);
        let kafka = kafka.ok_or("Kafka does not start here")?;
        let none = || Some("not in front of this cluster".to_owned());
        Ok(Self {
            kafka,
            nodes: vec![],
            isolation: None,
            disk: None,
            no_isolation: none(),
            no_disk: none(),
            _logs: None,
        })
    }

    pub(crate) fn bootstrap(&self) -> &str {
        self.kafka.bootstrap()
    }

    pub(crate) fn kill(&self, node: u32) {
        self.kafka.kill(node);
    }

    pub(crate) fn pause(&self, node: u32) {
        self.kafka.pause(node);
    }

    pub(crate) fn resume(&self, nodes: &[u32]) {
        self.kafka.resume(nodes);
    }

    /// Nothing leaves or reaches the node, or only the controllers do not hear of it.
    pub(crate) fn isolate(&mut self, node: u32, controllers_only: bool) -> Result<(), String> {
        if let Some(why) = &self.no_isolation {
            return Err(why.clone());
        }
        let index = node as usize - 1;
        self.isolation = Some(Isolation::of(&self.nodes, index, controllers_only)?);
        Ok(())
    }

    pub(crate) fn join(&mut self) {
        self.isolation = None;
    }

    /// Leaves no room on the small disk.
    pub(crate) fn fill_disk(&self) -> Result<(), String> {
        let none = || self.no_disk.clone().unwrap_or_default();
        self.disk.as_ref().ok_or_else(none)?.fill()
    }

    /// Makes room again, and starts the node, which ended when it could not write.
    pub(crate) fn free_disk(&self) {
        if let Some(disk) = &self.disk {
            disk.free();
            self.kafka.resume(&[SMALL_DISK]);
        }
    }

    /// Waits until all copies of everything are in sync.
    pub(crate) fn heal(&self) -> Result<(), String> {
        let begin = Instant::now();
        let reader: BaseConsumer = self.client().create().map_err(|error| error.to_string())?;
        loop {
            let metadata = reader.fetch_metadata(None, PATIENCE);
            let is_whole = metadata.is_ok_and(|metadata| {
                metadata.brokers().len() == 3
                    && metadata.topics().iter().all(|topic| {
                        topic.partitions().iter().all(|partition| {
                            partition.leader() >= 0
                                && partition.isr().len() == partition.replicas().len()
                        })
                    })
            });
            if is_whole {
                return Ok(());
            }
            if begin.elapsed() > HEALING {
                return Err("the cluster did not become whole again".to_owned());
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// Deletes the topics of a cell, so that the next one does not pay for them.
    pub(crate) async fn forget(&self, prefix: &str) -> Result<(), String> {
        let reader: BaseConsumer = self.client().create().map_err(|error| error.to_string())?;
        let prefix = format!("{prefix}.");
        let names = tokio::task::spawn_blocking(move || {
            let metadata = reader.fetch_metadata(None, PATIENCE)?;
            let names = metadata.topics().iter().map(|topic| topic.name().to_owned());
            Ok(names.filter(|name| name.starts_with(&prefix)).collect::<Vec<_>>())
        });
        let names = names.await.map_err(|error| error.to_string())?;
        let names = names.map_err(|error: rdkafka::error::KafkaError| error.to_string())?;
        let admin: AdminClient<DefaultClientContext> =
            self.client().create().map_err(|error| error.to_string())?;
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
        let deleted = admin.delete_topics(&names, &options).await;
        deleted.map(drop).map_err(|error| error.to_string())
    }

    fn client(&self) -> ClientConfig {
        let mut client = ClientConfig::new();
        client.set("bootstrap.servers", self.bootstrap()).set("group.id", "audit");
        client
    }
}

fn nodes(kafka: &Kafka) -> Vec<Node> {
    let node = |(number, address): (u32, &str)| {
        let port: u16 = address.rsplit(':').next().unwrap_or_default().parse().unwrap_or(0);
        Node { client_port: port, controller_port: port + 100, user: FIRST_USER + number }
    };
    (1..).zip(kafka.bootstrap().split(',')).map(node).collect()
}

fn apart<T>(outcome: Result<T, String>) -> (Option<T>, Option<String>) {
    match outcome {
        Ok(value) => (Some(value), None),
        Err(why) => (None, Some(why)),
    }
}

/// Lets the nodes' users find their folders.
fn open_up(folder: &Path) -> Result<(), String> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o711))
        .map_err(|error| format!("{}: {error}", folder.display()))
}

/// A small disk in memory. Dropped, it is gone.
pub(crate) struct Disk {
    folder: PathBuf,
}

impl Disk {
    /// Mounts it on a folder.
    pub(crate) fn mount(folder: &Path) -> Result<Self, String> {
        let size = format!("size={DISK},mode=755");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &size, "audit"]).arg(folder);
        let output = mount.output().map_err(|error| format!("no mount: {error}"))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            return Err(format!("no disk can be mounted here: {said}"));
        }
        Ok(Self { folder: folder.to_owned() })
    }

    /// Takes away what audits that were killed have left behind.
    pub(crate) fn unmount_orphans() {
        for line in fs::read_to_string("/proc/mounts").unwrap_or_default().lines() {
            let Some(folder) = line.strip_prefix("audit ").and_then(|line| line.split(' ').next())
            else {
                continue;
            };
            let owner = folder.split(FOLDER).nth(1).and_then(|rest| rest.split('-').next());
            if owner.is_some_and(|owner| !Path::new("/proc").join(owner).exists()) {
                let _ = Command::new("umount").arg("--lazy").arg(folder).status();
            }
        }
    }

    fn ballast(&self) -> PathBuf {
        self.folder.join("ballast")
    }

    /// Leaves no octet free.
    pub(crate) fn fill(&self) -> Result<(), String> {
        let mut file = File::create(self.ballast()).map_err(|error| error.to_string())?;
        let piece = vec![1; 1 << 20];
        for size in [1 << 20, 4 << 10, 1] {
            while file.write_all(&piece[..size]).is_ok() {}
        }
        Ok(())
    }

    pub(crate) fn free(&self) {
        let _ = fs::remove_file(self.ballast());
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: a process that was just killed may still hold a file of it.
        let _ = Command::new("umount").arg("--lazy").arg(&self.folder).status();
    }
}
