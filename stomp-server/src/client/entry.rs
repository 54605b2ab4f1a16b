//! A subscription as the connection's task sees it.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use stomp_core::{Command, Frame};
use tokio::sync::mpsc;

use super::{Arrival, ClientError, Resumed, command::Told, message::Message};

/// What an entry and its stream share.
#[derive(Debug, Default)]
pub(super) struct Flow {
    /// How many messages the application has taken.
    pub(super) taken: AtomicU64,
    /// The server has sent more than the prefetch allows, so that something had to be dropped;
    /// the stream ends with that.
    pub(super) overrun: AtomicBool,
}

/// Who acknowledges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Acks {
    /// The client, when the application takes a message from the stream.
    Taken,
    /// The application, each by [`Message::ack`].
    Explicit,
    /// Nobody: one answer, and it is over.
    Answer,
}

/// One subscription, over all connections.
pub(super) struct Entry {
    pub(super) number: u64,
    /// Its id on the wire.
    pub(super) id: String,
    pub(super) destination: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) acks: Acks,
    pub(super) prefetch: u32,
    /// Where to start, as it is written: at first what was asked for, later the last position.
    pub(super) from: Option<String>,
    pub(super) stream: mpsc::Sender<Result<Arrival, ClientError>>,
    pub(super) flow: Arc<Flow>,
    /// Whoever waits for the first receipt.
    pub(super) opened: Option<Told<Resumed>>,
    /// SUBSCRIBE is written in this session.
    pub(super) asked: bool,
    /// How many messages have been put into the stream.
    pub(super) received: u64,
    /// Which of them wait for an acknowledgement, by count and id.
    pub(super) unacked: VecDeque<(u64, String)>,
}

impl Entry {
    pub(super) fn receipt(&self) -> String {
        format!("b-{}", self.number)
    }

    /// Whether the application has let go of the stream.
    pub(super) fn is_dropped(&self) -> bool {
        self.stream.is_closed()
    }

    /// The SUBSCRIBE for this session, once there is enough room for what it will bring:
    /// the messages of earlier sessions may still wait in the stream.
    pub(super) fn subscribe(&mut self) -> Option<Frame> {
        let room = self.stream.capacity().saturating_sub(1) as u32;
        if self.asked || room < self.prefetch.div_ceil(2) {
            return None;
        }
        self.asked = true;
        let mut frame = Frame::builder(Command::Subscribe)
            .header("id", &self.id)
            .header("destination", &self.destination)
            .header("receipt", &self.receipt());
        match self.acks {
            Acks::Taken => frame = frame.header("ack", "client"),
            Acks::Explicit => frame = frame.header("ack", "client-individual"),
            Acks::Answer => {}
        }
        if self.acks != Acks::Answer {
            frame = frame.header("prefetch-count", &room.min(self.prefetch).to_string());
        }
        if let Some(from) = &self.from {
            frame = frame.header("from", from);
        }
        for (name, value) in &self.headers {
            frame = frame.header(name, value);
        }
        Some(frame.build())
    }

    /// Its RECEIPT has come.
    pub(super) fn on_receipt(&mut self, receipt: &Frame) {
        let position = receipt.header("position");
        let verdict = receipt.header("recovered").map(|verdict| verdict == "true");
        let resumed = Resumed {
            recovered: verdict.unwrap_or_else(|| self.loses_nothing()),
            position: position.as_deref().and_then(|position| position.parse().ok()),
        };
        if let Some(position) = position.filter(|_| self.can_resume()) {
            self.from = Some(position.into_owned()); // everything behind it will come
        }
        match self.opened.take() {
            Some(opened) => {
                let _ = opened.send(Ok(resumed));
            }
            None if self.acks != Acks::Answer => {
                self.put(Ok(Arrival::Resumed(resumed)));
            }
            None => {}
        }
    }

    /// A message has come for it. False when the subscription is over with it.
    pub(super) fn on_message(&mut self, message: Message, ack: Option<String>) -> bool {
        self.received += 1;
        if let Some(position) = message.header("position").filter(|_| self.can_resume()) {
            self.from = Some(position.into_owned());
        }
        if let (Some(ack), Acks::Taken) = (ack, self.acks) {
            self.unacked.push_back((self.received, ack));
        }
        self.put(Ok(Arrival::Message(message))) && self.acks != Acks::Answer
    }

    /// The newest message that the application has taken and the server does not know of.
    pub(super) fn acknowledge(&mut self) -> Option<String> {
        let taken = self.flow.taken.load(Ordering::Acquire);
        let mut newest = None;
        while self.unacked.front().is_some_and(|(count, _)| *count <= taken) {
            newest = self.unacked.pop_front().map(|(_, id)| id);
        }
        newest
    }

    /// The connection is gone, and with it what its ids meant.
    pub(super) fn session_over(&mut self) {
        self.asked = false;
        self.unacked.clear();
    }

    /// It is over, for this reason.
    pub(super) fn fail(mut self, error: ClientError) {
        match self.opened.take() {
            Some(opened) => {
                let _ = opened.send(Err(error));
            }
            None => {
                self.put(Err(error));
            }
        }
    }

    fn put(&self, arrival: Result<Arrival, ClientError>) -> bool {
        match self.stream.try_send(arrival) {
            Ok(()) => true,
            Err(mpsc::error::TrySendError::Closed(_)) => false,
            Err(mpsc::error::TrySendError::Full(_)) => {
                self.flow.overrun.store(true, Ordering::Release);
                false
            }
        }
    }

    /// A topic without wildcards has a place to come back to.
    fn can_resume(&self) -> bool {
        let is_pattern = |word: &str| matches!(word, "*" | "#" | ">");
        self.destination.starts_with("/topic/")
            && !self.destination.split(['.', '/']).any(is_pattern)
    }

    /// Queues keep everything while nobody listens.
    fn loses_nothing(&self) -> bool {
        self.destination.starts_with("/queue/") || self.opened.is_some()
    }
}
