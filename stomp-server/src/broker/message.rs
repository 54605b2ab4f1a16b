//! What travels through a broker: publications in, deliveries out.

use std::{
    borrow::Cow,
    fmt,
    sync::{Arc, OnceLock},
    time::Duration,
};

use bytes::Bytes;
use compact_str::CompactString;
use stomp_core::{SharedMessage, Version};

use super::Position;

/// Whether the log keeps a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Class {
    /// It goes through the log, has a position, is replayed and deduplicated.
    #[default]
    Kept,
    /// It goes to whoever listens now, and its receipt means handed over.
    Volatile,
}

/// One message to be accepted.
#[derive(Clone, Debug)]
pub struct Publish {
    /// Where it goes, for routing: the destination, but `/user/NAME/queue/x` where
    /// the message shows `/user/queue/x`.
    pub route: CompactString,
    /// What subscribers get to see.
    pub message: SharedMessage,
    /// An id that the application chose; without one the position is the id.
    pub message_id: Option<Arc<str>>,
    /// Kept or volatile.
    pub class: Class,
    /// The first of a (route, sender, id) wins; later ones are duplicates.
    pub dedupe: Option<DedupeKey>,
    /// How long a queue offers it before it expires.
    pub ttl: Option<Duration>,
    /// 0 to 9, queues only; higher ones first. 4 is what everything starts with (JMS).
    pub priority: u8,
}

impl Publish {
    /// A kept message for the destination that it shows.
    pub fn kept(message: SharedMessage) -> Self {
        Self {
            route: message.destination().into(),
            message,
            message_id: None,
            class: Class::Kept,
            dedupe: None,
            ttl: None,
            priority: 4,
        }
    }

    /// A volatile message for the destination that it shows.
    pub fn volatile(message: SharedMessage) -> Self {
        Self { class: Class::Volatile, ..Self::kept(message) }
    }

    /// Sends it along another route than the destination that it shows.
    #[must_use]
    pub fn routed(mut self, route: impl Into<CompactString>) -> Self {
        self.route = route.into();
        self
    }

    /// Makes a retry of the same id by the same sender harmless.
    #[must_use]
    pub fn deduplicated(
        mut self,
        sender: impl Into<CompactString>,
        id: impl Into<CompactString>,
    ) -> Self {
        self.dedupe = Some(DedupeKey { sender: sender.into(), id: id.into() });
        self
    }

    /// Gives the message an id of the application's own.
    #[must_use]
    pub fn with_id(mut self, id: impl Into<Arc<str>>) -> Self {
        self.message_id = Some(id.into());
        self
    }
}

/// The publisher's part of a dedupe scope; the route is the other part.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DedupeKey {
    /// The user who publishes; ids of different users never collide.
    pub sender: CompactString,
    /// The publisher's id, 1 to 64 of `[A-Za-z0-9_-]`.
    pub id: CompactString,
}

/// What a receipt says: the log has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Its place; none for volatile messages.
    pub position: Option<Position>,
    /// It was there already; `position` is then that of the first one, where known.
    pub duplicate: bool,
}

/// How a MESSAGE is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MessageId {
    /// By its place in the log.
    Position(Position),
    /// By the application.
    Given(Arc<str>),
    /// By a number that this process never gives twice: volatile messages.
    Volatile(u64),
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Position(position) => position.fmt(f),
            Self::Given(id) => f.write_str(id),
            Self::Volatile(number) => write!(f, "v-{number}"),
        }
    }
}

/// A message that was accepted, with the place that it got. Shared by everyone who gets it.
#[derive(Clone, Debug)]
pub struct Logged {
    /// Along which route it came.
    pub route: CompactString,
    /// Its id.
    pub id: MessageId,
    /// Its place; none for volatile messages.
    pub position: Option<Position>,
    /// What was published.
    pub message: SharedMessage,
    /// Who published it under which id, where it was deduplicated.
    pub dedupe: Option<DedupeKey>,
    /// What of its MESSAGE all subscribers share.
    pub wire: Wire,
}

impl Logged {
    /// The MESSAGE behind the headers of one subscription: id, position, and what was published.
    /// Encoded by the first who asks, then shared by all subscribers, unless they speak another
    /// version and the message has what versions write differently.
    pub fn tail(&self, version: Version) -> Cow<'_, Bytes> {
        let (only, tail) = self.wire.0.get_or_init(|| {
            let (tail, is_plain) = self.encode(version);
            ((!is_plain).then_some(version), tail)
        });
        match only {
            Some(only) if *only != version => Cow::Owned(self.encode(version).0),
            _ => Cow::Borrowed(tail),
        }
    }

    fn encode(&self, version: Version) -> (Bytes, bool) {
        let id = self.id.to_string();
        let Some(position) = self.position else {
            return self.message.tail_behind(version, &[("message-id", &id)]);
        };
        let place = match &self.id {
            MessageId::Position(same) if *same == position => Cow::Borrowed(id.as_str()),
            _ => Cow::Owned(position.to_string()),
        };
        self.message.tail_behind(version, &[("message-id", &id), ("position", &place)])
    }
}

/// A message as it is written; for one version where not all of them write it alike.
#[derive(Clone, Debug, Default)]
pub struct Wire(OnceLock<(Option<Version>, Bytes)>);

/// A connection of this process; never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

/// A subscription of this process: its connection and a number within it; never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubscriptionKey {
    /// Whose it is.
    pub connection: ConnectionId,
    /// Which of its subscriptions.
    pub number: u32,
}

/// What a broker calls one delivery until it is settled; unique within its subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(pub u64);

/// A message on its way to one subscription.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Who gets it.
    pub subscription: SubscriptionKey,
    /// What.
    pub logged: Arc<Logged>,
    /// To be settled with this token; none where no acknowledgement is expected.
    pub token: Option<Token>,
    /// How often it was offered before, to anybody; a lower bound.
    pub redeliveries: u32,
}

impl Delivery {
    /// What it counts for in a bounded queue, in bytes: the message and a fixed share of head.
    pub fn weight(&self) -> usize {
        const HEAD: usize = 128;
        self.logged.message.size() + HEAD
    }
}
