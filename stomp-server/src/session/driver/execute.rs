//! Doing what the machine wants done.

use futures::future::BoxFuture;

use super::{
    super::{
        action::{Action, Asked},
        heartbeat::HeartBeats,
        replies::Call,
        work::{self, Work},
    },
    Driver,
    timers::now,
};
use crate::{auth::Decision, broker::Place, transport::Transport};

impl<T: Transport> Driver<T> {
    /// Does what the machine wants done, in order.
    pub(super) fn act(&mut self) {
        let mut actions = std::mem::take(&mut self.actions);
        let before = self.transport.unsent();
        // A decision that is there at once leads to further actions.
        while !actions.is_empty() {
            for action in actions.drain(..) {
                self.execute(action);
            }
            std::mem::swap(&mut actions, &mut self.actions);
        }
        self.uncounted += self.transport.unsent() - before;
        self.actions = actions;
    }

    pub(super) fn execute(&mut self, action: Action) {
        let broker = &self.server.broker;
        match action {
            Action::Frame(frame) => {
                self.count_frame(&frame);
                self.encoder.frame(&frame, self.machine.version(), &mut self.transport);
            }
            Action::Message(outgoing) => {
                self.frames_out += 1;
                if outgoing.queued {
                    self.unwritten += outgoing.delivery.weight();
                }
                self.encoder.message(&outgoing, self.machine.version(), &mut self.transport);
            }
            Action::Forget(delivery) => self.queue.written(delivery.weight()),
            Action::Publish(ticket, publish) => {
                self.hooks.publish(ticket, &publish);
                self.replies.add(ticket, Call::Publish(broker.publish(*publish)));
            }
            Action::Subscribe(ticket, request) => {
                self.server.metrics.subscriptions.increment(1.0);
                self.registered.push(request.key);
                self.present.subscribed(&request);
                let reply = broker.subscribe(*request, self.queue.handle());
                self.replies.add(ticket, Call::Subscribe(reply));
            }
            Action::Unsubscribe(ticket, key, place) => {
                let before = self.registered.len();
                self.registered.retain(|registered| *registered != key);
                self.present.unsubscribed(key);
                let gone = before - self.registered.len();
                self.server.metrics.subscriptions.decrement(gone as f64);
                self.replies.add(ticket, Call::Other(broker.unsubscribe(key, place)));
            }
            Action::Settle(ticket, key, tokens, outcome) => {
                self.replies.add(ticket, Call::Other(broker.settle(key, &tokens, outcome)));
            }
            Action::Login(mut credentials) => {
                self.connect_by = None; // CONNECT is read; the login has a bound of its own
                let arrival = &self.peer.arrival;
                credentials.peer = arrival.address;
                credentials.is_local = arrival.is_local;
                credentials.certificate.clone_from(&arrival.certificate);
                self.work = Some(work::login(&self.server, *credentials, self.peer.connection));
            }
            Action::Opened(version, beats, who) => {
                self.decoder.set_version(version);
                self.decoder.set_limits(self.server.around.limits.frame);
                let now = now();
                self.beats = Some(HeartBeats::new(beats.send_ms, beats.want_ms, now));
                self.recheck_at = self.server.authenticate.recheck_every().map(|every| now + every);
                self.present.logged_in(&who, version);
                let version = version.as_str();
                self.present.tell(|| tracing::info!(version, "logged in"));
                self.who = Some(who);
            }
            Action::Authorize(asked) => match self.decide(&asked) {
                Some(decision) => self.machine.on_decision(decision, &mut self.actions),
                None => self.work = self.authorize(asked),
            },
            Action::Handle(request) => self.work = Some(work::handle(&self.server, request)),
            Action::Ask(request) => self.work = Some(work::ask(&self.server, request)),
            Action::Close(close) => self.close = Some(close),
        }
    }

    /// The authorizer's decision, if it has one without waiting.
    fn decide(&self, asked: &Asked) -> Option<Decision> {
        self.who.as_deref().and_then(|who| work::decide(&self.server, who, asked))
    }

    pub(super) fn authorize(&self, asked: Asked) -> Option<BoxFuture<'static, Work>> {
        self.who.clone().map(|who| work::authorize(&self.server, who, asked))
    }

    /// Gives everything back to the broker that this session holds there.
    pub(super) fn release(&mut self) {
        self.place = None; // whoever comes back at once finds room
        self.server.metrics.subscriptions.decrement(self.registered.len() as f64);
        for key in self.registered.drain(..) {
            drop(self.server.broker.unsubscribe(key, Place::Keep));
        }
    }
}

impl<T: Transport> Drop for Driver<T> {
    fn drop(&mut self) {
        self.release();
    }
}
