//! What a connection adds to metrics and log.

use std::time::Instant;

use stomp_core::{Command, Frame};

use super::{
    super::action::{BrokerReply, Close},
    Driver,
};
use crate::{broker::BrokerError, metrics, problem::Code, transport::Transport};

impl<T: Transport> Driver<T> {
    /// Counts what has been written since the last time.
    pub(super) fn count_sent(&mut self, now: Instant) {
        let octets = std::mem::take(&mut self.uncounted);
        self.server.metrics.bytes_sent.increment(octets as u64);
        self.server.metrics.frames_sent.increment(std::mem::take(&mut self.frames_out));
        self.present.sent(octets, now);
    }

    /// Counts what has been taken from the client since the last time. Once for many frames:
    /// the counters are everybody's, and memory that all write to is slow.
    pub(super) fn count_taken(&mut self) {
        let metrics = &self.server.metrics;
        if self.frames_in > 0 {
            metrics.frames_received.increment(std::mem::take(&mut self.frames_in));
        }
        if self.accepted > 0 {
            metrics.publishes.accepted.increment(std::mem::take(&mut self.accepted));
        }
    }

    pub(super) fn count_frame(&mut self, frame: &Frame) {
        self.frames_out += 1;
        if frame.command() != Command::Error {
            return;
        }
        let (code, limit) = (frame.header("code"), frame.header("limit"));
        if let Some(limit) = &limit
            && code.as_deref() != Some(Code::RateLimited.as_str())
        {
            self.server.metrics.refused(limit);
        }
        // The sentence may quote what the peer sent; the code and our own limit do not.
        let (code, limit) = (code.as_deref(), limit.as_deref());
        self.present.tell(|| tracing::info!(code, limit, "an error was told"));
    }

    /// One line for the end of a login; a stranger who comes and goes is not worth one.
    pub(super) fn tell_end(&self, close: Close) {
        let reason = metrics::reason(close);
        if self.who.is_some() {
            self.present.tell(|| tracing::info!(reason, "logged out"));
        } else if tracing::enabled!(tracing::Level::DEBUG) {
            self.present.tell(|| tracing::debug!(reason, "gone without a login"));
        }
    }

    pub(super) fn count_outcome(&mut self, reply: &BrokerReply) {
        let publishes = &self.server.metrics.publishes;
        match reply {
            BrokerReply::Accepted(Ok(accepted)) if accepted.duplicate => {
                publishes.duplicate.increment(1);
            }
            BrokerReply::Accepted(Ok(_)) => self.accepted += 1,
            BrokerReply::Accepted(Err(BrokerError::Unknown(_))) => publishes.unknown.increment(1),
            BrokerReply::Accepted(Err(_)) => publishes.refused.increment(1),
            BrokerReply::Subscribed(_) | BrokerReply::Done(_) => {}
        }
    }
}
