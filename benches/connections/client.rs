//! The client's end: no more work than it must do, so that the server is what is measured.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
};

pub(crate) const CONNECT: &str = "CONNECT\naccept-version:1.2\nhost:bench\n\n\0";
pub(crate) const SUBSCRIBE: &str = "SUBSCRIBE\nid:0\ndestination:/topic/idle\nreceipt:s\n\n\0";
const UPGRADE: &str = "GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n\
    Upgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Version: 13\r\n\r\n";

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Over {
    Tcp,
    WebSocket,
}

/// A connection that has said nothing yet.
pub(crate) async fn open(address: SocketAddr, over: Over) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    if over == Over::WebSocket {
        stream.write_all(UPGRADE.as_bytes()).await.unwrap();
        until(&mut stream, b"\r\n\r\n").await;
    }
    stream
}

pub(crate) async fn say(stream: &mut (impl AsyncWrite + Unpin), over: Over, text: &str) {
    let mut bytes = Vec::with_capacity(text.len() + 6);
    if over == Over::WebSocket {
        assert!(text.len() < 126);
        bytes.extend([0x81, 0x80 | text.len() as u8, 0, 0, 0, 0]); // masked with zeros
    }
    bytes.extend(text.as_bytes());
    stream.write_all(&bytes).await.unwrap();
    stream.flush().await.unwrap();
}

pub(crate) async fn until(stream: &mut (impl AsyncRead + Unpin), end: &[u8]) {
    let mut seen = Vec::new();
    let mut buffer = [0; 512];
    while !seen.ends_with(end) {
        let read = stream.read(&mut buffer).await.unwrap();
        assert!(read > 0, "the server closed: {}", String::from_utf8_lossy(&seen));
        seen.extend(&buffer[..read]);
    }
}

pub(crate) async fn log_in(address: SocketAddr, over: Over, connect: &str) -> TcpStream {
    let mut stream = open(address, over).await;
    say(&mut stream, over, connect).await;
    until(&mut stream, b"\0").await;
    stream
}
