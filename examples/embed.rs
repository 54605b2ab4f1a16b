//! A broker inside a program: no second process, no port that others could reach.
//!
//! `cargo run -p examples --example embed`

use std::{error::Error, time::Duration};

use stomp_server::{
    Server,
    client::{Client, Draft},
    router::Emit,
};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let server = Server::builder().build();
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("tcp://{}", listener.local_addr()?);
    let serving = tokio::spawn({
        let server = server.clone();
        async move { server.serve_tcp(listener).await }
    });

    // Any STOMP client will do. This one is a part of the same crate.
    let client = Client::builder(url).login("ann", "").connect().await?;
    let mut news = client.subscribe("/topic/news").await?;

    // The program itself sends without a connection.
    let accepted = server.handle().send(Emit::to("/topic/news").text("we are open")).await?;
    let message = news.message().await?;
    println!("{} says {:?}", message.destination(), message.text());
    assert_eq!(message.position(), accepted.position);

    // A receipt says that the log has it, and where.
    let receipt = client.send(Draft::to("/topic/news").text("so are we")).await?;
    assert!(receipt.position() > accepted.position);
    assert_eq!(news.message().await?.text(), "so are we");

    client.close(Duration::from_secs(1)).await?;
    assert!(server.shutdown(Duration::from_secs(5)).await, "every session has ended");
    serving.await??;
    Ok(())
}
