//! The machine against a model that is too simple to be wrong, fed with anything.
//!
//! Bytes choose what happens next: frames, decisions, answers, deliveries, broker replies in
//! any order, the end of the stream. Whatever they choose, the rules below hold.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use stomp_core::{Command, Frame, SharedMessage};

use super::{
    action::{Action, BrokerReply, Ticket},
    limits::SessionLimits,
    machine::{Machine, Surroundings},
};
use crate::{
    auth::{Decision, Principal},
    broker::{
        Accepted, BrokerError, Capabilities, ConnectionId, Delivery, Durability, Epoch, Logged,
        MessageId, Position, Publish, Subscribed, SubscriptionKey, Token,
    },
    problem::{Code, Problem},
    router::Answer,
};

/// Plays the session that `choices` describe.
///
/// # Panics
/// If a rule of sessions does not hold.
pub fn play(choices: &[u8]) {
    let mut model = Model::new();
    let mut choices = choices.iter().copied();
    while let Some(choice) = choices.next() {
        let detail = choices.next().unwrap_or_default();
        model.step(choice, detail);
        model.check();
        if model.closed {
            break;
        }
    }
    model.settle_everything();
}

struct Model {
    machine: Machine,
    out: Vec<Action>,
    closed: bool,
    /// Receipts asked for in frame order, and how many of them have been answered.
    asked: Vec<String>,
    answered: usize,
    /// Broker calls that have been made and not answered.
    open: Vec<(Ticket, Call)>,
    offset: u64,
    token: u64,
    delivered: HashSet<(u32, u64)>,
    settled: HashSet<(u32, u64)>,
    /// The broker calls that a receipt is for.
    calls: Vec<(String, Ticket)>,
    /// The subscription that a receipt is for.
    subscribing: HashMap<String, u32>,
    /// Subscriptions that the client may hear of, by number: their RECEIPT is out.
    announced: HashSet<u32>,
    ended: HashSet<u32>,
    last_number: u32,
}

#[derive(Clone, Copy, PartialEq)]
enum Call {
    Publish,
    Subscribe(u32),
    Other,
}

impl Model {
    fn new() -> Self {
        let limits = SessionLimits {
            subscriptions: 4,
            transactions: 2,
            transaction_actions: 4,
            ..SessionLimits::default()
        };
        let around = Surroundings {
            limits,
            capabilities: Capabilities {
                durability: Durability::Memory,
                queues: true,
                priority: true,
                durable_subscriptions: true,
                selectors: true,
            },
            separator: '.',
            server: "model/1".to_owned(),
        };
        let mut machine = Machine::new(Arc::new(around), ConnectionId(1), "secret".to_owned());
        let mut out = Vec::new();
        let connect = Frame::builder(Command::Connect).header("accept-version", "1.2").build();
        machine.on_frame(connect, &mut out);
        machine.on_login(Ok(Principal::user("ann")), &mut out);
        out.clear();
        Self {
            machine,
            out,
            closed: false,
            asked: Vec::new(),
            answered: 0,
            open: Vec::new(),
            offset: 0,
            token: 0,
            delivered: HashSet::new(),
            settled: HashSet::new(),
            calls: Vec::new(),
            subscribing: HashMap::new(),
            announced: HashSet::new(),
            ended: HashSet::new(),
            last_number: 0,
        }
    }

    fn step(&mut self, choice: u8, detail: u8) {
        let id = (detail % 5).to_string();
        let transaction = (detail % 3).to_string();
        let ack = format!("{}-{}", detail % 4 + 1, detail / 4 % 4);
        match choice % 18 {
            0 => self.frame(Command::Send, &[("destination", "/topic/a")]),
            1 => self.frame(
                Command::Send,
                &[("destination", "/queue/a"), ("transaction", &transaction)],
            ),
            2 => self.frame(Command::Send, &[("destination", "/app/x")]),
            3 | 4 => {
                let (modes, places) =
                    (["auto", "client", "client-individual"], ["/topic/a", "/queue/a"]);
                let mode = modes[usize::from(detail) % 3];
                let place = places[usize::from(detail) / 3 % 2];
                let headers = [("id", id.as_str()), ("destination", place), ("ack", mode)];
                self.frame(Command::Subscribe, &headers);
            }
            5 => self.frame(Command::Unsubscribe, &[("id", &id)]),
            6 => self.frame(Command::Ack, &[("id", &ack)]),
            7 => self.frame(Command::Nack, &[("id", &ack), ("transaction", &transaction)]),
            8 => self.frame(Command::Begin, &[("transaction", &transaction)]),
            9 => self.frame(Command::Commit, &[("transaction", &transaction)]),
            10 => self.frame(Command::Abort, &[("transaction", &transaction)]),
            11..=13 => self.deliver(u32::from(detail) % (self.last_number + 1) + 1),
            14 | 15 if !self.open.is_empty() => {
                let at = usize::from(detail) % self.open.len();
                self.reply(at, detail / 16);
            }
            16 if detail == 0 => self.frame(Command::Disconnect, &[]),
            16 if detail == 1 => self.machine.on_end(&mut self.out),
            17 if detail == 0 => {
                let problem = Problem::new(Code::Shutdown, "Going away.");
                self.machine.on_shutdown(problem, &mut self.out);
            }
            _ => {}
        }
    }

    /// A frame with a receipt, and every question that it leads to, answered at once.
    fn frame(&mut self, command: Command, headers: &[(&str, &str)]) {
        if !self.machine.wants_frames() {
            return;
        }
        let receipt = format!("r{}", self.asked.len());
        self.asked.push(receipt.clone());
        let mut frame = Frame::builder(command).header("receipt", &receipt);
        for (name, value) in headers {
            frame = frame.header(name, value);
        }
        self.machine.on_frame(frame.build(), &mut self.out);
        let authorize = self.out.iter().position(|action| matches!(action, Action::Authorize(_)));
        if let Some(at) = authorize {
            self.out.remove(at);
            self.machine.on_decision(Decision::Allow, &mut self.out);
        }
        let handle = self.out.iter().position(|action| matches!(action, Action::Handle(_)));
        if let Some(at) = handle {
            self.out.remove(at);
            let message = SharedMessage::new("/topic/x", [("a", "b")], "x");
            let publish = Box::new(Publish::kept(message));
            let answer = Answer::Publish { publish, receipt: Vec::new() };
            self.machine.on_answer(Ok(answer), &mut self.out);
        }
    }

    fn deliver(&mut self, number: u32) {
        self.token += 1;
        self.delivered.insert((number, self.token));
        let delivery = Delivery {
            subscription: SubscriptionKey { connection: ConnectionId(1), number },
            logged: Arc::new(Logged {
                route: "/topic/a".into(),
                id: MessageId::Volatile(self.token),
                position: None,
                message: SharedMessage::new("/topic/a", [("a", "b")], "x"),
                dedupe: None,
                wire: Default::default(),
            }),
            token: Some(Token(self.token)),
            redeliveries: 0,
        };
        self.machine.on_delivery(delivery, &mut self.out);
    }

    fn reply(&mut self, at: usize, how: u8) {
        let (ticket, call) = self.open.remove(at);
        let failure = match how {
            0 => Some(BrokerError::refused(Code::Limit, "Full.")),
            1 => Some(BrokerError::unknown("away")),
            _ => None,
        };
        self.offset += 1;
        let position = Position { epoch: Epoch(1), offset: self.offset };
        let reply = match (call, failure) {
            (Call::Publish, None) => {
                BrokerReply::Accepted(Ok(Accepted { position: Some(position), duplicate: false }))
            }
            (Call::Publish, Some(error)) => BrokerReply::Accepted(Err(error)),
            (Call::Subscribe(_), None) => BrokerReply::Subscribed(Ok(Subscribed::default())),
            (Call::Subscribe(_), Some(error)) => BrokerReply::Subscribed(Err(error)),
            (Call::Other, None) => BrokerReply::Done(Ok(())),
            (Call::Other, Some(error)) => BrokerReply::Done(Err(error)),
        };
        self.machine.on_reply(ticket, reply, &mut self.out);
    }

    /// The rules.
    fn check(&mut self) {
        for action in std::mem::take(&mut self.out) {
            assert!(!self.closed, "nothing is done behind a close: {action:?}");
            match action {
                Action::Frame(frame) => self.check_frame(&frame),
                Action::Message(message) => {
                    let number = message.delivery.subscription.number;
                    assert!(self.announced.contains(&number), "no MESSAGE before its RECEIPT");
                    assert!(!self.ended.contains(&number), "no MESSAGE behind UNSUBSCRIBE");
                }
                Action::Publish(ticket, _) => self.call(ticket, Call::Publish),
                Action::Subscribe(ticket, request) => {
                    self.last_number = self.last_number.max(request.key.number);
                    self.call(ticket, Call::Subscribe(request.key.number));
                    let receipt = self.asked.last().cloned().unwrap_or_default();
                    self.subscribing.insert(receipt, request.key.number);
                }
                Action::Unsubscribe(ticket, key, _) => {
                    self.ended.insert(key.number);
                    self.call(ticket, Call::Other);
                }
                Action::Settle(ticket, key, tokens, _) => {
                    for token in tokens {
                        let settled = (key.number, token.0);
                        assert!(self.delivered.contains(&settled), "a token that was delivered");
                        assert!(self.settled.insert(settled), "a token is settled once");
                    }
                    self.open.push((ticket, Call::Other));
                }
                Action::Close(_) => self.closed = true,
                Action::Forget(_) => {}
                other => panic!("not expected here: {other:?}"),
            }
        }
    }

    /// A call that the newest frame has led to.
    fn call(&mut self, ticket: Ticket, call: Call) {
        self.calls.push((self.asked.last().cloned().unwrap_or_default(), ticket));
        self.open.push((ticket, call));
    }

    fn check_frame(&mut self, frame: &Frame) {
        let Some(receipt) = frame.header("receipt-id") else { return };
        let rest = &self.asked[self.answered..];
        let at = rest.iter().position(|asked| *asked == receipt);
        let at = at.unwrap_or_else(|| panic!("{receipt} was asked for, once, and not before"));
        // A frame that was refused as a problem has no RECEIPT, but none is overtaken.
        assert_eq!(at, 0, "receipts leave in frame order");
        if frame.command() == Command::Receipt {
            let is_open = |ticket: &Ticket| self.open.iter().any(|(open, _)| open == ticket);
            let mut own = self.calls.iter().filter(|(name, _)| *name == receipt);
            assert!(!own.any(|(_, ticket)| is_open(ticket)), "a receipt says that it is done");
        }
        self.answered += 1;
        self.announced.extend(self.subscribing.get(receipt.as_ref()));
    }

    /// Once the broker has answered everything, every receipt has been given.
    fn settle_everything(&mut self) {
        while !self.closed && !self.open.is_empty() {
            self.reply(0, 9);
            self.check();
        }
        if !self.closed && !self.machine.is_closing() {
            assert_eq!(self.answered, self.asked.len(), "every receipt is given in the end");
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

        #[test]
        fn sessions_keep_their_rules_whatever_happens(
            choices in prop::collection::vec(any::<u8>(), 0..400)
        ) {
            super::play(&choices);
        }
    }
}
