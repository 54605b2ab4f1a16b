//! A real Kafka for one test run, started by the project's script and ended with its handle.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// A cluster on loopback. Dropped, it is stopped and its messages are forgotten.
#[derive(Debug)]
pub struct Kafka {
    state: PathBuf,
    bootstrap: String,
    environment: Vec<(String, String)>,
}

impl Kafka {
    /// Starts so many nodes. Where Kafka cannot be run (no Java, no Maven) there is none, and
    /// the test is skipped aloud.
    ///
    /// # Panics
    /// The same is a failure where `CI` is set.
    pub fn start(nodes: u32) -> Option<Self> {
        Self::start_with(nodes, &[], Vec::new())
    }

    /// The same with more arguments and settings of the script.
    ///
    /// # Panics
    /// Like [`start`](Self::start).
    pub fn start_with(
        nodes: u32,
        arguments: &[&str],
        environment: Vec<(String, String)>,
    ) -> Option<Self> {
        let folder = repository().join(".cache/kafka");
        stop_orphans(&folder);
        let number = rand::random::<u32>();
        let state = folder.join(format!("test-{}-{number:08x}", std::process::id()));
        let nodes = nodes.to_string();
        let arguments = [&["start", "--nodes", &nodes], arguments].concat();
        let output = script(&state, &arguments, &environment);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        if output.status.success() {
            let bootstrap = text.lines().last().unwrap_or_default().to_owned();
            return Some(Self { state, bootstrap, environment });
        }
        let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(std::env::var_os("CI").is_none(), "Kafka does not start: {text}{complaint}");
        eprintln!("SKIPPED: Kafka does not start here: {complaint}");
        let _ = std::fs::remove_dir_all(&state);
        None
    }

    /// Where clients begin, `host:port[,host:port]`.
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// Ends a node at once, as a loss of power would.
    pub fn kill(&self, node: u32) {
        self.tell("kill", &[node]);
    }

    /// Lets a node stand still.
    pub fn pause(&self, node: u32) {
        self.tell("pause", &[node]);
    }

    /// Lets nodes go on, or start again with what they had.
    pub fn resume(&self, nodes: &[u32]) {
        self.tell("resume", nodes);
    }

    fn tell(&self, verb: &str, nodes: &[u32]) {
        let nodes: Vec<_> = nodes.iter().map(u32::to_string).collect();
        let arguments: Vec<_> =
            [verb].into_iter().chain(nodes.iter().map(String::as_str)).collect();
        let output = script(&self.state, &arguments, &self.environment);
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{verb} {nodes:?}: {complaint}");
    }
}

impl Drop for Kafka {
    fn drop(&mut self) {
        stop(&self.state);
    }
}

fn stop(state: &Path) {
    script(state, &["stop"], &[]);
    let _ = std::fs::remove_dir_all(state);
}

/// Ends what test runs that were killed have left behind.
fn stop_orphans(folder: &Path) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let owner = name.strip_prefix("test-").and_then(|rest| rest.split('-').next());
        if owner.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
            stop(&entry.path());
        }
    }
}

fn script(state: &Path, arguments: &[&str], environment: &[(String, String)]) -> Output {
    let script = repository().join("scripts/kafka.sh");
    let mut command = Command::new("bash");
    command.arg(script).args(arguments).env("KAFKA_STATE", state);
    command.envs(environment.iter().map(|(name, value)| (name, value)));
    command.output().expect("bash runs")
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}
