//! What the server says, and what is said to it in turn.

use std::ops::ControlFlow;

use stomp_core::{Command, Frame};

use super::{
    engine::{End, Engine},
    entry::{Acks, Entry},
    error::is_passing,
    link::Link,
    message::{Message, Ticket},
    problem,
};
use crate::problem::{Code, Problem};

/// The id of the subscription to the errors queue.
const ERRORS: &str = "errors";
/// The receipt of DISCONNECT.
const BYE: &str = "bye";

impl Engine {
    pub(super) fn on_frame(&mut self, frame: Frame, link: &mut Link) -> ControlFlow<End> {
        match frame.command() {
            Command::Message => self.on_message(frame, link),
            Command::Receipt => return self.on_receipt(frame),
            Command::Error => return ControlFlow::Break(self.on_error(&frame)),
            other => tracing::debug!(%other, "an unexpected frame is passed over"),
        }
        ControlFlow::Continue(())
    }

    fn on_message(&mut self, frame: Frame, link: &mut Link) {
        let subscription = frame.header("subscription").unwrap_or_default().into_owned();
        if subscription == ERRORS && self.hears_errors {
            return self.on_problem(&frame);
        }
        let found = self.entries.values_mut().find(|entry| entry.id == subscription);
        let Some(entry) = found else { return }; // it was on its way when UNSUBSCRIBE went out
        let ack = frame.header("ack").map(std::borrow::Cow::into_owned);
        let ticket = ack.clone().filter(|_| entry.acks == Acks::Explicit).map(|id| Ticket {
            commands: self.back.clone(),
            generation: self.generation,
            id,
        });
        if !entry.on_message(Message::new(frame, ticket), ack) {
            let number = entry.number;
            self.end(number, link);
        }
    }

    /// Its stream has been dropped, or overrun, or has got its one answer.
    fn end(&mut self, number: u64, link: &mut Link) {
        let Some(entry) = self.entries.remove(&number) else { return };
        if entry.acks != Acks::Answer && entry.asked {
            self.unsubscribe(&entry, false, link);
        }
    }

    pub(super) fn unsubscribe(&mut self, entry: &Entry, forget: bool, link: &mut Link) {
        let frame = Frame::builder(Command::Unsubscribe)
            .header("id", &entry.id)
            .header("receipt", &format!("u-{}", entry.number))
            .header_if("durable", forget.then_some("true"));
        link.write(&frame.build());
    }

    fn on_receipt(&mut self, receipt: Frame) -> ControlFlow<End> {
        let id = receipt.header("receipt-id").unwrap_or_default().into_owned();
        match meaning(&id) {
            Meaning::Sent(number) => self.outbox.receipted(number, receipt),
            Meaning::Subscribed(number) => {
                if let Some(entry) = self.entries.get_mut(&number) {
                    entry.on_receipt(&receipt);
                }
            }
            Meaning::Unsubscribed(number) => {
                if let Some(told) = self.unsubscribed.remove(&number) {
                    let _ = told.send(Ok(()));
                }
            }
            Meaning::Goodbye => return ControlFlow::Break(End::Goodbye),
            Meaning::Nothing => {}
        }
        ControlFlow::Continue(())
    }

    /// A refusal that costs one frame only.
    fn on_problem(&mut self, message: &Frame) {
        let problem = problem::of_document(message.body());
        let id = message.header("receipt-id").unwrap_or_default();
        self.refused(meaning(&id), problem);
    }

    /// A refusal that costs the session. What it is about is not tried again, unless the
    /// reason goes away with time.
    fn on_error(&mut self, frame: &Frame) -> End {
        let problem = problem::of_error(frame);
        tracing::debug!(%problem, "the server ends the session");
        let wait = problem.retry_after;
        let id = frame.header("receipt-id").unwrap_or_default();
        let about = meaning(&id);
        if !is_passing(problem.code) || self.is_held_by_others(&about, &problem) {
            match about {
                Meaning::Nothing if blames_a_frame(&problem) => self.outbox.blame(&problem),
                about => self.refused(about, problem),
            }
        }
        End::Lost(wait)
    }

    /// A durable place is in use. After a lost connection that is our own past self, which the
    /// server will give up soon; at first it is somebody else, who may stay for ever.
    fn is_held_by_others(&self, about: &Meaning, problem: &Problem) -> bool {
        let Meaning::Subscribed(number) = about else { return false };
        problem.code == Code::InUse
            && self.entries.get(number).is_some_and(|entry| entry.opened.is_some())
    }

    fn refused(&mut self, about: Meaning, problem: Problem) {
        match about {
            Meaning::Sent(number) => self.outbox.refused(number, problem),
            Meaning::Subscribed(number) => {
                if let Some(entry) = self.entries.remove(&number) {
                    entry.fail(problem.into());
                }
            }
            Meaning::Unsubscribed(_) | Meaning::Goodbye | Meaning::Nothing => {}
        }
    }

    /// Writes what has become due: subscriptions first, so that nothing they would bring is
    /// sent before them; acknowledgements; what waits in the outbox; goodbye at last.
    pub(super) fn say_what_is_due(&mut self, link: &mut Link) {
        if self.is_saying_goodbye() {
            return;
        }
        self.hear_errors(link);
        let dropped: Vec<u64> =
            self.entries.values().filter(|entry| entry.is_dropped()).map(|e| e.number).collect();
        for number in dropped {
            self.end(number, link);
        }
        for entry in self.entries.values_mut() {
            if let Some(frame) = entry.subscribe() {
                link.write(&frame);
            }
            if let Some(id) = entry.acknowledge() {
                link.write(&Frame::builder(Command::Ack).header("id", &id).build());
            }
        }
        while let Some(item) = self.outbox.next() {
            item.frames.iter().for_each(|frame| link.write(frame));
        }
        if self.closing.is_some() && self.outbox.is_empty() {
            self.say_goodbye(link);
        }
    }

    /// Subscribes to the errors queue before the first frame that a handler may refuse.
    fn hear_errors(&mut self, link: &mut Link) {
        let asks = |entry: &Entry| entry.acks == Acks::Answer;
        let wanted = self.settings.errors_queue
            || self.outbox.has_work_for_handlers()
            || self.entries.values().any(asks);
        if wanted && !self.hears_errors {
            self.hears_errors = true;
            let frame = Frame::builder(Command::Subscribe)
                .header("id", ERRORS)
                .header("destination", "/user/queue/errors");
            link.write(&frame.build());
        }
    }

    pub(super) fn say_goodbye(&mut self, link: &mut Link) {
        if let Some(closing) = &mut self.closing
            && !closing.said
        {
            closing.said = true;
            link.write(&Frame::builder(Command::Disconnect).header("receipt", BYE).build());
        }
    }
}

/// Whether a frame of ours may be what an ERROR without a receipt-id is about.
fn blames_a_frame(problem: &Problem) -> bool {
    let is_of_frames =
        matches!(problem.code, Code::Protocol | Code::Invalid | Code::TooLarge | Code::Limit);
    let reads_slowly = problem.limit.as_deref().is_some_and(|limit| limit.starts_with("outbound "));
    is_of_frames && !reads_slowly
}

/// What a receipt of ours is about.
enum Meaning {
    Sent(u64),
    Subscribed(u64),
    Unsubscribed(u64),
    Goodbye,
    Nothing,
}

fn meaning(receipt: &str) -> Meaning {
    if receipt == BYE {
        return Meaning::Goodbye;
    }
    let parts = receipt.split_once('-').and_then(|(kind, n)| Some((kind, n.parse().ok()?)));
    match parts {
        Some(("s", number)) => Meaning::Sent(number),
        Some(("b", number)) => Meaning::Subscribed(number),
        Some(("u", number)) => Meaning::Unsubscribed(number),
        _ => Meaning::Nothing,
    }
}
