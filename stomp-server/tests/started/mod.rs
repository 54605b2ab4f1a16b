//! The program itself, started on ports of its own and ended with the test.
#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, reason = "what cannot be had fails the test")]

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::SocketAddr,
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use stomp_server::testing::Talk;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// What has not happened after so long does not happen, however slow the machine.
pub(crate) const BOUND: Duration = Duration::from_secs(60);

pub(crate) struct Program {
    child: Child,
    log: tempfile::NamedTempFile,
    pub(crate) tcp: SocketAddr,
    pub(crate) http: SocketAddr,
    pub(crate) banner: String,
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stomp-server"));
    command.args(arguments).env_remove("RUST_LOG").stdin(Stdio::null());
    command
}

impl Program {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::start_with(arguments, &[])
    }

    /// Both listeners on free ports of loopback, unless the arguments say otherwise.
    pub(crate) fn start_with(arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        Self::launch(arguments, environment, false)
    }

    /// One that may still be waiting for its log.
    pub(crate) fn start_without_log(arguments: &[&str]) -> Self {
        Self::launch(arguments, &[], true)
    }

    fn launch(arguments: &[&str], environment: &[(&str, &str)], may_wait: bool) -> Self {
        let log = tempfile::NamedTempFile::new().unwrap();
        let mut command = command(&["--tcp", "127.0.0.1:0", "--http", "127.0.0.1:0"]);
        command.args(arguments).envs(environment.iter().copied());
        command.stdout(Stdio::piped()).stderr(log.reopen().unwrap());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut banner = String::new();
        while !banner.contains("  login") {
            let Some(Ok(line)) = lines.next() else {
                panic!("it does not start: {}", std::fs::read_to_string(log.path()).unwrap());
            };
            banner.push_str(&line);
            banner.push('\n');
            let waits = banner.contains("  login") && banner.contains("waits for its log");
            if waits && !may_wait {
                banner.clear(); // another one follows when it serves
            }
        }
        let address = |what: &str| {
            let line = banner.lines().find(|line| line.trim_start().starts_with(what)).unwrap();
            let url = line.split_once("://").unwrap().1;
            url.trim_end_matches("/ws").parse().unwrap()
        };
        Self { tcp: address("STOMP"), http: address("WebSocket"), child, log, banner }
    }

    /// What a start that is refused says, and its exit code.
    pub(crate) fn refused(arguments: &[&str]) -> (String, Option<i32>) {
        Self::refused_with(arguments, &[])
    }

    pub(crate) fn refused_with(
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> (String, Option<i32>) {
        let output = command(arguments).envs(environment.iter().copied()).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        (String::from_utf8_lossy(&said).into_owned(), output.status.code())
    }

    /// What it prints for this input.
    pub(crate) fn piped(arguments: &[&str], input: &str) -> (String, Option<i32>) {
        let mut command = command(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let output = child.wait_with_output().unwrap();
        (String::from_utf8(output.stdout).unwrap(), output.status.code())
    }

    pub(crate) async fn talk(&self) -> Talk<TcpStream> {
        Talk::over(TcpStream::connect(self.tcp).await.unwrap())
    }

    /// The whole answer to a GET.
    pub(crate) async fn get(&self, path: &str, headers: &str) -> String {
        self.get_from("localhost", path, headers).await
    }

    /// The same, where the server is called by this name.
    pub(crate) async fn get_from(&self, host: &str, path: &str, headers: &str) -> String {
        self.request("GET", path, &format!("host: {host}\r\n{headers}")).await
    }

    /// The whole answer to a request with these headers and no others.
    pub(crate) async fn request(&self, method: &str, path: &str, headers: &str) -> String {
        let mut stream = TcpStream::connect(self.http).await.unwrap();
        let request = format!("{method} {path} HTTP/1.1\r\nconnection: close\r\n{headers}\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    /// Sends a signal, by its name without SIG.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &pid]).status().unwrap().success());
    }

    /// What it has logged.
    pub(crate) fn log(&self) -> String {
        let mut text = String::new();
        self.log.reopen().unwrap().read_to_string(&mut text).unwrap();
        text
    }

    /// Waits until a metric is as it should be.
    pub(crate) async fn measures(&self, metric: &str, condition: impl Fn(u64) -> bool) {
        let start = Instant::now();
        loop {
            let all = self.get("/metrics", "").await;
            let line = all.lines().find_map(|line| line.strip_prefix(metric)?.strip_prefix(' '));
            if line.is_some_and(|value| condition(value.parse().unwrap())) {
                return;
            }
            assert!(start.elapsed() < BOUND, "{metric} is {line:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until the log says this.
    pub(crate) async fn logs(&self, text: &str) {
        let start = Instant::now();
        while !self.log().contains(text) {
            assert!(start.elapsed() < BOUND, "{text} is not in {}", self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Memory that it holds, in KiB.
    #[cfg(target_os = "linux")]
    pub(crate) fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// How it ended, if it does within this time.
    pub(crate) async fn ended(&mut self, within: Duration) -> Option<ExitStatus> {
        let start = Instant::now();
        while start.elapsed() < within {
            if let Some(status) = self.child.try_wait().unwrap() {
                return Some(status);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        None
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A file with this text.
pub(crate) fn file(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

/// The hash of a password, by the program itself.
pub(crate) fn hash(password: &str) -> String {
    let (hash, code) = Program::piped(&["hash-password"], &format!("{password}\n"));
    assert_eq!(code, Some(0));
    hash.trim_end().to_owned()
}
