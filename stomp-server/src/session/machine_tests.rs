//! The machine, without a runtime: each state with each frame, and what leaves in which order.

use std::sync::Arc;

use bytes::BytesMut;
use stomp_core::{Decoded, Decoder, Frame, Role, SharedMessage, Version};

use super::{
    action::{Action, Asked, BrokerReply, Close, Ticket},
    limits::SessionLimits,
    machine::{Machine, Surroundings},
};
use crate::{
    auth::{Decision, Principal},
    broker::{
        Accepted, BrokerError, Capabilities, Class, ConnectionId, Delivery, Durability, Epoch,
        Logged, MessageId, Outcome, Place, Position, StartFrom, Subscribed, SubscriptionKey, Token,
    },
    problem::{Code, Problem},
    router::Answer,
};

struct Bench {
    machine: Machine,
    decoder: Decoder,
    out: Vec<Action>,
}

fn surroundings() -> Surroundings {
    Surroundings {
        limits: SessionLimits { subscriptions: 3, transactions: 2, ..SessionLimits::default() },
        capabilities: Capabilities {
            durability: Durability::Memory,
            queues: true,
            priority: true,
            durable_subscriptions: true,
            selectors: true,
        },
        separator: '.',
        server: "test/1".to_owned(),
    }
}

impl Bench {
    fn new() -> Self {
        let limits = stomp_core::Limits::default();
        Self {
            machine: Machine::new(Arc::new(surroundings()), ConnectionId(7), "secret".to_owned()),
            decoder: Decoder::new(Role::Client, limits),
            out: Vec::new(),
        }
    }

    /// A session of ann that is open in this version.
    fn open(version: &str) -> Self {
        let mut bench = Self::new();
        bench.read(&format!("CONNECT\naccept-version:{version}\nhost:h\n\n\0"));
        bench.machine.on_login(Ok(Principal::user("ann")), &mut bench.out);
        bench.decoder.set_version(version.parse().unwrap());
        bench.out.clear();
        bench
    }

    /// Frames as the client writes them.
    fn read(&mut self, text: &str) -> Vec<Action> {
        let mut bytes = BytesMut::from(text);
        while let Some(Decoded::Frame(frame)) = self.decoder.decode(&mut bytes).unwrap() {
            self.machine.on_frame(frame, &mut self.out);
            while let Some(at) =
                self.out.iter().position(|action| matches!(action, Action::Authorize(_)))
            {
                self.out.remove(at);
                self.machine.on_decision(Decision::Allow, &mut self.out);
            }
        }
        std::mem::take(&mut self.out)
    }

    fn reply(&mut self, ticket: Ticket, reply: BrokerReply) -> Vec<Action> {
        self.machine.on_reply(ticket, reply, &mut self.out);
        std::mem::take(&mut self.out)
    }

    fn accepted(&mut self, ticket: Ticket, offset: u64) -> Vec<Action> {
        let accepted = Accepted { position: Some(position(offset)), duplicate: false };
        self.reply(ticket, BrokerReply::Accepted(Ok(accepted)))
    }

    fn done(&mut self, ticket: Ticket) -> Vec<Action> {
        self.reply(ticket, BrokerReply::Done(Ok(())))
    }

    /// Subscribes, and lets the broker agree.
    fn subscribed(&mut self, id: u32, destination: &str, ack: &str) {
        let text = format!("SUBSCRIBE\nid:{id}\ndestination:{destination}\nack:{ack}\n\n\0");
        let ticket = ticket_of(&self.read(&text));
        self.reply(ticket, BrokerReply::Subscribed(Ok(Subscribed::default())));
    }

    fn deliver(&mut self, number: u32, token: u64) -> Vec<Action> {
        self.machine.on_delivery(delivery(number, token), &mut self.out);
        std::mem::take(&mut self.out)
    }
}

fn position(offset: u64) -> Position {
    Position { epoch: Epoch(1), offset }
}

fn delivery(number: u32, token: u64) -> Delivery {
    Delivery {
        subscription: SubscriptionKey { connection: ConnectionId(7), number },
        logged: Arc::new(Logged {
            route: "/queue/a".into(),
            id: MessageId::Given(format!("m{token}").into()),
            position: None,
            message: SharedMessage::new("/queue/a", [("a", "b")], "x"),
            dedupe: None,
            wire: Default::default(),
        }),
        token: Some(Token(token)),
        redeliveries: 0,
    }
}

fn ticket_of(actions: &[Action]) -> Ticket {
    match actions.last() {
        Some(
            Action::Publish(ticket, _)
            | Action::Subscribe(ticket, _)
            | Action::Unsubscribe(ticket, ..)
            | Action::Settle(ticket, ..),
        ) => *ticket,
        other => panic!("no broker call: {other:?}"),
    }
}

fn frames(actions: &[Action]) -> Vec<&Frame> {
    let frames = actions.iter().filter_map(|action| match action {
        Action::Frame(frame) => Some(&**frame),
        _ => None,
    });
    frames.collect()
}

/// RECEIPT ids and ERROR codes, in order.
fn said(actions: &[Action]) -> Vec<String> {
    let word = |frame: &&Frame| {
        let header = frame.header("code").or(frame.header("receipt-id"));
        header.map_or_else(|| frame.command().to_string(), |value| value.into_owned())
    };
    frames(actions).iter().map(word).collect()
}

fn is_closed(actions: &[Action], how: Close) -> bool {
    matches!(actions.last(), Some(Action::Close(close)) if *close == how)
}

const EVERY_FRAME: [&str; 10] = [
    "SEND\ndestination:/topic/a\n\nx\0",
    "SUBSCRIBE\nid:9\ndestination:/topic/a\n\n\0",
    "UNSUBSCRIBE\nid:9\n\n\0",
    "ACK\nid:1-0\n\n\0",
    "NACK\nid:1-0\n\n\0",
    "BEGIN\ntransaction:t\n\n\0",
    "COMMIT\ntransaction:t\n\n\0",
    "ABORT\ntransaction:t\n\n\0",
    "DISCONNECT\n\n\0",
    "CONNECT\naccept-version:1.2\nhost:h\n\n\0",
];

#[test]
fn decision_4_before_connect_every_other_frame_is_an_error() {
    for text in &EVERY_FRAME[..9] {
        let mut bench = Bench::new();
        bench.decoder.set_version(Version::V1_2);
        let actions = bench.read(text);
        assert_eq!(said(&actions), ["protocol"], "{text}");
        assert!(is_closed(&actions, Close::Fault), "{text}");
    }
}

#[test]
fn decision_4_a_second_connect_is_an_error() {
    for verb in ["CONNECT", "STOMP"] {
        let mut bench = Bench::open("1.2");
        let actions = bench.read(&format!("{verb}\naccept-version:1.2\nhost:h\n\n\0"));
        assert_eq!(said(&actions), ["protocol"]);
    }
}

#[test]
fn nothing_is_processed_behind_a_disconnect_or_a_fault() {
    for last in ["DISCONNECT\n\n\0", "ABORT\ntransaction:none\n\n\0"] {
        for text in EVERY_FRAME {
            let mut bench = Bench::open("1.2");
            bench.read(last);
            assert!(bench.read(text).is_empty(), "{text} behind {last}");
        }
    }
}

#[test]
fn decision_3_no_common_version_is_an_error_that_names_ours() {
    let mut bench = Bench::new();
    let actions = bench.read("CONNECT\naccept-version:2.0\nhost:h\n\n\0");
    assert_eq!(said(&actions), ["protocol"]);
    assert_eq!(frames(&actions)[0].header("version").as_deref(), Some("1.0,1.1,1.2"));
}

#[test]
fn decision_5_connected_always_has_its_four_headers() {
    let mut bench = Bench::new();
    bench.read("CONNECT\naccept-version:1.1,1.2\nheart-beat:100,20000\n\n\0");
    bench.machine.on_login(Ok(Principal::user("ann")), &mut bench.out);
    let frame = frames(&bench.out)[0];
    assert_eq!(frame.header("version").as_deref(), Some("1.2"));
    assert_eq!(frame.header("server").as_deref(), Some("test/1"));
    assert_eq!(frame.header("session").as_deref(), Some("s-7"));
    // Decision 6: outgoing is max(client's wish, floor), incoming max(client's offer, floor).
    assert_eq!(frame.header("heart-beat").as_deref(), Some("20000,500"));
    assert_eq!(frame.header("durability").as_deref(), Some("memory"));
}

#[test]
fn a_refused_login_is_an_error_and_a_close() {
    let mut bench = Bench::new();
    bench.read("CONNECT\naccept-version:1.2\nlogin:ann\npasscode:sesame\nhost:h\n\n\0");
    let problem = Problem::new(Code::Unauthorized, "The login was refused.");
    bench.machine.on_login(Err(problem), &mut bench.out);
    assert_eq!(said(&bench.out), ["unauthorized"]);
    assert!(is_closed(&bench.out, Close::Refused));
    assert!(!format!("{:?}", bench.out).contains("sesame"));
}

#[test]
fn decision_25_receipts_leave_in_frame_order() {
    let mut bench = Bench::open("1.2");
    let first = ticket_of(&bench.read("SEND\ndestination:/topic/a\nreceipt:1\n\nx\0"));
    let second = ticket_of(&bench.read("SEND\ndestination:/topic/b\nreceipt:2\n\nx\0"));
    assert!(bench.read("BEGIN\ntransaction:t\nreceipt:3\n\n\0").is_empty());
    assert!(bench.read("DISCONNECT\nreceipt:4\n\n\0").is_empty());
    assert!(bench.accepted(second, 2).is_empty());
    let actions = bench.accepted(first, 1);
    assert_eq!(said(&actions), ["1", "2", "3", "4"]);
    assert!(is_closed(&actions, Close::Bye));
    let position = frames(&actions)[1].header("position").map(|text| text.into_owned());
    assert_eq!(position.as_deref(), Some("00000001-0000000000000002"));
}

#[test]
fn an_error_waits_for_what_was_sent_before_it() {
    let mut bench = Bench::open("1.2");
    let ticket = ticket_of(&bench.read("SEND\ndestination:/topic/a\nreceipt:1\n\nx\0"));
    assert!(bench.read("SEND\ndestination:/nowhere/a\nreceipt:2\n\nx\0").is_empty());
    let actions = bench.accepted(ticket, 1);
    assert_eq!(said(&actions), ["1", "invalid"]);
    assert_eq!(frames(&actions)[1].header("receipt-id").as_deref(), Some("2"));
}

#[test]
fn an_unknown_outcome_sends_the_receipts_before_it_and_closes_without_error() {
    let mut bench = Bench::open("1.2");
    let first = ticket_of(&bench.read("SEND\ndestination:/topic/a\nreceipt:1\n\nx\0"));
    let second = ticket_of(&bench.read("SEND\ndestination:/topic/a\nreceipt:2\n\nx\0"));
    let unknown = BrokerReply::Accepted(Err(BrokerError::unknown("log away")));
    assert!(bench.reply(second, unknown).is_empty());
    let actions = bench.accepted(first, 1);
    assert_eq!(said(&actions), ["1"]);
    assert!(is_closed(&actions, Close::Unknown));
}

#[test]
fn a_refused_publication_is_an_error() {
    let mut bench = Bench::open("1.2");
    let ticket = ticket_of(&bench.read("SEND\ndestination:/queue/a\nreceipt:1\n\nx\0"));
    let refused = BrokerError::refused(Code::Limit, "The queue is full.");
    let actions = bench.reply(ticket, BrokerReply::Accepted(Err(refused)));
    assert_eq!(said(&actions), ["limit"]);
}

#[test]
fn no_message_precedes_the_receipt_of_its_subscribe() {
    let mut bench = Bench::open("1.2");
    let text = "SUBSCRIBE\nid:0\ndestination:/topic/a\nreceipt:1\nfrom:last:5\n\n\0";
    let ticket = ticket_of(&bench.read(text));
    assert!(bench.deliver(1, 5).is_empty());
    let subscribed = Subscribed { position: Some(position(4)), recovered: Some(true) };
    let actions = bench.reply(ticket, BrokerReply::Subscribed(Ok(subscribed)));
    let [Action::Frame(receipt), Action::Message(message)] = &actions[..] else {
        panic!("{actions:?}")
    };
    assert_eq!(receipt.header("recovered").as_deref(), Some("true"));
    assert_eq!(receipt.header("position").as_deref(), Some("00000001-0000000000000004"));
    assert_eq!(message.subscription.as_deref(), Some("0"));
    assert!(matches!(bench.deliver(1, 6)[..], [Action::Message(_)]));
}

#[test]
fn decision_18_deliveries_for_an_ended_subscription_go_nowhere_and_their_acks_are_errors() {
    let mut bench = Bench::open("1.2");
    bench.subscribed(0, "/queue/a", "client-individual");
    bench.deliver(1, 10);
    let actions = bench.read("UNSUBSCRIBE\nid:0\nreceipt:1\n\n\0");
    let [Action::Unsubscribe(ticket, _, Place::Keep)] = actions[..] else { panic!() };
    assert!(matches!(bench.deliver(1, 11)[..], [Action::Forget(_)]));
    assert_eq!(said(&bench.done(ticket)), ["1"]);
    assert_eq!(said(&bench.read("ACK\nid:1-0\n\n\0")), ["protocol"]);
}

#[test]
fn decision_16_a_cumulative_ack_settles_its_own_subscription_only() {
    let mut bench = Bench::open("1.2");
    bench.subscribed(0, "/queue/a", "client");
    bench.subscribed(1, "/queue/b", "client");
    for token in 10..13 {
        bench.deliver(1, token);
        bench.deliver(2, token + 10);
    }
    let actions = bench.read("ACK\nid:1-1\n\n\0");
    let [Action::Settle(_, key, ref tokens, Outcome::Ack)] = actions[..] else { panic!() };
    assert_eq!((key.number, &tokens[..]), (1, &[Token(10), Token(11)][..]));
    let actions = bench.read("NACK\nid:2-0\n\n\0");
    let [Action::Settle(_, key, ref tokens, Outcome::Nack)] = actions[..] else { panic!() };
    assert_eq!((key.number, &tokens[..]), (2, &[Token(20)][..]));
}

#[test]
fn decision_17_an_ack_of_an_unknown_or_settled_id_is_an_error() {
    for forged in ["1-1", "2-0", "x", "1-00", "00000001-0000000000000001"] {
        let mut bench = Bench::open("1.2");
        bench.subscribed(0, "/queue/a", "client-individual");
        bench.deliver(1, 10);
        assert_eq!(said(&bench.read(&format!("ACK\nid:{forged}\n\n\0"))), ["protocol"], "{forged}");
    }
    let mut bench = Bench::open("1.2");
    bench.subscribed(0, "/queue/a", "client-individual");
    bench.deliver(1, 10);
    assert!(said(&bench.read("ACK\nid:1-0\n\n\0")).is_empty());
    let mut again = bench.read("NACK\nid:1-0\n\n\0");
    again.extend(bench.done(Ticket(1)));
    assert_eq!(said(&again), ["protocol"]);
}

#[test]
fn decision_21_older_versions_acknowledge_by_message_id() {
    let mut bench = Bench::open("1.1");
    bench.subscribed(0, "/queue/a", "client");
    bench.deliver(1, 10);
    let actions = bench.read("ACK\nsubscription:0\nmessage-id:m10\n\n\0");
    assert!(matches!(&actions[..], [Action::Settle(_, _, tokens, _)] if tokens == &[Token(10)]));
    let mut bench = Bench::open("1.0");
    bench.subscribed(0, "/queue/a", "client");
    bench.deliver(1, 10);
    let actions = bench.read("ACK\nmessage-id:m10\n\n\0");
    assert!(matches!(&actions[..], [Action::Settle(..)]));
}

#[test]
fn decision_22_unknown_and_reopened_transactions_are_errors() {
    for text in [
        "SEND\ndestination:/topic/a\ntransaction:t\n\nx\0",
        "COMMIT\ntransaction:t\n\n\0",
        "ABORT\ntransaction:t\n\n\0",
        "BEGIN\ntransaction:t\n\n\0BEGIN\ntransaction:t\n\n\0",
    ] {
        assert_eq!(said(&Bench::open("1.2").read(text)), ["protocol"], "{text}");
    }
    let text = "BEGIN\ntransaction:t\n\n\0ABORT\ntransaction:t\n\n\0";
    assert!(said(&Bench::open("1.2").read(&text.repeat(2))).is_empty());
}

#[test]
fn decision_24_a_transaction_publishes_at_commit_and_settles_only_what_was_accepted() {
    let mut bench = Bench::open("1.2");
    bench.subscribed(0, "/queue/a", "client-individual");
    bench.deliver(1, 10);
    let actions = bench.read(
        "BEGIN\ntransaction:t\n\n\0\
         SEND\ndestination:/topic/a\ntransaction:t\nreceipt:1\n\nx\0\
         ACK\nid:1-0\ntransaction:t\nreceipt:2\n\n\0",
    );
    assert_eq!(said(&actions), ["1", "2"], "buffered");
    let actions = bench.read("COMMIT\ntransaction:t\nreceipt:3\n\n\0");
    let [Action::Publish(publish, _)] = actions[..] else { panic!("{actions:?}") };
    let actions = bench.accepted(publish, 1);
    let [Action::Settle(settle, _, ref tokens, Outcome::Ack)] = actions[..] else { panic!() };
    assert_eq!(tokens[..], [Token(10)]);
    assert_eq!(said(&bench.done(settle)), ["3"]);
}

#[test]
fn decision_23_after_an_abort_a_delivery_may_be_acknowledged_again() {
    let mut bench = Bench::open("1.2");
    bench.subscribed(0, "/queue/a", "client-individual");
    bench.deliver(1, 10);
    bench.read("BEGIN\ntransaction:t\n\n\0ACK\nid:1-0\ntransaction:t\n\n\0");
    bench.read("ABORT\ntransaction:t\n\n\0");
    assert!(matches!(bench.read("ACK\nid:1-0\n\n\0")[..], [Action::Settle(..)]));
}

#[test]
fn decision_26_an_unknown_form_of_destination_is_an_error() {
    for text in ["SEND\ndestination:plain\n\nx\0", "SUBSCRIBE\nid:0\ndestination:/other/a\n\n\0"] {
        assert_eq!(said(&Bench::open("1.2").read(text)), ["invalid"], "{text}");
    }
}

#[test]
fn limits_refuse_one_more_and_name_themselves() {
    let mut bench = Bench::open("1.2");
    for id in 0..3 {
        bench.subscribed(id, "/topic/a", "auto");
    }
    let actions = bench.read("SUBSCRIBE\nid:3\ndestination:/topic/a\n\n\0");
    assert_eq!(said(&actions), ["limit"]);
    assert_eq!(frames(&actions)[0].header("limit").as_deref(), Some("max-subscriptions 3"));

    let mut bench = Bench::open("1.2");
    assert!(said(&bench.read("BEGIN\ntransaction:1\n\n\0BEGIN\ntransaction:2\n\n\0")).is_empty());
    assert_eq!(said(&bench.read("BEGIN\ntransaction:3\n\n\0")), ["limit"]);

    let prefetch = |count: &str| {
        let text = format!("SUBSCRIBE\nid:0\ndestination:/queue/a\nprefetch-count:{count}\n\n\0");
        said(&Bench::open("1.2").read(&text))
    };
    assert!(prefetch("10000").is_empty());
    assert_eq!(prefetch("10001"), ["limit"]);
    assert_eq!(prefetch("0"), ["invalid"]);
    assert_eq!(prefetch("+5"), ["invalid"]);
}

#[test]
fn a_transaction_holds_so_many_actions_and_not_one_more() {
    let mut around = surroundings();
    around.limits.transaction_actions = 2;
    let mut bench = Bench::open("1.2");
    bench.machine.around = Arc::new(around);
    bench.read("BEGIN\ntransaction:t\n\n\0");
    let send = "SEND\ndestination:/topic/a\ntransaction:t\n\nx\0";
    assert!(said(&bench.read(&send.repeat(2))).is_empty());
    assert_eq!(said(&bench.read(send)), ["limit"]);
}

#[test]
fn from_is_read_as_the_contract_writes_it() {
    let ask = |from: &str| {
        let text = format!("SUBSCRIBE\nid:0\ndestination:/topic/a\nreceipt:1\nfrom:{from}\n\n\0");
        match Bench::open("1.2").read(&text).pop() {
            Some(Action::Subscribe(_, request)) => request.from,
            _ => None,
        }
    };
    assert_eq!(ask("next"), Some(StartFrom::Next));
    assert_eq!(ask("first"), Some(StartFrom::First));
    assert_eq!(ask("last:1000"), Some(StartFrom::Last(1000)));
    assert_eq!(ask("00000001-0000000000000002"), Some(StartFrom::After(position(2))));
    for bad in ["last:1001", "last:0", "last:+1", "yesterday", "00000001-2", "First"] {
        assert_eq!(ask(bad), None, "{bad}");
    }
    let no_receipt = "SUBSCRIBE\nid:0\ndestination:/topic/a\nfrom:first\n\n\0";
    assert_eq!(said(&Bench::open("1.2").read(no_receipt)), ["invalid"]);
    let pattern = "SUBSCRIBE\nid:0\ndestination:/topic/a.*\nreceipt:1\nfrom:first\n\n\0";
    assert_eq!(said(&Bench::open("1.2").read(pattern)), ["invalid"]);
}

#[test]
fn a_send_to_a_pattern_reaches_nobody() {
    for name in ["*", "a.*", "#", "a.>", "a.#.b"] {
        let text = format!("SEND\ndestination:/topic/{name}\n\nx\0");
        assert_eq!(said(&Bench::open("1.2").read(&text)), ["invalid"], "{name}");
    }
    let text = "SEND\ndestination:/topic/a*b\n\nx\0";
    assert!(matches!(Bench::open("1.2").read(text)[..], [Action::Publish(..)]));
}

#[test]
fn routes_of_users_and_temporary_queues_are_private() {
    let route = |text: &str| match Bench::open("1.2").read(text).pop() {
        Some(Action::Subscribe(_, request)) => request.route.to_string(),
        Some(Action::Publish(_, publish)) => publish.route.to_string(),
        other => panic!("{other:?}"),
    };
    assert_eq!(route("SUBSCRIBE\nid:0\ndestination:/user/queue/x\n\n\0"), "/user/ann/queue/x");
    let temp = "SUBSCRIBE\nid:0\ndestination:/temp-queue/x\n\n\0";
    assert_eq!(route(temp), "/temp-queue/secret/x");
    let answer = "SEND\ndestination:/temp-queue/other/x\n\nx\0";
    assert_eq!(route(answer), "/temp-queue/other/x");
    for foreign in ["/temp-queue/other/x", "/user/bob/queue/x"] {
        let text = format!("SUBSCRIBE\nid:0\ndestination:{foreign}\n\n\0");
        assert_eq!(said(&Bench::open("1.2").read(&text)), ["forbidden"], "{foreign}");
    }
}

#[test]
fn a_private_reply_to_is_made_answerable() {
    let text = "SEND\ndestination:/queue/ask\nreply-to:/temp-queue/x\n\n?\0";
    let Some(Action::Publish(_, publish)) = Bench::open("1.2").read(text).pop() else { panic!() };
    assert_eq!(publish.message.header("reply-to").as_deref(), Some("/temp-queue/secret/x"));
}

#[test]
fn what_a_publication_says_of_itself_is_read_and_forgeries_are_dropped() {
    let text = "SEND\ndestination:/topic/a\nreceipt:1\npersistent:false\nmessage-id:forged\n\
                position:forged\nmessage-dedup-id:d-1\nkind:note\n\nx\0";
    let Some(Action::Publish(_, publish)) = Bench::open("1.2").read(text).pop() else { panic!() };
    assert_eq!(publish.class, Class::Volatile);
    assert_eq!(publish.dedupe.as_ref().map(|key| key.id.as_str()), Some("d-1"));
    assert_eq!(publish.dedupe.as_ref().map(|key| key.sender.as_str()), Some("ann"));
    assert_eq!(publish.message.header("kind").as_deref(), Some("note"));
    for forged in ["message-id", "position", "receipt"] {
        assert_eq!(publish.message.header(forged), None, "{forged}");
    }
    for bad in ["message-dedup-id:", "message-dedup-id:a b", "priority:10", "ttl:-1", "ttl:x"] {
        let text = format!("SEND\ndestination:/queue/a\n{bad}\n\nx\0");
        assert_eq!(said(&Bench::open("1.2").read(&text)), ["invalid"], "{bad}");
    }
}

#[test]
fn a_refused_send_under_app_costs_the_frame_and_not_the_session() {
    let mut bench = Bench::open("1.2");
    bench.subscribed(0, "/user/queue/errors", "auto");
    let text = "SEND\ndestination:/app/x\nreceipt:1\nclient-message-id:c1\n\n{}\0";
    assert!(matches!(bench.read(text)[..], [Action::Handle(_)]));
    let problem = Problem::new(Code::NotFound, "There is no such room.");
    bench.machine.on_answer(Err(problem), &mut bench.out);
    let [Action::Message(message)] = &bench.out[..] else { panic!("{:?}", bench.out) };
    let sent = &message.delivery.logged.message;
    assert_eq!(sent.header("receipt-id").as_deref(), Some("1"));
    assert_eq!(sent.header("client-message-id").as_deref(), Some("c1"));
    assert!(String::from_utf8_lossy(sent.body()).contains(r#""code":"not-found""#));
    assert!(!bench.machine.is_closing());
}

#[test]
fn a_refused_send_under_app_is_an_error_where_nobody_listens_for_problems() {
    let mut bench = Bench::open("1.2");
    bench.read("SEND\ndestination:/app/x\nreceipt:1\n\n{}\0");
    let problem = Problem::new(Code::NotFound, "There is no such room.");
    bench.machine.on_answer(Err(problem), &mut bench.out);
    assert_eq!(said(&bench.out), ["not-found"]);
    assert!(bench.machine.is_closing());
}

#[test]
fn a_handled_send_is_receipted_when_the_log_has_what_the_handler_made_of_it() {
    let mut bench = Bench::open("1.2");
    bench.read("SEND\ndestination:/app/x\nreceipt:1\n\n{}\0");
    let message = SharedMessage::new("/topic/x", [("a", "b")], "x");
    let answer = Answer::Publish {
        publish: Box::new(crate::broker::Publish::kept(message)),
        receipt: vec![("message-id".into(), "m-1".to_owned())],
    };
    bench.machine.on_answer(Ok(answer), &mut bench.out);
    let ticket = ticket_of(&std::mem::take(&mut bench.out));
    let actions = bench.accepted(ticket, 3);
    let receipt = frames(&actions)[0];
    assert_eq!(receipt.header("message-id").as_deref(), Some("m-1"));
    assert_eq!(receipt.header("position").as_deref(), Some("00000001-0000000000000003"));
}

#[test]
fn a_subscription_under_app_gets_its_receipt_one_message_and_is_over() {
    let mut bench = Bench::open("1.2");
    let actions = bench.read("SUBSCRIBE\nid:0\ndestination:/app/rooms\nreceipt:1\n\n\0");
    assert!(matches!(actions[..], [Action::Ask(_)]));
    let reply = SharedMessage::new("/app/rooms", [("a", "b")], "{}");
    bench.machine.on_app_reply(Ok(reply), &mut bench.out);
    let actions = std::mem::take(&mut bench.out);
    assert!(matches!(&actions[..], [Action::Frame(_), Action::Message(_)]), "{actions:?}");
    assert_eq!(said(&bench.read("UNSUBSCRIBE\nid:0\n\n\0")), ["protocol"]);
}

#[test]
fn a_denied_send_is_an_error_and_a_refused_subscribe_is_a_problem() {
    let mut bench = Bench::open("1.2");
    bench.subscribed(0, "/user/queue/errors", "auto");
    let frame = |bench: &mut Bench, text: &str| {
        let mut bytes = BytesMut::from(text);
        let Some(Decoded::Frame(frame)) = bench.decoder.decode(&mut bytes).unwrap() else {
            panic!()
        };
        bench.machine.on_frame(frame, &mut bench.out);
        std::mem::take(&mut bench.out)
    };
    let asked = frame(&mut bench, "SUBSCRIBE\nid:1\ndestination:/topic/a\nreceipt:1\n\n\0");
    let [Action::Authorize(Asked::Subscribe(destination))] = &asked[..] else { panic!() };
    assert_eq!(destination, "/topic/a");
    let problem = Problem::new(Code::NotFound, "There is no such room.");
    bench.machine.on_decision(Decision::Refuse(problem), &mut bench.out);
    assert!(matches!(std::mem::take(&mut bench.out)[..], [Action::Message(_)]));
    frame(&mut bench, "SEND\ndestination:/topic/a\nreceipt:2\n\nx\0");
    let problem = Problem::new(Code::Forbidden, "Not here.");
    bench.machine.on_decision(Decision::Deny(problem), &mut bench.out);
    assert_eq!(said(&bench.out), ["forbidden"]);
    assert!(is_closed(&bench.out, Close::Refused));
}

#[test]
fn the_end_of_the_stream_answers_what_was_received_and_closes() {
    let mut bench = Bench::open("1.2");
    let ticket = ticket_of(&bench.read("SEND\ndestination:/topic/a\nreceipt:1\n\nx\0"));
    bench.machine.on_end(&mut bench.out);
    assert!(bench.out.is_empty());
    let actions = bench.accepted(ticket, 1);
    assert_eq!(said(&actions), ["1"]);
    assert!(is_closed(&actions, Close::Bye));
}

#[test]
fn a_shutdown_waits_for_the_frame_that_is_being_decided() {
    let mut bench = Bench::open("1.2");
    let mut bytes = BytesMut::from("SEND\ndestination:/topic/a\nreceipt:1\n\nx\0");
    let Some(Decoded::Frame(frame)) = bench.decoder.decode(&mut bytes).unwrap() else { panic!() };
    bench.machine.on_frame(frame, &mut bench.out);
    bench.out.clear();
    bench.machine.on_shutdown(Problem::new(Code::Shutdown, "Going."), &mut bench.out);
    assert!(bench.out.is_empty(), "{:?}", bench.out);
    bench.machine.on_decision(Decision::Allow, &mut bench.out);
    let ticket = ticket_of(&bench.out);
    bench.out.clear();
    let told = bench.accepted(ticket, 5);
    assert_eq!(said(&told), ["1", "shutdown"]);
    assert!(is_closed(&told, Close::Shutdown));
}
