//! How much does a delivery cost, from a publisher's socket to a subscriber's?
//!
//! Asked of the server's CPU: deliveries per second of it, in a closed loop, against a plain
//! tokio fan-out that checks nothing, in the same interleaved run. Fan-out is what a chat
//! server does all day, so this ratio is its electricity bill.
//!
//! `cargo build --release -p stomp-server && cargo bench -p benches --bench end_to_end -- QUESTION`
//! with `fanout`, `rooms`, `receipts`, or nothing for all of them.
#![allow(clippy::unwrap_used, reason = "a bench that cannot go on should stop")]

use std::sync::Arc;

use benches::{
    plain,
    process::{ServerProcess, median},
    wire::{Arrivals, Speech, message, open, publisher, subscriber},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    task::JoinSet,
};

/// Messages that a publisher has under way.
const WINDOW: usize = 64;
const ROUNDS: usize = 3;
/// Messages of 128 B that fill the server's ring of 64 MiB.
const RING: usize = 160_000;
/// Deliveries that a warm-up makes at most.
const WARM_UP: usize = 2_000_000;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    if std::env::var_os("PLAIN_SERVER").is_some() {
        return runtime.block_on(plain::serve());
    }
    let asked: Vec<String> =
        std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    let wants = |question: &str| asked.is_empty() || asked.iter().any(|asked| asked == question);
    runtime.block_on(async {
        if wants("fanout") {
            for (subscribers, body) in
                [(1, 128), (10, 128), (100, 128), (1_000, 128), (10, 1_024), (100, 1_024)]
            {
                let messages = (1_000_000_usize / (subscribers + 4)).next_multiple_of(WINDOW);
                fan_out(subscribers, body, messages).await;
            }
        }
        if wants("rooms") {
            rooms().await;
        }
        if wants("receipts") {
            receipts().await;
        }
    });
}

/// Deliveries per second of the server's CPU, in thousands.
async fn deliveries(
    server: &ServerProcess,
    speech: Speech,
    rooms: &[String],
    each: usize,
    body: usize,
    messages: usize,
) -> f64 {
    let arrivals = Arc::new(Arrivals::default());
    let address = if speech == Speech::WebSocket { server.http.unwrap() } else { server.tcp };
    let mut ready = JoinSet::new();
    for room in rooms.iter().flat_map(|room| std::iter::repeat_n(room.clone(), each)) {
        let arrivals = arrivals.clone();
        ready.spawn(async move { subscriber(address, speech, &room, arrivals).await });
    }
    ready.join_all().await;
    let mut publisher = publisher(server.tcp, speech).await;
    let body = "x".repeat(body);
    let texts: Vec<Vec<u8>> =
        rooms.iter().map(|room| message(speech.over_tcp(), room, &body)).collect();
    let window: Vec<u8> = (0..WINDOW).flat_map(|n| texts[n % texts.len()].clone()).collect();
    let mut wanted = 0;
    let mut before = server.cpu();
    // Where that takes no more than some seconds, the ring is full: what is measured afterwards is
    // not the kernel that clears new memory.
    let warm_up = RING.min(WARM_UP / each) / WINDOW + 1;
    for round in 0..messages / WINDOW + warm_up {
        if round == warm_up {
            before = server.cpu();
        }
        publisher.write_all(&window).await.unwrap();
        wanted += WINDOW * each;
        arrivals.until(wanted).await;
    }
    (messages * each) as f64 / (server.cpu() - before).as_secs_f64() / 1e3
}

async fn fan_out(subscribers: usize, body: usize, messages: usize) {
    let room = ["room".to_owned()];
    let what = format!("fan-out to {subscribers}, {body} B");
    compare(&what, &room, subscribers, body, messages).await;
}

async fn rooms() {
    let rooms: Vec<String> = (0..200).map(|n| format!("room{n}")).collect();
    compare("200 rooms of 10, 128 B", &rooms, 10, 128, 32_000).await;
}

async fn compare(what: &str, rooms: &[String], each: usize, body: usize, messages: usize) {
    let (mut ratios, mut websockets, mut rates) = (vec![], vec![], vec![]);
    for _ in 0..ROUNDS {
        let (plain, stomp) = (ServerProcess::plain("fanout"), ServerProcess::stomp(&[]));
        let plain = deliveries(&plain, Speech::Plain, rooms, each, body, messages).await;
        let tcp = deliveries(&stomp, Speech::Stomp, rooms, each, body, messages).await;
        let stomp = ServerProcess::stomp(&[]);
        let websocket = deliveries(&stomp, Speech::WebSocket, rooms, each, body, messages).await;
        ratios.push(tcp / plain);
        websockets.push(websocket / tcp);
        rates.push(tcp);
    }
    println!(
        "{what}: {:.0} k deliveries per CPU-second, {:.2} x plain tokio; WebSocket {:.2} x TCP",
        median(rates),
        median(ratios),
        median(websockets)
    );
}

/// Receipts per second of the server's CPU: one publisher, a window of 64, nobody listens.
async fn receipts() {
    let mut rates = vec![];
    for _ in 0..ROUNDS {
        let server = ServerProcess::stomp(&[]);
        let mut stream = open(server.tcp, Speech::Stomp).await;
        let send = "SEND\ndestination:/topic/r\nreceipt:1\n\nhello\0".repeat(WINDOW);
        let mut buffer = vec![0; 64 * 1024];
        let before = server.cpu();
        const COUNT: usize = 200_000;
        for _ in 0..COUNT / WINDOW {
            stream.write_all(send.as_bytes()).await.unwrap();
            let mut seen = 0;
            while seen < WINDOW {
                let read = stream.read(&mut buffer).await.unwrap();
                seen += memchr::memchr_iter(0, &buffer[..read]).count();
            }
        }
        rates.push(COUNT as f64 / (server.cpu() - before).as_secs_f64() / 1e3);
    }
    println!("receipts in memory, window 64: {:.0} k per CPU-second", median(rates));
}
