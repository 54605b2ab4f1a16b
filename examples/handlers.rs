//! What a Spring controller does, in Rust. The front end stays as it is:
//!
//! | Spring | here |
//! |---|---|
//! | `@MessageMapping("/hello") @SendTo("/topic/greetings")` | `.send("/app/hello", hello)`, returns `Emit::to` |
//! | `@MessageMapping("/ask") @SendToUser("/queue/reply")` | `.send("/app/ask", ask)`, returns `Emit::reply` |
//! | `@SubscribeMapping("/rooms.{id}")` | `.subscribe("/app/rooms.{id}", room)` |
//! | `@MessageExceptionHandler` | an error that becomes a `Problem` |
//!
//! `cargo run -p examples --example handlers` checks itself and ends; with an address
//! (`-- 127.0.0.1:8080`) it serves a front end's `/ws` until Ctrl-C.

use std::{error::Error, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use stomp_server::{
    Server,
    auth::Principal,
    client::{Client, ClientError, Draft},
    problem::{Code, Problem},
    router::{Emit, Json, Path, Routes, State},
};
use tokio::net::TcpListener;

#[derive(Serialize, Deserialize)]
struct Hello {
    name: String,
}

#[derive(Serialize, Deserialize)]
struct Greeting {
    content: String,
}

type Rooms = Arc<Vec<&'static str>>;

async fn hello(Json(hello): Json<Hello>) -> Result<Emit, Problem> {
    if hello.name.is_empty() {
        return Err(Problem::new(Code::Invalid, "A name, please."));
    }
    let content = format!("Hello, {}!", hello.name);
    Ok(Emit::to("/topic/greetings").json(&Greeting { content }))
}

async fn ask(who: Principal, question: String) -> Emit {
    Emit::reply("/queue/reply").text(format!("{}, {question:?} is a good question", who.name()))
}

async fn room(State(rooms): State<Rooms>, Path(id): Path<usize>) -> Result<Json<Hello>, Problem> {
    let name = rooms.get(id).ok_or(Problem::new(Code::NotFound, "There is no such room."))?;
    Ok(Json(Hello { name: (*name).to_owned() }))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let routes = Routes::with_state(Rooms::new(vec!["kitchen", "garden"]))
        .send("/app/hello", hello)
        .send("/app/ask", ask)
        .subscribe("/app/rooms.{id}", room);
    let server = Server::builder().handler(Arc::new(routes)).build();

    let address = std::env::args().nth(1);
    let listener = TcpListener::bind(address.as_deref().unwrap_or("127.0.0.1:0")).await?;
    let url = format!("ws://{}/ws", listener.local_addr()?);
    let serving = tokio::spawn({
        let server = server.clone();
        async move { server.serve_http(listener, server.websocket_routes()).await }
    });
    if address.is_some() {
        println!("a front end connects to {url}");
        return Ok(serving.await??);
    }
    check(&url).await?;
    server.shutdown(Duration::from_secs(5)).await;
    Ok(serving.await??)
}

async fn check(url: &str) -> Result<(), ClientError> {
    let client = Client::builder(url).login("ann", "").connect().await?;
    let mut greetings = client.subscribe("/topic/greetings").await?;
    let mut replies = client.subscribe("/user/queue/reply").await?;

    client.send(Draft::to("/app/hello").json(&Hello { name: "Ann".into() })?).await?;
    assert_eq!(greetings.message().await?.json::<Greeting>()?.content, "Hello, Ann!");

    client.send(Draft::to("/app/ask").text("Why?")).await?;
    assert_eq!(replies.message().await?.text(), "ann, \"Why?\" is a good question");

    assert_eq!(client.ask("/app/rooms.1").await?.json::<Hello>()?.name, "garden");
    let refused = client.ask("/app/rooms.2").await;
    assert!(
        matches!(refused, Err(ClientError::Refused(problem)) if problem.code == Code::NotFound)
    );
    let refused = client.send(Draft::to("/app/hello").json(&Hello { name: String::new() })?).await;
    assert!(matches!(refused, Err(ClientError::Refused(problem)) if problem.code == Code::Invalid));
    println!("greeted, replied, answered, and refused twice");
    client.close(Duration::from_secs(1)).await
}
