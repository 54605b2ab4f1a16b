//! A connection's life: frames in, intentions out, deliveries back.
//!
//! `machine` decides, `driver` moves bytes and time.

mod ack;
mod action;
mod connect;
mod driver;
mod encode;
mod heartbeat;
mod hooks;
mod limits;
mod machine;
#[cfg(test)]
mod machine_tests;
#[cfg(any(test, feature = "testing"))]
pub(crate) mod model;
mod outbound;
mod receipts;
mod replies;
mod send;
mod settle;
mod subscribe;
mod subscriptions;
mod transaction;
mod wake;
mod work;

#[cfg(feature = "client")]
pub(crate) use self::heartbeat::{Due, HeartBeats};
pub use self::{
    action::Close,
    limits::SessionLimits,
    outbound::{Offer, Outbound, OutboundQueue, SlowConsumer, outbound},
};
pub(crate) use self::{
    driver::{Peer, run},
    machine::Surroundings,
};
