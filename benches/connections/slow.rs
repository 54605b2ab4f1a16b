//! What do 5,000 strangers who log in at a byte a second cost, and do neighbours notice?
//!
//! Three processes: the server, the strangers, and this one, which holds 50 healthy sessions and
//! times their receipts. The sessions go on while the strangers come and go, so that both answers
//! are of one run.

use std::{
    net::SocketAddr,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use benches::process::{ServerProcess, median};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    task::JoinSet,
    time::{MissedTickBehavior, interval, sleep, sleep_until},
};

use crate::client::{CONNECT, Over, log_in, open, say, until};

/// The variable that makes this program the strangers of a server.
pub(crate) const STRANGERS: &str = "STRANGERS_OF";

const MANY: u64 = 5_000;
/// All of them come within this time.
const ARRIVAL: Duration = Duration::from_secs(1);
/// How long a round is with and without them: till the last is gone.
const ALONE: Duration = Duration::from_secs(10);
const BESIDE: Duration = Duration::from_millis(11_500);
const ROUNDS: usize = 3;
const NEIGHBOURS: u64 = 50;

/// When a receipt was asked for, and the milliseconds until it came.
type Times = Arc<Mutex<Vec<(Instant, f64)>>>;

pub(crate) async fn ask() {
    let (mut grown, mut first, mut last) = (vec![], vec![], vec![]);
    let (mut alone, mut beside, mut ratios) = (vec![], vec![], vec![]);
    let mut phases = [const { Vec::new() }; 3];
    for _ in 0..ROUNDS {
        let server = ServerProcess::stomp(&[]);
        let times = Times::default();
        let mut neighbours = healthy(server.tcp, &times);
        sleep(Duration::from_secs(1)).await;
        let begun = Instant::now();
        sleep(ALONE).await;
        let (before, come) = (server.rss(), Instant::now());
        let mut strangers = start_strangers(server.tcp);
        let peak = peak(&server, come + BESIDE).await;
        let gone = Instant::now();
        neighbours.abort_all();
        while neighbours.join_next().await.is_some() {}
        let (shortest, longest) = told(&mut strangers);

        let times = times.lock().unwrap();
        let without = p99(&times, begun, come);
        let with = p99(&times, come, gone);
        alone.push(without);
        beside.push(with);
        ratios.push(with / without);
        let (all_here, going) = (come + ARRIVAL, come + Duration::from_secs(10));
        for (phase, (from, to)) in
            phases.iter_mut().zip([(come, all_here), (all_here, going), (going, gone)])
        {
            phase.push(p99(&times, from, to) / without);
        }
        grown.push(peak.saturating_sub(before) as f64 / f64::from(1 << 20));
        first.push(shortest);
        last.push(longest);
    }
    println!("5,000 logins at a byte a second: RSS + {:.0} MiB", median(grown));
    println!("  gone after {:.1} to {:.1} s", median(first), median(last));
    println!(
        "  p99 of 50 neighbours: {:.2} ms alone, {:.2} ms beside: {:.2} x",
        median(alone),
        median(beside),
        median(ratios)
    );
    let [coming, between, going] = phases.map(median);
    println!("  … while they come {coming:.2} x, then {between:.2} x, while they go {going:.2} x");
}

/// 50 sessions that ask for a receipt every 100 ms.
fn healthy(server: SocketAddr, times: &Times) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    for n in 0..NEIGHBOURS {
        let times = times.clone();
        tasks.spawn(async move {
            sleep(Duration::from_millis(2 * n)).await;
            let mut stream = log_in(server, Over::Tcp, CONNECT).await;
            loop {
                let start = Instant::now();
                let send = "SEND\ndestination:/topic/x\nreceipt:1\n\nhello\0";
                say(&mut stream, Over::Tcp, send).await;
                until(&mut stream, b"\0").await;
                let took = start.elapsed().as_secs_f64() * 1e3;
                times.lock().unwrap().push((start, took));
                sleep(Duration::from_millis(100)).await;
            }
        });
    }
    tasks
}

async fn peak(server: &ServerProcess, end: Instant) -> u64 {
    let mut peak = 0;
    while Instant::now() < end {
        peak = server.rss().max(peak);
        sleep(Duration::from_millis(100)).await;
    }
    peak
}

/// The 99th of 100 receipts that were asked for in this time.
fn p99(times: &[(Instant, f64)], from: Instant, to: Instant) -> f64 {
    let asked = times.iter().filter(|(at, _)| (from..to).contains(at));
    let mut asked: Vec<f64> = asked.map(|(_, took)| *took).collect();
    asked.sort_by(f64::total_cmp);
    asked[asked.len() * 99 / 100]
}

fn start_strangers(server: SocketAddr) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.env(STRANGERS, server.to_string()).stdout(Stdio::piped()).spawn().unwrap()
}

/// After how many seconds the first and the last of them was gone.
fn told(strangers: &mut Child) -> (f64, f64) {
    let mut said = String::new();
    std::io::Read::read_to_string(&mut strangers.stdout.take().unwrap(), &mut said).unwrap();
    assert!(strangers.wait().unwrap().success(), "{said}");
    let mut words = said.split_whitespace().map(|word| word.parse().unwrap());
    (words.next().unwrap(), words.next().unwrap())
}

/// The strangers' own process: says after how long the first and the last was closed.
pub(crate) async fn strangers(server: SocketAddr) {
    let (start, step) = (tokio::time::Instant::now(), ARRIVAL / MANY as u32);
    let mut strangers = JoinSet::new();
    for n in 0..MANY {
        strangers.spawn(async move {
            sleep_until(start + step * n as u32).await;
            let opened = Instant::now();
            let mut stream = open(server, Over::Tcp).await;
            let mut beat = interval(Duration::from_secs(1));
            beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
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
    let mut gone = strangers.join_all().await;
    gone.sort_by(f64::total_cmp);
    println!("{} {}", gone[0], gone[gone.len() - 1]);
}
