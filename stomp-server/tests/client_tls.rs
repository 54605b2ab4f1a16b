//! The client over TLS: it trusts whom it is told to, and nobody else.
#![cfg(all(feature = "client", feature = "tls", feature = "websocket", feature = "testing"))]

mod doors;

use std::time::Duration;

use stomp_server::{
    Server,
    client::{Client, ClientError, Draft},
};

use crate::doors::{Authority, House};

#[tokio::test]
async fn a_client_that_trusts_the_authority_speaks_over_tls_and_secure_websockets() {
    let house = House::of(Server::builder().build()).await;
    let root = std::fs::read(house.authority.path("ca.pem")).unwrap();
    for url in [
        format!("tls://localhost:{}", house.tls.port()),
        format!("wss://localhost:{}/ws", house.https.port()),
    ] {
        let client = Client::builder(url).trust(&root).unwrap().connect().await.unwrap();
        let mut stream = client.subscribe("/topic/a").await.unwrap();
        client.send(Draft::to("/topic/a").text("sealed")).await.unwrap();
        assert_eq!(stream.message().await.unwrap().text(), "sealed");
        client.close(Duration::from_secs(60)).await.unwrap();
    }
}

#[tokio::test]
async fn a_server_of_another_authority_or_of_another_name_is_not_spoken_to() {
    let house = House::of(Server::builder().build()).await;
    let url = format!("tls://localhost:{}", house.tls.port());
    let other = std::fs::read(Authority::new().path("ca.pem")).unwrap();
    let stranger = Client::builder(&url).trust(&other).unwrap().connect().await;
    assert!(matches!(stranger, Err(ClientError::Unreachable(_))), "{stranger:?}");

    let root = std::fs::read(house.authority.path("ca.pem")).unwrap();
    let by_number = format!("tls://127.0.0.1:{}", house.tls.port());
    let unnamed = Client::builder(by_number).trust(&root).unwrap().connect().await;
    assert!(matches!(unnamed, Err(ClientError::Unreachable(_))), "{unnamed:?}");

    let trusting = Client::builder(&url).connect().await;
    assert!(matches!(trusting, Err(ClientError::Invalid(_))), "nobody is trusted unasked");
    assert!(Client::builder(&url).trust(b"no certificate").is_err());
}
