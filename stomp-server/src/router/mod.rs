//! Who serves a destination.

mod destination;
mod handler;

pub use self::{
    destination::Destination,
    handler::{Answer, AppSend, AppSubscribe, Handler, NoHandlers},
};
