//! A proxy that reads frames and breaks some.

use std::{io, net::SocketAddr, sync::Arc};

use bytes::BytesMut;
use parking_lot::Mutex;
use stomp_core::{Command, Decoded, Decoder, Frame, Limits, Role, Version};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    task::{JoinHandle, JoinSet},
};

use super::{Sabotage, forge::Forger};

/// Every so many frames of a kind one is broken.
pub(super) const EVERY: usize = 40;

/// Listens in front of an instance. Dropped, it ends.
pub(crate) struct FrameProxy {
    address: SocketAddr,
    target: Arc<Mutex<SocketAddr>>,
    accepting: JoinHandle<()>,
}

impl FrameProxy {
    pub(crate) async fn start(target: SocketAddr, sabotage: Sabotage) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let target = Arc::new(Mutex::new(target));
        let accepting = tokio::spawn(accept(listener, target.clone(), sabotage));
        Ok(Self { address, target, accepting })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn set_target(&self, target: SocketAddr) {
        *self.target.lock() = target;
    }
}

impl Drop for FrameProxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, target: Arc<Mutex<SocketAddr>>, sabotage: Sabotage) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Ok((client, _)) = listener.accept() => {
                let target = *target.lock();
                connections.spawn(async move {
                    if let Ok(server) = TcpStream::connect(target).await {
                        carry(client, server, sabotage).await;
                    }
                });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn carry(client: TcpStream, server: TcpStream, sabotage: Sabotage) {
    let (client_read, client_write) = client.into_split();
    let (server_read, server_write) = server.into_split();
    let forger = Mutex::new(Forger::default());
    let mut sends = 0_usize;
    let up = pump(client_read, server_write, Role::Client, |frame| {
        if frame.command() == Command::Send {
            sends += 1;
        }
        match sabotage {
            Sabotage::IdsTakenAway => vec![without(&frame, "message-dedup-id")],
            Sabotage::ForgedReceipts if forger.lock().swallows(&frame, sends) => vec![],
            _ => vec![frame],
        }
    });
    let mut messages = 0_usize;
    let mut held: Option<Frame> = None;
    let down = pump(server_read, client_write, Role::Server, |frame| {
        if sabotage == Sabotage::ForgedReceipts {
            return forger.lock().with_forged(frame);
        }
        if frame.command() != Command::Message {
            return vec![frame];
        }
        messages += 1;
        match sabotage {
            Sabotage::Swallowed if messages.is_multiple_of(EVERY) => vec![],
            Sabotage::Shuffled => shuffle(frame, &mut held, messages),
            _ => vec![frame],
        }
    });
    tokio::select! {
        () = up => {}
        () = down => {}
    }
}

/// Holds one delivery back until the next one of its subscription has passed.
fn shuffle(frame: Frame, held: &mut Option<Frame>, messages: usize) -> Vec<Frame> {
    let is_next = held
        .as_ref()
        .is_some_and(|held| held.header("subscription") == frame.header("subscription"));
    if is_next {
        return [Some(frame), held.take()].into_iter().flatten().collect();
    }
    if held.is_none() && messages.is_multiple_of(EVERY) {
        *held = Some(frame);
        return vec![];
    }
    vec![frame]
}

fn without(frame: &Frame, name: &str) -> Frame {
    let headers = frame.headers().filter(|header| header.name() != name);
    let built = headers.fold(Frame::builder(frame.command()), |builder, header| {
        builder.header(&header.name(), &header.value())
    });
    built.body(frame.body().clone()).build()
}

/// Carries one direction frame by frame until it ends.
async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    sender: Role,
    mut change: impl FnMut(Frame) -> Vec<Frame>,
) {
    let mut decoder = Decoder::new(sender, Limits::default());
    decoder.set_version(Version::V1_2);
    let (mut input, mut output) = (BytesMut::new(), BytesMut::new());
    loop {
        match decoder.decode(&mut input) {
            Ok(Some(Decoded::Frame(frame))) => {
                for frame in change(frame) {
                    if frame.encode(Version::V1_2, &mut output).is_err() {
                        return;
                    }
                }
            }
            Ok(Some(Decoded::HeartBeat)) => output.extend_from_slice(b"\n"),
            Ok(None) => {
                if to.write_all(&output).await.is_err() {
                    return;
                }
                output.clear();
                if !matches!(from.read_buf(&mut input).await, Ok(read) if read > 0) {
                    return;
                }
            }
            Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_taken_and_the_rest_stays() {
        let frame = Frame::builder(Command::Send)
            .header("destination", "/topic/a")
            .header("message-dedup-id", "1")
            .header("receipt", "r")
            .body("x")
            .build();
        let bare = without(&frame, "message-dedup-id");
        assert_eq!(bare.header("message-dedup-id"), None);
        assert_eq!(bare.header("receipt").as_deref(), Some("r"));
        assert_eq!(&bare.body()[..], b"x");
    }
}
