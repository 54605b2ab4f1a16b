//! What does a subscriber feel at a steady rate, and who pays when a neighbour misbehaves?
//!
//! Open loop: messages leave at their time, whatever has arrived. Asked of the server's CPU for
//! each delivery and of the time from the publisher's socket to the subscriber's, against the
//! plain tokio fan-out in the same interleaved run. Then the same for the neighbours of a reader
//! that has stopped reading, and of one that catches up with 100,000 kept messages.
//!
//! `cargo build --release -p stomp-server && cargo bench -p benches --bench steady -- QUESTION`
//! with `open`, `rooms`, `stalled`, `replay`, or nothing for all of them.
#![allow(clippy::unwrap_used, reason = "a bench that cannot go on should stop")]

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use benches::{
    plain,
    process::{ServerProcess, median},
    wire::{Speech, message, publisher, say, subscribe, until},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::{JoinHandle, JoinSet},
    time::{MissedTickBehavior, interval, sleep, timeout},
};

const ROUNDS: usize = 3;
const RUN: Duration = Duration::from_secs(5);

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    if std::env::var_os("PLAIN_SERVER").is_some() {
        return runtime.block_on(plain::serve());
    }
    let asked: Vec<String> =
        std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    let wants = |question: &str| asked.is_empty() || asked.iter().any(|asked| asked == question);
    runtime.block_on(async {
        if wants("open") {
            compare("1 room of 10, 5,000 deliveries/s", 1, 10).await;
        }
        if wants("rooms") {
            compare("200 rooms of 10, 5,000 deliveries/s", 200, 10).await;
        }
        if wants("stalled") {
            stalled().await;
        }
        if wants("replay") {
            replay().await;
        }
    });
}

/// Times from a publisher's write to a subscriber's read, in microseconds.
#[derive(Clone, Default)]
struct Times(Arc<Mutex<Vec<f64>>>);

impl Times {
    fn take(&self) -> Felt {
        let mut times = std::mem::take(&mut *self.0.lock().unwrap());
        times.sort_by(f64::total_cmp);
        let at = |share: f64| times.get((times.len() as f64 * share) as usize).copied();
        let (p50, p99) = (at(0.5).unwrap_or(f64::NAN), at(0.99).unwrap_or(f64::NAN));
        Felt { count: times.len(), p50, p99 }
    }
}

struct Felt {
    count: usize,
    p50: f64,
    p99: f64,
}

/// A body that says when it left; `size` octets.
fn stamped(start: Instant, size: usize) -> String {
    let stamp = format!("t={:016x}", start.elapsed().as_nanos());
    format!("{stamp}{}", "x".repeat(size - stamp.len()))
}

/// Notes how long every message took, as long as the connection lives.
fn listen(mut stream: TcpStream, speech: Speech, start: Instant, times: Times) -> JoinHandle<()> {
    let end = if speech == Speech::Plain { b'\n' } else { 0 };
    tokio::spawn(async move {
        let (mut buffer, mut input) = (vec![0; 64 * 1024], Vec::new());
        while let Ok(read @ 1..) = stream.read(&mut buffer).await {
            let now = start.elapsed().as_nanos() as f64;
            input.extend_from_slice(&buffer[..read]);
            let Some(last) = memchr::memrchr(end, &input) else { continue };
            let left = input[..last].split(|octet| *octet == end).filter_map(left_at);
            times.0.lock().unwrap().extend(left.map(|left| (now - left) / 1e3));
            input.drain(..=last);
        }
    })
}

fn left_at(frame: &[u8]) -> Option<f64> {
    let at = memchr::memmem::find(frame, b"t=")?;
    let digits = std::str::from_utf8(frame.get(at + 2..at + 18)?).ok()?;
    u64::from_str_radix(digits, 16).ok().map(|nanos| nanos as f64)
}

/// Listeners in rooms, and a publisher that goes round them.
struct Crowd {
    start: Instant,
    times: Times,
    publisher: TcpStream,
    speech: Speech,
    rooms: Vec<String>,
    each: usize,
    next: usize,
}

impl Crowd {
    async fn gather(address: SocketAddr, speech: Speech, rooms: usize, each: usize) -> Self {
        let (start, times) = (Instant::now(), Times::default());
        let rooms: Vec<String> = (0..rooms).map(|n| format!("room{n}")).collect();
        let mut ready = JoinSet::new();
        for room in rooms.iter().flat_map(|room| std::iter::repeat_n(room.clone(), each)) {
            ready.spawn(async move { subscribe(address, speech, &room).await });
        }
        for stream in ready.join_all().await {
            listen(stream, speech, start, times.clone());
        }
        let publisher = publisher(address, speech).await;
        Self { start, times, publisher, speech, rooms, each, next: 0 }
    }

    /// Publishes `a_second` messages a second for a while, and tells what was felt.
    async fn run(&mut self, a_second: u32, body: usize, time: Duration) -> Felt {
        self.times.take();
        let mut tick = interval(Duration::from_secs(1) / a_second);
        tick.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let messages = (time.as_secs_f64() * f64::from(a_second)) as usize;
        for _ in 0..messages {
            tick.tick().await;
            let room = &self.rooms[self.next % self.rooms.len()];
            self.next += 1;
            let text = message(self.speech, room, &stamped(self.start, body));
            self.publisher.write_all(&text).await.unwrap();
        }
        sleep(Duration::from_millis(500)).await;
        let felt = self.times.take();
        assert_eq!(felt.count, messages * self.each, "each message to each listener, once");
        felt
    }
}

async fn compare(what: &str, rooms: usize, each: usize) {
    let a_second = (5_000 / each) as u32;
    let (mut cpu, mut p50, mut p99, mut ours, mut own) = (vec![], vec![], vec![], vec![], vec![]);
    for _ in 0..ROUNDS {
        let mut sides = Vec::new();
        for speech in [Speech::Plain, Speech::Stomp] {
            let server = match speech {
                Speech::Plain => ServerProcess::plain("steady"),
                _ => ServerProcess::stomp(&[]),
            };
            let mut crowd = Crowd::gather(server.tcp, speech, rooms, each).await;
            crowd.run(a_second, 128, Duration::from_secs(1)).await;
            let before = server.cpu();
            let felt = crowd.run(a_second, 128, RUN).await;
            let each_cpu = (server.cpu() - before).as_secs_f64() * 1e6 / felt.count as f64;
            sides.push((each_cpu, felt));
        }
        let [(plain_cpu, plain), (stomp_cpu, stomp)] = &sides[..] else { unreachable!() };
        cpu.push(stomp_cpu / plain_cpu);
        p50.push(stomp.p50 / plain.p50);
        p99.push(stomp.p99 / plain.p99);
        ours.push(*stomp_cpu);
        own.push(stomp.p99);
    }
    println!(
        "{what}: {:.1} us of CPU a delivery, {:.2} x plain tokio; p50 {:.2} x, p99 {:.2} x ({:.0} us)",
        median(ours),
        median(cpu),
        median(p50),
        median(p99),
        median(own)
    );
}

/// One of a hundred stops reading; 200 messages of 8 KiB a second.
async fn stalled() {
    let (mut rates, mut p99, mut grown, mut gone) = (vec![], vec![], vec![], vec![]);
    for _ in 0..ROUNDS {
        // A small ring, full before the reader stalls: what grows then is what waits for that one.
        let server = ServerProcess::stomp(&["--ring", "4MiB"]);
        let mut crowd = Crowd::gather(server.tcp, Speech::Stomp, 1, 99).await;
        let alone = crowd.run(200, 8 * 1024, Duration::from_secs(4)).await;
        let before = server.rss();
        let reader = subscribe(server.tcp, Speech::Stomp, "room0").await;
        let begun = Instant::now();
        let fate = tokio::spawn(dropped(server.http.unwrap(), begun));
        let beside = crowd.run(200, 8 * 1024, Duration::from_secs(12)).await;
        let fate = timeout(Duration::from_secs(20), fate).await.expect("it is dropped").unwrap();
        drop(reader);
        rates.push(beside.count as f64 / 12.0 / (alone.count as f64 / 4.0));
        p99.push(beside.p99 / alone.p99);
        grown.push((server.peak().saturating_sub(before)) as f64 / f64::from(1 << 20));
        gone.push(fate);
    }
    println!(
        "a stalled reader among 100: others' rate {:.3} x, p99 {:.2} x; memory + {:.1} MiB at most; \
         dropped {:.1} s after it stopped",
        median(rates),
        median(p99),
        median(grown),
        median(gone)
    );
}

/// Seconds until the server has counted a slow consumer.
async fn dropped(http: SocketAddr, begun: Instant) -> f64 {
    loop {
        let mut stream = TcpStream::connect(http).await.unwrap();
        let request = "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let slow = answer.lines().find_map(|line| line.strip_prefix("stomp_slow_consumers_total "));
        if slow.is_some_and(|count| count != "0") {
            return begun.elapsed().as_secs_f64();
        }
        sleep(Duration::from_millis(100)).await;
    }
}

/// 100,000 kept messages for one who comes back, while others talk.
async fn replay() {
    const KEPT: usize = 100_000;
    let (mut p99, mut grown, mut took) = (vec![], vec![], vec![]);
    for _ in 0..ROUNDS {
        let server = ServerProcess::stomp(&[]);
        let from = first_place(server.tcp).await;
        fill(server.tcp, KEPT).await;
        let mut crowd = Crowd::gather(server.tcp, Speech::Stomp, 1, 10).await;
        crowd.run(500, 128, Duration::from_secs(1)).await;
        let alone = crowd.run(500, 128, RUN).await;
        let before = server.rss();
        let begun = Instant::now();
        let returns = tokio::spawn(resume(server.tcp, from, KEPT));
        let beside = crowd.run(500, 128, RUN).await;
        let done = returns.await.unwrap();
        took.push((done - begun).as_secs_f64());
        p99.push(beside.p99 / alone.p99);
        grown.push((server.peak().saturating_sub(before)) as f64 / f64::from(1 << 20));
    }
    println!(
        "replay of {KEPT} in {:.2} s beside live traffic: live p99 {:.2} x; memory + {:.1} MiB",
        median(took),
        median(p99),
        median(grown)
    );
}

/// The place from which everything that is kept is replayed.
async fn first_place(address: SocketAddr) -> String {
    let mut stream = benches::wire::open(address, Speech::Stomp).await;
    let text = "SUBSCRIBE\nid:0\ndestination:/topic/kept\nfrom:next\nreceipt:s\n\n\0";
    say(&mut stream, Speech::Stomp, text).await;
    let receipt = String::from_utf8(until(&mut stream, b"\0").await).unwrap();
    let place = receipt.lines().find_map(|line| line.strip_prefix("position:"));
    place.expect("a position").to_owned()
}

async fn fill(address: SocketAddr, messages: usize) {
    let mut publisher = publisher(address, Speech::Stomp).await;
    let text = message(Speech::Stomp, "kept", &"x".repeat(128)).repeat(100);
    for _ in 0..messages / 100 - 1 {
        publisher.write_all(&text).await.unwrap();
    }
    let last = message(Speech::Stomp, "kept", &"x".repeat(128)).repeat(99);
    publisher.write_all(&last).await.unwrap();
    let body = "SEND\ndestination:/topic/kept\nreceipt:last\n\nlast\0";
    say(&mut publisher, Speech::Stomp, body).await;
    until(&mut publisher, b"\0").await;
}

/// Comes back, and says when everything was there, in order and once.
async fn resume(address: SocketAddr, from: String, messages: usize) -> Instant {
    let mut stream = benches::wire::open(address, Speech::Stomp).await;
    let text = format!("SUBSCRIBE\nid:0\ndestination:/topic/kept\nfrom:{from}\nreceipt:s\n\n\0");
    say(&mut stream, Speech::Stomp, &text).await;
    let (mut buffer, mut input) = (vec![0; 64 * 1024], Vec::new());
    let (mut seen, mut last) = (0, String::new());
    while seen < messages {
        let read = timeout(Duration::from_secs(30), stream.read(&mut buffer)).await;
        let read = read.expect("the replay goes on").unwrap();
        assert!(read > 0, "the connection was closed after {seen}");
        input.extend_from_slice(&buffer[..read]);
        let Some(end) = memchr::memrchr(0, &input) else { continue };
        for frame in input[..end].split(|octet| *octet == 0) {
            let frame = String::from_utf8_lossy(frame);
            let frame = frame.trim_start_matches('\n');
            if frame.starts_with("RECEIPT") {
                assert!(frame.contains("recovered:true"), "{frame}");
                continue;
            }
            let place = frame.lines().find_map(|line| line.strip_prefix("position:")).unwrap();
            assert!(*place > *last, "{place} behind {last}");
            place.clone_into(&mut last);
            seen += 1;
        }
        input.drain(..=end);
    }
    Instant::now()
}
