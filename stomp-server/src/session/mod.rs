//! A connection's life: frames in, intentions out, deliveries back.

mod outbound;

pub use self::outbound::{Offer, Outbound, OutboundQueue, SlowConsumer, outbound};
