//! How much does a delivery cost, from a publisher's socket to a subscriber's?
//!
//! Asked of the server's CPU: deliveries per second of it, in a closed loop, against a plain
//! tokio fan-out that checks nothing, in the same interleaved run. Fan-out is what a chat
//! server does all day, so this ratio is its electricity bill.
//!
//! `cargo build --release -p stomp-server && cargo bench -p benches --bench end_to_end -- QUESTION`
//! with `fanout`, `rooms`, `receipts`, or nothing for all of them.
#![allow(clippy::unwrap_used, reason = "a bench that cannot go on should stop")]

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use benches::process::{ServerProcess, median};
use bytes::{Bytes, BytesMut};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{Notify, mpsc},
    task::JoinSet,
};

/// Messages that a publisher has under way.
const WINDOW: usize = 64;
const ROUNDS: usize = 3;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    if std::env::var_os("PLAIN_SERVER").is_some() {
        return runtime.block_on(plain_server());
    }
    let asked: Vec<String> =
        std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    let wants = |question: &str| asked.is_empty() || asked.iter().any(|asked| asked == question);
    runtime.block_on(async {
        if wants("fanout") {
            for (subscribers, body) in
                [(1, 128), (10, 128), (100, 128), (1_000, 128), (10, 1_024), (100, 1_024)]
            {
                let messages = (400_000_usize / (subscribers + 4)).next_multiple_of(WINDOW);
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

/// What is spoken with a server.
#[derive(Clone, Copy, PartialEq)]
enum Speech {
    Stomp,
    /// STOMP in WebSocket messages, masked with zeros.
    WebSocket,
    /// A line `room body`, passed on as it is.
    Plain,
}

/// The plain fan-out: a subscriber says `S room⏎`, a publisher `P⏎` and then lines
/// `room body⏎`, each of which goes to the room's subscribers. A queue and a writer for each
/// subscriber, one write for all that waits, nothing checked, nothing bounded.
async fn plain_server() {
    type Rooms =
        std::sync::RwLock<std::collections::HashMap<Bytes, Vec<mpsc::UnboundedSender<Bytes>>>>;
    let rooms: Arc<Rooms> = Arc::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("plain tcp://{}\nlogin", listener.local_addr().unwrap());
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        let rooms = rooms.clone();
        tokio::spawn(async move {
            let mut input = BytesMut::with_capacity(64 * 1024);
            let hello = line(&mut stream, &mut input).await.unwrap();
            if hello.starts_with(b"S ") {
                let (sender, mut receiver) = mpsc::unbounded_channel::<Bytes>();
                let room = hello.slice(2..hello.len() - 1);
                rooms.write().unwrap().entry(room).or_default().push(sender);
                stream.write_all(b"ok\n").await.unwrap();
                let (mut waiting, mut out) = (Vec::new(), BytesMut::new());
                while receiver.recv_many(&mut waiting, 1_024).await > 0 {
                    out.clear();
                    waiting.drain(..).for_each(|message| out.extend_from_slice(&message));
                    if stream.write_all(&out).await.is_err() {
                        return;
                    }
                }
            } else {
                while let Some(message) = line(&mut stream, &mut input).await {
                    let space = message.iter().position(|octet| *octet == b' ').unwrap();
                    if let Some(room) = rooms.read().unwrap().get(&message[..space]) {
                        for subscriber in room {
                            let _ = subscriber.send(message.clone());
                        }
                    }
                }
            }
        });
    }
}

async fn line(stream: &mut TcpStream, input: &mut BytesMut) -> Option<Bytes> {
    let mut seen = 0;
    loop {
        if let Some(at) = input[seen..].iter().position(|octet| *octet == b'\n') {
            return Some(input.split_to(seen + at + 1).freeze());
        }
        seen = input.len();
        if stream.read_buf(input).await.ok()? == 0 {
            return None;
        }
    }
}

/// Counts what has arrived, and tells when everybody has what was sent.
#[derive(Default)]
struct Arrivals {
    total: AtomicUsize,
    wanted: AtomicUsize,
    there: Notify,
}

impl Arrivals {
    fn add(&self, count: usize) {
        let total = self.total.fetch_add(count, Ordering::AcqRel) + count;
        if total >= self.wanted.load(Ordering::Acquire) {
            self.there.notify_one();
        }
    }

    async fn until(&self, wanted: usize) {
        self.wanted.store(wanted, Ordering::Release);
        while self.total.load(Ordering::Acquire) < wanted {
            let arrived =
                tokio::time::timeout(Duration::from_secs(20), self.there.notified()).await;
            assert!(arrived.is_ok(), "{} of {wanted} arrived", self.total.load(Ordering::Acquire));
        }
    }
}

async fn subscriber(address: SocketAddr, speech: Speech, room: &str, arrivals: Arc<Arrivals>) {
    let mut stream = open(address, speech).await;
    let end = match speech {
        Speech::Plain => {
            stream.write_all(format!("S {room}\n").as_bytes()).await.unwrap();
            until(&mut stream, b"\n").await;
            b'\n'
        }
        Speech::Stomp | Speech::WebSocket => {
            let text = format!("SUBSCRIBE\nid:0\ndestination:/topic/{room}\nreceipt:s\n\n\0");
            say(&mut stream, speech, &text).await;
            until(&mut stream, b"\0").await;
            0
        }
    };
    tokio::spawn(async move {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(read @ 1..) = stream.read(&mut buffer).await {
            let ends = memchr::memchr_iter(end, &buffer[..read]).count();
            if ends > 0 {
                arrivals.add(ends);
            }
        }
    });
}

async fn open(address: SocketAddr, speech: Speech) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    if speech == Speech::WebSocket {
        let upgrade = "GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n\
            Upgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
            Sec-WebSocket-Version: 13\r\n\r\n";
        stream.write_all(upgrade.as_bytes()).await.unwrap();
        until(&mut stream, b"\r\n\r\n").await;
    }
    if speech != Speech::Plain {
        say(&mut stream, speech, "CONNECT\naccept-version:1.2\nhost:bench\n\n\0").await;
        until(&mut stream, b"\0").await;
    }
    stream
}

async fn say(stream: &mut TcpStream, speech: Speech, text: &str) {
    let mut bytes = Vec::with_capacity(text.len() + 8);
    if speech == Speech::WebSocket {
        assert!(text.len() < 126, "a short message");
        bytes.extend([0x81, 0x80 | text.len() as u8, 0, 0, 0, 0]);
    }
    bytes.extend(text.as_bytes());
    stream.write_all(&bytes).await.unwrap();
}

async fn until(stream: &mut TcpStream, end: &[u8]) {
    let mut seen = Vec::new();
    let mut buffer = [0; 512];
    while !seen.ends_with(end) {
        let read = stream.read(&mut buffer).await.unwrap();
        assert!(read > 0, "closed: {}", String::from_utf8_lossy(&seen));
        seen.extend(&buffer[..read]);
    }
}

/// Publishers over TCP, whatever the subscribers speak.
fn message(speech: Speech, room: &str, body: usize) -> Vec<u8> {
    let body = "x".repeat(body);
    match speech {
        Speech::Plain => format!("{room} {body}\n").into_bytes(),
        _ => format!("SEND\ndestination:/topic/{room}\ncontent-length:{}\n\n{body}\0", body.len())
            .into_bytes(),
    }
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
    let tcp = if speech == Speech::Plain { Speech::Plain } else { Speech::Stomp };
    let mut publisher = open(server.tcp, tcp).await;
    if speech == Speech::Plain {
        publisher.write_all(b"P\n").await.unwrap();
    }
    let texts: Vec<Vec<u8>> = rooms.iter().map(|room| message(tcp, room, body)).collect();
    let window: Vec<u8> = (0..WINDOW).flat_map(|n| texts[n % texts.len()].clone()).collect();
    let mut wanted = 0;
    let mut before = server.cpu();
    let warm_up = messages / WINDOW / 10 + 1;
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
