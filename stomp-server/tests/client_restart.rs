//! The client over real connections, while the server with its journal restarts in the middle.
#![cfg(all(feature = "client", feature = "sqlite", feature = "websocket"))]
#![allow(clippy::unwrap_used, reason = "what cannot be had fails the test")]

use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};

use stomp_server::{
    Server,
    broker::{BrokerConfig, JournalBroker},
    client::{Arrival, Client, Draft},
};
use tokio::{net::TcpListener, sync::watch, task::JoinSet};

const MESSAGES: usize = 300;
const RESTARTS: usize = 4;
/// So many messages are sent in each life of the server.
const STRIDE: usize = MESSAGES / (RESTARTS + 1);
/// What has not happened after so long does not happen, however slow the machine.
const BOUND: Duration = Duration::from_secs(60);

/// A server on a journal, with both of its doors.
struct Life {
    server: Server,
    serving: JoinSet<std::io::Result<()>>,
}

impl Life {
    async fn begin(journal: &Path, tcp: SocketAddr, http: SocketAddr) -> (Self, [SocketAddr; 2]) {
        let (tcp, http) = (listen(tcp).await, listen(http).await);
        let addresses = [tcp.local_addr().unwrap(), http.local_addr().unwrap()];
        let broker = JournalBroker::open(journal, BrokerConfig::default()).await.unwrap();
        let server = Server::builder().broker(Arc::new(broker)).build();
        let mut serving = JoinSet::new();
        let (one, other) = (server.clone(), server.clone());
        serving.spawn(async move { one.serve_tcp(tcp).await });
        serving.spawn(async move { other.serve_http(http, other.websocket_routes()).await });
        (Self { server, serving }, addresses)
    }

    async fn end(mut self) {
        assert!(self.server.shutdown(BOUND).await, "every session has ended");
        while self.serving.join_next().await.is_some() {}
    }
}

/// The port of an earlier life is free again at once, or nearly so.
async fn listen(address: SocketAddr) -> TcpListener {
    for _ in 0..1_200 {
        if let Ok(listener) = TcpListener::bind(address).await {
            return listener;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{address} is not free");
}

async fn client(url: String, user: &str) -> Client {
    let pauses = (Duration::from_millis(10), Duration::from_millis(50));
    Client::builder(url).login(user, "").pauses(pauses.0, pauses.1).connect().await.unwrap()
}

#[tokio::test]
async fn nothing_receipted_is_lost_or_doubled_while_the_server_restarts() {
    let folder = tempfile::tempdir().unwrap();
    let journal = folder.path().join("log.db");
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let (mut life, [tcp, http]) = Life::begin(&journal, any, any).await;
    let writer = client(format!("tcp://{tcp}"), "ann").await;
    let reader = client(format!("ws://{http}/ws"), "bob").await;
    let mut stream = reader.subscribe("/topic/a").prefetch(64).await.unwrap();

    let (progress, mut due) = watch::channel(0);
    let (allowed, mut may_send) = watch::channel(STRIDE);
    let sending = tokio::spawn(async move {
        let mut waiting = Vec::new();
        for number in 0..MESSAGES {
            may_send.wait_for(|allowed| number < *allowed).await.unwrap();
            let draft = Draft::to("/topic/a").text(number.to_string());
            waiting.push(writer.queue(draft).await.unwrap());
        }
        let mut places = Vec::new();
        for sending in waiting {
            places.push(sending.await.unwrap().position().unwrap());
        }
        writer.close(BOUND).await.unwrap();
        places
    });
    let restarting = tokio::spawn(async move {
        for turn in 1..=RESTARTS {
            // In the middle of a stride, whose beginning came out of this life.
            due.wait_for(|came| *came >= turn * STRIDE - STRIDE / 2).await.unwrap();
            life.end().await;
            (life, _) = Life::begin(&journal, tcp, http).await;
            allowed.send_replace((turn + 1) * STRIDE);
        }
        life
    });

    let (mut came, mut resumed) = (Vec::new(), 0);
    while came.len() < MESSAGES {
        let arrival = tokio::time::timeout(BOUND, stream.arrival()).await;
        match arrival.expect("nothing more came").unwrap().unwrap() {
            Arrival::Message(message) => {
                came.push((message.text().parse().unwrap(), message));
                progress.send_replace(came.len());
            }
            Arrival::Resumed(verdict) => {
                resumed += 1;
                assert!(verdict.recovered);
            }
            other => panic!("{other:?}"),
        }
    }
    let places = sending.await.unwrap();
    let numbers: Vec<usize> = came.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, (0..MESSAGES).collect::<Vec<_>>(), "in order, each once");
    for (place, (_, message)) in places.iter().zip(&came) {
        assert_eq!(message.position(), Some(*place), "each where its receipt says");
    }
    assert!(resumed >= RESTARTS, "the restarts came in the middle, not {resumed}");
    restarting.await.unwrap().end().await;
}
