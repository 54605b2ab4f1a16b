//! What tests need, here and in crates that bring a broker of their own.

pub mod conformance;
mod conversation;
mod fault_proxy;
#[cfg(feature = "kafka")]
mod kafka;
pub mod listener;

pub use self::conversation::Talk;
pub use self::fault_proxy::{Fate, FaultProxy, Writer};
#[cfg(feature = "kafka")]
pub use self::kafka::Kafka;

pub use crate::session::model::play as play_session;
