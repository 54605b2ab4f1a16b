//! A real MariaDB for one test process, started by the project's script; it ends with the process.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::{
        LazyLock,
        atomic::{AtomicU32, Ordering},
    },
};

/// A server on loopback. Dropped, it is stopped and its data is forgotten.
pub(crate) struct MariaDb {
    state: PathBuf,
    databases: AtomicU32,
}

/// The server that the tests of this process share, each in a database of its own.
static SHARED: LazyLock<Option<MariaDb>> = LazyLock::new(|| MariaDb::start(""));

/// The URL of an empty database. Where MariaDB cannot be run there is none, and the test is
/// skipped aloud; that is a failure where `CI` is set.
pub(crate) fn database() -> Option<String> {
    SHARED.as_ref().map(MariaDb::database)
}

impl MariaDb {
    /// A server of one's own, to be stopped and started.
    pub(crate) fn start(options: &str) -> Option<Self> {
        static SERVERS: AtomicU32 = AtomicU32::new(0);
        let (owner, number) = (std::process::id(), SERVERS.fetch_add(1, Ordering::Relaxed));
        let state = repository().join(format!(".cache/mariadb/test-{owner}-{number}"));
        let server = Self { state, databases: AtomicU32::new(0) };
        let output = server.script(options, &["start", "--owner", &owner.to_string()]);
        if output.status.success() {
            return Some(server);
        }
        let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(std::env::var_os("CI").is_none(), "MariaDB does not start: {complaint}");
        eprintln!("SKIPPED: MariaDB does not start here: {complaint}");
        None
    }

    /// The URL of an empty database.
    pub(crate) fn database(&self) -> String {
        let number = self.databases.fetch_add(1, Ordering::Relaxed);
        self.tell(&["database", &format!("test_{number}")])
    }

    /// It dies at once.
    pub(crate) fn kill(&self) {
        self.tell(&["kill"]);
    }

    /// It starts again with what it had.
    pub(crate) fn resume(&self) {
        self.tell(&["resume"]);
    }

    /// The last line of what the script says.
    fn tell(&self, arguments: &[&str]) -> String {
        let output = self.script("", arguments);
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {complaint}");
        String::from_utf8_lossy(&output.stdout).lines().last().unwrap_or_default().to_owned()
    }

    fn script(&self, options: &str, arguments: &[&str]) -> Output {
        let mut run = Command::new("bash");
        run.arg(repository().join("scripts/mariadb.sh")).args(arguments);
        run.env("MARIADB_STATE", &self.state).env("MARIADB_OPTIONS", options);
        run.output().expect("bash runs")
    }
}

impl Drop for MariaDb {
    fn drop(&mut self) {
        self.script("", &["stop"]);
    }
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}
