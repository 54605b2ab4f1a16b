//! SUBSCRIBE and UNSUBSCRIBE.

use std::{borrow::Cow, sync::Arc};

use compact_str::CompactString;
use stomp_core::{AckMode, Subscribe, Unsubscribe};

use super::{
    ack::Unsettled,
    action::{Action, Asked},
    machine::{Actions, ERRORS, Machine, Pending, protocol, sentence},
    receipts::{Expect, Finish},
    send::invalid,
    subscriptions::{Served, Subscription, Wanted},
};
use crate::{
    auth::Decision,
    broker::{DurableKey, Place, Selector, StartFrom, SubscribeRequest},
    problem::{Code, Problem},
    router::Destination,
};

/// `from: last:N` takes at most this many.
const MAX_LAST: u32 = 1_000;

impl Machine {
    pub(super) fn subscribe(
        &mut self,
        frame: Subscribe,
        receipt: Option<String>,
        out: &mut Actions,
    ) -> Result<(), Problem> {
        let limit = self.around.limits.subscriptions;
        if self.subscriptions.len() >= limit {
            return Err(Problem::new(Code::Limit, "Too many subscriptions in one session.")
                .with_limit("max-subscriptions", limit as u64));
        }
        let destination = frame.destination().into_owned();
        if self.subscriptions.find(frame.id().as_deref(), Some(&destination)).is_some() {
            return Err(protocol("A subscription with this id is open already."));
        }
        let target = Destination::parse(&destination)?;
        let subscription = self.subscription(&frame, &destination, target);
        if subscription.served == Served::App {
            let number = subscription.number;
            self.subscriptions.add(subscription);
            self.pending = Some(Pending::Ask { number, receipt });
            let request = self.app_subscribe(frame);
            out.push(Action::Ask(request));
            return Ok(());
        }
        let request = self.request(&frame, &subscription, target)?;
        out.push(Action::Authorize(Asked::Subscribe(destination.into())));
        self.pending =
            Some(Pending::Subscribe(Box::new(Wanted { subscription, request, receipt })));
        Ok(())
    }

    fn subscription(
        &mut self,
        frame: &Subscribe,
        destination: &str,
        target: Destination<'_>,
    ) -> Subscription {
        Subscription {
            number: self.subscriptions.next_number(),
            id: frame.id().map(|id| id.as_ref().into()),
            destination: destination.to_owned(),
            mode: frame.ack(),
            served: match target {
                Destination::App(_) => Served::App,
                _ if destination == ERRORS => Served::Errors,
                _ => Served::Broker,
            },
            durable: is_true(frame.frame().header("durable")),
            held: Some(Vec::new()),
            unsettled: Unsettled::default(),
        }
    }

    fn request(
        &self,
        frame: &Subscribe,
        subscription: &Subscription,
        target: Destination<'_>,
    ) -> Result<SubscribeRequest, Problem> {
        let destination = &subscription.destination;
        let route: CompactString = match target {
            Destination::Topic(_) => destination.as_str().into(),
            Destination::Queue(_) => {
                self.check_queues()?;
                destination.as_str().into()
            }
            Destination::TempQueue(name) if name.contains('/') => {
                return Err(Problem::new(
                    Code::Forbidden,
                    "A temporary queue is private to its connection.",
                ));
            }
            Destination::TempQueue(name) => {
                self.check_queues()?;
                self.temp_route(name).into()
            }
            Destination::OwnUser(_) => self.own_route(destination),
            Destination::User { .. } => {
                return Err(Problem::new(
                    Code::Forbidden,
                    "One's own user destinations are subscribed to as /user/queue/….",
                ));
            }
            Destination::App(_) => return Err(invalid("/app is served by handlers.")),
        };
        Ok(SubscribeRequest {
            key: self.key(subscription.number),
            route,
            from: self.start(frame, target)?,
            acks: subscription.mode != AckMode::Auto,
            prefetch: self.prefetch(frame)?,
            durable: self.durable(frame, subscription, target)?,
            selector: self.selector(frame)?,
        })
    }

    fn selector(&self, frame: &Subscribe) -> Result<Option<Arc<Selector>>, Problem> {
        let Some(text) = frame.frame().header("selector") else { return Ok(None) };
        if !self.around.capabilities.selectors {
            return Err(invalid("This broker has no selectors."));
        }
        match text.parse() {
            Ok(selector) => Ok(Some(Arc::new(selector))),
            Err(error) => Err(invalid(sentence(&error))),
        }
    }

    fn start(
        &self,
        frame: &Subscribe,
        target: Destination<'_>,
    ) -> Result<Option<StartFrom>, Problem> {
        let Some(text) = frame.frame().header("from") else { return Ok(None) };
        let Destination::Topic(name) = target else {
            return Err(invalid("from is for topics."));
        };
        if frame.frame().header("receipt").is_none() {
            return Err(invalid("from needs a receipt, which carries the verdict."));
        }
        let start = parse_start(&text)?;
        if self.is_pattern(name) && start != StartFrom::Next {
            return Err(invalid("A pattern can only start from: next."));
        }
        Ok(Some(start))
    }

    fn prefetch(&self, frame: &Subscribe) -> Result<u32, Problem> {
        let limits = &self.around.limits;
        let Some(text) = frame.frame().header("prefetch-count") else { return Ok(limits.prefetch) };
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        match text.parse::<u64>() {
            Ok(count) if digits && count > u64::from(limits.max_prefetch) => {
                Err(Problem::new(Code::Limit, "prefetch-count is too large.")
                    .with_limit("max-prefetch", u64::from(limits.max_prefetch)))
            }
            Ok(count) if digits && count > 0 => Ok(count as u32),
            _ => Err(invalid("prefetch-count is a number from 1 on.")),
        }
    }

    fn durable(
        &self,
        frame: &Subscribe,
        subscription: &Subscription,
        target: Destination<'_>,
    ) -> Result<Option<DurableKey>, Problem> {
        if !subscription.durable {
            return Ok(None);
        }
        if !self.around.capabilities.durable_subscriptions {
            return Err(invalid("This broker keeps no durable subscriptions."));
        }
        let (Some(user), Some(id)) = (&self.who.user, frame.id()) else {
            return Err(invalid("durable:true needs a login and an id."));
        };
        match target {
            Destination::Topic(name) if !self.is_pattern(name) => {
                Ok(Some(DurableKey { user: user.as_ref().into(), id: id.as_ref().into() }))
            }
            _ => Err(invalid("durable:true is for one topic.")),
        }
    }

    pub(super) fn subscribe_decided(
        &mut self,
        wanted: Wanted,
        decision: Decision,
        out: &mut Actions,
    ) {
        let Wanted { subscription, request, receipt } = wanted;
        match decision {
            Decision::Allow => {
                let ticket = self.receipts.wait(receipt, Expect::Subscribe(subscription.number));
                self.subscriptions.add(subscription);
                out.push(Action::Subscribe(ticket, Box::new(request)));
            }
            Decision::Deny(problem) => self.fault(problem, receipt, out),
            Decision::Refuse(problem) => {
                self.receipts.ready(receipt, Finish::Refused(problem, None));
            }
        }
    }

    pub(super) fn unsubscribe(
        &mut self,
        frame: &Unsubscribe,
        receipt: Option<String>,
        out: &mut Actions,
    ) -> Result<(), Problem> {
        let (id, destination) = (frame.id(), frame.destination());
        let found = self.subscriptions.find(id.as_deref(), destination.as_deref());
        let Some(number) = found.map(|subscription| subscription.number) else {
            return Err(protocol("There is no such subscription."));
        };
        let gone = self.subscriptions.end(number, out);
        let forget =
            gone.is_some_and(|gone| gone.durable) && is_true(frame.frame().header("durable"));
        let place = if forget { Place::Forget } else { Place::Keep };
        let ticket = self.receipts.wait(receipt, Expect::Plain);
        out.push(Action::Unsubscribe(ticket, self.key(number), place));
        Ok(())
    }
}

fn parse_start(text: &str) -> Result<StartFrom, Problem> {
    match text {
        "next" => return Ok(StartFrom::Next),
        "first" => return Ok(StartFrom::First),
        _ => {}
    }
    if let Some(count) = text.strip_prefix("last:") {
        let digits = !count.is_empty() && count.bytes().all(|b| b.is_ascii_digit());
        return match count.parse() {
            Ok(count) if digits && (1..=MAX_LAST).contains(&count) => Ok(StartFrom::Last(count)),
            _ => Err(invalid("from: last:N takes 1 to 1000.")),
        };
    }
    text.parse()
        .map(StartFrom::After)
        .map_err(|_| invalid("from is next, first, last:N or a position."))
}

fn is_true(value: Option<Cow<'_, str>>) -> bool {
    value.as_deref() == Some("true")
}
