//! The task of one connection: moves bytes and time, asks the machine what to do.
//!
//! One task owns the transport, the machine and the connection's queue, so nothing here
//! is locked and a session ends where this future ends.

use std::{
    future::poll_fn,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use bytes::BytesMut;
use futures::{future::BoxFuture, task::noop_waker_ref};
use stomp_core::{Command, Decoded, Decoder, Frame, Role};
use tokio::time::Sleep;

use super::{
    action::{Action, Asked, BrokerReply, Close, Ticket},
    encode::Encoder,
    heartbeat::{Due, HeartBeats},
    hooks::Hooks,
    machine::Machine,
    outbound::{OutboundQueue, outbound},
    replies::{Call, Replies},
    work::{self, Login, Work},
};
use crate::{
    arrival::Arrival,
    auth::Principal,
    broker::{BrokerError, ConnectionId, Delivery, Outcome, Place, SubscriptionKey},
    gate::UserPlace,
    problem::{Code, Problem},
    server::Shared,
    transport::Transport,
};

/// Frames of one connection that are taken before others get their turn: enough that a busy
/// sender is read in strides, few enough that its neighbours do not feel it.
const FRAMES_IN_A_ROW: usize = 64;
/// Unsent bytes above which the queue is left to wait: one socket buffer's worth.
const WRITE_AHEAD: usize = 64 * 1024;
/// Bytes read ahead of the frame that is being dealt with. A frame may be longer: the decoder
/// holds it against the limits while it arrives.
const READ_AHEAD: usize = 64 * 1024;
/// How long the last words may take to be written, and then the peer to hang up.
const LAST_WORDS: Duration = Duration::from_secs(5);
const LINGER: Duration = Duration::from_secs(1);

/// Who is at the other end.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    /// The connection's number in this process.
    pub(crate) connection: ConnectionId,
    /// How it got here.
    pub(crate) arrival: Arrival,
}

/// Serves one connection to its end.
/// With a refusal, that is all the peer gets.
pub(crate) async fn run(
    transport: impl Transport,
    server: Arc<Shared>,
    peer: Peer,
    refusal: Option<Problem>,
) {
    let (connection, carrier) = (peer.connection, peer.arrival.carrier);
    server.metrics.opened(carrier);
    let mut driver = Driver::new(transport, server, peer);
    if let Some(problem) = refusal {
        driver.machine.on_fault(problem, None, &mut driver.actions);
        driver.act();
    }
    let close = driver.live().await;
    driver.release();
    driver.goodbye(close).await;
    driver.count_sent();
    driver.server.metrics.ended(close);
    tracing::debug!(connection = connection.0, ?close, "a session is over");
    driver.server.metrics.closed(carrier);
    if let Some(who) = driver.who.take() {
        driver.server.handler.disconnected(&who, connection).await;
    }
}

struct Driver<T: Transport> {
    transport: T,
    server: Arc<Shared>,
    peer: Peer,
    machine: Machine,
    hooks: Hooks,
    decoder: Decoder,
    input: BytesMut,
    queue: OutboundQueue,
    replies: Replies,
    /// The one question that is being asked; no frame is taken meanwhile.
    work: Option<BoxFuture<'static, Work>>,
    actions: Vec<Action>,
    encoder: Encoder,
    /// What is registered at the broker, to be ended however the session ends.
    registered: Vec<SubscriptionKey>,
    /// What the unsent bytes weigh in the queue.
    unwritten: usize,
    who: Option<Arc<Principal>>,
    /// Counted against the limit of its user.
    place: Option<UserPlace>,
    /// Octets that were queued and not counted as sent yet.
    uncounted: usize,
    beats: Option<HeartBeats>,
    connect_by: Option<Instant>,
    recheck_at: Option<Instant>,
    sleep: Pin<Box<Sleep>>,
    input_ended: bool,
    /// The decoder has asked for more than `input` has.
    starved: bool,
    stopping: bool,
    close: Option<Close>,
}

enum Event {
    Reply(Ticket, BrokerReply),
    Work(Work),
    Read(io::Result<usize>),
    Flushed(io::Result<()>),
    Deliveries,
    Room,
    Timer,
    Stop,
}

impl<T: Transport> Driver<T> {
    fn new(transport: T, server: Arc<Shared>, peer: Peer) -> Self {
        let limits = &server.around.limits;
        let (_, queue) = outbound(peer.connection, limits.outbound, limits.slow_consumer);
        let connect_by = peer.arrival.at + limits.connect_timeout;
        Self {
            transport,
            hooks: Hooks::new(server.intercepts.clone()),
            machine: Machine::new(server.around.clone(), peer.connection, server.secret()),
            peer,
            decoder: Decoder::new(Role::Client, limits.before_login()),
            input: BytesMut::new(),
            queue,
            replies: Replies::default(),
            work: None,
            actions: Vec::new(),
            encoder: Encoder::default(),
            registered: Vec::new(),
            unwritten: 0,
            who: None,
            place: None,
            uncounted: 0,
            beats: None,
            connect_by: Some(connect_by),
            recheck_at: None,
            sleep: Box::pin(tokio::time::sleep_until(connect_by.into())),
            input_ended: false,
            starved: true,
            stopping: false,
            close: None,
            server,
        }
    }

    async fn live(&mut self) -> Close {
        loop {
            let more = self.take_frames();
            self.settle();
            self.deliver();
            if let Some(close) = self.close {
                return close;
            }
            // Outcomes that were there at once may have made room for frames that wait in `input`;
            // no event would come for those.
            if more || (!self.starved && self.wants_frames()) {
                tokio::task::yield_now().await;
                continue;
            }
            self.rest();
            let event = self.next().await;
            self.on_event(event);
        }
    }

    /// Steps through the frames that have been read; true if there may be more of them.
    fn take_frames(&mut self) -> bool {
        for _ in 0..FRAMES_IN_A_ROW {
            if self.close.is_some() || !self.wants_frames() {
                return false;
            }
            match self.decoder.decode(&mut self.input) {
                Ok(Some(Decoded::Frame(frame))) => {
                    self.server.metrics.frames_received.increment(1);
                    self.take_frame(frame);
                    self.act();
                }
                Ok(Some(Decoded::HeartBeat)) => {}
                Ok(None) => {
                    self.starved = true;
                    if self.input_ended {
                        self.machine.on_end(&mut self.actions);
                        self.act();
                    }
                    return false;
                }
                Err(error) => {
                    let receipt = self.decoder.receipt_id().map(std::borrow::Cow::into_owned);
                    self.machine.on_fault(work::fault(&error), receipt, &mut self.actions);
                    self.act();
                    return false;
                }
            }
        }
        true
    }

    fn take_frame(&mut self, frame: Frame) {
        let who = self.who.as_deref().filter(|_| self.hooks.watch(&frame));
        let Some(who) = who else { return self.machine.on_frame(frame, &mut self.actions) };
        match self.hooks.incoming(who, frame.clone()) {
            Ok(frame) => self.machine.on_frame(frame, &mut self.actions),
            Err(problem) => self.machine.on_refused(&frame, problem, &mut self.actions),
        }
    }

    fn wants_frames(&self) -> bool {
        self.work.is_none() && self.machine.wants_frames() && self.server.broker.has_room()
    }

    fn wants_bytes(&self) -> bool {
        !self.input_ended
            && !self.machine.is_closing()
            && self.wants_frames()
            && (self.starved || self.input.len() < READ_AHEAD)
    }

    /// Moves what waits in the queue to the transport, up to what one write takes.
    fn deliver(&mut self) {
        while self.close.is_none() && self.transport.unsent() < WRITE_AHEAD {
            let mut arrived: Vec<Delivery> = Vec::new();
            self.queue.drain(WRITE_AHEAD, &mut arrived);
            if arrived.is_empty() {
                break;
            }
            for delivery in arrived {
                if self.hooks.let_pass(self.who.as_deref(), &delivery.logged) {
                    self.machine.on_delivery(delivery, &mut self.actions);
                } else {
                    self.hide(&delivery);
                }
            }
            self.act();
        }
        if self.close.is_none() && self.queue.has_overflowed() {
            self.server.metrics.slow_consumers.increment(1);
            let limit = self.server.around.limits.outbound as u64;
            let problem = Problem::new(Code::Limit, "This subscriber reads too slowly.")
                .with_limit("outbound", limit);
            self.machine.on_overflow(problem, &mut self.actions);
            self.act();
        }
        let dropped = self.queue.take_dropped();
        if dropped > 0 {
            self.server.metrics.slow_consumers.increment(1);
            self.server.metrics.dropped.increment(dropped);
            tracing::warn!(connection = self.peer.connection.0, dropped, "slow consumer");
        }
    }

    /// Takes the outcomes that are there already.
    fn settle(&mut self) {
        let mut cx = Context::from_waker(noop_waker_ref());
        while let Poll::Ready((ticket, reply)) = self.replies.poll_next(&mut cx) {
            self.on_reply(ticket, reply);
            self.act();
        }
    }

    /// A delivery that an interceptor keeps back.
    fn hide(&self, delivery: &Delivery) {
        self.queue.written(delivery.weight());
        if let Some(token) = delivery.token {
            let key = delivery.subscription;
            drop(self.server.broker.settle(key, &[token], Outcome::Ack));
        }
    }

    fn on_reply(&mut self, ticket: Ticket, reply: BrokerReply) {
        if let Some(who) = &self.who {
            self.hooks.outcome(who, ticket, &reply);
        }
        let publishes = &self.server.metrics.publishes;
        match &reply {
            BrokerReply::Accepted(Ok(accepted)) if accepted.duplicate => {
                publishes.duplicate.increment(1);
            }
            BrokerReply::Accepted(Ok(_)) => publishes.accepted.increment(1),
            BrokerReply::Accepted(Err(BrokerError::Unknown(_))) => publishes.unknown.increment(1),
            BrokerReply::Accepted(Err(_)) => publishes.refused.increment(1),
            BrokerReply::Subscribed(_) | BrokerReply::Done(_) => {}
        }
        self.machine.on_reply(ticket, reply, &mut self.actions);
    }

    /// Lets go of buffers that an idle connection does not need.
    fn rest(&mut self) {
        if self.input.is_empty() {
            self.input = BytesMut::new();
        }
        if self.transport.unsent() == 0 {
            self.encoder.release();
        }
        if self.actions.is_empty() {
            self.actions = Vec::new();
        }
    }

    async fn next(&mut self) -> Event {
        let wants_bytes = self.wants_bytes();
        let wants_room = !self.server.broker.has_room();
        let can_drain = self.transport.unsent() < WRITE_AHEAD;
        self.arm();
        tokio::select! {
            biased;
            () = self.server.stop.cancelled(), if !self.stopping => Event::Stop,
            (ticket, reply) = self.replies.next(), if !self.replies.is_empty() => {
                Event::Reply(ticket, reply)
            }
            work = async { match &mut self.work {
                Some(work) => work.await,
                None => std::future::pending().await,
            } } => Event::Work(work),
            event = io_event(&mut self.transport, &mut self.input, wants_bytes) => event,
            () = self.queue.ready(), if can_drain => Event::Deliveries,
            () = self.server.broker.room(), if wants_room => Event::Room,
            () = self.sleep.as_mut() => Event::Timer,
        }
    }

    fn on_event(&mut self, event: Event) {
        match event {
            Event::Reply(ticket, reply) => self.on_reply(ticket, reply),
            Event::Work(work) => self.on_work(work),
            Event::Read(Ok(0) | Err(_)) => {
                self.starved = false;
                self.input_ended = true;
            }
            Event::Read(Ok(octets)) => {
                self.server.metrics.bytes_received.increment(octets as u64);
                self.starved = false;
                if let Some(beats) = &mut self.beats {
                    beats.received(now());
                }
            }
            Event::Flushed(Ok(())) => self.flushed(),
            Event::Flushed(Err(_)) => self.close = Some(Close::Abort),
            Event::Timer => self.on_timer(),
            Event::Stop => {
                self.stopping = true;
                self.machine.on_shutdown(work::shutdown(), &mut self.actions);
            }
            Event::Deliveries | Event::Room => {}
        }
        self.act();
    }

    fn on_work(&mut self, work: Work) {
        self.work = None;
        if let Some(beats) = &mut self.beats {
            beats.received(now()); // nothing was read meanwhile, so silence was ours
        }
        match work {
            Work::Login(login) => self.on_login(login),
            Work::Decision(decision) => self.machine.on_decision(decision, &mut self.actions),
            Work::Answer(answer) => self.machine.on_answer(answer, &mut self.actions),
            Work::Reply(reply) => self.machine.on_app_reply(reply, &mut self.actions),
            Work::Valid(Ok(())) => {}
            Work::Valid(Err(problem)) => {
                self.machine.on_fault(problem, None, &mut self.actions);
            }
        }
    }

    fn on_login(&mut self, login: Result<Login, Problem>) {
        self.server.metrics.login(login.as_ref().err());
        if let Err(problem) = &login {
            let (peer, code) = (self.peer.arrival.address, problem.code);
            tracing::debug!(connection = self.peer.connection.0, ?peer, %code, "a login is refused");
        }
        let login = login.map(|login| {
            self.place = login.place;
            login.who
        });
        self.machine.on_login(login, &mut self.actions);
    }

    fn flushed(&mut self) {
        self.count_sent();
        self.queue.written(std::mem::take(&mut self.unwritten));
        if let Some(beats) = &mut self.beats {
            beats.sent(now());
        }
    }

    fn count_sent(&mut self) {
        let octets = std::mem::take(&mut self.uncounted);
        self.server.metrics.bytes_sent.increment(octets as u64);
    }

    fn on_timer(&mut self) {
        let now = now();
        if self.connect_by.is_some_and(|by| now >= by) {
            self.connect_by = None;
            let limit = self.server.around.limits.connect_timeout;
            let problem = Problem::new(Code::Limit, "No CONNECT frame came in time.")
                .with_limit("connect-timeout-ms", limit.as_millis() as u64);
            self.machine.on_fault(problem, None, &mut self.actions);
        }
        if self.who.as_ref().and_then(|who| who.expires).is_some_and(|at| now >= at) {
            let problem = Problem::new(Code::Expired, "The token's time is over; log in again.");
            self.machine.on_fault(problem, None, &mut self.actions);
        }
        self.recheck(now);
        self.beat(now);
        let next = self.first_due().unwrap_or(now + FAR);
        self.sleep.as_mut().reset(next.into());
    }

    /// Asks now and then whether the login still holds.
    fn recheck(&mut self, now: Instant) {
        if self.recheck_at.is_none_or(|at| now < at) {
            return;
        }
        self.recheck_at = self.server.authenticate.recheck_every().map(|every| now + every);
        if let (None, Some(who)) = (&self.work, &self.who) {
            self.work = Some(work::recheck(&self.server, who.clone()));
        }
    }

    fn beat(&mut self, now: Instant) {
        let reads = self.wants_bytes();
        let Some(beats) = &mut self.beats else { return };
        if !reads {
            beats.received(now); // decision 6: while we do not read, silence does not count
        }
        match beats.due(now) {
            Due::Nothing => {}
            Due::Beat => {
                self.transport.queue_beat();
                beats.sent(now);
            }
            Due::GiveUp => self.close = Some(Close::Abort),
        }
    }

    /// Sets the one timer to what is due first. It is only ever brought forward: one that
    /// fires too early finds nothing due, which costs less than moving it with every frame.
    fn arm(&mut self) {
        if let Some(first) = self.first_due()
            && first < self.sleep.deadline().into_std()
        {
            self.sleep.as_mut().reset(first.into());
        }
    }

    fn first_due(&self) -> Option<Instant> {
        let beat = self.beats.as_ref().and_then(HeartBeats::next);
        if self.machine.is_closing() {
            return beat; // the rest has struck, or does not matter any more
        }
        let expires = self.who.as_ref().and_then(|who| who.expires);
        [self.connect_by, beat, expires, self.recheck_at].into_iter().flatten().min()
    }

    /// Does what the machine wants done, in order.
    fn act(&mut self) {
        let mut actions = std::mem::take(&mut self.actions);
        let before = self.transport.unsent();
        for action in actions.drain(..) {
            self.execute(action);
        }
        self.uncounted += self.transport.unsent() - before;
        self.actions = actions;
    }

    fn execute(&mut self, action: Action) {
        let broker = &self.server.broker;
        match action {
            Action::Frame(frame) => {
                self.count_frame(&frame);
                self.encoder.frame(&frame, self.machine.version(), &mut self.transport);
            }
            Action::Message(outgoing) => {
                self.server.metrics.frames_sent.increment(1);
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
                let reply = broker.subscribe(*request, self.queue.handle());
                self.replies.add(ticket, Call::Subscribe(reply));
            }
            Action::Unsubscribe(ticket, key, place) => {
                let before = self.registered.len();
                self.registered.retain(|registered| *registered != key);
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
                self.work = Some(work::login(&self.server, credentials, self.peer.connection));
            }
            Action::Opened(version, beats, who) => {
                self.decoder.set_version(version);
                self.decoder.set_limits(self.server.around.limits.frame);
                let now = now();
                self.beats = Some(HeartBeats::new(beats.send_ms, beats.want_ms, now));
                self.recheck_at = self.server.authenticate.recheck_every().map(|every| now + every);
                self.who = Some(who);
            }
            Action::Authorize(asked) => self.work = self.authorize(asked),
            Action::Handle(request) => self.work = Some(work::handle(&self.server, request)),
            Action::Ask(request) => self.work = Some(work::ask(&self.server, request)),
            Action::Close(close) => self.close = Some(close),
        }
    }

    fn count_frame(&self, frame: &Frame) {
        let metrics = &self.server.metrics;
        metrics.frames_sent.increment(1);
        if frame.command() == Command::Error
            && let Some(limit) = frame.header("limit")
            && frame.header("code").as_deref() != Some(Code::RateLimited.as_str())
        {
            metrics.refused(&limit);
        }
    }

    fn authorize(&self, asked: Asked) -> Option<BoxFuture<'static, Work>> {
        self.who.clone().map(|who| work::authorize(&self.server, who, asked))
    }

    /// Gives everything back to the broker that this session holds there.
    fn release(&mut self) {
        self.place = None; // whoever comes back at once finds room
        self.server.metrics.subscriptions.decrement(self.registered.len() as f64);
        for key in self.registered.drain(..) {
            drop(self.server.broker.unsubscribe(key, Place::Keep));
        }
    }

    /// Writes the last words, says goodbye, and lets the peer hang up first, so that a reset
    /// does not eat what it was told (decision 13).
    async fn goodbye(&mut self, close: Close) {
        if close == Close::Abort {
            return;
        }
        let transport = &mut self.transport;
        let farewell = async {
            poll_fn(|cx| transport.poll_flush(cx)).await?;
            poll_fn(|cx| transport.poll_goodbye(cx, close)).await
        };
        if !matches!(tokio::time::timeout(LAST_WORDS, farewell).await, Ok(Ok(()))) {
            return;
        }
        let hang_up = async {
            let mut ignored = BytesMut::new();
            while let Ok(1..) = poll_fn(|cx| transport.poll_read(cx, &mut ignored)).await {
                ignored.clear();
            }
        };
        let _ = tokio::time::timeout(LINGER, hang_up).await;
    }
}

impl<T: Transport> Drop for Driver<T> {
    fn drop(&mut self) {
        self.release();
    }
}

/// As good as never, for a timer that nothing needs.
const FAR: Duration = Duration::from_secs(24 * 3600);

fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// Writes what waits, and reads if that is wanted; whichever comes first.
async fn io_event(transport: &mut impl Transport, input: &mut BytesMut, reads: bool) -> Event {
    poll_fn(|cx| {
        if transport.unsent() > 0
            && let Poll::Ready(flushed) = transport.poll_flush(cx)
        {
            return Poll::Ready(Event::Flushed(flushed));
        }
        if reads {
            return transport.poll_read(cx, input).map(Event::Read);
        }
        Poll::Pending
    })
    .await
}
