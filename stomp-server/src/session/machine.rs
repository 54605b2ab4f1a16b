//! The pure step: a frame, an answer or a delivery in, actions out.
//!
//! No socket, no clock, no task. Frames come one after the other: while a login, a
//! decision or a handler's answer is awaited, the driver brings no further frame.
//! Broker calls run on meanwhile; their outcomes leave in frame order (`receipts`).

use std::{borrow::Cow, sync::Arc};

use stomp_core::{ClientFrame, Command, Frame, SharedMessage, Version};

use super::{
    action::{Action, BrokerReply, Close, Ticket},
    limits::SessionLimits,
    receipts::{Expect, Finish, ReceiptHeaders, Receipts, Turn},
    send::Wish,
    subscriptions::{Served, Subscriptions},
    transaction::Transactions,
};
use crate::{
    auth::{Decision, Principal},
    broker::{
        Accepted, BrokerError, Capabilities, Class, ConnectionId, Delivery, Logged, MessageId,
    },
    problem::{Code, Problem},
    router::{AppSend, AppSubscribe},
};

/// What a session knows of its server.
#[derive(Debug)]
pub(crate) struct Surroundings {
    pub(crate) limits: SessionLimits,
    pub(crate) capabilities: Capabilities,
    /// What splits the words of a topic.
    pub(crate) separator: char,
    /// `name/version` in CONNECTED.
    pub(crate) server: String,
}

/// Where a session stands.
#[derive(Debug)]
pub(super) enum Phase {
    /// Nothing but CONNECT or STOMP is welcome.
    Connecting,
    /// The login is being checked.
    LoggingIn(super::connect::Negotiated),
    /// Everything is welcome but CONNECT.
    Open,
    /// The last word is said or waits for its turn; frames are ignored.
    Closing,
}

/// What the driver has been asked and not answered yet.
#[derive(Debug)]
pub(super) enum Pending {
    Send(Wish),
    Subscribe(Box<super::subscriptions::Wanted>),
    Handle { receipt: Option<String>, client_message_id: Option<String> },
    Ask { number: u32, receipt: Option<String> },
}

/// The state of one session.
#[derive(Debug)]
pub(crate) struct Machine {
    pub(super) around: Arc<Surroundings>,
    pub(super) connection: ConnectionId,
    /// An unguessable word that makes this session's temp queues its own.
    pub(super) secret: String,
    pub(super) phase: Phase,
    pub(super) version: Version,
    pub(super) who: Arc<Principal>,
    pub(super) pending: Option<Pending>,
    /// What is told when the pending frame has had its turn: its outcome must be told before.
    leaving: Option<Problem>,
    pub(super) receipts: Receipts,
    pub(super) subscriptions: Subscriptions,
    pub(super) transactions: Transactions,
    problems: u64,
}

pub(super) type Actions = Vec<Action>;

impl Machine {
    /// A session before its CONNECT.
    pub(crate) fn new(around: Arc<Surroundings>, connection: ConnectionId, secret: String) -> Self {
        Self {
            around,
            connection,
            secret,
            phase: Phase::Connecting,
            // Until a version is agreed on, what we say must be readable by the oldest.
            version: Version::V1_0,
            who: Arc::new(Principal::anonymous()),
            pending: None,
            leaving: None,
            receipts: Receipts::default(),
            subscriptions: Subscriptions::default(),
            transactions: Transactions::default(),
            problems: 0,
        }
    }

    /// Takes the next frame of the client.
    pub(crate) fn on_frame(&mut self, frame: Frame, out: &mut Actions) {
        if matches!(self.phase, Phase::Closing) {
            return; // behind a DISCONNECT or a fault (decisions 13 and 25)
        }
        let receipt = frame.header("receipt").map(Cow::into_owned);
        match ClientFrame::parse(frame, self.version) {
            Ok(frame) => {
                if let Err(problem) = self.step(frame, receipt.clone(), out) {
                    self.fault(problem, receipt, out);
                }
            }
            Err(error) => {
                self.fault(protocol(sentence(&error)), receipt, out);
            }
        }
        self.turn(out);
    }

    fn step(
        &mut self,
        frame: ClientFrame,
        receipt: Option<String>,
        out: &mut Actions,
    ) -> Result<(), Problem> {
        match (&self.phase, frame) {
            (Phase::Connecting, ClientFrame::Connect(frame)) => self.connect(&frame, out),
            (Phase::Connecting, frame) => Err(protocol(format!(
                "The first frame must be CONNECT or STOMP, not {}.",
                frame.command()
            ))),
            (Phase::Open, ClientFrame::Connect(_)) => {
                Err(protocol("This session is connected already."))
            }
            (Phase::Open, ClientFrame::Send(frame)) => self.send(frame, receipt, out),
            (Phase::Open, ClientFrame::Subscribe(frame)) => self.subscribe(frame, receipt, out),
            (Phase::Open, ClientFrame::Unsubscribe(frame)) => {
                self.unsubscribe(&frame, receipt, out)
            }
            (Phase::Open, ClientFrame::Ack(frame)) => self.ack(&frame, receipt, out),
            (Phase::Open, ClientFrame::Nack(frame)) => self.nack(&frame, receipt, out),
            (Phase::Open, ClientFrame::Begin(frame)) => self.begin(&frame.transaction(), receipt),
            (Phase::Open, ClientFrame::Commit(frame)) => {
                self.commit(&frame.transaction(), receipt, out)
            }
            (Phase::Open, ClientFrame::Abort(frame)) => self.abort(&frame.transaction(), receipt),
            (Phase::Open, ClientFrame::Disconnect(_)) => {
                self.receipts.ready(receipt, Finish::Bye);
                self.phase = Phase::Closing;
                Ok(())
            }
            // The driver brings no frame while it logs in, and `on_frame` drops them at the end.
            (Phase::LoggingIn(_) | Phase::Closing, _) => Ok(()),
            (Phase::Open, frame) => {
                Err(protocol(format!("{} is not served here.", frame.command())))
            }
        }
    }

    /// The bytes of the client are no frame.
    pub(crate) fn on_fault(
        &mut self,
        problem: Problem,
        receipt: Option<String>,
        out: &mut Actions,
    ) {
        if !matches!(self.phase, Phase::Closing) {
            self.fault(problem, receipt, out);
            self.turn(out);
        }
    }

    /// A frame has been refused before anything was made of it: under `/app` that costs the
    /// frame, elsewhere the session.
    pub(crate) fn on_refused(&mut self, frame: &Frame, problem: Problem, out: &mut Actions) {
        if matches!(self.phase, Phase::Closing) {
            return;
        }
        let receipt = frame.header("receipt");
        if frame.header("destination").is_some_and(|to| to.starts_with("/app/")) {
            self.refuse(receipt, frame.header(CLIENT_MESSAGE_ID), problem);
        } else {
            self.fault(problem, receipt.map(Cow::into_owned), out);
        }
        self.turn(out);
    }

    /// The client's stream has ended: what was received is still answered to its end.
    pub(crate) fn on_end(&mut self, out: &mut Actions) {
        if !matches!(self.phase, Phase::Closing) {
            self.phase = Phase::Closing;
            self.receipts.ready(None, Finish::Bye);
            self.turn(out);
        }
    }

    /// The authorizer has decided.
    pub(crate) fn on_decision(&mut self, decision: Decision, out: &mut Actions) {
        match (self.pending.take(), decision) {
            (Some(Pending::Send(wish)), Decision::Allow) => {
                if let Err((problem, receipt)) = self.send_allowed(wish, out) {
                    self.fault(problem, receipt, out);
                }
            }
            (Some(Pending::Send(wish)), Decision::Deny(problem)) => {
                self.fault(problem, wish.receipt, out);
            }
            (Some(Pending::Send(wish)), Decision::Refuse(problem)) => {
                let client_message_id = wish.publish.message.header(CLIENT_MESSAGE_ID);
                self.refuse(wish.receipt.map(Cow::Owned), client_message_id, problem);
            }
            (Some(Pending::Subscribe(wanted)), decision) => {
                self.subscribe_decided(*wanted, decision, out);
            }
            (other, _) => self.pending = other,
        }
        self.turn(out);
    }

    /// The application has dealt with a SEND.
    pub(crate) fn on_answer(
        &mut self,
        answer: Result<crate::router::Answer, Problem>,
        out: &mut Actions,
    ) {
        let Some(Pending::Handle { receipt, client_message_id }) = self.pending.take() else {
            return;
        };
        match answer {
            Ok(crate::router::Answer::Done(headers)) => {
                self.receipts.ready(receipt, Finish::Done(headers));
            }
            Ok(crate::router::Answer::Publish { publish, receipt: headers }) => {
                let ticket =
                    self.receipts.wait(receipt, Expect::AppPublish { headers, client_message_id });
                out.push(Action::Publish(ticket, publish));
            }
            Err(problem) => {
                self.receipts.ready(receipt, Finish::Refused(problem, client_message_id));
            }
        }
        self.turn(out);
    }

    /// The application has answered a SUBSCRIBE.
    pub(crate) fn on_app_reply(
        &mut self,
        reply: Result<SharedMessage, Problem>,
        out: &mut Actions,
    ) {
        let Some(Pending::Ask { number, receipt }) = self.pending.take() else { return };
        let finish = match reply {
            Ok(message) => Finish::Answered(number, message),
            Err(problem) => {
                self.subscriptions.end(number, out);
                Finish::Refused(problem, None)
            }
        };
        self.receipts.ready(receipt, finish);
        self.turn(out);
    }

    /// A broker call has come to something.
    pub(crate) fn on_reply(&mut self, ticket: Ticket, reply: BrokerReply, out: &mut Actions) {
        let Some((expect, told)) = self.receipts.expected(ticket) else { return };
        let finish = self.outcome(expect, reply, told, out);
        self.receipts.finish(ticket, finish);
        self.turn(out);
    }

    /// What a broker call came to. Headers of a RECEIPT are only made where one is `told`.
    fn outcome(
        &mut self,
        expect: Expect,
        reply: BrokerReply,
        told: bool,
        out: &mut Actions,
    ) -> Finish {
        let result = match reply {
            BrokerReply::Accepted(Ok(accepted)) => Ok(Some(accepted)),
            BrokerReply::Subscribed(Ok(subscribed)) => match expect {
                Expect::Subscribe(number) => return Finish::Subscribed(number, subscribed),
                _ => Ok(None),
            },
            BrokerReply::Done(Ok(())) => Ok(None),
            BrokerReply::Accepted(Err(error))
            | BrokerReply::Subscribed(Err(error))
            | BrokerReply::Done(Err(error)) => Err(error),
        };
        match (expect, result) {
            (_, Ok(_)) if !told => Finish::Done(Vec::new()),
            (Expect::AppPublish { headers, .. }, Ok(accepted)) => {
                Finish::Done(receipt_headers(accepted, headers))
            }
            (_, Ok(accepted)) => Finish::Done(receipt_headers(accepted, Vec::new())),
            (_, Err(BrokerError::Unknown(cause))) => {
                tracing::warn!(%cause, "an outcome is unknown; the session is closed");
                Finish::Unknown
            }
            (Expect::AppPublish { client_message_id, .. }, Err(BrokerError::Refused(problem))) => {
                Finish::Refused(problem, client_message_id)
            }
            (Expect::Subscribe(number), Err(BrokerError::Refused(problem))) => {
                self.subscriptions.end(number, out);
                Finish::Fault(problem)
            }
            (_, Err(BrokerError::Refused(problem))) => Finish::Fault(problem),
        }
    }

    /// A message has come for one of the subscriptions.
    pub(crate) fn on_delivery(&mut self, delivery: Delivery, out: &mut Actions) {
        self.subscriptions.deliver(delivery, out);
    }

    /// The slow-consumer policy has struck: it cannot wait behind appends that are under way.
    pub(crate) fn on_overflow(&mut self, problem: Problem, out: &mut Actions) {
        if !matches!(self.phase, Phase::Closing) {
            self.finished(None, Finish::Fault(problem), out);
        }
    }

    /// This server goes away; what was read is still answered.
    pub(crate) fn on_shutdown(&mut self, problem: Problem, out: &mut Actions) {
        if self.pending.is_some() {
            // Its receipt would come behind the ERROR, that is never, though the log may have it.
            self.leaving = Some(problem);
            return;
        }
        self.on_fault(problem, None, out);
    }

    /// Whether a frame may be brought now.
    pub(crate) fn wants_frames(&self) -> bool {
        self.pending.is_none()
            && !matches!(self.phase, Phase::LoggingIn(_) | Phase::Closing)
            && self.receipts.len() < self.around.limits.in_flight
    }

    /// Whether the last word has been said or waits for its turn.
    pub(crate) fn is_closing(&self) -> bool {
        matches!(self.phase, Phase::Closing)
    }

    /// The version that was agreed on.
    pub(crate) fn version(&self) -> Version {
        self.version
    }

    /// An ERROR takes its turn behind the frames before it; nothing behind it is processed.
    pub(super) fn fault(&mut self, problem: Problem, receipt: Option<String>, _out: &mut Actions) {
        self.phase = Phase::Closing;
        self.receipts.ready(receipt, Finish::Fault(problem));
    }

    fn refuse(
        &mut self,
        receipt: Option<Cow<'_, str>>,
        client_message_id: Option<Cow<'_, str>>,
        problem: Problem,
    ) {
        let finish = Finish::Refused(problem, client_message_id.map(Cow::into_owned));
        self.receipts.ready(receipt.map(Cow::into_owned), finish);
    }

    /// Lets everything leave whose turn it is.
    pub(super) fn turn(&mut self, out: &mut Actions) {
        if self.pending.is_none()
            && let Some(problem) = self.leaving.take()
            && !matches!(self.phase, Phase::Closing)
        {
            self.fault(problem, None, out);
        }
        while let Some(turn) = self.receipts.next() {
            match turn {
                Turn::Start(action) => out.push(action),
                Turn::Finished(receipt, finish) => self.finished(receipt, finish, out),
            }
        }
    }

    fn finished(&mut self, receipt: Option<String>, finish: Finish, out: &mut Actions) {
        match finish {
            Finish::Done(headers) => receipt_frame(receipt, headers, out),
            Finish::Subscribed(number, subscribed) => {
                let mut headers = ReceiptHeaders::new();
                if let Some(position) = subscribed.position {
                    headers.push(("position".into(), position.to_string()));
                }
                if let Some(recovered) = subscribed.recovered {
                    headers.push(("recovered".into(), recovered.to_string()));
                }
                receipt_frame(receipt, headers, out);
                self.subscriptions.open(number, out); // no MESSAGE precedes the RECEIPT
            }
            Finish::Answered(number, message) => {
                receipt_frame(receipt, Vec::new(), out);
                self.answer(number, message, out);
            }
            Finish::Refused(problem, client_message_id) => {
                self.problem(problem, receipt, client_message_id, out);
            }
            Finish::Fault(problem) => {
                let close = close_after(&problem);
                out.push(Action::Frame(Box::new(error_frame(&problem, receipt.as_deref()))));
                self.close(close, out);
            }
            Finish::Unknown => self.close(Close::Unknown, out),
            Finish::Bye => {
                receipt_frame(receipt, Vec::new(), out);
                self.close(Close::Bye, out);
            }
        }
    }

    fn close(&mut self, close: Close, out: &mut Actions) {
        self.phase = Phase::Closing;
        self.receipts = Receipts::default();
        out.push(Action::Close(close));
    }

    /// The one answer to a SUBSCRIBE under `/app`; the subscription is over after it.
    fn answer(&mut self, number: u32, message: SharedMessage, out: &mut Actions) {
        self.problems += 1;
        let id = MessageId::Given(format!("reply-{}", self.problems).into());
        self.subscriptions.open(number, out);
        self.subscriptions.say(self.own(number, id, message), out);
        self.subscriptions.end(number, out);
    }

    /// A refusal that costs only the frame goes to the session's errors queue.
    fn problem(
        &mut self,
        problem: Problem,
        receipt: Option<String>,
        client_message_id: Option<String>,
        out: &mut Actions,
    ) {
        let Some(number) = self.subscriptions.number_of(&Served::Errors) else {
            out.push(Action::Frame(Box::new(error_frame(&problem, receipt.as_deref()))));
            return self.close(close_after(&problem), out);
        };
        self.problems += 1;
        let id = format!("problem-{}-{}", self.connection.0, self.problems);
        let mut headers = vec![("content-type", "application/problem+json".to_owned())];
        headers.extend(receipt.map(|receipt| ("receipt-id", receipt)));
        headers.extend(client_message_id.map(|given| (CLIENT_MESSAGE_ID, given)));
        let message = SharedMessage::new(ERRORS, headers, problem.to_json(&id));
        let delivery = self.own(number, MessageId::Given(id.into()), message);
        self.subscriptions.say(delivery, out);
    }

    /// A delivery that the session itself makes.
    fn own(&self, number: u32, id: MessageId, message: SharedMessage) -> Delivery {
        Delivery {
            subscription: self.key(number),
            logged: Arc::new(Logged {
                route: message.destination().into(),
                id,
                position: None,
                message,
                dedupe: None,
                wire: Default::default(),
            }),
            token: None,
            redeliveries: 0,
        }
    }

    pub(super) fn key(&self, number: u32) -> crate::broker::SubscriptionKey {
        crate::broker::SubscriptionKey { connection: self.connection, number }
    }

    pub(super) fn app_send(&self, frame: stomp_core::Send) -> Box<AppSend> {
        Box::new(AppSend {
            who: self.who.clone(),
            connection: self.connection,
            frame,
            subscriptions: self.subscriptions.destinations(),
        })
    }

    pub(super) fn app_subscribe(&self, frame: stomp_core::Subscribe) -> Box<AppSubscribe> {
        Box::new(AppSubscribe { who: self.who.clone(), connection: self.connection, frame })
    }
}

/// Where refusals under `/app` go.
pub(super) const ERRORS: &str = "/user/queue/errors";
/// The header by which a client finds the message that a problem is about.
pub(super) const CLIENT_MESSAGE_ID: &str = "client-message-id";

pub(super) fn protocol(detail: impl Into<Cow<'static, str>>) -> Problem {
    Problem::new(Code::Protocol, detail)
}

/// A library's error as a sentence.
pub(super) fn sentence(error: &impl std::fmt::Display) -> String {
    let mut text = error.to_string();
    if let Some(first) = text.get(..1).map(str::to_ascii_uppercase) {
        text.replace_range(..1, &first);
    }
    if !text.ends_with('.') {
        text.push('.');
    }
    text
}

fn receipt_headers(accepted: Option<Accepted>, mut headers: ReceiptHeaders) -> ReceiptHeaders {
    if let Some(accepted) = accepted {
        if let Some(position) = accepted.position {
            headers.push(("position".into(), position.to_string()));
        }
        if accepted.duplicate {
            headers.push(("duplicate".into(), "true".to_owned()));
        }
    }
    headers
}

fn receipt_frame(receipt: Option<String>, headers: ReceiptHeaders, out: &mut Actions) {
    let Some(id) = receipt else { return };
    let mut frame = Frame::builder(Command::Receipt).header("receipt-id", &id);
    for (name, value) in &headers {
        frame = frame.header(name, value);
    }
    out.push(Action::Frame(Box::new(frame.build())));
}

/// The ERROR that says what a problem says.
pub(super) fn error_frame(problem: &Problem, receipt: Option<&str>) -> Frame {
    let mut frame = Frame::builder(Command::Error)
        .header("message", &problem.detail)
        .header("code", problem.code.as_str());
    if let Some(receipt) = receipt {
        frame = frame.header("receipt-id", receipt);
    }
    if let Some(version) = problem.version {
        frame = frame.header("version", version);
    }
    if let Some(limit) = &problem.limit {
        frame = frame.header("limit", limit);
    }
    if let Some(wait) = problem.retry_after {
        frame = frame.header("retry-after-ms", &wait.as_millis().to_string());
    }
    frame
        .header("content-type", "text/plain")
        .body(format!("{}: {}\n", problem.code.title(), problem.detail))
        .build()
}

fn close_after(problem: &Problem) -> Close {
    match problem.code {
        Code::TooLarge => Close::TooLarge,
        Code::Unauthorized | Code::Expired | Code::Forbidden => Close::Refused,
        Code::Shutdown | Code::Unavailable => Close::Shutdown,
        _ => Close::Fault,
    }
}

/// Marks a message that stays out of the log.
pub(super) fn class_of(persistent: Option<&str>, is_topic: bool) -> Class {
    if is_topic && persistent == Some("false") { Class::Volatile } else { Class::Kept }
}
