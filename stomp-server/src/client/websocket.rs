//! STOMP over WebSocket, seen from the client: a frame in each message.

use std::{
    collections::VecDeque,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Bytes, BytesMut};
use futures::{Sink, Stream};
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{
        Error, Message, Utf8Bytes,
        client::IntoClientRequest,
        http::{HeaderValue, header::SEC_WEBSOCKET_PROTOCOL},
        protocol::{CloseFrame, WebSocketConfig, frame::coding::CloseCode},
    },
};

use super::{
    ClientError,
    address::{Address, ByteStream},
};
use crate::{session::Close, transport::Transport};

/// The one version that this client speaks.
const PROTOCOL: &str = "v12.stomp";
/// What is read at once; held for as long as the connection lives.
const READ_BUFFER: usize = 16 * 1024;
/// Larger messages are no STOMP server's.
const LARGEST: usize = 64 << 20;

/// A transport over a WebSocket that this side has opened.
pub(super) struct ClientWebSocket {
    socket: WebSocketStream<Box<dyn ByteStream>>,
    waiting: VecDeque<Message>,
    unsent: usize,
    said_goodbye: bool,
}

/// Asks for the upgrade.
pub(super) async fn open(
    stream: Box<dyn ByteStream>,
    address: &Address,
    path: &str,
) -> Result<ClientWebSocket, ClientError> {
    let scheme = if address.is_tls { "wss" } else { "ws" };
    let url = format!("{scheme}://{}{path}", address.authority());
    let mut request = url.into_client_request().map_err(refused)?;
    request.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(PROTOCOL));
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .max_message_size(Some(LARGEST))
        .max_frame_size(Some(LARGEST));
    let (socket, _) =
        client_async_with_config(request, stream, Some(config)).await.map_err(refused)?;
    Ok(ClientWebSocket { socket, waiting: VecDeque::new(), unsent: 0, said_goodbye: false })
}

fn refused(error: Error) -> ClientError {
    match error {
        Error::Io(error) => error.into(),
        Error::Http(response) => {
            io::Error::other(format!("the upgrade was refused with {}", response.status())).into()
        }
        other => io::Error::other(other).into(),
    }
}

impl ClientWebSocket {
    fn push(&mut self, bytes: Bytes) {
        self.unsent += bytes.len();
        self.waiting.push_back(match Utf8Bytes::try_from(bytes.clone()) {
            Ok(text) => Message::Text(text),
            Err(_) => Message::Binary(bytes),
        });
    }
}

impl Transport for ClientWebSocket {
    fn poll_read(&mut self, cx: &mut Context<'_>, into: &mut BytesMut) -> Poll<io::Result<usize>> {
        loop {
            let bytes = match ready!(Pin::new(&mut self.socket).poll_next(cx)) {
                None | Some(Ok(Message::Close(_))) => return Poll::Ready(Ok(0)),
                Some(Ok(Message::Text(text))) => Bytes::from(text),
                Some(Ok(Message::Binary(bytes))) => bytes,
                Some(Ok(_)) => continue,
                Some(Err(error)) => return Poll::Ready(Err(io::Error::other(error))),
            };
            if !bytes.is_empty() {
                into.extend_from_slice(&bytes);
                return Poll::Ready(Ok(bytes.len()));
            }
        }
    }

    fn queue(&mut self, head: &[u8], tail: &Bytes) {
        let mut whole = BytesMut::with_capacity(head.len() + tail.len());
        whole.extend_from_slice(head);
        whole.extend_from_slice(tail);
        self.push(whole.freeze());
    }

    fn expect(&mut self, _octets: usize) {}

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
        ready!(socket.poll_flush(cx)).map_err(io::Error::other)?;
        self.unsent = 0;
        Poll::Ready(Ok(()))
    }

    fn unsent(&self) -> usize {
        self.unsent
    }

    fn poll_goodbye(&mut self, cx: &mut Context<'_>, _how: Close) -> Poll<io::Result<()>> {
        let mut socket = Pin::new(&mut self.socket);
        if !self.said_goodbye {
            ready!(socket.as_mut().poll_ready(cx)).map_err(io::Error::other)?;
            let close = CloseFrame { code: CloseCode::Normal, reason: Utf8Bytes::default() };
            socket.as_mut().start_send(Message::Close(Some(close))).map_err(io::Error::other)?;
            self.said_goodbye = true;
        }
        socket.poll_flush(cx).map_err(io::Error::other)
    }
}
