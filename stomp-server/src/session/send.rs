//! SEND: from a frame to something that a broker or a handler takes.

use std::{borrow::Cow, time::Duration};

use compact_str::CompactString;
use stomp_core::{Send, SharedMessage};

use super::{
    action::{Action, Asked},
    machine::{Actions, CLIENT_MESSAGE_ID, Machine, Pending, class_of, protocol},
    receipts::{Expect, Finish},
};
use crate::{
    broker::{DedupeKey, Publish},
    problem::{Code, Problem},
    router::{Destination, own_route},
};

impl Machine {
    pub(super) fn send(&mut self, frame: Send, out: &mut Actions) -> Result<(), Problem> {
        let transaction = frame.transaction();
        if let Some(id) = &transaction {
            self.check_transaction(id)?;
        }
        let destination = frame.destination().into_owned();
        if matches!(Destination::parse(&destination)?, Destination::App(_)) {
            if transaction.is_some() {
                return Err(invalid("A SEND to /app takes no part in a transaction."));
            }
            self.pending = Some(Pending::Handle {
                receipt: frame.receipt().map(Cow::into_owned),
                client_message_id: frame.frame().header(CLIENT_MESSAGE_ID).map(Cow::into_owned),
            });
            let request = self.app_send(frame);
            out.push(Action::Handle(request));
            return Ok(());
        }
        out.push(Action::Authorize(Asked::Send(destination)));
        self.pending = Some(Pending::Send(Box::new(frame)));
        Ok(())
    }

    pub(super) fn send_allowed(
        &mut self,
        frame: &Send,
        receipt: Option<String>,
        out: &mut Actions,
    ) -> Result<(), Problem> {
        let publish = self.publication(frame)?;
        if let Some(id) = frame.transaction() {
            self.transaction(&id)?.sends.push(publish);
            self.receipts.ready(receipt, Finish::Done(Vec::new())); // it means: buffered
        } else {
            let ticket = self.receipts.wait(receipt, Expect::Publish);
            out.push(Action::Publish(ticket, Box::new(publish)));
        }
        Ok(())
    }

    fn publication(&self, frame: &Send) -> Result<Publish, Problem> {
        let destination = frame.destination();
        let target = Destination::parse(&destination)?;
        let (route, shown) = self.route(&destination, target)?;
        let message = self.message(frame, &shown);
        let is_topic = matches!(target, Destination::Topic(_));
        let mut publish = Publish::kept(message).routed(route);
        publish.class = match target {
            Destination::User { .. } | Destination::OwnUser(_) => crate::broker::Class::Volatile,
            _ => class_of(frame.frame().header("persistent").as_deref(), is_topic),
        };
        publish.dedupe = self.dedupe(frame)?;
        if !is_topic {
            publish.ttl = number(frame, "ttl", u64::MAX)?.map(Duration::from_millis);
            publish.priority = self.priority(frame)?;
        }
        Ok(publish)
    }

    /// Where it goes, and what its subscribers see as its destination.
    fn route<'a>(
        &self,
        destination: &'a str,
        target: Destination<'a>,
    ) -> Result<(CompactString, Cow<'a, str>), Problem> {
        Ok(match target {
            Destination::Topic(name) => {
                self.check_no_pattern(name)?;
                (destination.into(), destination.into())
            }
            Destination::Queue(_) => {
                self.check_queues()?;
                (destination.into(), destination.into())
            }
            Destination::TempQueue(name) => {
                self.check_queues()?;
                (self.temp_route(name).into(), destination.into())
            }
            Destination::OwnUser(_) => (self.own_route(destination), destination.into()),
            Destination::User { rest, .. } => (destination.into(), format!("/user{rest}").into()),
            Destination::App(_) => return Err(invalid("/app is served by handlers.")),
        })
    }

    /// The message as subscribers get it, with a private `reply-to` made answerable.
    fn message(&self, frame: &Send, shown: &str) -> SharedMessage {
        let reply_to = frame.frame().header("reply-to");
        let own = reply_to.as_deref().and_then(|to| to.strip_prefix("/temp-queue/"));
        let message = SharedMessage::from_send_with(frame, shown, &[]);
        match own {
            Some(name) if !name.is_empty() && !name.contains('/') => {
                let answerable = self.temp_route(name);
                let headers = message.headers().map(|(name, value)| match name.as_ref() {
                    "reply-to" => (name, Cow::Borrowed(answerable.as_str())),
                    _ => (name, value),
                });
                SharedMessage::new(shown, headers, message.body().clone())
            }
            _ => message,
        }
    }

    /// `/temp-queue/x` is this session's own; one with a slash is another's, as it was told.
    pub(super) fn temp_route(&self, name: &str) -> String {
        if name.contains('/') {
            format!("/temp-queue/{name}")
        } else {
            format!("/temp-queue/{}/{name}", self.secret)
        }
    }

    /// `/user/queue/x` of this session's user; of this session alone where nobody logged in.
    pub(super) fn own_route(&self, destination: &str) -> CompactString {
        let queue = destination.strip_prefix("/user").unwrap_or(destination);
        own_route(&self.who, self.connection, queue)
    }

    fn check_no_pattern(&self, name: &str) -> Result<(), Problem> {
        if self.is_pattern(name) {
            return Err(invalid("A SEND goes to one topic; *, # and > are for SUBSCRIBE."));
        }
        Ok(())
    }

    pub(super) fn is_pattern(&self, name: &str) -> bool {
        name.split(self.around.separator).any(|word| matches!(word, "*" | "#" | ">"))
    }

    pub(super) fn check_queues(&self) -> Result<(), Problem> {
        if self.around.capabilities.queues {
            return Ok(());
        }
        Err(invalid("This broker serves no queues."))
    }

    fn dedupe(&self, frame: &Send) -> Result<Option<DedupeKey>, Problem> {
        let Some(id) = frame.frame().header("message-dedup-id") else { return Ok(None) };
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
        if !(1..=64).contains(&id.len()) || !id.bytes().all(allowed) {
            return Err(invalid("message-dedup-id is 1 to 64 letters, digits, _ or -."));
        }
        Ok(Some(DedupeKey { sender: self.who.name().into(), id: id.as_ref().into() }))
    }

    fn priority(&self, frame: &Send) -> Result<u8, Problem> {
        const NORMAL: u8 = 4; // JMS: 0 to 4 are gradations of normal, 4 the default
        let Some(priority) = number(frame, "priority", 9)? else { return Ok(NORMAL) };
        if !self.around.capabilities.priority {
            return Err(invalid("This broker has no priorities."));
        }
        Ok(priority as u8)
    }
}

/// A header that is a number from 0 to `max`.
fn number(frame: &Send, name: &str, max: u64) -> Result<Option<u64>, Problem> {
    let Some(text) = frame.frame().header(name) else { return Ok(None) };
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    match text.parse() {
        Ok(value) if digits && value <= max => Ok(Some(value)),
        _ => Err(invalid(format!("{name} is a number from 0 to {max}."))),
    }
}

pub(super) fn invalid(detail: impl Into<Cow<'static, str>>) -> Problem {
    Problem::new(Code::Invalid, detail)
}

impl Machine {
    fn check_transaction(&mut self, id: &str) -> Result<(), Problem> {
        self.transaction(id).map(|_| ())
    }

    /// The open transaction of this id, with room for one more action.
    pub(super) fn transaction(
        &mut self,
        id: &str,
    ) -> Result<&mut super::transaction::Transaction, Problem> {
        let limit = self.around.limits.transaction_actions;
        let open = self.transactions.find(id).ok_or_else(|| protocol("No such transaction."))?;
        if open.len() >= limit {
            return Err(Problem::new(Code::Limit, "The transaction holds too many actions.")
                .with_limit("max-transaction-actions", limit as u64));
        }
        Ok(open)
    }
}
