//! A STOMP 1.2 broker to embed, which never loses a message it has receipted.
//!
//! ```
//! use std::{sync::Arc, time::Duration};
//! use serde::{Deserialize, Serialize};
//! use stomp_server::{Server, router::{Emit, Json, Path, Routes}};
//!
//! #[derive(Serialize, Deserialize)]
//! struct Said { text: String }
//!
//! /// SEND to `/app/rooms.7.say` becomes a message on `/topic/rooms.7`.
//! async fn say(Path(room): Path<u32>, Json(said): Json<Said>) -> Emit {
//!     Emit::to(format!("/topic/rooms.{room}")).json(&said)
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let routes = Routes::new().send("/app/rooms.{room}.say", say);
//! let server = Server::builder().handler(Arc::new(routes)).build();
//!
//! // STOMP over TCP; `serve_http` and `websocket_routes` are for browsers.
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! let serving = tokio::spawn({
//!     let server = server.clone();
//!     async move { server.serve_tcp(listener).await }
//! });
//!
//! // The program sends too, and knows the message's place in the log.
//! let said = Said { text: "welcome".into() };
//! let accepted = server.handle().send(Emit::to("/topic/rooms.7").json(&said)).await?;
//! println!("accepted at {:?}", accepted.position);
//!
//! server.shutdown(Duration::from_secs(5)).await;
//! serving.await??;
//! # Ok(())
//! # }
//! ```
//!
//! # Map
//!
//! | module | holds | feature |
//! |---|---|---|
//! | [`Server`], [`ServerBuilder`] | what all sessions share; listeners and streams; shutdown | |
//! | [`router`] | destinations; functions behind `/app`, what they take and return; interceptors; [`Handle`](router::Handle) | |
//! | [`auth`] | who somebody is and what they may do: two traits, and what implements them | `users`, `jwt` |
//! | [`broker`] | the trait of brokers, word by word, and brokers in memory and on disk | `sqlite` |
//! | [`session`] | limits, and the bounded queue in front of each connection | |
//! | [`problem`] | what a refused peer is told | |
//! | [`insight`] | what there is to see of a running server | |
//! | `http` | the WebSocket endpoint and health, for an axum router | `websocket` |
//! | `Tls` | certificates that are read again without a restart | `tls` |
//! | `client` | a client that reconnects, resumes and retries | `client` |
//! | `program` | settings from one table of knobs, a log, a word to systemd | `program` |
//! | `testing` | conversations as tests, and the suite that judges brokers | `testing` |
//!
//! Features only add: none of them changes what the others do. `full`, the default, is what the
//! program needs; who embeds names what they use:
//!
//! ```toml
//! stomp-server = { version = "0.1", default-features = false, features = ["websocket"] }
//! ```

mod arrival;
pub mod auth;
pub mod broker;
#[cfg(feature = "client")]
pub mod client;
mod gate;
#[cfg(feature = "websocket")]
pub mod http;
pub mod insight;
mod metrics;
pub mod problem;
#[cfg(feature = "program")]
pub mod program;
pub mod router;
mod server;
pub mod session;
mod stop;
mod sync;
#[cfg(feature = "testing")]
pub mod testing;
mod transport;

pub use server::{Server, ServerBuilder};
#[cfg(feature = "tls")]
pub use transport::tls::{Tls, TlsError, TlsFiles};
