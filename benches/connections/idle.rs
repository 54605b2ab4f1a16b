//! What does a connection hold that does nothing?

use std::time::Duration;

use benches::process::{ServerProcess, median};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
    time::{interval, sleep},
};

use crate::client::{CONNECT, Over, SUBSCRIBE, log_in, open, say, until};

const ROUNDS: usize = 3;
const HELD: usize = 5_000;
const IDLE: usize = 10_000;
/// How long the idle ones are watched: two of their heart-beats.
const TIME: Duration = Duration::from_secs(20);
const BEATING: &str = "CONNECT\naccept-version:1.2\nheart-beat:10000,10000\nhost:bench\n\n\0";

pub(crate) async fn memory() {
    let questions = [
        ("before login, TCP", Over::Tcp, None),
        ("one subscription, TCP", Over::Tcp, Some(CONNECT)),
        ("one subscription, WebSocket", Over::WebSocket, Some(CONNECT)),
    ];
    let mut figures = [const { Vec::new() }; 3];
    for _ in 0..ROUNDS {
        for ((_, over, says), figures) in questions.iter().zip(&mut figures) {
            figures.push(memory_of_each(*over, *says).await);
        }
    }
    for ((what, ..), figures) in questions.iter().zip(figures) {
        println!("idle connection, {what}: {:.1} KiB", median(figures));
    }
}

async fn memory_of_each(over: Over, says: Option<&str>) -> f64 {
    let server = ServerProcess::stomp(&["--connect-timeout", "10m"]);
    drop(hold(&server, over, 100, says).await);
    sleep(Duration::from_secs(2)).await;
    let before = server.rss();
    let held = hold(&server, over, HELD, says).await;
    sleep(Duration::from_secs(2)).await;
    let grown = server.rss().saturating_sub(before);
    drop(held);
    grown as f64 / HELD as f64 / 1024.0
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

pub(crate) async fn cpu() {
    let questions = [("no heart-beats", CONNECT, false), ("10 s both ways", BEATING, true)];
    let mut figures = [const { Vec::new() }; 2];
    for _ in 0..ROUNDS {
        for ((_, connect, beats), figures) in questions.iter().zip(&mut figures) {
            figures.push(cpu_of_all(connect, *beats).await);
        }
    }
    for ((what, ..), figures) in questions.iter().zip(figures) {
        println!("10,000 idle connections, {what}: {:.2} % of a core", median(figures));
    }
}

async fn cpu_of_all(connect: &str, beats: bool) -> f64 {
    let server = ServerProcess::stomp(&[]);
    let mut held = JoinSet::new();
    for n in 0..IDLE as u64 {
        let mut stream = log_in(server.tcp, Over::Tcp, connect).await;
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
    // Each of them had until now to log in; that this is over wakes it once more.
    sleep(Duration::from_secs(12)).await;
    let before = server.cpu();
    sleep(TIME).await;
    let share = (server.cpu() - before).as_secs_f64() / TIME.as_secs_f64() * 100.0;
    held.abort_all();
    share
}
