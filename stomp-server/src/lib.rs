//! A STOMP 1.2 broker to embed, which never loses a message it has receipted.

pub mod auth;
pub mod broker;
pub mod problem;
pub mod router;
pub mod session;
