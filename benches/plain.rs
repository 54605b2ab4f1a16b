//! The plain tokio fan-out that questions compare with: no check, no log, no bound.

#![allow(clippy::unwrap_used, reason = "a bench that cannot go on should stop")]

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};

/// The plain fan-out: a subscriber says `S room⏎`, a publisher `P⏎` and then lines
/// `room body⏎`, each of which goes to the room's subscribers. A queue and a writer for each
/// subscriber, one write for all that waits, nothing checked, nothing bounded.
pub async fn serve() {
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
