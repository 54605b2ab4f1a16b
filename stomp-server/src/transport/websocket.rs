//! STOMP over WebSocket: one frame per outgoing message, a byte stream coming in
//! (protocol decisions 27 to 29).

use std::{
    collections::VecDeque,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket};
use bytes::{Bytes, BytesMut};
use futures::{Sink, Stream};

use super::Transport;
use crate::session::Close;

/// A transport over an upgraded WebSocket.
pub(crate) struct WebSocketTransport {
    socket: WebSocket,
    waiting: VecDeque<Message>,
    unsent: usize,
    /// Answered in kind: a client that sent its last message as binary gets binary.
    speaks_text: bool,
    /// What the peer did against the rules of WebSocket itself, as a close code of RFC 6455.
    fault: Option<(u16, &'static str)>,
    said_goodbye: bool,
}

impl WebSocketTransport {
    pub(crate) fn new(socket: WebSocket) -> Self {
        Self {
            socket,
            waiting: VecDeque::new(),
            unsent: 0,
            speaks_text: true,
            fault: None,
            said_goodbye: false,
        }
    }

    /// Nothing can be read behind a fault; it is answered with the close frame.
    fn failed(&mut self, error: axum::Error) -> io::Error {
        self.fault = websocket_fault(&error);
        io::Error::other(error)
    }

    fn push(&mut self, bytes: Bytes) {
        self.unsent += bytes.len();
        let message = if self.speaks_text {
            match Utf8Bytes::try_from(bytes.clone()) {
                Ok(text) => Message::Text(text),
                Err(_) => Message::Binary(bytes),
            }
        } else {
            Message::Binary(bytes)
        };
        self.waiting.push_back(message);
    }
}

impl Transport for WebSocketTransport {
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
                Message::Ping(_) | Message::Pong(_) => continue,
                Message::Close(_) => return Poll::Ready(Ok(0)),
            };
            if bytes.is_empty() {
                continue;
            }
            into.extend_from_slice(&bytes);
            return Poll::Ready(Ok(bytes.len()));
        }
    }

    fn queue(&mut self, head: &[u8], tail: Bytes) {
        let mut whole = BytesMut::with_capacity(head.len() + tail.len());
        whole.extend_from_slice(head);
        whole.extend_from_slice(&tail);
        self.push(whole.freeze());
    }

    fn queue_beat(&mut self) {
        if self.unsent == 0 {
            self.push(Bytes::from_static(b"\n"));
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut socket = Pin::new(&mut self.socket);
        while !self.waiting.is_empty() {
            ready!(socket.as_mut().poll_ready(cx)).map_err(io::Error::other)?;
            if let Some(message) = self.waiting.pop_front() {
                socket.as_mut().start_send(message).map_err(io::Error::other)?;
            }
        }
        self.waiting = VecDeque::new();
        ready!(socket.poll_flush(cx)).map_err(io::Error::other)?;
        self.unsent = 0;
        Poll::Ready(Ok(()))
    }

    fn unsent(&self) -> usize {
        self.unsent
    }

    fn poll_goodbye(&mut self, cx: &mut Context<'_>, how: Close) -> Poll<io::Result<()>> {
        if !self.said_goodbye {
            self.said_goodbye = true;
            let (code, reason) = self.fault.unwrap_or(match how {
                Close::Bye => (1000, ""),
                Close::Fault => (1002, "protocol error"),
                Close::TooLarge => (1009, "too large"),
                Close::Refused => (1008, "refused"),
                Close::Shutdown | Close::Unknown | Close::Abort => (1001, "going away"),
            });
            let frame = CloseFrame { code, reason: Utf8Bytes::from_static(reason) };
            self.waiting.push_back(Message::Close(Some(frame)));
        }
        self.poll_flush(cx)
    }
}

/// The close code and the reason for what a peer did against the rules of WebSocket itself, when
/// reading from it fails; none where the connection merely broke (decision 29).
pub fn websocket_fault(error: &axum::Error) -> Option<(u16, &'static str)> {
    use std::error::Error as _;
    match error.source()?.downcast_ref::<tungstenite::Error>()? {
        tungstenite::Error::Utf8(_) => Some((1007, "not UTF-8")),
        tungstenite::Error::Capacity(_) => Some((1009, "too large")),
        tungstenite::Error::Protocol(_) | tungstenite::Error::AttackAttempt => {
            Some((1002, "protocol error"))
        }
        _ => None,
    }
}
