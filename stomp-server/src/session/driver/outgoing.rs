//! From the connection's queue to its transport.

use super::{super::outbound::Drained, Driver};
use crate::{
    broker::{Delivery, Outcome},
    problem::{Code, Problem},
    transport::Transport,
};

/// Unsent bytes above which the queue is left to wait: one socket buffer's worth.
pub(super) const WRITE_AHEAD: usize = 64 * 1024;

impl<T: Transport> Driver<T> {
    /// Moves what waits in the queue to the transport, up to what one write takes.
    pub(super) fn deliver(&mut self) {
        while self.close.is_none() {
            if self.transport.unsent() >= WRITE_AHEAD {
                return self.too_slow(self.queue.look());
            }
            let mut arrived: Vec<Delivery> = Vec::new();
            let drained = self.queue.drain(WRITE_AHEAD, &mut arrived);
            self.transport.expect(arrived.iter().map(Delivery::weight).sum());
            for delivery in arrived {
                if self.hooks.let_pass(self.who.as_deref(), &delivery.logged) {
                    self.machine.on_delivery(delivery, &mut self.actions);
                } else {
                    self.hide(&delivery);
                }
            }
            self.act();
            self.too_slow(drained);
            if !drained.more {
                break;
            }
        }
    }

    /// Tells of what the slow-consumer policy has done.
    fn too_slow(&mut self, drained: Drained) {
        if drained.overflowed && self.close.is_none() {
            self.server.metrics.slow_consumers.increment(1);
            self.present.too_slow(None);
            self.present.tell(|| tracing::warn!("a slow consumer is disconnected"));
            let limit = self.server.around.limits.outbound as u64;
            let problem = Problem::new(Code::Limit, "This subscriber reads too slowly.")
                .with_limit("outbound", limit);
            self.machine.on_overflow(problem, &mut self.actions);
            self.act();
        }
        let dropped = drained.dropped;
        if dropped > 0 {
            self.server.metrics.slow_consumers.increment(1);
            self.server.metrics.dropped.increment(dropped);
            self.present.too_slow(Some(dropped));
            self.present
                .tell(|| tracing::warn!(dropped, "messages were dropped for a slow consumer"));
        }
    }

    /// A delivery that an interceptor keeps back.
    pub(super) fn hide(&self, delivery: &Delivery) {
        self.queue.written(delivery.weight());
        if let Some(token) = delivery.token {
            let key = delivery.subscription;
            drop(self.server.broker.settle(key, &[token], Outcome::Ack));
        }
    }
}
