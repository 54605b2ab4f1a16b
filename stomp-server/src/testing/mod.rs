//! What tests need, here and in crates that bring a broker of their own.

pub mod conformance;
mod conversation;
pub mod listener;

pub use self::conversation::Talk;

pub use crate::session::model::play as play_session;
