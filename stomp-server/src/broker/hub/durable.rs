//! Places of durable subscriptions, as they are taken, moved and left.

use std::sync::Arc;

use super::{Hub, now_ms};
#[cfg(feature = "kafka")]
use crate::broker::DurableKey;
use crate::broker::{
    Place, Reply,
    journal::{Change, PlaceEntry},
    subscription::Subscription,
};

impl Hub {
    /// Brings back a place that a journal has.
    pub(in crate::broker) fn restore_place(&self, entry: PlaceEntry) {
        self.places.restore(entry);
    }

    /// Keeps how far a durable subscription has come, if it has. The reply comes when it is kept.
    pub(super) fn keep_place(&self, subscription: &Subscription) -> Reply<()> {
        let entry = subscription
            .progress()
            .and_then(|offset| self.places.advance(&subscription.request, offset, now_ms()));
        self.keep(entry.map(Change::Place))
    }

    /// Leaves a durable subscription's place for its return, or forgets it.
    pub(super) fn leave_place(&self, subscription: &Subscription, place: Place) -> Reply<()> {
        let request = &subscription.request;
        let left = match (place, subscription.progress()) {
            (Place::Forget, _) => None,
            (Place::Keep, Some(offset)) => self.places.leave(request, Some(offset), now_ms()),
            // It ended before it began: the place that it came for is where it was.
            (Place::Keep, None) => self.places.leave(request, None, now_ms()),
        };
        match (&self.ledger, left) {
            (Some(ledger), Some(entry)) => ledger.leave(entry),
            (None, Some(_)) => Reply::now(Ok(())),
            (_, None) => self.keep(self.places.forget(request).map(Change::Forget)),
        }
    }

    /// What a journal has to be told of places from time to time: how far those have come that
    /// never acknowledge, and which have not been used for too long.
    pub(in crate::broker) fn place_changes(self: &Arc<Self>) -> Vec<Change> {
        let now_ms = now_ms();
        let unused = self.places.forget_unused(self.config.place_age, now_ms);
        let moved = self.places.active().into_iter().filter_map(|key| {
            let subscription = self.topic(key)?;
            let offset = subscription.progress()?;
            self.places.advance(&subscription.request, offset, now_ms)
        });
        moved.map(Change::Place).chain(unused.into_iter().map(Change::Forget)).collect()
    }

    fn keep(&self, change: Option<Change>) -> Reply<()> {
        match (&self.ledger, change) {
            (Some(ledger), Some(change)) => ledger.keep(vec![change]),
            _ => Reply::now(Ok(())),
        }
    }
}

/// Places that are kept elsewhere, and come here while their subscribers do.
#[cfg(feature = "kafka")]
impl Hub {
    /// Forgets a place here, whose subscriber is somewhere else or begins anew.
    pub(in crate::broker) fn drop_place(&self, key: &DurableKey) {
        self.places.drop_unused(key);
    }

    /// Ends the subscription that holds a place which somebody else has now. Its connection
    /// ends as that of one that could not keep up.
    pub(in crate::broker) fn lose_place(self: &Arc<Self>, key: &DurableKey) {
        let Some(subscription) = self.places.holder(key).and_then(|key| self.topic(key)) else {
            return;
        };
        let _ = subscription.outbound.lose();
        drop(self.unsubscribe(subscription.request.key));
    }
}
