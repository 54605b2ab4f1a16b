//! From what the machine wants said to what the transport writes.

use std::{fmt::Write, sync::Arc};

use bytes::{Bytes, BytesMut};
use stomp_core::{Frame, SharedMessage, Version};

use super::action::Outgoing;
use crate::transport::Transport;

/// Buffers that are used again for every frame of a session; empty in between.
#[derive(Debug, Default)]
pub(super) struct Encoder {
    head: BytesMut,
    /// `MESSAGE` and the id of the subscription that was written to last.
    lead: BytesMut,
    lead_of: Option<Arc<str>>,
}

impl Encoder {
    /// Writes a frame of the server's own.
    pub(super) fn frame(&mut self, frame: &Frame, version: Version, to: &mut impl Transport) {
        self.head.clear();
        match frame.encode(version, &mut self.head) {
            Ok(()) => to.queue(&self.head, &Bytes::new()),
            // Only CONNECTED can refuse a value, and it is built of checked ones.
            Err(error) => tracing::error!(%error, "a frame could not be written"),
        }
    }

    /// Writes a MESSAGE: a head of its own, and the tail that all subscribers share.
    pub(super) fn message(&mut self, out: &Outgoing, version: Version, to: &mut impl Transport) {
        let tail = out.delivery.logged.tail(version);
        self.lead(out.subscription.as_ref(), version);
        let ack = out.ack.filter(|_| version == Version::V1_2);
        let redeliveries = out.delivery.redeliveries;
        if ack.is_none() && redeliveries == 0 {
            return to.queue(&self.lead, &tail);
        }
        self.head.clear();
        self.head.extend_from_slice(&self.lead);
        // Numbers and hyphens: nothing in them has to be escaped, and memory has no errors.
        let _ = ack.map_or(Ok(()), |ack| writeln!(self.head, "ack:{ack}"));
        if redeliveries > 0 {
            let _ = writeln!(self.head, "redelivered:true\ndelivery-count:{redeliveries}");
        }
        to.queue(&self.head, &tail);
    }

    /// Makes the lead that of a subscription; mostly it is already.
    fn lead(&mut self, subscription: Option<&Arc<str>>, version: Version) {
        let is_the_same = match (&self.lead_of, subscription) {
            (Some(last), Some(this)) => Arc::ptr_eq(last, this),
            _ => false,
        };
        if is_the_same {
            return;
        }
        self.lead.clear();
        let header = subscription.map(|id| ("subscription", &**id));
        SharedMessage::encode_head(&mut self.lead, version, header.as_slice());
        self.lead_of = subscription.cloned();
    }

    /// Gives back what an idle connection need not hold.
    pub(super) fn release(&mut self) {
        *self = Self::default();
    }
}
