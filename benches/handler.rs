//! Asks what it costs to have a function behind `/app` instead of a plain SEND.
//!
//! Both ways end in the same publication: a plain SEND goes past the authorizer, one to `/app`
//! through the session's question to the application, the look-up of the route, the extractors,
//! and the handler's answer. The difference is what is paid for handlers. It should stay under 2 µs
//! of CPU, so that nobody has a reason to go round them.
//!
//! One task of one thread runs client and server, over a pipe in memory: what is measured is CPU.

use std::{
    hint::black_box,
    sync::Arc,
    time::{Duration, Instant},
};

use stomp_server::{
    Server,
    router::{Emit, Path, Routes},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream},
    runtime::{Builder, Runtime},
};

/// Frames in a turn: enough that the pipe's own cost is spread.
const FRAMES: usize = 200;
const ROUNDS: usize = 301;
const ALLOWED: Duration = Duration::from_micros(2);

struct Session {
    io: DuplexStream,
    frames: Vec<u8>,
    /// The octets of all receipts of a turn.
    answer: usize,
}

impl Session {
    async fn open(server: &Server, destination: &str) -> Self {
        let (mut io, theirs) = tokio::io::duplex(1 << 20);
        server.accept(theirs, None);
        io.write_all(b"CONNECT\naccept-version:1.2\nlogin:ann\n\n\0").await.expect("a pipe");
        let mut answer = [0; 1024];
        let read = io.read(&mut answer).await.expect("an answer");
        assert!(answer[..read].starts_with(b"CONNECTED"));
        let frame = format!(
            "SEND\ndestination:{destination}\ncontent-type:text/plain\ncontent-length:5\n\n\
             hello\0"
        );
        let mut frames = frame.repeat(FRAMES - 1).into_bytes();
        let last = frame.replacen("content-type", "receipt:1\ncontent-type", 1);
        frames.extend_from_slice(last.as_bytes());
        Self { io, frames, answer: 0 }
    }

    /// Sends all frames and waits for the receipt of the last.
    async fn turn(&mut self) -> Duration {
        let begin = Instant::now();
        self.io.write_all(&self.frames).await.expect("a pipe");
        let mut answer = [0; 256];
        let read = self.io.read(&mut answer).await.expect("a receipt");
        assert!(answer[..read].starts_with(b"RECEIPT"), "{:?}", &answer[..read]);
        self.answer = black_box(read);
        begin.elapsed() / FRAMES as u32
    }
}

fn main() {
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let runtime: Runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let routes = Routes::new()
            .send("/app/other.{id}", async |Path(_): Path<u64>| ())
            .send("/app/rooms.{id}.send", async |Path(id): Path<u64>, text: String| {
                Emit::to(format!("/topic/rooms.{id}")).text(text)
            });
        let server = Server::builder().handler(Arc::new(routes)).build();
        let mut plain = Session::open(&server, "/topic/rooms.7").await;
        let mut handled = Session::open(&server, "/app/rooms.7.send").await;
        let (mut ways, mut more) = ([vec![], vec![]], vec![]);
        for _ in 0..ROUNDS {
            let (one, other) = (plain.turn().await, handled.turn().await);
            ways[0].push(one);
            ways[1].push(other);
            more.push(other.saturating_sub(one));
        }
        let [plain, handled] = ways.map(median);
        let more = median(more);
        println!("\nWhat does a function behind /app cost more than a plain SEND?");
        println!("    {plain:?}  a plain SEND to a topic\n    {handled:?}  by a handler, with path and body");
        let verdict = if more <= ALLOWED { "ok" } else { "MISS" };
        println!("    {verdict}  {more:?} more, at most {ALLOWED:?} allowed");
    });
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}
