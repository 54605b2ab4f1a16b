//! From what the machine wants said to what the transport writes.

use std::fmt::Write;

use bytes::{Bytes, BytesMut};
use stomp_core::{Frame, SharedMessage, Version};

use super::action::Outgoing;
use crate::transport::Transport;

/// Buffers that are used again for every frame of a session; empty in between.
#[derive(Debug, Default)]
pub(super) struct Encoder {
    head: BytesMut,
    id: String,
    place: String,
    ack: String,
    count: String,
}

impl Encoder {
    /// Writes a frame of the server's own.
    pub(super) fn frame(&mut self, frame: &Frame, version: Version, to: &mut impl Transport) {
        self.head.clear();
        match frame.encode(version, &mut self.head) {
            Ok(()) => to.queue(&self.head, Bytes::new()),
            // Only CONNECTED can refuse a value, and it is built of checked ones.
            Err(error) => tracing::error!(%error, "a frame could not be written"),
        }
    }

    /// Writes a MESSAGE: a head of its own, and the tail that all subscribers share.
    pub(super) fn message(&mut self, out: &Outgoing, version: Version, to: &mut impl Transport) {
        let logged = &out.delivery.logged;
        let mut headers: [(&str, &str); 6] = [("", ""); 6];
        let mut used = 0;
        let mut add = |name, value| {
            headers[used] = (name, value);
            used += 1;
        };
        write_into(&mut self.id, &logged.id);
        add("message-id", self.id.as_str());
        if let Some(subscription) = &out.subscription {
            add("subscription", subscription);
        }
        if let Some(ack) = out.ack.filter(|_| version == Version::V1_2) {
            write_into(&mut self.ack, &ack);
            add("ack", self.ack.as_str());
        }
        if let Some(position) = &logged.position {
            write_into(&mut self.place, position);
            add("position", self.place.as_str());
        }
        if out.delivery.redeliveries > 0 {
            write_into(&mut self.count, &out.delivery.redeliveries);
            add("redelivered", "true");
            add("delivery-count", self.count.as_str());
        }
        self.head.clear();
        SharedMessage::encode_head(&mut self.head, version, &headers[..used]);
        to.queue(&self.head, logged.message.tail(version));
    }

    /// Gives back what an idle connection need not hold.
    pub(super) fn release(&mut self) {
        *self = Self::default();
    }
}

fn write_into(text: &mut String, value: &impl std::fmt::Display) {
    text.clear();
    let _ = write!(text, "{value}"); // writing to a String cannot fail
}
