//! A STOMP 1.2 broker to embed, which never loses a message it has receipted.

mod arrival;
pub mod auth;
pub mod broker;
#[cfg(feature = "client")]
pub mod client;
mod gate;
#[cfg(feature = "websocket")]
pub mod http;
mod metrics;
pub mod problem;
pub mod router;
mod server;
pub mod session;
#[cfg(feature = "testing")]
pub mod testing;
mod transport;

pub use server::{Server, ServerBuilder};
#[cfg(feature = "tls")]
pub use transport::tls::{Tls, TlsError, TlsFiles};
