//! What all brokers of one machine share: the log's tail, and who listens to it.
//!
//! Locks are taken in this order and never across an await: the map of channels, a channel,
//! the log, a subscription's flow, an outbound. A message holds the log's lock for its append
//! only; the fan-out to a destination's subscribers holds the channel's. Subscriptions by
//! pattern, which span channels, are served under the log's lock, so that they see log order.

mod archive;
mod durable;
mod insight;
mod queueing;
#[cfg(feature = "kafka")]
pub(super) mod remote;
mod topics;
mod worker;

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use parking_lot::{Mutex, MutexGuard};
use tokio::sync::Notify;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

#[cfg(feature = "kafka")]
pub(super) use self::worker::check_start;
pub(super) use self::worker::only_start;
use super::{
    BrokerConfig, BrokerError, Epoch, Logged, MessageId, Outcome, Position, Publish, Reply,
    SubscriptionKey, Token,
    channel::{Channel, ChannelState, Channels},
    index::Index,
    journal::{Entry, Extent, Journal},
    packed::Packer,
    pattern::Words,
    places::Places,
    queue::Queue,
    queues::{Ledger, Queues},
    ring::{Evicted, Place, Ring, Stored},
    subscription::{Member, Subscription, Turn},
};
use crate::problem::Code;

/// The shared middle of the brokers of this machine.
#[derive(Debug)]
pub(super) struct Hub {
    pub(super) config: BrokerConfig,
    pub(super) epoch: Epoch,
    words: Words,
    /// What has the log behind the ring.
    archive: Option<Arc<dyn Journal>>,
    /// What has it where others write too.
    #[cfg(feature = "kafka")]
    remote: Option<Arc<dyn remote::Remote>>,
    /// Up to here the archive may have been trimmed; raised before it is.
    trimmed: AtomicU64,
    channels: Channels,
    pub(super) log: Mutex<Log>,
    has_patterns: AtomicBool,
    subscriptions: Mutex<HashMap<SubscriptionKey, Registered>>,
    queues: Queues,
    places: Places,
    /// Where queues' changes are kept; nowhere in memory.
    ledger: Option<Arc<dyn Ledger>>,
    /// Whether somebody looks after the queues' times.
    has_keeper: AtomicBool,
    volatile: AtomicU64,
    /// Told when the log has grown, but only while somebody reads it.
    appended: Notify,
    is_read: AtomicBool,
    /// Told when readers have let go of what overfilled the ring.
    released: Notify,
    pub(super) closing: CancellationToken,
    pub(super) tasks: TaskTracker,
}

/// What a subscription's key leads to.
#[derive(Clone, Debug)]
enum Registered {
    Topic(Arc<Subscription>),
    Queue(Arc<Queue>),
}

/// What stands under the log's lock.
#[derive(Debug)]
pub(super) struct Log {
    /// The offset that the next message gets; of a log of many partitions, its number in the
    /// order of arrival.
    pub(super) next: u64,
    /// The offset that the next message gets, for each of many partitions.
    heads: Vec<u64>,
    pub(super) ring: Ring,
    packer: Packer,
    patterns: Index<Member>,
    /// Counts the changes of `patterns`.
    patterns_version: u64,
    /// What readers have yet to take over, by reader.
    pub(super) holds: HashMap<u64, u64>,
}

/// What is left to do when a fan-out has given its locks back.
#[derive(Default)]
pub(super) struct Aftermath {
    evicted: Evicted,
    behind: Vec<Arc<Subscription>>,
    gone: Vec<SubscriptionKey>,
}

impl Hub {
    /// A hub over an empty log that nothing else keeps.
    pub(super) fn in_memory(config: BrokerConfig) -> Self {
        Self::new(config, Epoch::random(), Extent::default(), None, None)
    }

    /// A hub over a journal.
    pub(super) fn over(
        config: BrokerConfig,
        journal: Arc<dyn Journal>,
        extent: Extent,
        ledger: Arc<dyn Ledger>,
    ) -> Self {
        Self::new(config, journal.epoch(), extent, Some(journal), Some(ledger))
    }

    fn new(
        config: BrokerConfig,
        epoch: Epoch,
        extent: Extent,
        archive: Option<Arc<dyn Journal>>,
        ledger: Option<Arc<dyn Ledger>>,
    ) -> Self {
        let next = extent.newest + 1;
        let words = Words::new(config.separator);
        let ring = Ring::new(config.ring_bytes).starting_behind(extent.newest);
        Self {
            epoch,
            words,
            archive,
            #[cfg(feature = "kafka")]
            remote: None,
            trimmed: AtomicU64::new(extent.trimmed),
            channels: Channels::default(),
            log: Mutex::new(Log {
                next,
                heads: Vec::new(),
                ring,
                packer: Packer::default(),
                patterns: Index::new(words),
                patterns_version: 0,
                holds: HashMap::new(),
            }),
            has_patterns: AtomicBool::new(false),
            subscriptions: Mutex::default(),
            queues: Queues::default(),
            places: Places::default(),
            ledger,
            has_keeper: AtomicBool::new(false),
            volatile: AtomicU64::new(0),
            appended: Notify::new(),
            is_read: AtomicBool::new(false),
            released: Notify::new(),
            closing: CancellationToken::new(),
            tasks: TaskTracker::new(),
            config,
        }
    }

    /// Refuses when the broker has been closed.
    pub(super) fn check_open(&self) -> Result<(), BrokerError> {
        if self.closing.is_cancelled() {
            return Err(BrokerError::refused(Code::Shutdown, "This server is going away."));
        }
        Ok(())
    }

    /// The channel that a message for this route is appended to.
    pub(super) fn channel(&self, publish: &Publish) -> Arc<Channel> {
        self.channels.open(&publish.route, &self.log)
    }

    /// What the next message of a journal becomes, at the place that it will have.
    pub(super) fn entry(&self, publish: Publish, offset: u64, at_ms: u64) -> Entry {
        Entry { offset, at_ms, logged: Arc::new(logged(publish, self.position(offset))) }
    }

    /// Gives a message the next place and brings it to everybody who listens. The caller holds
    /// the channel's lock, and calls [`clean_up`](Self::clean_up) after it has given it back.
    pub(super) fn append(
        &self,
        channel: &mut ChannelState,
        publish: Publish,
    ) -> (Position, Aftermath) {
        let log = self.log.lock();
        let position = self.position(log.next);
        let logged = Arc::new(logged(publish, position));
        let entry = Entry { offset: position.offset, at_ms: now_ms(), logged };
        (position, self.deliver(channel, log, &entry))
    }

    /// Brings a message that a journal has to everybody who listens. Called in log order.
    pub(super) fn fan_out(self: &Arc<Self>, entry: &Entry) {
        let channel = self.channels.open(&entry.logged.route, &self.log);
        let mut state = channel.lock();
        let aftermath = self.deliver(&mut state, self.log.lock(), entry);
        drop(state);
        drop(channel);
        self.clean_up(aftermath);
    }

    fn deliver(
        &self,
        channel: &mut ChannelState,
        mut log: MutexGuard<'_, Log>,
        entry: &Entry,
    ) -> Aftermath {
        let Entry { offset, at_ms, logged } = entry;
        let mut aftermath = Aftermath::default();
        let place = log.arrive(self.channels.partition(&logged.route), *offset);
        let hold = if self.archive.is_some() { u64::MAX } else { log.hold() };
        let stored = Stored::of(logged, &mut log.packer);
        aftermath.evicted = log.ring.push(channel.slot, place, *at_ms, stored, hold);
        log.refresh(channel, &logged.route);
        fan_out(&channel.patterns, logged, Some(place.arrival), &mut aftermath);
        drop(log);
        fan_out(&channel.members, logged, Some(*offset), &mut aftermath);
        aftermath
    }

    /// Brings a volatile message to everybody who listens now.
    pub(super) fn broadcast(self: &Arc<Self>, publish: Publish) {
        let mut aftermath = Aftermath::default();
        let logged = Arc::new(self.volatile(publish).1);
        if let Some(channel) = self.channels.find(&logged.route) {
            fan_out(&channel.lock().members, &logged, None, &mut aftermath);
        }
        if self.has_patterns.load(Ordering::Acquire) {
            let log = self.log.lock();
            fan_out(&log.patterns.matches(&logged.route), &logged, None, &mut aftermath);
        }
        self.clean_up(aftermath);
    }

    /// Does what a fan-out has left to do, with no lock held.
    pub(super) fn clean_up(self: &Arc<Self>, aftermath: Aftermath) {
        for subscription in aftermath.behind {
            self.start_pump(subscription);
        }
        for key in aftermath.gone {
            drop(self.unsubscribe(key));
        }
        for gone in aftermath.evicted.iter().filter(|gone| gone.was_last) {
            self.channels.vacate(gone.stored.route(), &self.log);
        }
        if self.is_read.load(Ordering::Acquire) {
            self.appended.notify_waiters();
        }
    }

    /// Settles deliveries of a subscription.
    pub(super) fn settle(
        self: &Arc<Self>,
        key: SubscriptionKey,
        tokens: &[Token],
        outcome: Outcome,
    ) -> Reply<()> {
        let registered = self.subscriptions.lock().get(&key).cloned();
        match registered {
            Some(Registered::Topic(subscription)) => {
                subscription.settle(tokens);
                self.keep_place(&subscription)
            }
            Some(Registered::Queue(queue)) => {
                self.apply(&queue, queue.settle(key, tokens, outcome))
            }
            None => Reply::now(Ok(())),
        }
    }

    /// Ends a subscription, whose place stays; nothing is offered to it once this has returned.
    pub(super) fn unsubscribe(self: &Arc<Self>, key: SubscriptionKey) -> Reply<()> {
        self.leave(key, super::Place::Keep)
    }

    /// Ends a subscription; nothing is offered to it once this has returned.
    pub(super) fn leave(self: &Arc<Self>, key: SubscriptionKey, place: super::Place) -> Reply<()> {
        let registered = self.subscriptions.lock().remove(&key);
        match registered {
            Some(Registered::Topic(subscription)) => {
                self.leave_topic(&subscription);
                self.leave_place(&subscription, place)
            }
            Some(Registered::Queue(queue)) => self.leave_queue(queue, key),
            None => Reply::now(Ok(())),
        }
    }

    /// The topic subscription of this key.
    fn topic(&self, key: SubscriptionKey) -> Option<Arc<Subscription>> {
        match self.subscriptions.lock().get(&key) {
            Some(Registered::Topic(subscription)) => Some(subscription.clone()),
            Some(Registered::Queue(_)) | None => None,
        }
    }

    fn register(&self, key: SubscriptionKey, registered: Registered) -> Result<(), BrokerError> {
        let mut subscriptions = self.subscriptions.lock();
        self.check_open()?;
        if subscriptions.contains_key(&key) {
            return Err(BrokerError::refused(Code::Conflict, "This subscription exists already."));
        }
        subscriptions.insert(key, registered);
        Ok(())
    }

    /// Ends every task and waits for them.
    pub(super) async fn close(&self) {
        self.closing.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// A message without a place, and the number that it gets instead.
    fn volatile(&self, publish: Publish) -> (u64, Logged) {
        let number = self.volatile.fetch_add(1, Ordering::Relaxed) + 1;
        let id = publish.message_id.map_or(MessageId::Volatile(number), MessageId::Given);
        let (route, message) = (publish.route, publish.message);
        (
            number,
            Logged { route, id, position: None, message, dedupe: None, wire: Default::default() },
        )
    }
}

impl Log {
    /// The offset that the newest message got.
    pub(super) fn newest(&self) -> u64 {
        self.next - 1
    }

    /// The same for one partition.
    fn newest_in(&self, partition: usize) -> u64 {
        self.heads.get(partition).map_or(self.newest(), |head| head - 1)
    }

    /// Gives a message that has come its place among all others.
    fn arrive(&mut self, partition: usize, offset: u64) -> Place {
        let arrival = match self.heads.get_mut(partition) {
            Some(head) => {
                *head = offset + 1;
                self.next
            }
            None => offset,
        };
        self.next = arrival + 1;
        Place { arrival, partition, offset }
    }

    /// Whether there is one order of all messages.
    fn is_one_sequence(&self) -> bool {
        self.heads.len() <= 1
    }

    /// From where on the ring must keep everything.
    pub(super) fn hold(&self) -> u64 {
        if self.holds.is_empty() {
            return u64::MAX;
        }
        self.holds.values().copied().min().unwrap_or(u64::MAX)
    }

    /// Finds out anew which patterns cover the channel, if any have changed.
    fn refresh(&self, channel: &mut ChannelState, route: &str) {
        if channel.patterns_seen != self.patterns_version {
            channel.patterns = self.patterns.matches(route);
            channel.patterns_seen = self.patterns_version;
        }
    }
}

fn logged(publish: Publish, position: Position) -> Logged {
    Logged {
        route: publish.route,
        id: publish.message_id.map_or(MessageId::Position(position), MessageId::Given),
        position: Some(position),
        message: publish.message,
        dedupe: publish.dedupe,
        wire: Default::default(),
    }
}

fn fan_out(
    members: &[Member],
    logged: &Arc<Logged>,
    offset: Option<u64>,
    aftermath: &mut Aftermath,
) {
    for member in members {
        match member.deliver(logged, offset) {
            Turn::Done => {}
            Turn::Behind => aftermath.behind.extend(member.watched().cloned()),
            Turn::Gone => aftermath.gone.push(member.key),
        }
    }
}

/// The wall clock, for records; never for an order.
pub(super) fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}
