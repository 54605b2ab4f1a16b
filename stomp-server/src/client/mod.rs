//! A client that loses nothing: it reconnects, resumes, and retries until there is a receipt.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use std::time::Duration;
//! use stomp_server::{Server, client::{Client, Draft}};
//!
//! let server = Server::builder().build();
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! let url = format!("tcp://{}", listener.local_addr()?);
//! let serving = server.clone();
//! tokio::spawn(async move { serving.serve_tcp(listener).await });
//!
//! let client = Client::connect(url).await?;
//! let mut greetings = client.subscribe("/topic/greetings").await?;
//! let receipt = client.send(Draft::to("/topic/greetings").text("hello")).await?;
//! let message = greetings.message().await?;
//! assert_eq!(message.text(), "hello");
//! assert_eq!(message.position(), receipt.position());
//! client.close(Duration::from_secs(1)).await?;
//! # Ok(())
//! # }
//! ```
//!
//! # What it promises
//!
//! * **One task owns the connection.** Handles ask it through a bounded channel and wait
//!   where that is full. It ends when the client is closed, or its last handle is dropped.
//! * **A message is retried under one id until it has a receipt**, so the server stores it
//!   once. What waits for receipts is bounded by [`ClientBuilder::outbox`]: beyond that
//!   [`Client::send`] waits and [`Client::try_queue`] fails.
//! * **A subscription comes back by itself.** A topic goes on behind the last message that
//!   reached its stream, and [`Arrival::Resumed`] tells whether everything in between comes
//!   (`recovered`). Where no server can tell (wildcards, `/user/…`), it says false.
//! * **Streams are bounded by their prefetch**, which the server keeps: a stream that nobody
//!   reads delays neither receipts nor other streams.
//! * **A refusal fails what it is about** with the server's [`Problem`](crate::problem::Problem)
//!   and nothing else, even where it costs the connection.
//! * **A refused login is final**; everything else is tried again with growing pauses.

mod address;
mod backoff;
mod builder;
mod command;
mod draft;
mod engine;
mod entry;
mod error;
mod handle;
mod incoming;
mod link;
mod message;
mod outbox;
mod problem;
mod status;
mod subscription;
#[cfg(feature = "tls")]
mod tls;
mod transaction;
mod websocket;

use std::time::Duration;

pub use self::{
    address::{ByteStream, Connector},
    builder::ClientBuilder,
    draft::Draft,
    error::ClientError,
    handle::{Client, Sending},
    message::{Message, Sent},
    status::Status,
    subscription::{Arrival, Resumed, Subscribe, Subscription},
    transaction::Transaction,
};

/// How long the end of a connection may take to be written.
const LAST_WORDS: Duration = Duration::from_secs(2);
