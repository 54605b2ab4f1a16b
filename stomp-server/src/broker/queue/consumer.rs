//! One subscription of a queue, and what it has open.

use std::{collections::VecDeque, sync::Arc};

use tokio::time::Instant;

use super::{Item, lanes::LANES};
use crate::{
    broker::{Delivery, Selector, SubscribeRequest, SubscriptionKey, Token},
    session::{Offer, Outbound},
};

/// A consumer.
#[derive(Debug)]
pub(super) struct Consumer {
    key: SubscriptionKey,
    pub(super) outbound: Outbound,
    acks: bool,
    prefetch: usize,
    /// What it wants, and what it has looked at in vain; nothing where it wants everything.
    pub(super) choice: Option<Choice>,
    /// Its outbound has no room; somebody waits for it.
    pub(super) is_full: bool,
    /// It stands in the queue's turns.
    pub(super) has_turn: bool,
    /// What it has not settled, by rising token.
    open: VecDeque<Open>,
    tokens: u64,
}

#[derive(Debug)]
struct Open {
    token: u64,
    since: Instant,
    item: Item,
}

/// A consumer's selector, and how far it has looked.
#[derive(Debug)]
pub(super) struct Choice {
    selector: Arc<Selector>,
    /// In each lane, nothing up to here is for it.
    looked: [u64; LANES],
}

impl Choice {
    fn new(selector: Arc<Selector>) -> Self {
        Self { selector, looked: [0; LANES] }
    }

    pub(super) fn wants(&self, item: &Item) -> bool {
        self.selector.selects(&item.logged.message)
    }

    /// Up to where a lane has nothing for it.
    pub(super) fn looked(&mut self, lane: usize) -> &mut u64 {
        &mut self.looked[lane]
    }

    /// A message has come to a place that it has passed.
    pub(super) fn look_again(&mut self, lane: usize, offset: u64) {
        self.looked[lane] = self.looked[lane].min(offset.saturating_sub(1));
    }
}

/// How an offer went.
pub(super) enum Handover {
    /// It has the message, until it settles it.
    Open,
    /// It has the message for good.
    Done(Item),
    /// There is no room for so many bytes.
    Full(Item, usize),
    /// The connection is gone.
    Gone(Item),
}

impl Consumer {
    pub(super) fn new(request: &SubscribeRequest, outbound: Outbound) -> Self {
        Self {
            key: request.key,
            outbound,
            acks: request.acks,
            prefetch: request.prefetch.max(1) as usize,
            choice: request.selector.clone().map(Choice::new),
            is_full: false,
            has_turn: true,
            open: VecDeque::new(),
            tokens: 0,
        }
    }

    pub(super) fn has_room(&self) -> bool {
        !self.is_full && self.open.len() < self.prefetch
    }

    /// How many it has not settled.
    pub(super) fn open_count(&self) -> usize {
        self.open.len()
    }

    /// Offers a message.
    pub(super) fn offer(&mut self, item: Item) -> Handover {
        let token = self.tokens + 1;
        let delivery = Delivery {
            subscription: self.key,
            logged: item.logged.clone(),
            token: self.acks.then_some(Token(token)),
            redeliveries: item.returns,
        };
        let weight = delivery.weight();
        match self.outbound.offer(delivery) {
            Offer::Taken if self.acks => {
                self.tokens = token;
                self.open.push_back(Open { token, since: Instant::now(), item });
                Handover::Open
            }
            Offer::Taken => Handover::Done(item),
            Offer::Full => Handover::Full(item, weight),
            Offer::Closed => Handover::Gone(item),
        }
    }

    /// Takes back what a token stands for, if it is open.
    pub(super) fn take(&mut self, Token(token): Token) -> Option<Item> {
        let at = self.open.binary_search_by_key(&token, |open| open.token).ok()?;
        let open = self.open.remove(at)?;
        if self.open.is_empty() {
            self.open = VecDeque::new();
        }
        Some(open.item)
    }

    /// Takes back what it has not settled in time, oldest first.
    pub(super) fn overdue(&mut self, before: Instant) -> Vec<Item> {
        let late = self.open.partition_point(|open| open.since <= before);
        self.open.drain(..late).map(|open| open.item).collect()
    }

    /// Takes back certain ones.
    pub(super) fn withdraw(&mut self, is_gone: &dyn Fn(u64) -> bool) -> Vec<Item> {
        let (gone, stay): (VecDeque<_>, _) =
            std::mem::take(&mut self.open).into_iter().partition(|open| is_gone(open.item.offset));
        self.open = stay;
        gone.into_iter().map(|open| open.item).collect()
    }

    /// All that it has not settled, in order.
    pub(super) fn into_open(self) -> impl Iterator<Item = Item> {
        self.open.into_iter().map(|open| open.item)
    }
}
