//! The subscriptions of one session, and what arrives for them.

use std::sync::Arc;

use stomp_core::AckMode;

use super::{
    ack::{AckId, Unsettled},
    action::{Action, Outgoing},
    machine::Actions,
};
use crate::broker::{Delivery, SubscribeRequest};

/// Who serves a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Served {
    /// The broker.
    Broker,
    /// The broker, and the session itself with the problems of refused frames.
    Errors,
    /// The application, with one answer.
    App,
}

/// A SUBSCRIBE that has been read and waits for its permission.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) subscription: Subscription,
    pub(super) request: SubscribeRequest,
    pub(super) receipt: Option<String>,
}

/// One subscription.
#[derive(Debug)]
pub(super) struct Subscription {
    pub(super) number: u32,
    /// What the client calls it; a 1.0 client may give no id.
    pub(super) id: Option<Arc<str>>,
    pub(super) destination: String,
    pub(super) mode: AckMode,
    pub(super) served: Served,
    pub(super) durable: bool,
    /// What came before its RECEIPT went out, and whether through the queue; within its bound.
    pub(super) held: Option<Vec<(Delivery, bool)>>,
    pub(super) unsettled: Unsettled,
}

/// All of them, by number: numbers rise, so the list is sorted.
#[derive(Debug, Default)]
pub(super) struct Subscriptions {
    list: Vec<Subscription>,
    last_number: u32,
}

impl Subscriptions {
    pub(super) fn next_number(&mut self) -> u32 {
        self.last_number += 1;
        self.last_number
    }

    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    pub(super) fn add(&mut self, subscription: Subscription) {
        self.list.push(subscription);
    }

    /// The one that the client calls so; without ids, by its destination (STOMP 1.0).
    pub(super) fn find(
        &self,
        id: Option<&str>,
        destination: Option<&str>,
    ) -> Option<&Subscription> {
        self.list.iter().find(|subscription| match (id, &subscription.id) {
            (Some(id), Some(known)) => id == known.as_ref(),
            (None, None) => Some(subscription.destination.as_str()) == destination,
            _ => false,
        })
    }

    /// The open one that has been delivered this message id (STOMP 1.0 and 1.1).
    pub(super) fn by_message_id(&self, id: Option<&str>, message_id: &str) -> Option<AckId> {
        self.list
            .iter()
            .filter(|subscription| id.is_none() || subscription.id.as_deref() == id)
            .find_map(|subscription| {
                let sequence = subscription.unsettled.by_message_id(message_id)?;
                Some(AckId { subscription: subscription.number, sequence })
            })
    }

    pub(super) fn number_of(&self, served: &Served) -> Option<u32> {
        self.list.iter().find(|subscription| subscription.served == *served).map(|s| s.number)
    }

    pub(super) fn destinations(&self) -> Vec<String> {
        self.list.iter().map(|subscription| subscription.destination.clone()).collect()
    }

    pub(super) fn by_number(&mut self, number: u32) -> Option<&mut Subscription> {
        let at = self.list.binary_search_by_key(&number, |s| s.number).ok()?;
        self.list.get_mut(at)
    }

    /// Its RECEIPT is out: what was held back follows, then everything comes at once.
    pub(super) fn open(&mut self, number: u32, out: &mut Actions) {
        let held = self.by_number(number).and_then(|subscription| subscription.held.take());
        for (delivery, queued) in held.unwrap_or_default() {
            self.bring(delivery, queued, out);
        }
    }

    /// Ends one; what was held back for it goes nowhere.
    pub(super) fn end(&mut self, number: u32, out: &mut Actions) -> Option<Subscription> {
        let at = self.list.binary_search_by_key(&number, |s| s.number).ok()?;
        let mut gone = self.list.remove(at);
        let held = gone.held.take().unwrap_or_default();
        out.extend(held.into_iter().filter(|(_, queued)| *queued).map(|(d, _)| Action::Forget(d)));
        Some(gone)
    }

    /// Brings a delivery of the queue to its subscription.
    pub(super) fn deliver(&mut self, delivery: Delivery, out: &mut Actions) {
        self.bring(delivery, true, out);
    }

    /// Brings a message of the session's own to its subscription.
    pub(super) fn say(&mut self, delivery: Delivery, out: &mut Actions) {
        self.bring(delivery, false, out);
    }

    fn bring(&mut self, delivery: Delivery, queued: bool, out: &mut Actions) {
        let number = delivery.subscription.number;
        let Some(subscription) = self.by_number(number) else {
            if queued {
                out.push(Action::Forget(delivery)); // it was on its way when UNSUBSCRIBE came
            }
            return;
        };
        if let Some(held) = &mut subscription.held {
            return held.push((delivery, queued));
        }
        let ack = delivery.token.map(|token| {
            let id = delivery.logged.id.to_string();
            AckId { subscription: number, sequence: subscription.unsettled.note(token, id) }
        });
        let subscription = subscription.id.clone();
        out.push(Action::Message(Outgoing { subscription, delivery, ack, queued }));
    }
}
