//! The client's side of a question, cheap enough not to be what is measured.

#![allow(clippy::unwrap_used, reason = "a bench that cannot go on should stop")]

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Notify,
};

/// What is spoken with a server.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Speech {
    /// STOMP over TCP.
    Stomp,
    /// STOMP in WebSocket messages, masked with zeros.
    WebSocket,
    /// A line `room body`, passed on as it is.
    Plain,
    /// STOMP as RabbitMQ's plugin wants it: with a login.
    Rabbit,
    /// The text protocol of NATS.
    Nats,
}

impl Speech {
    /// An octet that each delivery has exactly once, as long as bodies and rooms are in lower case.
    fn mark(self) -> u8 {
        match self {
            Self::Plain => b'\n',
            Self::Nats => b'M',
            Self::Stomp | Self::WebSocket | Self::Rabbit => 0,
        }
    }
}

/// Counts what has arrived, and tells when everybody has what was sent.
#[derive(Default)]
pub struct Arrivals {
    total: AtomicUsize,
    wanted: AtomicUsize,
    there: Notify,
}

impl Arrivals {
    /// So many more are there.
    pub fn add(&self, count: usize) {
        let total = self.total.fetch_add(count, Ordering::AcqRel) + count;
        if total >= self.wanted.load(Ordering::Acquire) {
            self.there.notify_one();
        }
    }

    /// How many are there.
    pub fn total(&self) -> usize {
        self.total.load(Ordering::Acquire)
    }

    /// Waits until so many are there. One waiter at a time.
    ///
    /// # Panics
    /// If nothing comes for a long time.
    pub async fn until(&self, wanted: usize) {
        self.wanted.store(wanted, Ordering::Release);
        while self.total() < wanted {
            let arrived =
                tokio::time::timeout(Duration::from_secs(30), self.there.notified()).await;
            assert!(arrived.is_ok(), "{} of {wanted} arrived", self.total());
        }
    }
}

/// Subscribes to a room and counts what comes.
pub async fn subscriber(address: SocketAddr, speech: Speech, room: &str, arrivals: Arc<Arrivals>) {
    let mut stream = subscribe(address, speech, room).await;
    tokio::spawn(async move {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(read @ 1..) = stream.read(&mut buffer).await {
            let marks = memchr::memchr_iter(speech.mark(), &buffer[..read]).count();
            if marks > 0 {
                arrivals.add(marks);
            }
        }
    });
}

/// A connection that is subscribed to a room.
pub async fn subscribe(address: SocketAddr, speech: Speech, room: &str) -> TcpStream {
    let mut stream = open(address, speech).await;
    match speech {
        Speech::Plain => {
            stream.write_all(format!("S {room}\n").as_bytes()).await.unwrap();
            until(&mut stream, b"\n").await;
        }
        Speech::Nats => {
            stream.write_all(format!("SUB {room} 1\r\nPING\r\n").as_bytes()).await.unwrap();
            until(&mut stream, b"PONG\r\n").await;
        }
        Speech::Stomp | Speech::WebSocket | Speech::Rabbit => {
            let text = format!("SUBSCRIBE\nid:0\ndestination:/topic/{room}\nreceipt:s\n\n\0");
            say(&mut stream, speech, &text).await;
            until(&mut stream, b"\0").await;
        }
    }
    stream
}

/// A connection that has logged in.
pub async fn open(address: SocketAddr, speech: Speech) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    if speech == Speech::WebSocket {
        let upgrade = "GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n\
            Upgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
            Sec-WebSocket-Version: 13\r\n\r\n";
        stream.write_all(upgrade.as_bytes()).await.unwrap();
        until(&mut stream, b"\r\n\r\n").await;
    }
    match speech {
        Speech::Plain => {}
        Speech::Nats => {
            until(&mut stream, b"\r\n").await;
            let connect = "CONNECT {\"verbose\":false,\"pedantic\":false}\r\nPING\r\n";
            stream.write_all(connect.as_bytes()).await.unwrap();
            until(&mut stream, b"PONG\r\n").await;
        }
        Speech::Rabbit => {
            let connect = "CONNECT\naccept-version:1.2\nhost:/\nlogin:guest\npasscode:guest\n\n\0";
            say(&mut stream, speech, connect).await;
            until(&mut stream, b"\0").await;
        }
        Speech::Stomp | Speech::WebSocket => {
            say(&mut stream, speech, "CONNECT\naccept-version:1.2\nhost:bench\n\n\0").await;
            until(&mut stream, b"\0").await;
        }
    }
    stream
}

/// Writes a frame of a client.
pub async fn say(stream: &mut TcpStream, speech: Speech, text: &str) {
    let mut bytes = Vec::with_capacity(text.len() + 8);
    if speech == Speech::WebSocket {
        assert!(text.len() < 126, "a short message");
        bytes.extend([0x81, 0x80 | text.len() as u8, 0, 0, 0, 0]);
    }
    bytes.extend(text.as_bytes());
    stream.write_all(&bytes).await.unwrap();
}

/// Reads up to and with what the stream so far ends with.
pub async fn until(stream: &mut TcpStream, end: &[u8]) -> Vec<u8> {
    let mut seen = Vec::new();
    let mut buffer = [0; 512];
    // RabbitMQ writes a line end behind each frame, perhaps later.
    let is_there = |seen: &[u8]| seen.ends_with(end) || (end == b"\0" && seen.ends_with(b"\0\n"));
    while !is_there(&seen) {
        let read = stream.read(&mut buffer).await.unwrap();
        assert!(read > 0, "closed: {}", String::from_utf8_lossy(&seen));
        seen.extend(&buffer[..read]);
    }
    seen
}

/// What a publisher writes for one message.
pub fn message(speech: Speech, room: &str, body: &str) -> Vec<u8> {
    match speech {
        Speech::Plain => format!("{room} {body}\n").into_bytes(),
        Speech::Nats => format!("PUB {room} {}\r\n{body}\r\n", body.len()).into_bytes(),
        _ => format!("SEND\ndestination:/topic/{room}\ncontent-length:{}\n\n{body}\0", body.len())
            .into_bytes(),
    }
}

/// A connection that publishes, over TCP whatever the subscribers speak.
pub async fn publisher(address: SocketAddr, speech: Speech) -> TcpStream {
    let mut stream = open(address, speech.over_tcp()).await;
    if speech == Speech::Plain {
        stream.write_all(b"P\n").await.unwrap();
    }
    stream
}

impl Speech {
    /// The same without WebSocket.
    pub fn over_tcp(self) -> Self {
        if self == Self::WebSocket { Self::Stomp } else { self }
    }
}
