//! Logins and permissions of one's own: two traits, one method each.
//!
//! `cargo run -p examples --example own_auth`

use std::{error::Error, sync::Arc, time::Duration};

use async_trait::async_trait;
use stomp_server::{
    Server,
    auth::{Authenticate, Authorize, Credentials, Decision, Intent, Principal},
    client::{Client, ClientError, Draft},
    problem::{Code, Problem},
};
use tokio::net::TcpListener;

/// Whoever knows the word of the day is who they say.
struct WordOfTheDay(&'static str);

#[async_trait]
impl Authenticate for WordOfTheDay {
    async fn authenticate(&self, credentials: Credentials) -> Result<Principal, Problem> {
        match (&credentials.login, credentials.token()) {
            (Some(name), Some(word)) if word == self.0 => Ok(Principal::user(name.as_str())),
            // Which part was wrong is nobody's business.
            _ => Err(Problem::new(Code::Unauthorized, "Wrong name or word.")),
        }
    }
}

/// Everybody reads everything; only editors write the news.
struct Editors(&'static [&'static str]);

#[async_trait]
impl Authorize for Editors {
    async fn authorize(&self, who: &Principal, intent: Intent<'_>) -> Decision {
        match intent {
            Intent::Send("/topic/news") if !self.0.contains(&who.name()) => {
                // `Refuse` instead of `Deny` would let the session live on.
                Decision::Deny(Problem::new(Code::Forbidden, "Only editors write the news."))
            }
            _ => Decision::Allow,
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let server = Server::builder()
        .authenticate(Arc::new(WordOfTheDay("swordfish")))
        .authorize(Arc::new(Editors(&["ann"])))
        .build();
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("tcp://{}", listener.local_addr()?);
    let serving = tokio::spawn({
        let server = server.clone();
        async move { server.serve_tcp(listener).await }
    });

    let stranger = Client::builder(&url).login("ann", "guess").connect().await;
    assert!(matches!(stranger, Err(ClientError::Refused(p)) if p.code == Code::Unauthorized));

    let ann = Client::builder(&url).login("ann", "swordfish").connect().await?;
    let bob = Client::builder(&url).login("bob", "swordfish").connect().await?;
    let mut news = bob.subscribe("/topic/news").await?;
    let refused = bob.send(Draft::to("/topic/news").text("fake")).await;
    assert!(matches!(refused, Err(ClientError::Refused(p)) if p.code == Code::Forbidden));
    ann.send(Draft::to("/topic/news").text("true")).await?;
    let message = news.message().await?;
    println!("bob may read {:?}, and write nothing", message.text());
    assert_eq!(message.text(), "true");

    server.shutdown(Duration::from_secs(5)).await;
    serving.await??;
    Ok(())
}
