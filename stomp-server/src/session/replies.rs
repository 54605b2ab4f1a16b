//! The broker calls of a session whose outcome is not known yet.

use std::{
    collections::VecDeque,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use super::action::{BrokerReply, Ticket};
use crate::broker::{Accepted, Reply, Subscribed};

/// A call under way.
#[derive(Debug)]
pub(super) enum Call {
    Publish(Reply<Accepted>),
    Subscribe(Reply<Subscribed>),
    Other(Reply<()>),
}

/// Calls in the order of their tickets. Outcomes are only needed in that order, so only
/// the oldest is ever polled.
#[derive(Debug, Default)]
pub(super) struct Replies(VecDeque<(Ticket, Call)>);

impl Replies {
    /// Adds a call; one that was held back takes its place in front.
    pub(super) fn add(&mut self, ticket: Ticket, call: Call) {
        let at = self.0.partition_point(|(earlier, _)| earlier.0 < ticket.0);
        self.0.insert(at, (ticket, call));
    }

    /// The next outcome; never ready while there is nothing to wait for.
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<(Ticket, BrokerReply)> {
        let Some((ticket, call)) = self.0.front_mut() else { return Poll::Pending };
        let polled = match call {
            Call::Publish(reply) => Pin::new(reply).poll(cx).map(BrokerReply::Accepted),
            Call::Subscribe(reply) => Pin::new(reply).poll(cx).map(BrokerReply::Subscribed),
            Call::Other(reply) => Pin::new(reply).poll(cx).map(BrokerReply::Done),
        };
        let ticket = *ticket;
        polled.map(|reply| {
            self.0.pop_front();
            if self.0.is_empty() {
                self.0 = VecDeque::new();
            }
            (ticket, reply)
        })
    }
}
