//! What does a connection cost?
//!
//! * How much CPU does a login take, against a plain server that accepts and answers?
//!   It decides how fast a reconnect storm is over.
//! * What do 5,000 strangers who log in at a byte a second cost, and do neighbours notice?
//! * How much memory does an idle connection hold, and how much CPU?
//!
//! `cargo build --release -p stomp-server && cargo bench -p benches --bench connections -- QUESTION`
//! with `login`, `slow`, `memory`, `idle` or nothing for all of them.
#![allow(clippy::unwrap_used, reason = "a bench that cannot go on should stop")]

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use benches::process::{ServerProcess, median};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinSet,
    time::{interval, sleep},
};

const CONNECT: &str = "CONNECT\naccept-version:1.2\nhost:bench\n\n\0";
const SUBSCRIBE: &str = "SUBSCRIBE\nid:0\ndestination:/topic/idle\nreceipt:s\n\n\0";
const UPGRADE: &str = "GET /ws HTTP/1.1\r\nHost: bench\r\nConnection: Upgrade\r\n\
    Upgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Version: 13\r\n\r\n";

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    if std::env::var_os("PLAIN_SERVER").is_some() {
        return runtime.block_on(plain_server());
    }
    let asked: Vec<String> =
        std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    let wants = |question: &str| asked.is_empty() || asked.iter().any(|asked| asked == question);
    runtime.block_on(async {
        if wants("login") {
            login().await;
        }
        if wants("slow") {
            slow_login().await;
        }
        if wants("memory") {
            memory().await;
        }
        if wants("idle") {
            idle_cpu().await;
        }
    });
}

/// Accepts, reads up to a NUL, answers what a broker answers, holds the connection.
async fn plain_server() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("plain tcp://{}\nlogin", listener.local_addr().unwrap());
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        tokio::spawn(async move {
            let mut buffer = [0; 1024];
            while let Ok(read @ 1..) = stream.read(&mut buffer).await {
                if buffer[..read].contains(&0) {
                    let answer = b"CONNECTED\nversion:1.2\nsession:s-1\nserver:plain/1\nheart-beat:0,0\n\n\0";
                    if stream.write_all(answer).await.is_err() {
                        return;
                    }
                }
            }
        });
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Over {
    Tcp,
    WebSocket,
}

/// A connection that has said nothing yet.
async fn open(address: SocketAddr, over: Over) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    if over == Over::WebSocket {
        stream.write_all(UPGRADE.as_bytes()).await.unwrap();
        until(&mut stream, b"\r\n\r\n").await;
    }
    stream
}

async fn say(stream: &mut TcpStream, over: Over, text: &str) {
    let mut bytes = Vec::with_capacity(text.len() + 6);
    if over == Over::WebSocket {
        assert!(text.len() < 126);
        bytes.extend([0x81, 0x80 | text.len() as u8, 0, 0, 0, 0]); // masked with zeros
    }
    bytes.extend(text.as_bytes());
    stream.write_all(&bytes).await.unwrap();
}

async fn until(stream: &mut TcpStream, end: &[u8]) {
    let mut seen = Vec::new();
    let mut buffer = [0; 512];
    while !seen.ends_with(end) {
        let read = stream.read(&mut buffer).await.unwrap();
        assert!(read > 0, "the server closed: {}", String::from_utf8_lossy(&seen));
        seen.extend(&buffer[..read]);
    }
}

async fn log_in(address: SocketAddr, over: Over, connect: &str) -> TcpStream {
    let mut stream = open(address, over).await;
    say(&mut stream, over, connect).await;
    until(&mut stream, b"\0").await;
    stream
}

/// CPU per login in µs: many short connections, 64 at a time.
async fn cpu_of_logins(server: &ServerProcess, over: Over, count: usize) -> f64 {
    let address = if over == Over::Tcp { server.tcp } else { server.http.unwrap() };
    let places = Arc::new(Semaphore::new(64));
    let before = server.cpu();
    let mut tasks = JoinSet::new();
    for _ in 0..count {
        let place = places.clone().acquire_owned().await.unwrap();
        tasks.spawn(async move {
            let stream = log_in(address, over, CONNECT).await;
            stream.set_zero_linger().unwrap(); // leaves no port in TIME_WAIT
            drop((stream, place));
        });
        while tasks.try_join_next().is_some() {}
    }
    while tasks.join_next().await.is_some() {}
    sleep(Duration::from_millis(200)).await;
    (server.cpu() - before).as_secs_f64() * 1e6 / count as f64
}

async fn login() {
    let (plain, stomp) = (ServerProcess::plain("login"), ServerProcess::stomp(&[]));
    let (mut against_plain, mut against_tcp, mut costs) = (vec![], vec![], vec![]);
    for _ in 0..5 {
        let plain = cpu_of_logins(&plain, Over::Tcp, 3_000).await;
        let tcp = cpu_of_logins(&stomp, Over::Tcp, 3_000).await;
        let websocket = cpu_of_logins(&stomp, Over::WebSocket, 3_000).await;
        against_plain.push(tcp / plain);
        against_tcp.push(websocket / tcp);
        costs.push(tcp);
    }
    println!("login, server CPU, TCP against plain: {:.2} x", median(against_plain));
    println!("login, server CPU, WebSocket against TCP: {:.2} x", median(against_tcp));
    println!("login over TCP: {:.0} µs", median(costs));
}

/// Round-trip times of receipts of 50 healthy sessions, for so long; the 99th of 100.
async fn healthy(server: SocketAddr, time: Duration) -> f64 {
    let mut tasks = JoinSet::new();
    for n in 0..50 {
        tasks.spawn(async move {
            sleep(Duration::from_millis(2 * n)).await;
            let mut stream = log_in(server, Over::Tcp, CONNECT).await;
            let (mut times, end) = (Vec::new(), Instant::now() + time);
            while Instant::now() < end {
                let start = Instant::now();
                let send = "SEND\ndestination:/topic/x\nreceipt:1\n\nhello\0";
                say(&mut stream, Over::Tcp, send).await;
                until(&mut stream, b"\0").await;
                times.push(start.elapsed().as_secs_f64() * 1e3);
                sleep(Duration::from_millis(100)).await;
            }
            times
        });
    }
    let mut times = tasks.join_all().await.concat();
    times.sort_by(f64::total_cmp);
    times[times.len() * 99 / 100]
}

async fn slow_login() {
    let server = ServerProcess::stomp(&[]);
    let alone = healthy(server.tcp, Duration::from_secs(5)).await;
    let before = server.rss();
    let start = Instant::now();
    let mut strangers = JoinSet::new();
    for n in 0..5_000_u64 {
        let address = server.tcp;
        strangers.spawn(async move {
            sleep(Duration::from_micros(100 * n)).await;
            let opened = Instant::now();
            let mut stream = open(address, Over::Tcp).await;
            let mut beat = interval(Duration::from_secs(1));
            let mut buffer = [0; 512];
            for byte in CONNECT.bytes().cycle() {
                tokio::select! {
                    _ = beat.tick() => { let _ = stream.write_all(&[byte]).await; }
                    read = stream.read(&mut buffer) => match read {
                        Ok(1..) => {}
                        Ok(0) | Err(_) => break,
                    }
                }
            }
            opened.elapsed().as_secs_f64()
        });
    }
    let neighbours = healthy(server.tcp, Duration::from_secs(9));
    let peak = async {
        let mut peak = 0;
        while start.elapsed() < Duration::from_secs(11) {
            peak = server.rss().max(peak);
            sleep(Duration::from_millis(100)).await;
        }
        peak
    };
    let (beside, peak) = tokio::join!(neighbours, peak);
    let mut gone = strangers.join_all().await;
    gone.sort_by(f64::total_cmp);
    let grown = (peak.saturating_sub(before)) as f64 / f64::from(1 << 20);
    println!("5,000 logins at a byte a second: RSS + {grown:.0} MiB");
    println!("  gone after {:.1} to {:.1} s", gone[0], gone[gone.len() - 1]);
    println!(
        "  p99 of 50 neighbours: {alone:.2} ms alone, {beside:.2} ms beside: {:.2} x",
        beside / alone
    );
}

/// Opens connections, so many at a time as a listener's backlog takes.
async fn hold(
    server: &ServerProcess,
    over: Over,
    count: usize,
    says: Option<&str>,
) -> Vec<TcpStream> {
    let address = if over == Over::Tcp { server.tcp } else { server.http.unwrap() };
    let mut held = Vec::with_capacity(count);
    for _ in 0..count {
        let mut stream = match says {
            Some(connect) => log_in(address, over, connect).await,
            None => open(address, over).await,
        };
        if says.is_some() {
            say(&mut stream, over, SUBSCRIBE).await;
            until(&mut stream, b"\0").await;
        }
        held.push(stream);
    }
    held
}

async fn memory() {
    const COUNT: usize = 5_000;
    for (what, over, says) in [
        ("before login, TCP", Over::Tcp, None),
        ("one subscription, TCP", Over::Tcp, Some(CONNECT)),
        ("one subscription, WebSocket", Over::WebSocket, Some(CONNECT)),
    ] {
        let server = ServerProcess::stomp(&["--connect-timeout", "10m"]);
        drop(hold(&server, over, 100, says).await);
        sleep(Duration::from_secs(2)).await;
        let before = server.rss();
        let held = hold(&server, over, COUNT, says).await;
        sleep(Duration::from_secs(2)).await;
        let each = server.rss().saturating_sub(before) as f64 / COUNT as f64 / 1024.0;
        println!("idle connection, {what}: {each:.1} KiB");
        drop(held);
    }
}

async fn idle_cpu() {
    const COUNT: usize = 10_000;
    const TIME: Duration = Duration::from_secs(30);
    let beating = "CONNECT\naccept-version:1.2\nheart-beat:10000,10000\nhost:bench\n\n\0";
    for (what, connect, beats) in
        [("no heart-beats", CONNECT, false), ("10 s both ways", beating, true)]
    {
        let server = ServerProcess::stomp(&[]);
        let mut held = JoinSet::new();
        let address = server.tcp;
        for n in 0..COUNT as u64 {
            let mut stream = log_in(address, Over::Tcp, connect).await;
            say(&mut stream, Over::Tcp, SUBSCRIBE).await;
            until(&mut stream, b"\0").await;
            held.spawn(async move {
                sleep(Duration::from_millis(n % 10_000)).await;
                let mut beat = interval(Duration::from_secs(10));
                let mut buffer = [0; 64];
                loop {
                    tokio::select! {
                        _ = beat.tick(), if beats => stream.write_all(b"\n").await.unwrap(),
                        read = stream.read(&mut buffer) => assert!(read.unwrap() > 0, "closed"),
                    }
                }
            });
        }
        sleep(Duration::from_secs(5)).await;
        let before = server.cpu();
        sleep(TIME).await;
        let share = (server.cpu() - before).as_secs_f64() / TIME.as_secs_f64() * 100.0;
        println!("10,000 idle connections, {what}: {share:.2} % of a core");
        held.abort_all();
    }
}
