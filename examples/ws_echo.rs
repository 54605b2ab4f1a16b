//! An echo on the WebSocket layer that the STOMP transport uses, with the same settings: what
//! conformance suites for WebSocket want to talk to.
//!
//! `cargo run -p examples --example ws_echo` checks itself and ends; with an address
//! (`-- 127.0.0.1:9001`) it serves until Ctrl-C.

use std::error::Error;

use axum::{
    Router,
    extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade},
    response::Response,
    routing::any,
};
use futures::{SinkExt, StreamExt};
use stomp_server::http::websocket_fault;
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::{client_async, tungstenite};

/// As the transport has it: small, because every idle connection holds it.
const READ_BUFFER: usize = 4 * 1024;
/// Larger than any message of the suites.
pub(crate) const LARGEST: usize = 32 << 20;

/// What answers at `/`.
pub(crate) fn routes() -> Router {
    Router::new().route("/", any(upgrade))
}

async fn upgrade(upgrade: WebSocketUpgrade) -> Response {
    upgrade
        .read_buffer_size(READ_BUFFER)
        .max_message_size(LARGEST)
        .max_frame_size(LARGEST)
        .on_upgrade(echo)
}

async fn echo(mut socket: WebSocket) {
    while let Some(message) = socket.recv().await {
        let answer = match message {
            Ok(message @ (Message::Text(_) | Message::Binary(_))) => message,
            // Pongs, and the answer to a close, are the library's.
            Ok(Message::Ping(_) | Message::Pong(_) | Message::Close(_)) => continue,
            Err(error) => {
                // A fault is answered with its code; a connection that merely broke has none.
                let Some((code, reason)) = websocket_fault(&error) else { return };
                let reason = Utf8Bytes::from_static(reason);
                Message::Close(Some(CloseFrame { code, reason }))
            }
        };
        let is_last = matches!(answer, Message::Close(_));
        if socket.send(answer).await.is_err() || is_last {
            return;
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let given = std::env::args().nth(1);
    let listener = TcpListener::bind(given.as_deref().unwrap_or("127.0.0.1:0")).await?;
    let address = listener.local_addr()?;
    let serving = async { axum::serve(listener, routes()).await };
    if given.is_some() {
        println!("echoing at ws://{address}/");
        return Ok(serving.await?);
    }
    let serving = tokio::spawn(serving.into_future());

    let stream = TcpStream::connect(address).await?;
    let (mut client, _) = client_async(format!("ws://{address}/"), stream).await?;
    for message in [
        tungstenite::Message::text("hello"),
        tungstenite::Message::text("x".repeat(100_000)),
        tungstenite::Message::binary(vec![0, 255, 0]),
    ] {
        client.send(message.clone()).await?;
        assert_eq!(client.next().await.ok_or("the echo ended")??, message);
    }
    client.close(None).await?;
    println!("echoed text and octets");
    serving.abort();
    Ok(())
}
