//! The task of one connection: moves bytes and time, asks the machine what to do.
//!
//! One task owns the transport, the machine and the connection's queue, so nothing here
//! is locked and a session ends where this future ends.

mod counts;
mod execute;
mod outgoing;
mod timers;
mod wire;

use std::{
    future::{Future, poll_fn},
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Instant,
};

use bytes::BytesMut;
use futures::{future::BoxFuture, task::noop_waker_ref};
use stomp_core::{Decoded, Decoder, Frame, Role};
use tokio::time::Sleep;

use self::{outgoing::WRITE_AHEAD, timers::now};
use super::{
    action::{Action, BrokerReply, Close, Ticket},
    encode::Encoder,
    heartbeat::HeartBeats,
    hooks::Hooks,
    machine::Machine,
    outbound::{OutboundQueue, outbound},
    replies::Replies,
    wake::together,
    work::{self, Login, Work},
};
use crate::{
    arrival::Arrival,
    auth::Principal,
    broker::{ConnectionId, SubscriptionKey},
    gate::UserPlace,
    insight::Present,
    problem::Problem,
    server::Shared,
    stop::Watch,
    transport::Transport,
};

/// Frames of one connection that are taken before others get their turn: enough that a busy
/// sender is read in strides, few enough that its neighbours do not feel it.
const FRAMES_IN_A_ROW: usize = 64;
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
    driver.count_sent(now());
    driver.server.metrics.ended(close);
    driver.tell_end(close);
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
    /// Where others see what this session is about.
    present: Present,
    /// What the unsent bytes weigh in the queue.
    unwritten: usize,
    who: Option<Arc<Principal>>,
    /// Counted against the limit of its user.
    place: Option<UserPlace>,
    /// Octets that were queued and not counted as sent yet.
    uncounted: usize,
    /// Frames likewise.
    frames_out: u64,
    /// Frames that were read and not counted yet.
    frames_in: u64,
    /// Publications that were accepted and not counted yet.
    accepted: u64,
    beats: Option<HeartBeats>,
    connect_by: Option<Instant>,
    recheck_at: Option<Instant>,
    sleep: Pin<Box<Sleep>>,
    stop: Watch,
    input_ended: bool,
    /// The decoder has asked for more than `input` has.
    starved: bool,
    /// Frames that were taken since others last got their turn.
    in_a_row: usize,
    stopping: bool,
    close: Option<Close>,
}

enum Event {
    Reply(Ticket, BrokerReply),
    Work(Work),
    Read(io::Result<usize>),
    /// Nothing can be written any more.
    Broken,
    Deliveries,
    Room,
    Timer,
    Stop,
}

impl<T: Transport> Driver<T> {
    fn new(transport: T, server: Arc<Shared>, peer: Peer) -> Self {
        let limits = &server.around.limits;
        let (handle, queue) = outbound(peer.connection, limits.outbound, limits.slow_consumer);
        let present = server.roster.enter(peer.connection, peer.arrival.clone(), handle);
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
            present,
            unwritten: 0,
            who: None,
            place: None,
            uncounted: 0,
            frames_out: 0,
            frames_in: 0,
            accepted: 0,
            beats: None,
            connect_by: Some(connect_by),
            recheck_at: None,
            sleep: Box::pin(tokio::time::sleep_until(connect_by.into())),
            stop: server.stop.watch(),
            input_ended: false,
            starved: true,
            in_a_row: 0,
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
            self.count_taken();
            if let Some(close) = self.close {
                return close;
            }
            // Outcomes that were there at once may have made room for frames that wait in `input`;
            // no event would come for those.
            if more || (!self.starved && self.wants_frames()) {
                tokio::task::yield_now().await;
                self.in_a_row = 0;
                continue;
            }
            self.rest();
            let event = self.next().await;
            self.on_event(event);
        }
    }

    /// Steps through the frames that have been read; true if there may be more of them, but
    /// others have their turn first. A question that is answered at once ends no turn. Whom the
    /// frames lead to is woken once for all of them.
    fn take_frames(&mut self) -> bool {
        let _together = together();
        while self.in_a_row < FRAMES_IN_A_ROW {
            if self.close.is_some() || !self.wants_frames() {
                return false;
            }
            self.in_a_row += 1;
            match self.decoder.decode(&mut self.input) {
                Ok(Some(Decoded::Frame(frame))) => {
                    self.frames_in += 1;
                    self.take_frame(frame);
                    self.act();
                    self.answer_in_turn();
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
        // Without input there is no reason to let the others go first, and then find nothing.
        self.starved = self.input.is_empty() && !self.input_ended;
        !self.starved
    }

    /// A session that hears itself gets a message before the receipt of the next one: whoever
    /// waits for the last receipt has everything before it.
    fn answer_in_turn(&mut self) {
        if !self.registered.is_empty() {
            self.settle();
            self.deliver();
        }
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

    /// Takes the outcomes that are there already.
    fn settle(&mut self) {
        let mut cx = Context::from_waker(noop_waker_ref());
        while let Poll::Ready((ticket, reply)) = self.replies.poll_next(&mut cx) {
            self.on_reply(ticket, reply);
            self.act();
        }
    }

    fn on_reply(&mut self, ticket: Ticket, reply: BrokerReply) {
        if let Some(who) = &self.who {
            self.hooks.outcome(who, ticket, &reply);
        }
        self.count_outcome(&reply);
        self.machine.on_reply(ticket, reply, &mut self.actions);
    }

    async fn next(&mut self) -> Event {
        self.arm();
        if self.server.broker.has_room() {
            return poll_fn(|cx| self.poll_event(cx)).await;
        }
        let server = self.server.clone();
        tokio::select! {
            biased;
            event = poll_fn(|cx| self.poll_event(cx)) => event,
            () = server.broker.room() => Event::Room,
        }
    }

    /// The first of all that a session can wait for, in the order of what matters most.
    /// What can be written is written on the way: it leads to no event.
    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        if !self.stopping && self.stop.poll(cx).is_ready() {
            return Poll::Ready(Event::Stop);
        }
        if let Poll::Ready((ticket, reply)) = self.replies.poll_next(cx) {
            return Poll::Ready(Event::Reply(ticket, reply));
        }
        if let Some(work) = &mut self.work {
            let polled = work.as_mut().poll(cx);
            if polled.is_ready() {
                return polled.map(Event::Work);
            }
        }
        let io = self.poll_io(cx);
        if io.is_ready() {
            return io;
        }
        let drains = self.transport.unsent() < WRITE_AHEAD;
        if self.queue.poll_news(cx, drains).is_ready() {
            return Poll::Ready(Event::Deliveries);
        }
        if self.sleep.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Event::Timer);
        }
        self.in_a_row = 0; // others have their turn
        Poll::Pending
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
                let now = now();
                self.present.received(octets, now);
                if let Some(beats) = &mut self.beats {
                    beats.received(now);
                }
            }
            Event::Broken => self.close = Some(Close::Abort),
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
        // Nothing was read meanwhile, so silence was ours. A look at the login comes by itself:
        // if it counted, a peer that is gone would be kept by it for ever.
        if let Some(beats) = &mut self.beats
            && !matches!(work, Work::Valid(_))
        {
            beats.received(now());
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
            let (code, limit) = (problem.code, problem.limit.as_deref());
            self.present.tell(|| tracing::warn!(%code, limit, "login refused"));
        }
        let login = login.map(|login| {
            self.place = login.place;
            login.who
        });
        self.machine.on_login(login, &mut self.actions);
    }
}
