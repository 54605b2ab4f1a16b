//! What a connection adds to the metrics.

use stomp_core::{Command, Frame};

use super::{super::action::BrokerReply, Driver};
use crate::{broker::BrokerError, problem::Code, transport::Transport};

impl<T: Transport> Driver<T> {
    pub(super) fn count_sent(&mut self) {
        let octets = std::mem::take(&mut self.uncounted);
        self.server.metrics.bytes_sent.increment(octets as u64);
    }

    pub(super) fn count_frame(&self, frame: &Frame) {
        let metrics = &self.server.metrics;
        metrics.frames_sent.increment(1);
        if frame.command() == Command::Error
            && let Some(limit) = frame.header("limit")
            && frame.header("code").as_deref() != Some(Code::RateLimited.as_str())
        {
            metrics.refused(&limit);
        }
    }

    pub(super) fn count_outcome(&self, reply: &BrokerReply) {
        let publishes = &self.server.metrics.publishes;
        match reply {
            BrokerReply::Accepted(Ok(accepted)) if accepted.duplicate => {
                publishes.duplicate.increment(1);
            }
            BrokerReply::Accepted(Ok(_)) => publishes.accepted.increment(1),
            BrokerReply::Accepted(Err(BrokerError::Unknown(_))) => publishes.unknown.increment(1),
            BrokerReply::Accepted(Err(_)) => publishes.refused.increment(1),
            BrokerReply::Subscribed(_) | BrokerReply::Done(_) => {}
        }
    }
}
