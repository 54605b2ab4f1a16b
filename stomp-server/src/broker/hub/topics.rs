//! Making and ending topic subscriptions.

use std::sync::{Arc, atomic::Ordering};

use super::{Hub, Log, Registered, now_ms};
use crate::{
    broker::{
        BrokerError, Place, Position, Reply, StartFrom, SubscribeRequest, Subscribed,
        queues::is_queue,
        replay,
        ring::{Kept, Stored},
        subscription::{Member, Subscription},
    },
    problem::Code,
    session::Outbound,
};

/// Where a subscription begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::broker) enum Start {
    /// With what comes next.
    Live,
    /// Behind this offset; all of it is in the ring, or in the archive.
    Behind(u64),
    /// What was asked for is not kept.
    NotKept,
    /// Only the archive can tell.
    Search(StartFrom),
}

impl Hub {
    /// Makes a subscription.
    pub(in crate::broker) fn subscribe(
        self: &Arc<Self>,
        mut request: SubscribeRequest,
        outbound: Outbound,
    ) -> Reply<Subscribed> {
        if is_queue(&request.route) {
            return Reply::now(self.join_queue(&request, outbound));
        }
        let is_pattern = self.words.is_pattern(&request.route);
        let at = |offset| self.position(offset);
        if let Err(error) = self.places.claim(&mut request, at, now_ms()) {
            return Reply::now(Err(error));
        }
        let subscription = Arc::new(Subscription::new(request, outbound));
        if let Err(error) = self.admit(&subscription, is_pattern) {
            drop(self.leave_place(&subscription, Place::Keep));
            return Reply::now(Err(error));
        }
        #[cfg(feature = "kafka")]
        if self.must_read_on(&subscription.request) {
            return self.search(subscription, StartFrom::Next);
        }
        if is_pattern {
            return Reply::now(Ok(self.join_by_pattern(&subscription)));
        }
        match self.start(&subscription.request) {
            Start::Search(from) => self.search(subscription, from),
            start => Reply::now(Ok(self.join(&subscription, start))),
        }
    }

    fn admit(&self, subscription: &Arc<Subscription>, is_pattern: bool) -> Result<(), BrokerError> {
        let request = &subscription.request;
        if is_pattern {
            self.words.check(&request.route)?;
            if request.durable.is_some() {
                return Err(BrokerError::refused(
                    Code::Invalid,
                    "A durable subscription is for one topic, without wildcards.",
                ));
            }
            if !matches!(request.from, None | Some(StartFrom::Next)) {
                return Err(BrokerError::refused(
                    Code::Invalid,
                    "A subscription with wildcards can only start from:next.",
                ));
            }
        }
        self.register(request.key, Registered::Topic(subscription.clone()))
    }

    pub(super) fn join(
        self: &Arc<Self>,
        subscription: &Arc<Subscription>,
        start: Start,
    ) -> Subscribed {
        let request = &subscription.request;
        let channel = self.channels.open(&request.route, &self.log);
        let mut state = channel.lock();
        let log = self.log.lock();
        let mut place = log.newest_in(self.channels.partition(&request.route));
        let mut is_live = true;
        if let Start::Behind(after) = start {
            place = after;
            subscription.catch_up(after);
            is_live = log.ring.covers(state.slot, after)
                && subscription.turn_live(log.ring.newest(state.slot).unwrap_or(0));
        }
        drop(log);
        subscription.begin(place);
        drop(self.keep_place(subscription)); // so that there is one, whatever happens next
        if subscription.has_ended() {
            // It was unsubscribed meanwhile, and nobody will do it again.
        } else if is_live {
            state.members.push(Member::live(subscription));
        } else {
            state.members.push(Member::tracked(subscription));
            self.start_pump(subscription.clone());
        }
        let recovered = request.from.map(|_| !matches!(start, Start::NotKept));
        Subscribed { position: Some(self.position(place)), recovered }
    }

    pub(super) fn join_by_pattern(&self, subscription: &Arc<Subscription>) -> Subscribed {
        let request = &subscription.request;
        let mut log = self.log.lock();
        if !subscription.has_ended() {
            log.patterns.insert(&request.route, request.key, Member::live(subscription));
            log.patterns_version += 1;
            self.has_patterns.store(true, Ordering::Release);
        }
        // Where there are many orders, no place could tell what comes behind it.
        let position = log.is_one_sequence().then(|| self.position(log.newest_in(0)));
        Subscribed { position, recovered: request.from.map(|_| true) }
    }

    /// Where a subscription begins, as far as the ring can tell.
    pub(in crate::broker) fn start(&self, request: &SubscribeRequest) -> Start {
        let Some(from) = request.from else { return Start::Live };
        let channel = self.channels.open(&request.route, &self.log);
        let state = channel.lock();
        let log = self.log.lock();
        let (ring, slot) = (&log.ring, state.slot);
        let has_more = self.has_more();
        let has_all = !has_more || ring.covers(slot, 0);
        match from {
            StartFrom::Next => Start::Live,
            StartFrom::After(place) if !self.has_been(&log, &request.route, place) => {
                Start::NotKept
            }
            StartFrom::After(place) if ring.covers(slot, place.offset) => {
                Start::Behind(place.offset)
            }
            StartFrom::Last(count) if has_all || ring.len(slot) >= count as usize => {
                ring.before_last(slot, count as usize).map_or(Start::Live, Start::Behind)
            }
            StartFrom::First if has_all && ring.len(slot) > self.config.replay_records => {
                Start::NotKept
            }
            StartFrom::First if has_all => {
                ring.before_last(slot, usize::MAX).map_or(Start::Live, Start::Behind)
            }
            _ if has_more => Start::Search(from),
            _ => Start::NotKept,
        }
    }

    /// Whether there is something that the ring does not reach.
    fn has_more(&self) -> bool {
        #[cfg(feature = "kafka")]
        if self.remote.is_some() {
            return true;
        }
        self.archive.is_some()
    }

    /// Whether a place is one that this log has given.
    fn has_been(&self, log: &Log, route: &str, place: Position) -> bool {
        let newest = log.newest_in(self.channels.partition(route));
        place.epoch == self.epoch && place.offset <= newest
    }

    /// Turns a subscription live if it has caught up.
    pub(in crate::broker) fn turn_live(&self, subscription: &Arc<Subscription>) -> bool {
        let route = &subscription.request.route;
        if self.words.is_pattern(route) {
            let log = self.log.lock();
            return subscription.turn_live(log.newest());
        }
        let channel = self.channels.open(route, &self.log);
        let mut state = channel.lock();
        let log = self.log.lock();
        // A place that the ring does not reach is behind, however empty the ring is.
        let is_live = subscription.place().is_none_or(|place| log.ring.covers(state.slot, place))
            && subscription.turn_live(log.ring.newest(state.slot).unwrap_or(0));
        drop(log);
        if is_live && !subscription.has_ended() {
            state.put(Member::live(subscription));
        }
        is_live
    }

    /// Ends a topic subscription; nothing is offered to it once this has returned.
    pub(super) fn leave_topic(&self, subscription: &Subscription) {
        let (route, key) = (&subscription.request.route, subscription.request.key);
        subscription.end();
        if self.words.is_pattern(route) {
            let mut log = self.log.lock();
            log.patterns.remove(route, key);
            log.patterns_version += 1;
            self.has_patterns.store(!log.patterns.is_empty(), Ordering::Release);
            return;
        }
        if let Some(channel) = self.channels.find(route) {
            let mut state = channel.lock();
            state.members.retain(|member| member.key != key);
            let is_empty = state.members.is_empty();
            drop(state);
            drop(channel);
            if is_empty {
                self.channels.vacate(route, &self.log);
            }
        }
    }

    /// Where what is left of a destination begins, when a place has left the ring.
    pub(in crate::broker) fn oldest_place(&self, subscription: &Subscription) -> u64 {
        let route = &subscription.request.route;
        if self.words.is_pattern(route) {
            return self.log.lock().ring.evicted();
        }
        let channel = self.channels.open(route, &self.log);
        let state = channel.lock();
        let log = self.log.lock();
        log.ring.evicted_of(state.slot)
    }

    /// Lets a task of this broker bring the subscription up to the present.
    pub(in crate::broker) fn start_pump(self: &Arc<Self>, subscription: Arc<Subscription>) {
        self.tasks.spawn(replay::pump(self.clone(), subscription));
    }

    /// Some messages behind `after` for a subscription, and how far the search went; `None`
    /// where the ring no longer reaches back so far.
    pub(in crate::broker) fn recent(
        &self,
        subscription: &Subscription,
        after: u64,
        max: usize,
    ) -> Option<replay::Stride> {
        let route = &subscription.request.route;
        if self.words.is_pattern(route) {
            return self.recent_by_pattern(route, after, max);
        }
        let channel = self.channels.open(route, &self.log);
        let state = channel.lock();
        let log = self.log.lock();
        if !log.ring.covers(state.slot, after) {
            return None;
        }
        let kept = log.ring.read(state.slot, after, max);
        drop(log);
        drop(state);
        let scanned = kept.last().map_or(after, |(offset, _)| *offset);
        let whole = |(offset, stored): (u64, Stored)| (offset, stored.whole(self.position(offset)));
        Some(replay::Stride { messages: kept.into_iter().map(whole).collect(), scanned })
    }

    fn recent_by_pattern(&self, pattern: &str, after: u64, max: usize) -> Option<replay::Stride> {
        let log = self.log.lock();
        if log.ring.evicted() > after {
            return None;
        }
        let mut scanned = after;
        let mut found = Vec::new();
        for kept in log.ring.read_all(after, max) {
            scanned = kept.arrival;
            if self.words.covers(pattern, kept.stored.route()) {
                found.push(kept.clone());
            }
        }
        drop(log);
        let whole = |kept: Kept| (kept.arrival, kept.stored.whole(self.position(kept.offset)));
        let messages = found.into_iter().map(whole).collect();
        Some(replay::Stride { messages, scanned })
    }

    pub(in crate::broker) fn position(&self, offset: u64) -> Position {
        Position { epoch: self.epoch, offset }
    }
}
