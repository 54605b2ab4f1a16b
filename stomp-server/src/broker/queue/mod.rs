//! One queue: each message to one consumer at a time, and back if it is not acknowledged.
//!
//! Everything here is a plain function of the queue's state and the time. What has to happen
//! outside (keeping changes, burying dead letters, waiting for room or for a moment) is
//! handed back as [`Effects`], so that it is done with no lock held.
#![cfg_attr(
    not(feature = "kafka"),
    allow(dead_code, reason = "parts that only a shared log needs")
)]

mod consumer;
mod lanes;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use compact_str::CompactString;
use parking_lot::Mutex;
use stomp_core::SharedMessage;
use tokio::time::Instant;

use self::{
    consumer::{Consumer, Handover},
    lanes::Lanes,
};
use super::{
    BrokerConfig, BrokerError, Logged, Outcome, QueueInfo, SubscribeRequest, SubscriptionKey,
    Token, journal::Change,
};
use crate::{
    problem::{Code, Problem},
    session::Outbound,
};

/// How far a search goes for a returned message that a consumer may have before its pause is
/// over; bounds what one delivery costs.
const SEARCH: usize = 64;

/// How many messages a selector looks at in one step; bounds how long the queue is locked. The
/// search goes on in the next step.
const LOOK: usize = 1_024;

/// The pause before a returned message is offered to the same consumer again grows up to so
/// many times its start.
const LONGEST_PAUSE: u32 = 100;

/// A message in a queue.
#[derive(Debug)]
pub(super) struct Item {
    /// Its place in the queue among those of its priority.
    pub(super) offset: u64,
    pub(super) logged: Arc<Logged>,
    pub(super) priority: u8,
    /// How often it came back.
    pub(super) returns: u32,
    pub(super) expires: Option<Instant>,
}

impl Item {
    fn weight(&self) -> usize {
        weight(&self.logged.message)
    }
}

/// What a message takes of the memory that all queues share, in bytes.
fn weight(message: &SharedMessage) -> usize {
    const OVERHEAD: usize = 256; // its places here, and the shared parts
    message.size() + OVERHEAD
}

/// How many bytes the queues of a broker hold.
#[derive(Debug, Default)]
pub(super) struct Memory(AtomicUsize);

impl Memory {
    fn take(&self, weight: usize) {
        self.0.fetch_add(weight, Ordering::Relaxed);
    }

    fn give_back(&self, weight: usize) {
        self.0.fetch_sub(weight, Ordering::Relaxed);
    }

    pub(super) fn used(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// Why a message is taken out of its queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Death {
    Rejected,
    MaxDeliveries,
    Expired,
}

impl Death {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Rejected => "rejected",
            Self::MaxDeliveries => "max-deliveries",
            Self::Expired => "expired",
        }
    }
}

/// What a step leaves to be done outside.
#[derive(Debug, Default)]
pub(super) struct Effects {
    /// To be kept in the journal.
    pub(super) changes: Vec<Change>,
    /// To be buried, out of the queue already.
    pub(super) dead: Vec<(Item, Death)>,
    /// Returned, and out of the queue: they come back after a pause that is waited out elsewhere.
    pub(super) away: Vec<(Item, Duration)>,
    /// Consumers whose outbound has no room for so many bytes.
    pub(super) full: Vec<(SubscriptionKey, Outbound, usize)>,
    /// Consumers whose connection is gone.
    pub(super) gone: Vec<SubscriptionKey>,
    /// When the queue wants to be looked at again.
    pub(super) wake_at: Option<Instant>,
    /// Bytes of messages that have left the queue.
    freed: usize,
}

/// What holds for all messages of a queue.
#[derive(Clone, Copy, Debug)]
struct Rules {
    max: usize,
    /// Of all queues of the broker together.
    max_bytes: usize,
    /// How often a message is offered; a dead-letter queue offers for ever.
    max_deliveries: Option<u32>,
    pause: Duration,
    /// Pauses from here on are waited out elsewhere.
    longest_pause: Option<Duration>,
    /// Private to a connection: never journaled, gone with its last consumer.
    is_temporary: bool,
}

/// A queue and its consumers.
#[derive(Debug)]
pub(super) struct Queue {
    pub(super) name: CompactString,
    rules: Rules,
    memory: Arc<Memory>,
    state: Mutex<State>,
}

/// Room for one message of a queue, given back unless it is filled.
#[derive(Debug)]
pub(super) struct Room {
    queue: Option<Arc<Queue>>,
    weight: usize,
}

impl Room {
    /// Puts the message there and offers it.
    pub(super) fn fill(mut self, item: Item) -> Option<(Arc<Queue>, Effects)> {
        let queue = self.queue.take()?;
        let effects = queue.step(|state, _, _| state.wait(item));
        Some((queue, effects))
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        if let Some(queue) = &self.queue {
            queue.memory.give_back(self.weight);
            let mut state = queue.state.lock();
            state.len = state.len.saturating_sub(1);
        }
    }
}

#[derive(Debug, Default)]
struct State {
    /// Messages that anybody may have.
    lanes: Lanes,
    /// Messages that came back, until their pause is over; before, only for others than who
    /// returned them.
    paused: BTreeMap<(Instant, u64), Paused>,
    /// When waiting messages expire.
    deadlines: BTreeSet<(Instant, u8, u64)>,
    consumers: HashMap<SubscriptionKey, Consumer>,
    /// Consumers that may have room, in the order of their turns.
    turns: VecDeque<SubscriptionKey>,
    /// Messages of this queue, wherever they are, and those on their way through the journal.
    len: usize,
    armed: Option<Instant>,
    /// A selector's search was broken off.
    has_more_to_look_at: bool,
}

#[derive(Debug)]
struct Paused {
    item: Item,
    avoid: Avoid,
}

/// Who may not have a message before its pause is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Avoid {
    /// The one that returned it.
    One(SubscriptionKey),
    /// Nobody may.
    All,
}

impl Queue {
    pub(super) fn new(
        name: CompactString,
        config: &BrokerConfig,
        longest_pause: Option<Duration>,
        memory: Arc<Memory>,
    ) -> Self {
        let offers_for_ever = name.ends_with(super::queues::DEAD_LETTERS);
        let rules = Rules {
            max: config.queue_max,
            max_bytes: config.queue_bytes,
            max_deliveries: (!offers_for_ever).then_some(config.max_deliveries.max(1)),
            pause: config.redelivery_pause,
            longest_pause: longest_pause.filter(|_| !offers_for_ever),
            is_temporary: name.starts_with(super::queues::TEMPORARY),
        };
        Self { name, rules, memory, state: Mutex::default() }
    }

    pub(super) fn is_temporary(&self) -> bool {
        self.rules.is_temporary
    }

    /// Whether nobody has a reason to remember it.
    pub(super) fn is_idle(&self) -> bool {
        let state = self.state.lock();
        state.consumers.is_empty() && (state.len == 0 || self.rules.is_temporary)
    }

    /// What there is to see of it.
    pub(super) fn info(&self) -> QueueInfo {
        let state = self.state.lock();
        QueueInfo {
            name: self.name.to_string(),
            messages: state.len,
            unacked: state.consumers.values().map(Consumer::open_count).sum(),
            returned: state.paused.len(),
            consumers: state.consumers.len(),
        }
    }

    pub(super) fn has_consumers(&self) -> bool {
        !self.state.lock().consumers.is_empty()
    }

    /// Makes sure that there is room for one more, and keeps it.
    pub(super) fn reserve(self: &Arc<Self>, message: &SharedMessage) -> Result<Room, BrokerError> {
        let weight = weight(message);
        if self.memory.used().saturating_add(weight) > self.rules.max_bytes {
            let problem = Problem::new(Code::Limit, "The queues hold as much as they may.");
            return Err(problem.with_limit("queue-bytes", self.rules.max_bytes as u64).into());
        }
        let mut state = self.state.lock();
        if state.len >= self.rules.max {
            let problem = Problem::new(Code::Limit, format!("The queue {} is full.", self.name));
            return Err(problem.with_limit("queue-max", self.rules.max as u64).into());
        }
        Ok(self.take_room(&mut state, weight))
    }

    /// Makes room for a dead letter: at the bound, the oldest one goes for it.
    pub(super) fn make_room(self: &Arc<Self>, message: &SharedMessage) -> (Room, Effects) {
        let mut effects = Effects::default();
        let mut state = self.state.lock();
        if state.len >= self.rules.max
            && let Some(oldest) = state.lanes.pop()
        {
            tracing::warn!(queue = %self.name, "the oldest dead letter goes, for there are too many");
            state.forget(&oldest, self.rules, &mut effects);
            self.memory.give_back(effects.freed);
        }
        (self.take_room(&mut state, weight(message)), effects)
    }

    fn take_room(self: &Arc<Self>, state: &mut State, weight: usize) -> Room {
        state.len += 1;
        self.memory.take(weight);
        Room { queue: Some(self.clone()), weight }
    }

    /// Adds a message to one that is still being filled from the journal.
    pub(super) fn restore(&self, item: Item) {
        self.memory.take(item.weight());
        let mut state = self.state.lock();
        state.len += 1;
        state.wait(item);
    }

    /// Takes in a message that is kept elsewhere, whatever the bounds say; nobody gets it before
    /// it is due.
    pub(super) fn take_in(&self, item: Item, due: Option<Instant>) -> Effects {
        self.memory.take(item.weight());
        self.step(|state, _, _| {
            state.len += 1;
            let Some(due) = due else { return state.wait(item) };
            state.pause(item, due, Avoid::All);
        })
    }

    /// Forgets messages that somebody else has now, also those that consumers have open.
    pub(super) fn withdraw(&self, is_gone: &dyn Fn(u64) -> bool) -> Effects {
        self.step(|state, _, effects| state.withdraw(is_gone, effects))
    }

    /// Takes back what has been open since before a moment.
    pub(super) fn take_back_overdue(&self, before: Instant) -> Effects {
        self.step(|state, rules, effects| {
            let keys: Vec<_> = state.consumers.keys().copied().collect();
            for key in keys {
                let consumer = state.consumers.get_mut(&key);
                let late = consumer.map(|consumer| consumer.overdue(before)).unwrap_or_default();
                for item in late {
                    state.give_back(item, Some(key), rules, effects);
                }
                state.take_turns(key);
            }
        })
    }

    /// How many messages wait for a consumer, and how many for their pause to be over.
    pub(super) fn waiting(&self) -> (usize, usize) {
        let state = self.state.lock();
        (state.lanes.len(), state.paused.len())
    }

    /// Adds a consumer.
    pub(super) fn join(&self, request: &SubscribeRequest, outbound: Outbound) -> Effects {
        self.step(|state, _, _| {
            state.consumers.insert(request.key, Consumer::new(request, outbound));
            state.turns.push_back(request.key);
        })
    }

    /// Removes a consumer; what it had open comes back, ahead of newer messages.
    pub(super) fn leave(&self, key: SubscriptionKey) -> Effects {
        self.step(|state, rules, effects| {
            let Some(consumer) = state.consumers.remove(&key) else { return };
            state.turns.retain(|other| *other != key);
            for item in consumer.into_open() {
                state.give_back(item, None, rules, effects);
            }
        })
    }

    /// Settles deliveries; tokens that are not open are ignored.
    pub(super) fn settle(
        &self,
        key: SubscriptionKey,
        tokens: &[Token],
        outcome: Outcome,
    ) -> Effects {
        self.step(|state, rules, effects| {
            let Some(consumer) = state.consumers.get_mut(&key) else { return };
            let settled: Vec<Item> =
                tokens.iter().filter_map(|token| consumer.take(*token)).collect();
            for item in settled {
                match outcome {
                    Outcome::Ack => state.forget(&item, rules, effects),
                    Outcome::Nack => state.give_back(item, Some(key), rules, effects),
                }
            }
            state.take_turns(key);
        })
    }

    /// A consumer's outbound has room again.
    pub(super) fn has_room(&self, key: SubscriptionKey) -> Effects {
        self.step(|state, _, _| {
            if let Some(consumer) = state.consumers.get_mut(&key) {
                consumer.is_full = false;
                state.take_turns(key);
            }
        })
    }

    /// Looks at what is due.
    pub(super) fn tick(&self) -> Effects {
        self.step(|state, _, _| state.armed = None)
    }

    fn step(&self, change: impl FnOnce(&mut State, Rules, &mut Effects)) -> Effects {
        let mut effects = Effects::default();
        let mut state = self.state.lock();
        change(&mut state, self.rules, &mut effects);
        if state.has_timers() {
            state.run_timers(&mut effects);
        }
        state.dispatch(self.rules, &mut effects);
        self.memory.give_back(effects.freed);
        effects.wake_at = state.arm();
        effects
    }
}

impl Drop for Queue {
    /// A private queue may go with messages in it.
    fn drop(&mut self) {
        let state = self.state.get_mut();
        let paused = state.paused.values().map(|paused| paused.item.weight());
        self.memory.give_back(state.lanes.iter().map(Item::weight).chain(paused).sum());
    }
}

impl State {
    /// Puts a message where consumers find it.
    fn wait(&mut self, item: Item) {
        if let Some(expires) = item.expires {
            self.deadlines.insert((expires, item.priority, item.offset));
        }
        self.enter(item);
    }

    /// Puts a message into its lane, and has those look at it who have passed its place.
    fn enter(&mut self, item: Item) {
        let (lane, offset) = (Lanes::number(item.priority), item.offset);
        for choice in self.consumers.values_mut().filter_map(|one| one.choice.as_mut()) {
            choice.look_again(lane, offset);
        }
        self.lanes.insert(item);
    }

    /// A message is done with.
    fn forget(&mut self, item: &Item, rules: Rules, effects: &mut Effects) {
        self.len = self.len.saturating_sub(1);
        effects.freed += item.weight();
        if !rules.is_temporary {
            effects.changes.push(Change::Dequeue(item.offset));
        }
    }

    /// A message comes back, from a consumer that may not have it at once, or from nobody.
    fn give_back(
        &mut self,
        mut item: Item,
        from: Option<SubscriptionKey>,
        rules: Rules,
        effects: &mut Effects,
    ) {
        item.returns += 1;
        if let Some(max) = rules.max_deliveries
            && item.returns >= max
        {
            let is_refused_at_once = max == 1 && from.is_some();
            let death = if is_refused_at_once { Death::Rejected } else { Death::MaxDeliveries };
            return self.bury(item, death, effects);
        }
        if !rules.is_temporary {
            effects.changes.push(Change::Returned(item.offset, item.returns));
        }
        let Some(avoid) = from else { return self.wait(item) };
        let factor = 1u32.checked_shl(item.returns - 1).unwrap_or(LONGEST_PAUSE);
        let pause = rules.pause * factor.min(LONGEST_PAUSE);
        if rules.longest_pause.is_some_and(|longest| pause >= longest) {
            self.len = self.len.saturating_sub(1);
            effects.freed += item.weight();
            return effects.away.push((item, pause));
        }
        self.pause(item, Instant::now() + pause, Avoid::One(avoid));
    }

    fn pause(&mut self, item: Item, until: Instant, avoid: Avoid) {
        if let Some(expires) = item.expires {
            self.deadlines.insert((expires, item.priority, item.offset));
        }
        self.paused.insert((until, item.offset), Paused { item, avoid });
    }

    fn withdraw(&mut self, is_gone: &dyn Fn(u64) -> bool, effects: &mut Effects) {
        let mut gone = self.lanes.withdraw(is_gone);
        let places: Vec<_> =
            self.paused.keys().filter(|(_, offset)| is_gone(*offset)).copied().collect();
        gone.extend(
            places.iter().filter_map(|place| self.paused.remove(place)).map(|paused| paused.item),
        );
        for item in &gone {
            if let Some(expires) = item.expires {
                self.deadlines.remove(&(expires, item.priority, item.offset));
            }
        }
        let keys: Vec<_> = self.consumers.keys().copied().collect();
        for key in keys {
            if let Some(consumer) = self.consumers.get_mut(&key) {
                gone.extend(consumer.withdraw(is_gone));
            }
            self.take_turns(key);
        }
        self.len = self.len.saturating_sub(gone.len());
        effects.freed += gone.iter().map(Item::weight).sum::<usize>();
    }

    fn bury(&mut self, item: Item, death: Death, effects: &mut Effects) {
        self.len = self.len.saturating_sub(1);
        effects.freed += item.weight();
        effects.dead.push((item, death));
    }

    /// Lets a consumer take part in the turns again.
    fn take_turns(&mut self, key: SubscriptionKey) {
        if let Some(consumer) = self.consumers.get_mut(&key)
            && !consumer.has_turn
        {
            consumer.has_turn = true;
            self.turns.push_back(key);
        }
    }

    fn has_timers(&self) -> bool {
        !self.paused.is_empty() || !self.deadlines.is_empty()
    }

    /// Ends pauses that are over, and messages whose time is.
    fn run_timers(&mut self, effects: &mut Effects) {
        let now = Instant::now();
        while let Some(next) = self.paused.first_entry()
            && next.key().0 <= now
        {
            let item = next.remove().item;
            self.enter(item);
        }
        while let Some((expires, priority, offset)) = self.deadlines.first().copied()
            && expires <= now
        {
            self.deadlines.pop_first();
            if let Some(item) = self.lanes.remove(priority, offset) {
                self.bury(item, Death::Expired, effects);
            } else if let Some(place) = self.paused_place(offset)
                && let Some(paused) = self.paused.remove(&place)
            {
                self.bury(paused.item, Death::Expired, effects);
            }
        }
    }

    fn paused_place(&self, offset: u64) -> Option<(Instant, u64)> {
        self.paused.keys().find(|(_, other)| *other == offset).copied()
    }

    /// When to look again, if that is sooner than what was said before.
    fn arm(&mut self) -> Option<Instant> {
        if std::mem::take(&mut self.has_more_to_look_at) {
            let now = Instant::now();
            self.armed = Some(now);
            return Some(now);
        }
        let paused = self.paused.first_key_value().map(|((until, _), _)| *until);
        let expires = self.deadlines.first().map(|(expires, ..)| *expires);
        let next = [paused, expires].into_iter().flatten().min()?;
        if self.armed.is_some_and(|armed| armed <= next) {
            return None;
        }
        self.armed = Some(next);
        Some(next)
    }

    /// Offers messages as long as there are some and somebody can take them, in turns.
    fn dispatch(&mut self, rules: Rules, effects: &mut Effects) {
        let mut in_vain = 0;
        while in_vain < self.turns.len() {
            let Some(key) = self.turns.pop_front() else { return };
            if !self.may_go_on(key) {
                continue;
            }
            let Some(item) = self.next_for(key) else {
                self.turns.push_back(key);
                in_vain += 1;
                continue;
            };
            in_vain = 0;
            self.hand_over(key, item, rules, effects);
        }
    }

    /// Whether a consumer can take something; if not, it leaves the turns until it can.
    fn may_go_on(&mut self, key: SubscriptionKey) -> bool {
        let Some(consumer) = self.consumers.get_mut(&key) else { return false };
        consumer.has_turn = consumer.has_room();
        consumer.has_turn
    }

    /// The next message for a consumer: one that another returned, or the first one waiting.
    fn next_for(&mut self, key: SubscriptionKey) -> Option<Item> {
        let choice = self.consumers.get_mut(&key).and_then(|consumer| consumer.choice.as_mut());
        let returned = self.paused.iter().take(SEARCH).find(|(_, paused)| {
            let may_have = match paused.avoid {
                Avoid::One(returner) => returner != key,
                Avoid::All => false,
            };
            may_have && choice.as_ref().is_none_or(|choice| choice.wants(&paused.item))
        });
        let place = returned.map(|(place, _)| *place);
        let item = match (place, choice) {
            (Some(place), _) => self.paused.remove(&place).map(|paused| paused.item),
            (None, None) => self.lanes.pop(),
            (None, Some(choice)) => {
                let mut budget = LOOK;
                let chosen = self.lanes.pop_chosen(choice, &mut budget);
                self.has_more_to_look_at |= budget == 0 && chosen.is_none();
                chosen
            }
        }?;
        if let Some(expires) = item.expires {
            self.deadlines.remove(&(expires, item.priority, item.offset));
        }
        Some(item)
    }

    fn hand_over(&mut self, key: SubscriptionKey, item: Item, rules: Rules, effects: &mut Effects) {
        let Some(consumer) = self.consumers.get_mut(&key) else { return self.wait(item) };
        match consumer.offer(item) {
            Handover::Open => self.turns.push_back(key),
            Handover::Done(item) => {
                self.turns.push_back(key);
                self.forget(&item, rules, effects);
            }
            Handover::Full(item, weight) => {
                consumer.is_full = true;
                consumer.has_turn = false;
                effects.full.push((key, consumer.outbound.clone(), weight));
                self.wait(item);
            }
            Handover::Gone(item) => {
                consumer.has_turn = false;
                effects.gone.push(key);
                self.wait(item);
            }
        }
    }
}
