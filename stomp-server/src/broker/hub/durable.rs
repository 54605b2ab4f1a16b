//! Places of durable subscriptions, as they are taken, moved and left.

use std::sync::Arc;

use super::{Hub, now_ms};
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
        let Some(offset) = subscription.progress() else {
            return self.keep(self.places.forget(request).map(Change::Forget));
        };
        self.keep(match place {
            Place::Forget => self.places.forget(request).map(Change::Forget),
            Place::Keep => self.places.leave(request, offset, now_ms()).map(Change::Place),
        })
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
