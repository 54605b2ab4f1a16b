//! What the session machine wants done.

use std::sync::Arc;

use compact_str::CompactString;
use stomp_core::{Frame, HeartBeat, Version};

use crate::{
    auth::{Credentials, Intent, Principal},
    broker::{
        Accepted, BrokerError, Delivery, Outcome, Place, Publish, SubscribeRequest, Subscribed,
        SubscriptionKey, Token,
    },
    router::{AppSend, AppSubscribe},
};

/// The slot of a frame whose effect is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ticket(pub(crate) u64);

/// One thing that the machine wants done. Executed in order.
#[derive(Debug)]
pub(crate) enum Action {
    /// Ask who this is; answer with `on_login`.
    Login(Box<Credentials>),
    /// The session is open: this version, these heart-beats (as the server sends and wants them).
    Opened(Version, HeartBeat, Arc<Principal>),
    /// Ask whether this is allowed; answer with `on_decision`.
    Authorize(Asked),
    /// Ask the application; answer with `on_answer`.
    Handle(Box<AppSend>),
    /// Ask the application; answer with `on_app_reply`.
    Ask(Box<AppSubscribe>),
    /// Hand it to the broker; the outcome goes to `on_reply`.
    Publish(Ticket, Box<Publish>),
    /// As above.
    Subscribe(Ticket, Box<SubscribeRequest>),
    /// As above.
    Unsubscribe(Ticket, SubscriptionKey, Place),
    /// As above.
    Settle(Ticket, SubscriptionKey, Vec<Token>, Outcome),
    /// Write this frame.
    Frame(Box<Frame>),
    /// Write a MESSAGE for this delivery.
    Message(Outgoing),
    /// This delivery has nowhere to go any more: give its room back.
    Forget(Delivery),
    /// Write what is waiting, then close like this.
    Close(Close),
}

/// A question for the authorizer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// SEND to this destination.
    Send(CompactString),
    /// SUBSCRIBE to this destination.
    Subscribe(CompactString),
}

impl Asked {
    /// The same as authorizers see it.
    pub(crate) fn intent(&self) -> Intent<'_> {
        match self {
            Self::Send(destination) => Intent::Send(destination),
            Self::Subscribe(destination) => Intent::Subscribe(destination),
        }
    }
}

/// A delivery with what its subscription adds.
#[derive(Debug)]
pub(crate) struct Outgoing {
    /// The client's id of it; absent where a 1.0 client gave none.
    pub(crate) subscription: Option<Arc<str>>,
    /// The message.
    pub(crate) delivery: Delivery,
    /// To be acknowledged under this id.
    pub(crate) ack: Option<super::ack::AckId>,
    /// It came through the connection's queue, whose room it gives back when it is written.
    /// What the session says itself did not.
    pub(crate) queued: bool,
}

/// What a broker call came to.
#[derive(Debug)]
pub(crate) enum BrokerReply {
    /// Of a publication.
    Accepted(Result<Accepted, BrokerError>),
    /// Of a subscription.
    Subscribed(Result<Subscribed, BrokerError>),
    /// Of anything else.
    Done(Result<(), BrokerError>),
}

/// Why and how a connection is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Close {
    /// The client said DISCONNECT, or ended its stream.
    Bye,
    /// After an ERROR for a fault of the peer.
    Fault,
    /// After an ERROR for something too large.
    TooLarge,
    /// After an ERROR for a refused login.
    Refused,
    /// This server goes away.
    Shutdown,
    /// The outcome of something is unknown: what is known is still written, but no ERROR, so
    /// that the client tries again with the same id.
    Unknown,
    /// At once: the peer is silent or gone.
    Abort,
}
