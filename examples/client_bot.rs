//! A bot that survives its server: it answers in a room, over a restart in between, and is told
//! if it has missed something.
//!
//! `cargo run -p examples --example client_bot`

use std::{error::Error, path::Path, sync::Arc, time::Duration};

use stomp_server::{
    Server,
    broker::{BrokerConfig, JournalBroker},
    client::{Arrival, Client, ClientError, Draft},
};
use tokio::{net::TcpListener, task::JoinHandle};

/// Answers questions until its client is closed.
async fn bot(client: Client) -> Result<u32, ClientError> {
    let mut room = client.subscribe("/topic/room").await?;
    client.send(Draft::to("/topic/lobby").text("the bot is here")).await?;
    let mut gaps = 0;
    while let Some(arrival) = room.arrival().await {
        match arrival? {
            Arrival::Message(message) if message.text().ends_with('?') => {
                let answer = format!("I was asked {:?}", message.text());
                client.send(Draft::to("/topic/answers").text(answer)).await?;
            }
            Arrival::Resumed(verdict) if !verdict.recovered => gaps += 1, // fetch the history now
            _ => {}
        }
    }
    Ok(gaps)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let journal = folder.path().join("log.db");
    let (server, serving, address) = serve(&journal, "127.0.0.1:0").await?;
    let ann = Client::builder(format!("tcp://{address}")).login("ann", "").connect().await?;
    let robot = Client::builder(format!("tcp://{address}")).login("bot", "").connect().await?;
    let mut lobby = ann.subscribe("/topic/lobby").await?;
    let mut answers = ann.subscribe("/topic/answers").await?;
    let running = tokio::spawn(bot(robot.clone()));
    assert_eq!(lobby.message().await?.text(), "the bot is here");

    ann.send(Draft::to("/topic/room").text("Are you there?")).await?;
    assert_eq!(answers.message().await?.text(), "I was asked \"Are you there?\"");

    // The server restarts. Its journal stays, so nothing is missed.
    server.shutdown(Duration::from_secs(5)).await;
    serving.await??;
    let (server, serving, _) = serve(&journal, &address).await?;
    ann.send(Draft::to("/topic/room").text("Still there?")).await?;
    assert_eq!(answers.message().await?.text(), "I was asked \"Still there?\"");

    robot.close(Duration::from_secs(1)).await?;
    let gaps = running.await??;
    println!("the bot answered twice and missed {gaps} things");
    assert_eq!(gaps, 0);
    ann.close(Duration::from_secs(1)).await?;
    server.shutdown(Duration::from_secs(5)).await;
    Ok(serving.await??)
}

type Serving = JoinHandle<std::io::Result<()>>;

async fn serve(journal: &Path, on: &str) -> Result<(Server, Serving, String), Box<dyn Error>> {
    let listener = TcpListener::bind(on).await?;
    let address = listener.local_addr()?.to_string();
    let broker = JournalBroker::open(journal, BrokerConfig::default()).await?;
    let server = Server::builder().broker(Arc::new(broker)).build();
    let serving = tokio::spawn({
        let server = server.clone();
        async move { server.serve_tcp(listener).await }
    });
    Ok((server, serving, address))
}
