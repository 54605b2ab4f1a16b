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
    broker::{Class, DedupeKey, Publish},
    problem::{Code, Problem},
    router::{Destination, own_route},
};

/// JMS: 0 to 4 are gradations of normal, 4 the default.
const NORMAL: u8 = 4;

/// A SEND that waits for its permission.
#[derive(Debug)]
pub(super) struct Wish {
    pub(super) publish: Box<Publish>,
    pub(super) transaction: Option<String>,
    pub(super) receipt: Option<String>,
}

/// The headers of a SEND that say what is to be done with it, found in one go.
#[derive(Default)]
struct Asks<'a> {
    transaction: Option<Cow<'a, str>>,
    reply_to: Option<Cow<'a, str>>,
    persistent: Option<Cow<'a, str>>,
    dedupe: Option<Cow<'a, str>>,
    ttl: Option<Cow<'a, str>>,
    priority: Option<Cow<'a, str>>,
}

impl<'a> Asks<'a> {
    fn of(frame: &'a Send) -> Self {
        let mut asks = Self::default();
        for header in frame.frame().headers() {
            let ask = match &*header.name() {
                "transaction" => &mut asks.transaction,
                "reply-to" => &mut asks.reply_to,
                "persistent" => &mut asks.persistent,
                "message-dedup-id" => &mut asks.dedupe,
                "ttl" => &mut asks.ttl,
                "priority" => &mut asks.priority,
                _ => continue,
            };
            ask.get_or_insert_with(|| header.value()); // the first of repeated ones counts
        }
        asks
    }
}

impl Machine {
    pub(super) fn send(
        &mut self,
        frame: Send,
        receipt: Option<String>,
        out: &mut Actions,
    ) -> Result<(), Problem> {
        let asks = Asks::of(&frame);
        if let Some(id) = &asks.transaction {
            self.check_transaction(id)?;
        }
        let destination = CompactString::from(frame.destination());
        let target = Destination::parse(&destination)?;
        if matches!(target, Destination::App(_)) {
            if asks.transaction.is_some() {
                return Err(invalid("A SEND to /app takes no part in a transaction."));
            }
            let client_message_id = frame.frame().header(CLIENT_MESSAGE_ID).map(Cow::into_owned);
            self.pending = Some(Pending::Handle { receipt, client_message_id });
            let request = self.app_send(frame);
            out.push(Action::Handle(request));
            return Ok(());
        }
        let publish = Box::new(self.publication(&frame, &asks, &destination, target)?);
        let transaction = asks.transaction.map(Cow::into_owned);
        self.pending = Some(Pending::Send(Wish { publish, transaction, receipt }));
        out.push(Action::Authorize(Asked::Send(destination)));
        Ok(())
    }

    pub(super) fn send_allowed(
        &mut self,
        wish: Wish,
        out: &mut Actions,
    ) -> Result<(), (Problem, Option<String>)> {
        let Wish { publish, transaction, receipt } = wish;
        let Some(id) = transaction else {
            let ticket = self.receipts.wait(receipt, Expect::Publish);
            out.push(Action::Publish(ticket, publish));
            return Ok(());
        };
        match self.transaction(&id) {
            Ok(transaction) => transaction.sends.push(*publish),
            Err(problem) => return Err((problem, receipt)),
        }
        self.receipts.ready(receipt, Finish::Done(Vec::new())); // it means: buffered
        Ok(())
    }

    fn publication(
        &self,
        frame: &Send,
        asks: &Asks<'_>,
        destination: &str,
        target: Destination<'_>,
    ) -> Result<Publish, Problem> {
        let (route, shown) = self.route(destination, target)?;
        let is_topic = matches!(target, Destination::Topic(_));
        let class = match target {
            Destination::User { .. } | Destination::OwnUser(_) => Class::Volatile,
            _ => class_of(asks.persistent.as_deref(), is_topic),
        };
        let mut publish = Publish {
            route,
            message: self.message(frame, asks.reply_to.as_deref(), &shown),
            message_id: None,
            class,
            dedupe: self.dedupe(asks.dedupe.as_deref())?,
            ttl: None,
            priority: NORMAL,
        };
        if !is_topic {
            let ttl = number("ttl", asks.ttl.as_deref(), u64::MAX)?;
            publish.ttl = ttl.map(Duration::from_millis);
            publish.priority = self.priority(asks.priority.as_deref())?;
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
    fn message(&self, frame: &Send, reply_to: Option<&str>, shown: &str) -> SharedMessage {
        let own = reply_to.and_then(|to| to.strip_prefix("/temp-queue/"));
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

    fn dedupe(&self, id: Option<&str>) -> Result<Option<DedupeKey>, Problem> {
        let Some(id) = id else { return Ok(None) };
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
        if !(1..=64).contains(&id.len()) || !id.bytes().all(allowed) {
            return Err(invalid("message-dedup-id is 1 to 64 letters, digits, _ or -."));
        }
        Ok(Some(DedupeKey { sender: self.who.name().into(), id: id.into() }))
    }

    fn priority(&self, text: Option<&str>) -> Result<u8, Problem> {
        let Some(priority) = number("priority", text, 9)? else { return Ok(NORMAL) };
        if !self.around.capabilities.priority {
            return Err(invalid("This broker has no priorities."));
        }
        Ok(priority as u8)
    }
}

/// A header that is a number from 0 to `max`.
fn number(name: &str, text: Option<&str>, max: u64) -> Result<Option<u64>, Problem> {
    let Some(text) = text else { return Ok(None) };
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
