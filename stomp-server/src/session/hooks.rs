//! Where interceptors look in. Without any, nothing here costs more than a look at a length.

use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use stomp_core::{Command, Frame, SharedMessage};

use super::action::{BrokerReply, Ticket};
use crate::{
    auth::Principal,
    broker::{Logged, Publish},
    problem::{Code, Problem},
    router::Intercept,
};

/// The interceptors of one session, and what they wait for.
pub(super) struct Hooks {
    list: Arc<[Arc<dyn Intercept>]>,
    /// Messages whose outcome is not known yet; as many as may be in flight.
    published: VecDeque<(Ticket, SharedMessage)>,
}

impl Hooks {
    pub(super) fn new(list: Arc<[Arc<dyn Intercept>]>) -> Self {
        Self { list, published: VecDeque::new() }
    }

    /// Whether this frame is to be shown to them.
    pub(super) fn watch(&self, frame: &Frame) -> bool {
        !self.list.is_empty() && matches!(frame.command(), Command::Send | Command::Subscribe)
    }

    /// What goes on in the place of a frame.
    pub(super) fn incoming(&self, who: &Principal, frame: Frame) -> Result<Frame, Problem> {
        let pass = |frame, hook: &Arc<dyn Intercept>| hook.incoming(who, frame);
        guarded(|| self.list.iter().try_fold(frame, pass)).unwrap_or_else(|| {
            Err(Problem::new(Code::Unavailable, "The server failed at this; it has been noted."))
        })
    }

    /// A message goes to the broker.
    pub(super) fn publish(&mut self, ticket: Ticket, publish: &Publish) {
        if !self.list.is_empty() {
            self.published.push_back((ticket, publish.message.clone()));
        }
    }

    /// A broker call has come to something.
    pub(super) fn outcome(&mut self, who: &Principal, ticket: Ticket, reply: &BrokerReply) {
        let Some(at) = self.published.iter().position(|(published, _)| *published == ticket) else {
            return;
        };
        let (Some((_, message)), BrokerReply::Accepted(Ok(accepted))) =
            (self.published.remove(at), reply)
        else {
            return;
        };
        for hook in self.list.iter() {
            guarded(|| hook.accepted(who, &message, accepted));
        }
    }

    /// Whether all of them let a message pass.
    pub(super) fn let_pass(&self, who: Option<&Principal>, message: &Logged) -> bool {
        let Some(who) = who.filter(|_| !self.list.is_empty()) else { return true };
        guarded(|| self.list.iter().all(|hook| hook.outgoing(who, message))).unwrap_or(false)
    }
}

fn guarded<T>(work: impl FnOnce() -> T) -> Option<T> {
    let done = catch_unwind(AssertUnwindSafe(work));
    done.inspect_err(|_| tracing::error!("an interceptor panicked")).ok()
}
