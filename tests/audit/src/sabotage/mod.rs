//! Ways to break what is promised, so that the judge can be judged. All of them stand between
//! programs that are as they are shipped: nothing that loses messages on purpose is built into a
//! server.

pub(crate) mod acks;
mod forge;
pub(crate) mod frames;

/// What is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sabotage {
    /// `message-dedup-id` is taken from every SEND: retries are doubled.
    IdsTakenAway,
    /// Now and then a delivery changes places with the next one of its subscription.
    Shuffled,
    /// Now and then a delivery is swallowed.
    Swallowed,
    /// Now and then a SEND is swallowed, and receipted all the same.
    ForgedReceipts,
    /// Kafka is told to answer when one copy has a record.
    OneAck,
}
