//! A `stomp-server` in a process of its own.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc,
    time::{Duration, Instant},
};

/// How long a start may take: a first one makes topics, on a machine that does other things.
const START: Duration = Duration::from_secs(60);

/// What an instance is started with.
#[derive(Clone, Debug)]
pub(crate) struct Recipe {
    pub(crate) binary: PathBuf,
    pub(crate) arguments: Vec<String>,
    pub(crate) environment: Vec<(String, String)>,
}

/// A running one. Dropped, it is killed.
pub(crate) struct Instance {
    child: Child,
    pub(crate) tcp: SocketAddr,
    http: SocketAddr,
}

/// How it went.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) took: Duration,
}

impl Instance {
    /// Starts one that logs into this file. Blocks until it says where it listens.
    pub(crate) fn start(recipe: &Recipe, log: &Path) -> Result<Self, String> {
        let out = File::create(log).map_err(|error| format!("{}: {error}", log.display()))?;
        let mut command = Command::new(&recipe.binary);
        command
            .args(["--tcp", "127.0.0.1:0", "--http", "127.0.0.1:0"])
            .args(&recipe.arguments)
            .envs(recipe.environment.iter().map(|(name, value)| (name, value)))
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(out);
        let mut child = command
            .spawn()
            .map_err(|error| format!("{} does not start: {error}", recipe.binary.display()))?;
        let banner = child.stdout.take().map(read_banner);
        let said = banner.and_then(|banner| banner.recv_timeout(START).ok()).flatten();
        let Some((tcp, http)) = said else {
            let _ = (child.kill(), child.wait());
            let log = fs::read_to_string(log).unwrap_or_default();
            return Err(format!("an instance did not start: {}", last_lines(&log)));
        };
        Ok(Self { child, tcp, http })
    }

    /// Sends a signal, by its name without SIG.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let _ = Command::new("kill").args([&format!("-{name}"), &pid]).status();
    }

    /// kill -9, and waits for it to be gone.
    pub(crate) fn kill(mut self) {
        let _ = (self.child.kill(), self.child.wait());
    }

    /// SIGTERM, and waits for its end, for so long at most.
    pub(crate) fn terminate(mut self, within: Duration) -> Option<Ended> {
        let begin = Instant::now();
        self.signal("TERM");
        while begin.elapsed() < within {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Some(Ended { status, took: begin.elapsed() });
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        None
    }

    /// Octets of memory that it holds.
    pub(crate) fn memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        let status = status.unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        kib.unwrap_or_default() << 10
    }

    /// How many files and sockets it has open.
    pub(crate) fn files(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.child.id())).map_or(0, Iterator::count)
    }

    /// The sum of a metric over all its labels, if the instance answers.
    pub(crate) fn metric(&self, name: &str) -> Option<f64> {
        let page = self.page("/metrics").ok()?;
        let of_this =
            |line: &&str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with([' ', '{']));
        let values = page.lines().filter(of_this).filter_map(|line| {
            line.rsplit_once(' ').and_then(|(_, value)| value.parse::<f64>().ok())
        });
        Some(values.sum())
    }

    fn page(&self, path: &str) -> std::io::Result<String> {
        let patience = Duration::from_secs(5);
        let mut stream = TcpStream::connect_timeout(&self.http, patience)?;
        stream.set_read_timeout(Some(patience))?;
        write!(stream, "GET {path} HTTP/1.1\r\nhost: audit\r\nconnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            let _ = (self.child.kill(), self.child.wait());
        }
    }
}

impl Ended {
    /// Whether it ended of its own accord, and well.
    pub(crate) fn is_clean(&self) -> bool {
        self.status.success() && self.status.signal().is_none()
    }
}

/// Lines of a log that tell of a panic.
pub(crate) fn panics(log: &Path) -> Vec<String> {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    text.lines().filter(|line| line.contains("panicked at")).map(str::to_owned).collect()
}

/// Reads what it prints in a thread of its own, up to the end of its banner and beyond.
fn read_banner(
    out: impl Read + Send + 'static,
) -> mpsc::Receiver<Option<(SocketAddr, SocketAddr)>> {
    let (tell, told) = mpsc::sync_channel(1);
    std::thread::spawn(move || {
        let mut lines = BufReader::new(out).lines().map_while(Result::ok);
        let (mut tcp, mut http) = (None, None);
        for line in lines.by_ref() {
            if let Some((_, address)) = line.split_once("tcp://") {
                tcp = address.trim().parse().ok();
            } else if let Some((_, address)) = line.split_once("ws://") {
                http = address.trim().trim_end_matches("/ws").parse().ok();
            } else if line.contains("login") {
                break;
            }
        }
        let _ = tell.send(tcp.zip(http));
        lines.for_each(drop);
    });
    told
}

fn last_lines(text: &str) -> String {
    let lines: Vec<_> = text.lines().rev().take(5).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join(" | ")
}
