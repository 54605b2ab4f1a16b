//! One topic subscription: live, or catching up with a place of its own.

use std::{collections::VecDeque, sync::Arc};

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::{Delivery, Logged, SubscribeRequest, SubscriptionKey, Token};
use crate::session::{Offer, Outbound};

/// A subscription whose flow somebody has to watch: it acknowledges, or it catches up.
#[derive(Debug)]
pub(super) struct Subscription {
    pub(super) request: SubscribeRequest,
    pub(super) outbound: Outbound,
    /// Held for single deliveries; nobody takes another lock but the outbound's under it.
    flow: Mutex<Flow>,
    /// Told when something was settled or the subscription has ended.
    moved: Notify,
}

#[derive(Debug)]
struct Flow {
    phase: Phase,
    /// Tokens that have not been settled, rising, and what they stand for.
    open: VecDeque<(u64, u64)>,
    /// The offset of the last message that was handed over.
    handed_over: Option<u64>,
    tokens: u64,
    /// What the next message weighs, where it found no room.
    wanted: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The fan-out delivers.
    Live,
    /// A pump delivers; everything up to here is done.
    CatchingUp(u64),
    /// Nobody delivers any more.
    Ended,
}

/// How a live delivery went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Delivered, or somebody else does it.
    Done,
    /// The prefetch is reached: from here on it catches up.
    Behind,
    /// The connection is gone.
    Gone,
}

/// A subscription as the fan-out sees it; small, because it walks over thousands.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) key: SubscriptionKey,
    outbound: Outbound,
    /// None for the plain case: live, without acknowledgements.
    tracked: Option<Arc<Subscription>>,
}

impl Member {
    /// One that is live and stays it.
    pub(super) fn plain(subscription: &Subscription) -> Self {
        Self {
            key: subscription.request.key,
            outbound: subscription.outbound.clone(),
            tracked: None,
        }
    }

    /// One whose flow counts.
    pub(super) fn tracked(subscription: &Arc<Subscription>) -> Self {
        Self { tracked: Some(subscription.clone()), ..Self::plain(subscription) }
    }

    /// The one that fits a subscription which has just turned live.
    pub(super) fn live(subscription: &Arc<Subscription>) -> Self {
        let request = &subscription.request;
        if request.acks || request.durable.is_some() || request.selector.is_some() {
            Self::tracked(subscription)
        } else {
            Self::plain(subscription)
        }
    }

    /// Whose flow has to be watched.
    pub(super) fn watched(&self) -> Option<&Arc<Subscription>> {
        self.tracked.as_ref()
    }

    /// Delivers a message at its offset, or a volatile one that has none.
    pub(super) fn deliver(&self, logged: &Arc<Logged>, offset: Option<u64>) -> Turn {
        match (&self.tracked, offset) {
            (None, _) => delivered(self.outbound.deliver(Delivery {
                subscription: self.key,
                logged: logged.clone(),
                token: None,
                redeliveries: 0,
            })),
            (Some(tracked), Some(offset)) => tracked.deliver(logged, offset),
            (Some(tracked), None) => tracked.deliver_volatile(logged),
        }
    }
}

impl Subscription {
    /// A live one, or one that catches up behind an offset.
    pub(super) fn new(request: SubscribeRequest, outbound: Outbound) -> Self {
        let flow = Flow {
            phase: Phase::Live,
            open: VecDeque::new(),
            handed_over: None,
            tokens: 0,
            wanted: 0,
        };
        Self { request, outbound, flow: Mutex::new(flow), moved: Notify::new() }
    }

    fn deliver(&self, logged: &Arc<Logged>, offset: u64) -> Turn {
        let mut flow = self.flow.lock();
        if flow.phase != Phase::Live || !self.wants(logged) {
            return Turn::Done;
        }
        if self.is_at_prefetch(&flow) {
            flow.phase = Phase::CatchingUp(offset.saturating_sub(1));
            return Turn::Behind;
        }
        let delivery = self.delivery(&mut flow, logged);
        delivered(self.outbound.deliver(delivery))
    }

    /// A volatile message has no place to come back to: without room it is not for this one.
    fn deliver_volatile(&self, logged: &Arc<Logged>) -> Turn {
        let mut flow = self.flow.lock();
        if flow.phase == Phase::Ended || !self.wants(logged) || self.is_at_prefetch(&flow) {
            return Turn::Done;
        }
        let is_live = flow.phase == Phase::Live;
        let delivery = self.delivery(&mut flow, logged);
        let token = delivery.token;
        let offer =
            if is_live { self.outbound.deliver(delivery) } else { self.outbound.offer(delivery) };
        if offer != Offer::Taken {
            flow.take_back(token);
        }
        delivered(offer)
    }

    /// Offers messages to one that catches up. Says whether it took all of them.
    pub(super) fn feed(&self, messages: &[(u64, Arc<Logged>)], scanned: u64) -> bool {
        let mut flow = self.flow.lock();
        for (offset, logged) in messages.iter().filter(|(_, logged)| self.wants(logged)) {
            if !matches!(flow.phase, Phase::CatchingUp(_)) || self.is_at_prefetch(&flow) {
                return false;
            }
            let delivery = self.delivery(&mut flow, logged);
            let (token, weight) = (delivery.token, delivery.weight());
            match self.outbound.offer(delivery) {
                Offer::Taken => flow.phase = Phase::CatchingUp(*offset),
                Offer::Full => {
                    flow.wanted = weight;
                    flow.take_back(token);
                    return false;
                }
                Offer::Closed => {
                    flow.phase = Phase::Ended;
                    return false;
                }
            }
        }
        if let Phase::CatchingUp(cursor) = &mut flow.phase {
            *cursor = scanned.max(*cursor);
        }
        true
    }

    /// Starts it behind an offset instead of live.
    pub(super) fn catch_up(&self, after: u64) {
        let mut flow = self.flow.lock();
        if flow.phase != Phase::Ended {
            flow.phase = Phase::CatchingUp(after);
        }
    }

    /// Its place while it catches up.
    pub(super) fn place(&self) -> Option<u64> {
        match self.flow.lock().phase {
            Phase::CatchingUp(after) => Some(after),
            Phase::Live | Phase::Ended => None,
        }
    }

    /// Turns it live if nothing up to `newest` is left to catch up with. The caller holds the
    /// lock under which newer messages appear.
    pub(super) fn turn_live(&self, newest: u64) -> bool {
        let mut flow = self.flow.lock();
        match flow.phase {
            Phase::CatchingUp(after) if after >= newest => {
                flow.phase = Phase::Live;
                true
            }
            Phase::CatchingUp(_) => false,
            Phase::Live | Phase::Ended => true,
        }
    }

    /// Waits until it can take something, or has ended. Cancel-safe.
    pub(super) async fn capacity(&self) {
        loop {
            let moved = self.moved.notified();
            let (ended, waits, wanted) = {
                let mut flow = self.flow.lock();
                let wanted = std::mem::take(&mut flow.wanted);
                (flow.phase == Phase::Ended, self.is_at_prefetch(&flow), wanted)
            };
            if ended {
                return;
            }
            if waits {
                moved.await;
                continue;
            }
            tokio::select! {
                () = self.outbound.room_for(wanted) => return,
                () = moved => {}
            }
        }
    }

    /// Notes where it begins.
    pub(super) fn begin(&self, place: u64) {
        self.flow.lock().handed_over = Some(place);
    }

    /// Up to where everything has been settled, or handed over where nothing is settled; nothing
    /// before it has begun. What still waits in the outbound has not been handed over.
    pub(super) fn progress(&self) -> Option<u64> {
        self.request.durable.as_ref()?;
        let flow = self.flow.lock();
        let handed_over = flow.handed_over?;
        let open = flow.open.iter().map(|(_, offset)| *offset);
        let waiting = self.outbound.oldest_waiting(self.request.key);
        let oldest = open.chain(waiting).min();
        Some(oldest.map_or(handed_over, |oldest| oldest.saturating_sub(1).min(handed_over)))
    }

    /// Settles deliveries; tokens that are not open are ignored.
    pub(super) fn settle(&self, tokens: &[Token]) {
        let mut flow = self.flow.lock();
        for token in tokens {
            flow.take_back(Some(*token));
        }
        drop(flow);
        self.moved.notify_one();
    }

    /// Ends it: nothing is offered once this has returned.
    pub(super) fn end(&self) {
        self.flow.lock().phase = Phase::Ended;
        self.moved.notify_one();
    }

    pub(super) fn has_ended(&self) -> bool {
        self.flow.lock().phase == Phase::Ended
    }

    fn wants(&self, logged: &Logged) -> bool {
        let selector = self.request.selector.as_deref();
        selector.is_none_or(|selector| selector.selects(&logged.message))
    }

    fn is_at_prefetch(&self, flow: &Flow) -> bool {
        self.request.acks && flow.open.len() >= self.request.prefetch.max(1) as usize
    }

    fn delivery(&self, flow: &mut Flow, logged: &Arc<Logged>) -> Delivery {
        let offset = logged.position.map(|position| position.offset);
        flow.handed_over = offset.or(flow.handed_over);
        // A volatile message has no place that could be reached.
        let token = self.request.acks.then(|| flow.issue(offset.unwrap_or(u64::MAX)));
        Delivery { subscription: self.request.key, logged: logged.clone(), token, redeliveries: 0 }
    }
}

impl Flow {
    fn issue(&mut self, offset: u64) -> Token {
        self.tokens += 1;
        self.open.push_back((self.tokens, offset));
        Token(self.tokens)
    }

    fn take_back(&mut self, token: Option<Token>) {
        if let Some(Token(token)) = token
            && let Ok(at) = self.open.binary_search_by_key(&token, |(token, _)| *token)
        {
            self.open.remove(at);
        }
    }
}

fn delivered(offer: Offer) -> Turn {
    match offer {
        Offer::Taken | Offer::Full => Turn::Done, // full: the policy has told the session
        Offer::Closed => Turn::Gone,
    }
}
