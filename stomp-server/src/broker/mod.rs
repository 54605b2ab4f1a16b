//! The broker: what is accepted, who gets it, what it means to have a receipt.
//!
//! [`Broker`] is the seam behind which backends stand. Its contract, sentence by
//! sentence, is judged by one suite, `testing::conformance`, for every backend.

mod channel;
mod config;
mod dedupe;
mod error;
mod history;
mod hub;
mod index;
mod insight;
pub mod journal;
mod journaled;
#[cfg(feature = "kafka")]
mod kafka;
mod memory;
mod message;
mod packed;
mod partition;
mod pattern;
mod places;
mod position;
mod queue;
mod queues;
mod replay;
mod reply;
mod ring;
mod selector;
mod share;
mod subscription;

use std::sync::Arc;

use async_trait::async_trait;
use compact_str::CompactString;

#[cfg(feature = "kafka")]
pub use self::kafka::{
    KafkaBridge, KafkaBroker, KafkaConfig, KafkaLogInfo, KafkaQueue, KafkaStartError,
};
pub use self::{
    config::{BrokerConfig, JournalSync},
    error::BrokerError,
    history::{Chapter, History},
    insight::{QueueInfo, StorageInfo},
    journal::JournalError,
    journaled::JournalBroker,
    memory::MemoryBroker,
    message::{
        Accepted, Class, ConnectionId, DedupeKey, Delivery, Logged, MessageId, Publish,
        SubscriptionKey, Token,
    },
    position::{Epoch, InvalidPosition, Position},
    reply::{Replier, Reply},
    selector::{InvalidSelector, Selector},
    share::Share,
};
use crate::session::Outbound;

/// What a receipt survives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Nothing: it ends with the process.
    Memory,
    /// The process, and a loss of power.
    Disk,
    /// The loss of a node.
    Replicated,
}

impl Durability {
    /// The word in CONNECTED and in the banner.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Disk => "disk",
            Self::Replicated => "replicated",
        }
    }
}

/// What a backend can do beyond the contract's minimum; the conformance suite follows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// What a receipt survives.
    pub durability: Durability,
    /// Queues (`/queue/**`) are served.
    pub queues: bool,
    /// `priority` on queues is honoured; otherwise it is refused.
    pub priority: bool,
    /// `durable:true` subscriptions are served.
    pub durable_subscriptions: bool,
    /// `selector` is honoured; otherwise it is refused.
    pub selectors: bool,
}

/// Where a subscription starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartFrom {
    /// With what comes next.
    Next,
    /// With the oldest that is kept.
    First,
    /// With the last N that are kept.
    Last(u32),
    /// Behind this place.
    After(Position),
}

/// The name of a place that is kept while its subscriber is away.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DurableKey {
    /// Whose place.
    pub user: CompactString,
    /// The subscription's id.
    pub id: CompactString,
}

/// One subscription to be made.
#[derive(Clone, Debug)]
pub struct SubscribeRequest {
    /// What the session calls it.
    pub key: SubscriptionKey,
    /// A destination or, for topics, a pattern.
    pub route: CompactString,
    /// Where to start; a verdict is given only where the subscriber asked.
    pub from: Option<StartFrom>,
    /// Deliveries carry tokens and wait for [`Broker::settle`].
    pub acks: bool,
    /// How many may be open at once (acknowledged subscriptions and queues).
    pub prefetch: u32,
    /// The place is kept under this name.
    pub durable: Option<DurableKey>,
    /// Which messages it wants; all of them where there is none.
    pub selector: Option<Arc<Selector>>,
}

/// What the receipt of a SUBSCRIBE says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Subscribed {
    /// This reader's place: everything behind it will be delivered.
    pub position: Option<Position>,
    /// Whether all that was asked for with `from` comes; `None` where nothing was asked.
    pub recovered: Option<bool>,
}

/// What becomes of a subscription's place when it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A durable place stays for its return.
    Keep,
    /// A durable place is forgotten (UNSUBSCRIBE with `durable:true`).
    Forget,
}

/// What became of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Done; never offered again.
    Ack,
    /// Not done: a queue offers it again, to another consumer first.
    Nack,
}

/// The log behind a broker, for workers that read all of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogInfo {
    /// The log's present life.
    pub epoch: Epoch,
    /// For each partition the offset that the next record will get or exceed.
    pub heads: Vec<u64>,
}

/// A record as a worker reads it.
#[derive(Clone, Debug)]
pub struct Record {
    /// Its number in the partition.
    pub offset: u64,
    /// What was accepted.
    pub logged: Arc<Logged>,
    /// When the log took it, in milliseconds since 1970; decoration, never an order.
    pub at_ms: u64,
}

/// Some records of one partition, in log order.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Of which partition.
    pub partition: u32,
    /// The records; offsets rise, with gaps.
    pub records: Vec<Record>,
    /// Where to go on: the offset to start from after a restart.
    pub next: u64,
}

/// A reader of the whole log, with places that its user keeps.
#[async_trait]
pub trait LogReader: Send {
    /// Waits until there is something and returns at most `max` records of one partition.
    ///
    /// Cancel-safe: a call that was dropped before it returned has read nothing.
    async fn next(&mut self, max: usize) -> Result<Batch, BrokerError>;

    /// Says that everything below `next` has been taken over for good, so that the log
    /// may trim it. Until then it is kept, whatever the bounds say.
    fn taken_over(&mut self, partition: u32, next: u64);
}

/// Accepts messages, and brings them to whoever subscribed.
///
/// # What every backend promises
///
/// 1. **Accepted means logged.** A reply to [`publish`](Self::publish) is `Ok` only when
///    the log has the message, to the degree that [`Durability`] says.
/// 2. **Calls take their place when they are made.** Two messages published one after the
///    other (by one caller, or by two that know of each other) stand in the log in that
///    order, whenever their replies arrive. Replies to one caller's publications arrive
///    in order.
/// 3. **Order.** Every subscriber of a destination gets its kept messages in log order,
///    each at most once per subscription (unless it was returned to a queue).
/// 4. **First wins.** A second publication with the same (route, sender, id) within the
///    window is not appended; its reply says `duplicate`.
/// 5. **Refused is definite.** [`BrokerError::Refused`] proves that the message is not in the
///    log and never will be; [`BrokerError::Unknown`] proves nothing.
/// 6. **A subscription misses nothing** from its [`Subscribed::position`] on, except by the
///    slow-consumer policy, which ends or tells it. Deliveries may come before the reply to
///    `subscribe` does; the session holds them back.
/// 7. **`recovered:false` replays nothing**; `recovered:true` replays everything asked for,
///    then goes on live without a hole or a repetition.
/// 8. **Queues**: each message to one subscription at a time; at most `prefetch` open ones a
///    subscription; a returned one (nack, unsubscribe, lost connection) comes before newer
///    ones, its `redeliveries` counted up.
/// 9. **Unsubscribe ends it**: nothing is offered to the key after the call has returned.
/// 10. **Nobody waits for a slow reader**: a full [`Outbound`] never delays others.
/// 11. **Close** lets everything accepted be answered, then refuses with `shutdown`.
///
/// Calls never block and may be made from any task; waiting happens in the replies.
/// Dropping a [`Reply`] does not withdraw the call.
#[async_trait]
pub trait Broker: Send + Sync + 'static {
    /// What this backend can do.
    fn capabilities(&self) -> Capabilities;

    /// Takes one message. The reply is its receipt.
    fn publish(&self, publish: Publish) -> Reply<Accepted>;

    /// Whether more publications are welcome now. Sessions stop reading while they are not.
    fn has_room(&self) -> bool {
        true
    }

    /// Waits until [`has_room`](Self::has_room) may be true again. Cancel-safe.
    async fn room(&self) {}

    /// Registers a subscription whose deliveries go to `outbound`.
    fn subscribe(&self, request: SubscribeRequest, outbound: Outbound) -> Reply<Subscribed>;

    /// Ends a subscription; unsettled deliveries go back, in order, ahead of newer ones.
    fn unsubscribe(&self, key: SubscriptionKey, place: Place) -> Reply<()>;

    /// Settles deliveries of one subscription. Tokens that the broker withdrew are ignored.
    fn settle(&self, key: SubscriptionKey, tokens: &[Token], outcome: Outcome) -> Reply<()>;

    /// The log's epoch and heads, for workers.
    async fn log(&self) -> Result<LogInfo, BrokerError>;

    /// Reads the whole log from the given offsets, one for each partition.
    ///
    /// Refused where an offset has been trimmed already or lies above the head.
    async fn read_log(&self, starts: &[u64]) -> Result<Box<dyn LogReader>, BrokerError>;

    /// The queues of this process behind a name, in the order of their names, at most so many.
    /// For people to look at; a backend without queues of its own has none to show.
    fn queues(&self, _after: &str, _limit: usize) -> Vec<QueueInfo> {
        Vec::new()
    }

    /// What is kept and how far workers are behind. For people to look at.
    async fn storage(&self) -> StorageInfo {
        StorageInfo::default()
    }

    /// Which partition of the log a destination belongs to.
    fn partition_of(&self, _route: &str) -> u32 {
        0
    }

    /// Brings a volatile message to those who subscribe at this instance, and to nobody else:
    /// for what every instance derives from the log by itself.
    fn tell_here(&self, publish: Publish) {
        drop(self.publish(publish));
    }

    /// Joins those who share the work of reading the log under this name, on all instances:
    /// each partition is one member's at a time, but for the moments of a change, in which
    /// two may think so. Whoever writes down its places must notice that.
    ///
    /// A log of one instance gives all of it.
    async fn share(&self, _name: &str) -> Result<Share, BrokerError> {
        Ok(Share::all(self.log().await?.heads.len() as u32))
    }

    /// Reads some partitions of the log, each from the given offset.
    ///
    /// Refused like [`read_log`](Self::read_log); a log of one instance is read as a whole.
    async fn read_partitions(
        &self,
        starts: &[(u32, u64)],
    ) -> Result<Box<dyn LogReader>, BrokerError> {
        let starts: Vec<_> = starts.iter().map(|(_, start)| *start).collect();
        self.read_log(&starts).await
    }

    /// Answers what was accepted, then refuses everything. Idempotent.
    async fn close(&self);
}
