//! How much work does a message make for us, for NATS and for RabbitMQ?
//!
//! Asked of the server's CPU, turn by turn in one run: deliveries of 128 octets to 10 and 100
//! subscribers, and messages of a queue that are acknowledged one by one. RabbitMQ is spoken to by
//! the same client as we are, over STOMP; NATS in its own text protocol, without acknowledgements.
//!
//! ```sh
//! scripts/peers.sh install && export $(scripts/peers.sh start)
//! cargo build --release -p stomp-server && cargo bench -p benches --bench peers -- QUESTION
//! scripts/peers.sh stop
//! ```
//! with `fanout`, `queue`, or nothing for both.
#![allow(clippy::unwrap_used, reason = "a bench that cannot go on should stop")]

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use benches::{
    process::{ServerProcess, median},
    wire::{Arrivals, Speech, message, open, publisher, say, subscriber, until},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    task::JoinSet,
};

/// Messages under way.
const WINDOW: usize = 64;
const ROUNDS: usize = 3;
/// How long one side is measured in a round.
const TURN: Duration = Duration::from_secs(4);

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let asked: Vec<String> =
        std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    let wants = |question: &str| asked.is_empty() || asked.iter().any(|asked| asked == question);
    runtime.block_on(async {
        if wants("fanout") {
            for subscribers in [10, 100] {
                fan_out(subscribers).await;
            }
        }
        if wants("queue") {
            for consumers in [1, 4] {
                queue(consumers).await;
            }
        }
    });
}

/// A peer that `scripts/peers.sh start` has told of.
fn peer(name: &str) -> ServerProcess {
    let told = |name: &str| {
        std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set; see the top of peers.rs"))
    };
    let address: SocketAddr = told(name).parse().expect("an address");
    ServerProcess::running(told(&format!("{name}_PID")).parse().expect("a process id"), address)
}

async fn fan_out(subscribers: usize) {
    let (mut ours, mut nats, mut rabbit) = (vec![], vec![], vec![]);
    for round in 0..ROUNDS {
        let room = format!("room{subscribers}{}", ["a", "b", "c"][round % 3]);
        let stomp = ServerProcess::stomp(&[]);
        ours.push(deliveries(&stomp, Speech::Stomp, &room, subscribers).await);
        nats.push(deliveries(&peer("NATS"), Speech::Nats, &room, subscribers).await);
        rabbit.push(deliveries(&peer("RABBITMQ"), Speech::Rabbit, &room, subscribers).await);
    }
    let times = |other: &[f64]| median(ours.iter().zip(other).map(|(a, b)| a / b).collect());
    let (to_nats, to_rabbit) = (times(&nats), times(&rabbit));
    println!(
        "fan-out to {subscribers}, 128 B: {:.0} k deliveries per CPU-second; NATS {:.0} k ({to_nats:.2} x), \
         RabbitMQ {:.1} k ({to_rabbit:.1} x)",
        median(ours) / 1e3,
        median(nats) / 1e3,
        median(rabbit) / 1e3
    );
}

/// Deliveries per second of the server's CPU, closed loop.
async fn deliveries(server: &ServerProcess, speech: Speech, room: &str, each: usize) -> f64 {
    let arrivals = Arc::new(Arrivals::default());
    let mut ready = JoinSet::new();
    for _ in 0..each {
        let (arrivals, room, address) = (arrivals.clone(), room.to_owned(), server.tcp);
        ready.spawn(async move { subscriber(address, speech, &room, arrivals).await });
    }
    ready.join_all().await;
    let mut publisher = publisher(server.tcp, speech).await;
    let window = message(speech, room, &"x".repeat(128)).repeat(WINDOW);
    let mut wanted = 0;
    let (mut before, mut counted, begun) = (server.cpu(), 0, Instant::now());
    let mut warm = false;
    while begun.elapsed() < TURN {
        if !warm && begun.elapsed() > TURN / 8 {
            (warm, before, counted) = (true, server.cpu(), wanted);
        }
        publisher.write_all(&window).await.unwrap();
        wanted += WINDOW * each;
        arrivals.until(wanted).await;
    }
    (wanted - counted) as f64 / (server.cpu() - before).as_secs_f64()
}

async fn queue(consumers: usize) {
    let (mut ours, mut rabbit) = (vec![], vec![]);
    for round in 0..ROUNDS {
        let name = format!("queue{consumers}{round}");
        let stomp = ServerProcess::stomp(&[]);
        ours.push(acknowledged(&stomp, Speech::Stomp, &name, consumers).await);
        rabbit.push(acknowledged(&peer("RABBITMQ"), Speech::Rabbit, &name, consumers).await);
    }
    let ratio = median(ours.iter().zip(&rabbit).map(|(a, b)| a / b).collect());
    println!(
        "queue, individual acks, {consumers} consumers: {:.0} k acknowledged per CPU-second; \
         RabbitMQ {:.1} k ({ratio:.1} x)",
        median(ours) / 1e3,
        median(rabbit) / 1e3
    );
}

/// Messages of a queue that were acknowledged, per second of the server's CPU.
async fn acknowledged(server: &ServerProcess, speech: Speech, name: &str, consumers: usize) -> f64 {
    let arrivals = Arc::new(Arrivals::default());
    for _ in 0..consumers {
        consumer(server.tcp, speech, name, arrivals.clone()).await;
    }
    let mut publisher = open(server.tcp, speech).await;
    let body = "x".repeat(128);
    let text = format!("SEND\ndestination:/queue/{name}\ncontent-length:128\n\n{body}\0");
    let window = text.repeat(WINDOW);
    let mut wanted = 0;
    let (mut before, mut counted, begun) = (server.cpu(), 0, Instant::now());
    let mut warm = false;
    while begun.elapsed() < TURN {
        if !warm && begun.elapsed() > TURN / 8 {
            (warm, before, counted) = (true, server.cpu(), wanted);
        }
        publisher.write_all(window.as_bytes()).await.unwrap();
        wanted += WINDOW;
        arrivals.until(wanted).await;
    }
    (wanted - counted) as f64 / (server.cpu() - before).as_secs_f64()
}

/// Acknowledges everything, message by message; what came in one read in one write.
async fn consumer(address: SocketAddr, speech: Speech, name: &str, arrivals: Arc<Arrivals>) {
    let mut stream = open(address, speech).await;
    let text = format!(
        "SUBSCRIBE\nid:0\ndestination:/queue/{name}\nack:client-individual\n\
         prefetch-count:64\nreceipt:s\n\n\0"
    );
    say(&mut stream, speech, &text).await;
    until(&mut stream, b"\0").await;
    tokio::spawn(async move {
        let (mut buffer, mut input) = (vec![0; 64 * 1024], Vec::new());
        let mut acks = Vec::new();
        while let Ok(read @ 1..) = stream.read(&mut buffer).await {
            input.extend_from_slice(&buffer[..read]);
            let Some(last) = memchr::memrchr(0, &input) else { continue };
            acks.clear();
            let mut count = 0;
            for frame in input[..last].split(|octet| *octet == 0) {
                let Some(at) = memchr::memmem::find(frame, b"\nack:") else { continue };
                let id = frame[at + 5..].split(|octet| *octet == b'\n').next().unwrap_or_default();
                acks.extend_from_slice(b"ACK\nid:");
                acks.extend_from_slice(id);
                acks.extend_from_slice(b"\n\n\0");
                count += 1;
            }
            input.drain(..=last);
            if stream.write_all(&acks).await.is_err() {
                return;
            }
            arrivals.add(count);
        }
    });
}
