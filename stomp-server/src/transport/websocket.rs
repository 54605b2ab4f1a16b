//! STOMP over WebSocket: one frame per outgoing message, a byte stream coming in
//! (protocol decisions 27 to 29).
//!
//! What comes in, and every control frame, is a library's; a message that goes out is a head of a
//! few octets in front of a STOMP frame, which is written straight into the buffer that becomes
//! one write. Both meet in [`Outlet`], in whole frames.

use std::{
    error::Error as _,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Bytes, BytesMut};
use futures::{Sink, Stream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_tungstenite::WebSocketStream;
use tungstenite::{
    Message, Utf8Bytes,
    protocol::{CloseFrame, Role, WebSocketConfig, frame::coding::CloseCode},
};

use super::{StreamTransport, Transport};
use crate::session::Close;

/// A transport over an upgraded WebSocket.
pub(crate) struct WebSocketTransport<IO> {
    socket: WebSocketStream<Outlet<IO>>,
    /// Answered in kind: a client that sent its last message as binary gets binary.
    speaks_text: bool,
    /// What the peer did against the rules of WebSocket itself, as a close code of RFC 6455.
    fault: Option<(u16, &'static str)>,
    said_goodbye: bool,
}

impl<IO: AsyncRead + AsyncWrite + Unpin + Send + 'static> WebSocketTransport<IO> {
    /// The server's side of a connection whose handshake is done.
    pub(crate) async fn new(io: IO, config: WebSocketConfig) -> Self {
        let outlet = Outlet(StreamTransport::new(io));
        let socket = WebSocketStream::from_raw_socket(outlet, Role::Server, Some(config)).await;
        Self { socket, speaks_text: true, fault: None, said_goodbye: false }
    }

    /// Nothing can be read behind a fault; it is answered with the close frame.
    fn failed(&mut self, error: tungstenite::Error) -> io::Error {
        self.fault = fault_of(&error);
        io::Error::other(error)
    }

    fn outlet(&mut self) -> &mut StreamTransport<IO> {
        &mut self.socket.get_mut().0
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin + Send + 'static> Transport for WebSocketTransport<IO> {
    fn poll_read(&mut self, cx: &mut Context<'_>, into: &mut BytesMut) -> Poll<io::Result<usize>> {
        loop {
            let message = match ready!(Pin::new(&mut self.socket).poll_next(cx)) {
                Some(message) => message.map_err(|error| self.failed(error))?,
                None => return Poll::Ready(Ok(0)),
            };
            let bytes = match message {
                Message::Text(text) => {
                    self.speaks_text = true;
                    Bytes::from(text)
                }
                Message::Binary(bytes) => {
                    self.speaks_text = false;
                    bytes
                }
                Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => continue,
                Message::Close(_) => return Poll::Ready(Ok(0)),
            };
            if bytes.is_empty() {
                continue;
            }
            into.extend_from_slice(&bytes);
            return Poll::Ready(Ok(bytes.len()));
        }
    }

    fn queue(&mut self, head: &[u8], tail: &Bytes) {
        let is_text = |octets: &[u8]| std::str::from_utf8(octets).is_ok();
        let as_text = self.speaks_text && is_text(head) && is_text(tail);
        let (frame, length) = frame_head(as_text, head.len() + tail.len());
        let outlet = self.outlet();
        outlet.queue(&frame[..length], &Bytes::new());
        outlet.queue(head, tail);
    }

    fn expect(&mut self, octets: usize) {
        self.outlet().expect(octets);
    }

    fn queue_beat(&mut self) {
        if self.unsent() == 0 {
            self.queue(b"\n", &Bytes::new());
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.outlet().poll_flush(cx)
    }

    fn unsent(&self) -> usize {
        self.socket.get_ref().0.unsent()
    }

    fn poll_goodbye(&mut self, cx: &mut Context<'_>, how: Close) -> Poll<io::Result<()>> {
        let mut socket = Pin::new(&mut self.socket);
        if !self.said_goodbye {
            ready!(socket.as_mut().poll_ready(cx)).map_err(io::Error::other)?;
            self.said_goodbye = true;
            let (code, reason) = self.fault.unwrap_or(match how {
                Close::Bye => (1000, ""),
                Close::Fault => (1002, "protocol error"),
                Close::TooLarge => (1009, "too large"),
                Close::Refused => (1008, "refused"),
                Close::Shutdown | Close::Unknown | Close::Abort => (1001, "going away"),
            });
            let code = CloseCode::from(code);
            let frame = CloseFrame { code, reason: Utf8Bytes::from_static(reason) };
            socket.as_mut().start_send(Message::Close(Some(frame))).map_err(io::Error::other)?;
        }
        socket.poll_flush(cx).map_err(io::Error::other)
    }
}

/// The head of an unmasked message of one frame (RFC 6455, 5.2), and how long it is.
fn frame_head(is_text: bool, length: usize) -> ([u8; 10], usize) {
    const LAST: u8 = 0x80;
    let mut head = [0; 10];
    head[0] = LAST | if is_text { 1 } else { 2 };
    let used = match length {
        0..126 => {
            head[1] = length as u8;
            2
        }
        126..=0xffff => {
            head[1] = 126;
            head[2..4].copy_from_slice(&(length as u16).to_be_bytes());
            4
        }
        _ => {
            head[1] = 127;
            head[2..].copy_from_slice(&(length as u64).to_be_bytes());
            10
        }
    };
    (head, used)
}

/// Where all that goes out comes together. What is written to it is taken as a whole, so that
/// the library's frames and ours never end up inside each other.
struct Outlet<IO>(StreamTransport<IO>);

impl<IO: AsyncRead + Unpin> AsyncRead for Outlet<IO> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(self.0.io()).poll_read(cx, into)
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin + Send + 'static> AsyncWrite for Outlet<IO> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.0.queue(octets, &Bytes::new());
        Poll::Ready(Ok(octets.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.0.poll_flush(cx))?;
        Pin::new(self.0.io()).poll_shutdown(cx)
    }
}

/// The close code and the reason for what a peer did against the rules of WebSocket itself, when
/// reading from it fails; none where the connection merely broke (decision 29).
pub fn websocket_fault(error: &axum::Error) -> Option<(u16, &'static str)> {
    fault_of(error.source()?.downcast_ref()?)
}

fn fault_of(error: &tungstenite::Error) -> Option<(u16, &'static str)> {
    match error {
        tungstenite::Error::Utf8(_) => Some((1007, "not UTF-8")),
        tungstenite::Error::Capacity(_) => Some((1009, "too large")),
        tungstenite::Error::Protocol(_) | tungstenite::Error::AttackAttempt => {
            Some((1002, "protocol error"))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_written_as_rfc_6455_wants_them() {
        let head = |is_text, length| {
            let (head, used) = frame_head(is_text, length);
            head[..used].to_vec()
        };
        assert_eq!(head(true, 0), [0x81, 0]);
        assert_eq!(head(false, 125), [0x82, 125]);
        assert_eq!(head(true, 126), [0x81, 126, 0, 126]);
        assert_eq!(head(true, 0xffff), [0x81, 126, 0xff, 0xff]);
        assert_eq!(head(true, 0x1_0000), [0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]);
    }
}
