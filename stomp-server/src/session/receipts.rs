//! Receipts in frame order, with many appends in flight.
//!
//! Every frame that has an effect takes a slot when it is read. Outcomes arrive in any
//! order; they leave from the front only (protocol decision 25). An ERROR is a slot like
//! any other: what was sent before it is still answered.

use std::{borrow::Cow, collections::VecDeque};

use super::action::{Action, Ticket};
use crate::{broker::Subscribed, problem::Problem};

/// What a broker call's outcome will be turned into.
#[derive(Debug)]
pub(crate) enum Expect {
    /// A publication by the client itself.
    Publish,
    /// A publication that a handler made; a refusal costs only the frame.
    AppPublish { headers: ReceiptHeaders, client_message_id: Option<String> },
    /// The subscription of this number.
    Subscribe(u32),
    /// Only that it is done.
    Plain,
}

/// Headers of a RECEIPT beside its id.
pub(crate) type ReceiptHeaders = Vec<(Cow<'static, str>, String)>;

/// How a frame ended.
#[derive(Debug)]
pub(crate) enum Finish {
    /// It took effect.
    Done(ReceiptHeaders),
    /// The subscription of this number is in place.
    Subscribed(u32, Subscribed),
    /// The one answer of a subscription under `/app`, of this number.
    Answered(u32, stomp_core::SharedMessage),
    /// ERROR, then close.
    Fault(Problem),
    /// A problem for the errors queue; the session lives on.
    Refused(Problem, Option<String>),
    /// Perhaps it took effect: close without a word.
    Unknown,
    /// Close as the client asked.
    Bye,
}

/// The slots of the frames that are not answered yet.
#[derive(Debug, Default)]
pub(crate) struct Receipts {
    first: u64,
    slots: VecDeque<Slot>,
}

#[derive(Debug)]
struct Slot {
    receipt: Option<String>,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// Its effect is under way; taken out when the outcome is told.
    Waiting(Option<Expect>),
    /// Its effect must not start before everything in front has succeeded.
    Held(Action, Expect),
    /// Its turn comes when it is at the front.
    Ready(Finish),
}

/// What leaves the front.
#[derive(Debug)]
pub(crate) enum Turn {
    /// This frame is over; its `receipt` header.
    Finished(Option<String>, Finish),
    /// This effect may start now; it will be told with its ticket.
    Start(Action),
}

impl Receipts {
    /// A slot for an effect that is about to start.
    pub(crate) fn wait(&mut self, receipt: Option<String>, expect: Expect) -> Ticket {
        self.push(receipt, Stage::Waiting(Some(expect)))
    }

    /// A slot for an effect that starts when everything before it has succeeded.
    pub(crate) fn hold(&mut self, expect: Expect, action: impl FnOnce(Ticket) -> Action) {
        let action = action(self.next_ticket());
        self.push(None, Stage::Held(action, expect));
    }

    /// A slot for what is over already.
    pub(crate) fn ready(&mut self, receipt: Option<String>, finish: Finish) {
        self.push(receipt, Stage::Ready(finish));
    }

    /// What the effect of this ticket was expected to come to, and whether its RECEIPT was asked
    /// for; nothing for a slot that is gone.
    pub(crate) fn expected(&mut self, ticket: Ticket) -> Option<(Expect, bool)> {
        let slot = self.slot(ticket)?;
        match &mut slot.stage {
            Stage::Waiting(expect) => expect.take().map(|expect| (expect, slot.receipt.is_some())),
            Stage::Held(..) | Stage::Ready(_) => None,
        }
    }

    /// Tells how an effect ended.
    pub(crate) fn finish(&mut self, ticket: Ticket, finish: Finish) {
        if let Some(slot) = self.slot(ticket) {
            slot.stage = Stage::Ready(finish);
        }
    }

    /// Takes what can leave the front now.
    pub(crate) fn next(&mut self) -> Option<Turn> {
        let front = self.slots.front_mut()?;
        if matches!(front.stage, Stage::Waiting(_)) {
            return None;
        }
        match std::mem::replace(&mut front.stage, Stage::Waiting(None)) {
            Stage::Waiting(_) => None,
            Stage::Held(action, expect) => {
                front.stage = Stage::Waiting(Some(expect));
                Some(Turn::Start(action))
            }
            Stage::Ready(finish) => {
                let receipt = front.receipt.take();
                self.drop_front();
                Some(Turn::Finished(receipt, finish))
            }
        }
    }

    fn drop_front(&mut self) {
        self.slots.pop_front();
        self.first += 1;
        if self.slots.is_empty() {
            self.slots = VecDeque::new(); // an idle connection keeps no buffer
        }
    }

    /// How many frames are not answered yet.
    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    fn slot(&mut self, ticket: Ticket) -> Option<&mut Slot> {
        let index = ticket.0.checked_sub(self.first)?;
        self.slots.get_mut(usize::try_from(index).ok()?)
    }

    fn next_ticket(&self) -> Ticket {
        Ticket(self.first + self.slots.len() as u64)
    }

    fn push(&mut self, receipt: Option<String>, stage: Stage) -> Ticket {
        let ticket = self.next_ticket();
        self.slots.push_back(Slot { receipt, stage });
        ticket
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drained(receipts: &mut Receipts) -> Vec<String> {
        std::iter::from_fn(|| receipts.next())
            .map(|turn| match turn {
                Turn::Finished(receipt, _) => receipt.unwrap_or_default(),
                Turn::Start(_) => "start".into(),
            })
            .collect()
    }

    #[test]
    fn outcomes_leave_in_frame_order_whatever_the_order_of_arrival() {
        let mut receipts = Receipts::default();
        let a = receipts.wait(Some("a".into()), Expect::Plain);
        let b = receipts.wait(Some("b".into()), Expect::Plain);
        receipts.finish(b, Finish::Done(vec![]));
        assert!(drained(&mut receipts).is_empty());
        receipts.finish(a, Finish::Done(vec![]));
        assert_eq!(drained(&mut receipts), ["a", "b"]);
        let c = receipts.wait(Some("c".into()), Expect::Plain);
        receipts.finish(c, Finish::Done(vec![]));
        assert_eq!(drained(&mut receipts), ["c"]);
    }

    #[test]
    fn a_held_effect_starts_only_at_the_front() {
        let mut receipts = Receipts::default();
        let a = receipts.wait(None, Expect::Plain);
        receipts.hold(Expect::Plain, |_| Action::Close(super::super::action::Close::Bye));
        receipts.ready(Some("c".into()), Finish::Done(vec![]));
        assert!(receipts.next().is_none());
        receipts.finish(a, Finish::Done(vec![]));
        assert_eq!(drained(&mut receipts), ["", "start"]);
        assert_eq!(receipts.len(), 2);
        receipts.finish(Ticket(1), Finish::Done(vec![]));
        assert_eq!(drained(&mut receipts), ["", "c"]);
    }

    #[test]
    fn an_outcome_of_a_slot_that_is_gone_changes_nothing() {
        let mut receipts = Receipts::default();
        let a = receipts.wait(None, Expect::Plain);
        receipts.finish(a, Finish::Done(vec![]));
        assert_eq!(drained(&mut receipts), [""]);
        receipts.finish(a, Finish::Bye);
        assert_eq!(receipts.len(), 0);
    }
}
