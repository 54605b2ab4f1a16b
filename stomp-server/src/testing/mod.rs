//! What tests need, here and in crates that bring a broker of their own.

pub mod conformance;
mod conversation;
#[cfg(feature = "kafka")]
mod kafka;
pub mod listener;

pub use self::conversation::Talk;
#[cfg(feature = "kafka")]
pub use self::kafka::Kafka;

pub use crate::session::model::play as play_session;
