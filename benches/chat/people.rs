//! People of the bench: tokens, rooms, and sessions that count what they hear.

use std::{
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use benches::process::chat_binary;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    task::JoinHandle,
};

use crate::Chat;

/// What the subscription of a session is called; its MESSAGEs carry it.
const SUBSCRIPTION: &[u8] = b"\nsubscription:room\n";

/// A token of somebody with an account.
pub(crate) fn token(chat: &Chat, name: &str) -> String {
    let mut command = Command::new(chat_binary());
    command.args(["token", name, "--data"]).arg(chat.data.path());
    if let Some(url) = chat.server.database() {
        command.args(["--database", url]);
    }
    let output = command.output().expect("chat-app token");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().last().unwrap().to_owned()
}

/// A new group with these others; its id.
pub(crate) async fn group(chat: &Chat, token: &str, others: &[String]) -> String {
    let members: Vec<_> = others.iter().map(|name| format!("\"{name}\"")).collect();
    let body = format!(r#"{{"kind":"group","members":[{}]}}"#, members.join(","));
    let answer = http(chat, "POST", "rooms", token, &body).await;
    let id = answer.split("\"id\":\"").nth(1).unwrap_or_else(|| panic!("{answer}"));
    id.split('"').next().unwrap().to_owned()
}

/// One request on a connection of its own; the whole answer.
pub(crate) async fn http(chat: &Chat, verb: &str, path: &str, token: &str, body: &str) -> String {
    let address = chat.server.http.expect("HTTP");
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!(
        "{verb} /api/v1/{path} HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\
         Authorization: Bearer {token}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

/// A session that listens to one room and counts its messages.
pub(crate) struct Session {
    pub(crate) heard: Arc<AtomicUsize>,
    _writer: OwnedWriteHalf,
    reader: JoinHandle<()>,
}

impl Session {
    pub(crate) async fn open(chat: &Chat, token: &str, room: &str) -> Self {
        let (mut reader, mut writer) = connected(chat, token).await;
        let subscribe =
            format!("SUBSCRIBE\nid:room\ndestination:/topic/rooms.{room}\nreceipt:s\n\n\0");
        writer.write_all(subscribe.as_bytes()).await.unwrap();
        until_frame(&mut reader, "RECEIPT").await;
        let heard = Arc::new(AtomicUsize::new(0));
        let count = heard.clone();
        let reader = tokio::spawn(async move {
            let mut counter = Counter::new(SUBSCRIPTION);
            // One small buffer a session: the bench holds thousands of them.
            let mut buffer = vec![0; 16 * 1024];
            while let Ok(read @ 1..) = reader.read(&mut buffer).await {
                let found = counter.count(&buffer[..read]);
                if found > 0 {
                    count.fetch_add(found, Ordering::AcqRel);
                }
            }
        });
        Self { heard, _writer: writer, reader }
    }

    /// How many messages have come.
    pub(crate) fn heard(&self) -> usize {
        self.heard.load(Ordering::Acquire)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

/// Waits until all sessions together have heard so many.
pub(crate) async fn until_heard(sessions: &[Session], wanted: usize) {
    let begin = Instant::now();
    while sessions.iter().map(Session::heard).sum::<usize>() < wanted {
        assert!(begin.elapsed() < Duration::from_secs(120), "not everything is delivered");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// A connection that is logged in.
pub(crate) async fn connected(chat: &Chat, token: &str) -> (OwnedReadHalf, OwnedWriteHalf) {
    let stream = TcpStream::connect(chat.server.tcp).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (mut reader, mut writer) = stream.into_split();
    let connect = format!("CONNECT\naccept-version:1.2\nhost:bench\npasscode:{token}\n\n\0");
    writer.write_all(connect.as_bytes()).await.unwrap();
    until_frame(&mut reader, "CONNECTED").await;
    (reader, writer)
}

/// Reads the next frame, which has to be this one.
pub(crate) async fn until_frame(reader: &mut OwnedReadHalf, command: &str) {
    let mut frame = Vec::new();
    while frame.last() != Some(&0) {
        frame.push(reader.read_u8().await.expect("a frame"));
    }
    let frame = String::from_utf8_lossy(&frame);
    assert!(frame.trim_start().starts_with(command), "{frame}");
}

/// Counts how often some bytes come in a stream, also across its pieces.
pub(crate) struct Counter {
    sign: &'static [u8],
    tail: Vec<u8>,
}

impl Counter {
    pub(crate) fn new(sign: &'static [u8]) -> Self {
        Self { sign, tail: Vec::new() }
    }

    pub(crate) fn count(&mut self, piece: &[u8]) -> usize {
        let border = self.sign.len() - 1;
        let mut seam = std::mem::take(&mut self.tail);
        let before = seam.len();
        seam.extend_from_slice(&piece[..piece.len().min(border)]);
        let across = memchr::memmem::find_iter(&seam, self.sign).count();
        let inside = memchr::memmem::find_iter(piece, self.sign).count();
        // What both have seen lies in the piece's beginning alone.
        let twice = memchr::memmem::find_iter(&seam[before..], self.sign).count();
        self.tail = if piece.len() >= border {
            piece[piece.len() - border..].to_vec()
        } else {
            seam[seam.len().saturating_sub(border)..].to_vec()
        };
        across + inside - twice
    }
}
