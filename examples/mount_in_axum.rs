//! STOMP over WebSocket beside the routes of an axum application: one port, one process, and an
//! HTTP handler that sends to whoever is connected.
//!
//! `cargo run -p examples --example mount_in_axum`

use std::{error::Error, time::Duration};

use axum::{Router, extract::State, routing::post};
use stomp_server::{
    Server,
    client::Client,
    router::{Emit, Handle},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

async fn announce(State(handle): State<Handle>, body: String) -> Result<String, String> {
    let news = Emit::to("/topic/news").text(body);
    let accepted = handle.send(news).await.map_err(|error| error.to_string())?;
    Ok(accepted.position.map(|position| position.to_string()).unwrap_or_default())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let server = Server::builder().build();
    let routes = Router::new()
        .route("/announce", post(announce))
        .with_state(server.handle())
        .merge(server.websocket_routes()); // adds /ws

    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let serving = tokio::spawn({
        let server = server.clone();
        async move { server.serve_http(listener, routes).await }
    });

    let client = Client::connect(format!("ws://{address}/ws")).await?;
    let mut news = client.subscribe("/topic/news").await?;

    let mut http = TcpStream::connect(address).await?;
    let request = "POST /announce HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
                   content-length: 11\r\n\r\nwe are open";
    http.write_all(request.as_bytes()).await?;
    let mut response = String::new();
    http.read_to_string(&mut response).await?;

    let message = news.message().await?;
    println!("an HTTP request became {message:?}");
    assert_eq!(message.text(), "we are open");
    let position = message.position().ok_or("a kept message has a position")?;
    assert!(response.ends_with(&position.to_string()), "{response}");

    client.close(Duration::from_secs(1)).await?;
    server.shutdown(Duration::from_secs(5)).await;
    serving.await??;
    Ok(())
}
