//! The eleven client verbs: what each needs in each version.

use stomp_core::{AckMode, ClientFrame, Command, Frame, FrameError, Version};

use super::{frame, pairs, server_frame};

fn parse(stream: &str, version: Version) -> Result<ClientFrame, FrameError> {
    ClientFrame::parse(frame(format!("{stream}\n\0").as_bytes(), version), version)
}

fn missing(command: Command, header: &'static str) -> FrameError {
    FrameError::MissingHeader { command, header }
}

/// Required headers: where each is missing, and where it is empty.
fn requires(command: Command, version: Version, headers: &[&'static str]) {
    let all: String = headers.iter().map(|name| format!("{name}:x\n")).collect();
    assert!(parse(&format!("{command}\n{all}"), version).is_ok(), "{command} {version}");
    for name in headers {
        let without = all.replace(&format!("{name}:x\n"), "");
        let empty = all.replace(&format!("{name}:x\n"), &format!("{name}:\n"));
        for lines in [without, empty] {
            let result = parse(&format!("{command}\n{lines}"), version);
            assert_eq!(result, Err(missing(command, name)), "{command} {version} {lines:?}");
        }
    }
}

#[test]
fn stomp_is_read_like_connect() {
    for command in ["CONNECT", "STOMP"] {
        let parsed = parse(&format!("{command}\naccept-version:1.2\nhost:a\n"), Version::V1_2);
        assert!(matches!(parsed, Ok(ClientFrame::Connect(_))));
    }
}

#[test]
fn send_needs_a_destination() {
    for version in Version::ALL {
        requires(Command::Send, version, &["destination"]);
    }
}

#[test]
fn send_keeps_body_transaction_and_own_headers() {
    let frame =
        frame(b"SEND\ndestination:a\ntransaction:t\nreceipt:r\nmine:1\n\nhi\0", Version::V1_2);
    let Ok(ClientFrame::Send(send)) = ClientFrame::parse(frame, Version::V1_2) else { panic!() };
    assert_eq!((&*send.destination(), &send.body()[..]), ("a", &b"hi"[..]));
    assert_eq!(send.transaction().as_deref(), Some("t"));
    assert_eq!(send.receipt().as_deref(), Some("r"));
    assert_eq!(send.frame().header("mine").as_deref(), Some("1"));
}

#[test]
fn subscribe_needs_a_destination_and_from_1_1_on_an_id() {
    requires(Command::Subscribe, Version::V1_0, &["destination"]);
    requires(Command::Subscribe, Version::V1_1, &["destination", "id"]);
    requires(Command::Subscribe, Version::V1_2, &["destination", "id"]);
}

#[test]
fn ack_modes_are_three_and_auto_by_default() {
    for (line, mode) in [
        ("", AckMode::Auto),
        ("ack:auto\n", AckMode::Auto),
        ("ack:client\n", AckMode::Client),
        ("ack:client-individual\n", AckMode::ClientIndividual),
    ] {
        let parsed = parse(&format!("SUBSCRIBE\nid:0\ndestination:a\n{line}"), Version::V1_2);
        let Ok(ClientFrame::Subscribe(subscribe)) = parsed else { panic!("{parsed:?}") };
        assert_eq!(subscribe.ack(), mode);
        assert_eq!((subscribe.id().as_deref(), &*subscribe.destination()), (Some("0"), "a"));
        assert_eq!(mode.to_string().parse(), Ok(mode));
    }
}

#[test]
fn an_unknown_ack_mode_is_an_error() {
    for mode in ["", "Auto", "auto ", "individual", "client_individual"] {
        let parsed = parse(&format!("SUBSCRIBE\nid:0\ndestination:a\nack:{mode}\n"), Version::V1_2);
        assert_eq!(parsed, Err(FrameError::UnknownAckMode));
    }
}

#[test]
fn unsubscribe_needs_an_id_from_1_1_on() {
    requires(Command::Unsubscribe, Version::V1_1, &["id"]);
    requires(Command::Unsubscribe, Version::V1_2, &["id"]);
}

#[test]
fn unsubscribe_names_id_or_destination_in_1_0() {
    requires(Command::Unsubscribe, Version::V1_0, &["destination"]);
    let Ok(ClientFrame::Unsubscribe(by_id)) = parse("UNSUBSCRIBE\nid:7\n", Version::V1_0) else {
        panic!("an id is enough")
    };
    assert_eq!((by_id.id().as_deref(), by_id.destination()), (Some("7"), None));
    let result = parse("UNSUBSCRIBE\n", Version::V1_0);
    assert_eq!(result, Err(missing(Command::Unsubscribe, "destination")));
}

#[test]
fn ack_names_its_message_in_the_way_of_its_version() {
    requires(Command::Ack, Version::V1_0, &["message-id"]);
    requires(Command::Ack, Version::V1_1, &["message-id", "subscription"]);
    requires(Command::Ack, Version::V1_2, &["id"]);
}

#[test]
fn nack_names_its_message_in_the_way_of_its_version() {
    requires(Command::Nack, Version::V1_1, &["message-id", "subscription"]);
    requires(Command::Nack, Version::V1_2, &["id"]);
}

#[test]
fn ack_and_nack_may_be_in_a_transaction() {
    let lines = "id:1\nmessage-id:2\nsubscription:3\ntransaction:4\n";
    let Ok(ClientFrame::Ack(ack)) = parse(&format!("ACK\n{lines}"), Version::V1_2) else {
        panic!()
    };
    let Ok(ClientFrame::Nack(nack)) = parse(&format!("NACK\n{lines}"), Version::V1_2) else {
        panic!()
    };
    let expected = [Some("1"), Some("2"), Some("3"), Some("4")];
    let of_ack = [ack.id(), ack.message_id(), ack.subscription(), ack.transaction()];
    let of_nack = [nack.id(), nack.message_id(), nack.subscription(), nack.transaction()];
    assert_eq!(of_ack.each_ref().map(|value| value.as_deref()), expected);
    assert_eq!(of_nack.each_ref().map(|value| value.as_deref()), expected);
}

#[test]
fn nack_does_not_exist_in_1_0() {
    let result = parse("NACK\nmessage-id:1\n", Version::V1_0);
    let version = Version::V1_0;
    assert_eq!(result, Err(FrameError::NotInVersion { command: Command::Nack, version }));
}

#[test]
fn begin_commit_and_abort_need_a_transaction() {
    for version in Version::ALL {
        for command in [Command::Begin, Command::Commit, Command::Abort] {
            requires(command, version, &["transaction"]);
        }
    }
    let Ok(ClientFrame::Begin(begin)) = parse("BEGIN\ntransaction:t\n", Version::V1_2) else {
        panic!()
    };
    assert_eq!(begin.transaction(), "t");
}

#[test]
fn disconnect_needs_nothing() {
    let parsed = parse("DISCONNECT\n", Version::V1_0);
    assert!(matches!(parsed, Ok(ClientFrame::Disconnect(_))));
}

#[test]
fn any_frame_may_ask_for_a_receipt() {
    let every = "receipt:77\ndestination:a\nid:1\nmessage-id:2\nsubscription:3\ntransaction:4\n";
    for command in Command::ALL.into_iter().filter(|c| c.sender() == stomp_core::Role::Client) {
        let parsed = parse(&format!("{command}\n{every}"), Version::V1_2).expect("valid");
        assert_eq!(parsed.receipt().as_deref(), Some("77"));
        assert_eq!(parsed.command(), command);
    }
}

#[test]
fn typed_frames_give_the_generic_one_back() {
    let every =
        "receipt:77\ndestination:a\nid:1\nmessage-id:2\nsubscription:3\ntransaction:4\nx:y\n";
    for command in Command::ALL.into_iter().filter(|c| c.sender() == stomp_core::Role::Client) {
        let before = frame(format!("{command}\n{every}\n\0").as_bytes(), Version::V1_2);
        let typed = ClientFrame::try_from(before.clone()).expect("valid");
        assert_eq!(pairs(typed.frame()), pairs(&before));
        assert_eq!(Frame::from(typed), before);
    }
}

#[test]
fn a_servers_frame_is_not_a_clients() {
    let frame = server_frame(b"RECEIPT\nreceipt-id:1\n\n\0", Version::V1_2);
    let result = ClientFrame::parse(frame, Version::V1_2);
    assert_eq!(result, Err(FrameError::UnexpectedCommand(Command::Receipt)));
}
