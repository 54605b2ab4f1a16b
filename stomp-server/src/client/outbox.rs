//! What has been sent, or is to be sent, and has no receipt yet.

use std::collections::VecDeque;

use stomp_core::Frame;
use tokio::sync::OwnedSemaphorePermit;

use super::{ClientError, Sent, command::Told};
use crate::problem::Problem;

/// After this many sessions that ended with an ERROR about nothing in particular, the oldest
/// unreceipted item is what the server must mean.
const BLAMED_AT_MOST: u32 = 3;

/// How often an item may be tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tries {
    /// Until there is a receipt, over any number of connections.
    UntilReceipted,
    /// Not again once it has been written.
    Once,
    /// In this connection only: it acknowledges what came by it.
    Within(u64),
}

/// Something that waits for its receipt: one SEND, or a whole transaction.
pub(super) struct Item {
    pub(super) number: u64,
    pub(super) frames: Vec<Frame>,
    /// Goes to a handler, so that its refusal comes by way of the errors queue.
    pub(super) for_handlers: bool,
    pub(super) tries: Tries,
    pub(super) told: Told<Sent>,
    /// Its share of the outbox; given back with it.
    pub(super) room: OwnedSemaphorePermit,
    pub(super) blamed: u32,
}

impl Item {
    /// The receipt header of its last frame.
    pub(super) fn receipt(number: u64) -> String {
        format!("s-{number}")
    }

    fn settle(self, outcome: Result<Sent, ClientError>) {
        drop(self.room); // first, so that whoever is told finds room
        let _ = self.told.send(outcome); // nobody may wait for it any more
    }
}

/// The items in the order in which they were sent. Bounded by the room that each holds.
#[derive(Default)]
pub(super) struct Outbox {
    items: VecDeque<Item>,
    /// How many of them this session has written.
    written: usize,
}

impl Outbox {
    /// Takes an item; the connection of the moment is this one, if there is any.
    pub(super) fn push(&mut self, item: Item, connection: Option<u64>) {
        match item.tries {
            Tries::Within(own) if connection != Some(own) => item.settle(Err(ClientError::Lost)),
            _ => self.items.push_back(item),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Whether something for a handler is waiting.
    pub(super) fn has_work_for_handlers(&self) -> bool {
        self.items.iter().any(|item| item.for_handlers)
    }

    /// The next item to be written in this session.
    pub(super) fn next(&mut self) -> Option<&Item> {
        let item = self.items.get(self.written)?;
        self.written += 1;
        Some(item)
    }

    /// Its receipt has come.
    pub(super) fn receipted(&mut self, number: u64, receipt: Frame) {
        if let Some(item) = self.take(number) {
            item.settle(Ok(Sent::new(receipt)));
        }
    }

    /// It will never be accepted.
    pub(super) fn refused(&mut self, number: u64, problem: Problem) {
        if let Some(item) = self.take(number) {
            item.settle(Err(problem.into()));
        }
    }

    /// The session ended with an ERROR that names no frame.
    pub(super) fn blame(&mut self, problem: &Problem) {
        let Some(oldest) = self.items.front_mut().filter(|_| self.written > 0) else { return };
        oldest.blamed += 1;
        if oldest.blamed >= BLAMED_AT_MOST {
            let number = oldest.number;
            self.refused(number, problem.clone());
        }
    }

    /// The connection is gone: what may be repeated is written again in the next one.
    pub(super) fn session_over(&mut self) {
        let written = std::mem::take(&mut self.written);
        for (at, item) in std::mem::take(&mut self.items).into_iter().enumerate() {
            let is_lost = match item.tries {
                Tries::UntilReceipted => false,
                Tries::Once => at < written,
                Tries::Within(_) => true,
            };
            if is_lost {
                item.settle(Err(ClientError::Lost));
            } else {
                self.items.push_back(item);
            }
        }
    }

    /// Nobody tries any more.
    pub(super) fn give_up(&mut self, error: &ClientError) {
        for item in self.items.drain(..) {
            item.settle(Err(error.clone()));
        }
        self.written = 0;
    }

    /// Receipts come in order, so it is nearly always the first.
    fn take(&mut self, number: u64) -> Option<Item> {
        let at = self.items.iter().position(|item| item.number == number)?;
        if at < self.written {
            self.written -= 1;
        }
        self.items.remove(at)
    }
}
