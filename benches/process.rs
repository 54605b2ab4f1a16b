//! A server in a process of its own, and what it costs: CPU from the scheduler's clock,
//! memory from the kernel's books.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

/// A server process that ends with this value.
pub struct ServerProcess {
    /// None for one that somebody else has started and ends.
    child: Option<Child>,
    id: u32,
    /// Where it speaks STOMP over TCP.
    pub tcp: SocketAddr,
    /// Where it speaks HTTP, if it does.
    pub http: Option<SocketAddr>,
    /// Where its rows are, if that was said.
    database: Option<String>,
}

impl ServerProcess {
    /// Starts `stomp-server` on free ports, with more flags.
    pub fn stomp(flags: &[&str]) -> Self {
        let mut command = Command::new(binary());
        command.args(["--tcp", "127.0.0.1:0", "--http", "127.0.0.1:0"]).args(flags);
        Self::start(command)
    }

    /// Starts `chat-app` on free ports, with more flags.
    pub fn chat(flags: &[&str]) -> Self {
        let mut command = Command::new(chat_binary());
        command.args(["serve", "--tcp", "127.0.0.1:0", "--http", "127.0.0.1:0"]).args(flags);
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("start");
        let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        // `STOMP ws://ADDRESS/ws, TCP ADDRESS`
        let line = lines.by_ref().map_while(Result::ok).find(|line| line.contains("ws://"));
        let line = line.expect("its banner");
        let (http, tcp) = line.split_once(", TCP ").expect("both addresses");
        let http = http.split_once("ws://").map(|(_, rest)| rest.trim_end_matches("/ws"));
        std::thread::spawn(move || lines.for_each(drop));
        let of_flag = flags.iter().skip_while(|flag| **flag != "--database").nth(1);
        Self {
            id: child.id(),
            child: Some(child),
            tcp: tcp.trim().parse().expect("a TCP address"),
            http: http.and_then(|address| address.parse().ok()),
            database: of_flag.map(|url| (*url).to_owned()),
        }
    }

    /// What it was told of a database.
    pub fn database(&self) -> Option<&str> {
        self.database.as_deref()
    }

    /// Starts this very program again as the plain server that a question compares with.
    pub fn plain(role: &str) -> Self {
        Self::plain_with(role, &[])
    }

    /// The same, with more variables in its environment.
    pub fn plain_with(role: &str, environment: &[(&str, &str)]) -> Self {
        let mut command = Command::new(std::env::current_exe().expect("this program's path"));
        command.env("PLAIN_SERVER", role).envs(environment.iter().copied());
        Self::start(command)
    }

    /// Addresses are read from its first lines: `… tcp://ADDRESS` (or `tls://`) and
    /// `… ws://ADDRESS/ws` (or `wss://`).
    fn start(mut command: Command) -> Self {
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("start");
        let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        let (mut tcp, mut http) = (None, None);
        for line in lines.by_ref().map_while(Result::ok) {
            let after = |schemes: [&str; 2]| {
                let mut found = schemes.iter().filter_map(|scheme| line.split_once(scheme));
                found.next().map(|(_, address)| address)
            };
            if let Some(address) = after(["tcp://", "tls://"]) {
                tcp = address.trim().parse().ok();
            } else if let Some(address) = after(["ws://", "wss://"]) {
                http = address.trim().trim_end_matches("/ws").parse().ok();
            } else if line.contains("login") {
                break;
            }
        }
        std::thread::spawn(move || lines.for_each(drop));
        let (id, tcp) = (child.id(), tcp.expect("a TCP address in the banner"));
        Self { child: Some(child), id, tcp, http, database: None }
    }

    /// One that runs already and goes on when this value is gone.
    pub fn running(id: u32, tcp: SocketAddr) -> Self {
        Self { child: None, id, tcp, http: None, database: None }
    }

    /// CPU time that it has used, over all its threads.
    pub fn cpu(&self) -> Duration {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.id)).expect("it runs");
        let spent = tasks.flatten().filter_map(|task| {
            let stat = fs::read_to_string(task.path().join("schedstat")).ok()?;
            stat.split(' ').next()?.parse::<u64>().ok()
        });
        Duration::from_nanos(spent.sum())
    }

    /// The memory that it held at most so far, in bytes.
    pub fn peak(&self) -> u64 {
        self.status("VmHWM:")
    }

    /// Memory that it holds, in bytes.
    pub fn rss(&self) -> u64 {
        self.status("VmRSS:")
    }

    fn status(&self, name: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id)).expect("it runs");
        let line = status.lines().find(|line| line.starts_with(name)).expect("the kernel's line");
        let kib = line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok());
        kib.expect("a number") * 1024
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// `stomp-server` beside this program, or where `STOMP_SERVER` says.
fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os("STOMP_SERVER") {
        return path.into();
    }
    let own = std::env::current_exe().expect("this program's path");
    let path = own.ancestors().nth(2).expect("target/release").join("stomp-server");
    assert!(path.exists(), "build it first: cargo build --release -p stomp-server");
    path
}

/// `chat-app` beside this program, or where `CHAT_APP` says.
pub fn chat_binary() -> PathBuf {
    if let Some(path) = std::env::var_os("CHAT_APP") {
        return path.into();
    }
    let own = std::env::current_exe().expect("this program's path");
    let path = own.ancestors().nth(2).expect("target/release").join("chat-app");
    assert!(path.exists(), "build it first: cargo build --release -p chat-app");
    path
}

/// The middle of some figures.
pub fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}
