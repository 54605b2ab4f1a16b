//! The four server frames.

use stomp_core::{Command, Frame, FrameError, HeartBeat, ServerFrame, Version, VersionError};

use super::{frame, server_frame};

fn parse(stream: &str, version: Version) -> Result<ServerFrame, FrameError> {
    ServerFrame::parse(server_frame(stream.as_bytes(), version), version)
}

#[test]
fn connected_tells_version_session_server_and_heart_beat() {
    let parsed = parse(
        "CONNECTED\nversion:1.1\nsession:7\nserver:a/1 b\nheart-beat:1,2\n\n\0",
        Version::V1_2,
    );
    let Ok(ServerFrame::Connected(connected)) = parsed else { panic!("{parsed:?}") };
    assert_eq!(connected.version(), Version::V1_1);
    assert_eq!(connected.heart_beat(), HeartBeat::new(1, 2));
    assert_eq!(connected.session().as_deref(), Some("7"));
    assert_eq!(connected.server().as_deref(), Some("a/1 b"));
}

#[test]
fn connected_without_a_version_is_1_0() {
    let Ok(ServerFrame::Connected(connected)) = parse("CONNECTED\n\n\0", Version::V1_0) else {
        panic!("a 1.0 server need not tell")
    };
    assert_eq!((connected.version(), connected.heart_beat()), (Version::V1_0, HeartBeat::NONE));
}

#[test]
fn connected_of_an_unknown_version_is_an_error() {
    let result = parse("CONNECTED\nversion:2.0\n\n\0", Version::V1_2);
    assert_eq!(result, Err(FrameError::Version(VersionError::NoCommonVersion)));
}

#[test]
fn message_has_destination_message_id_and_subscription() {
    let all = "destination:a\nmessage-id:1\nsubscription:0\n";
    let parsed = parse(&format!("MESSAGE\n{all}ack:9\n\nhi\0"), Version::V1_2);
    let Ok(ServerFrame::Message(message)) = parsed else { panic!("{parsed:?}") };
    assert_eq!((&*message.destination(), &*message.message_id()), ("a", "1"));
    assert_eq!(message.subscription().as_deref(), Some("0"));
    assert_eq!((message.ack().as_deref(), &message.body()[..]), (Some("9"), &b"hi"[..]));
    for header in ["destination", "message-id", "subscription"] {
        let lines: String = all
            .lines()
            .filter(|line| !line.starts_with(&format!("{header}:")))
            .map(|line| format!("{line}\n"))
            .collect();
        let result = parse(&format!("MESSAGE\n{lines}\n\0"), Version::V1_2);
        assert_eq!(result, Err(FrameError::MissingHeader { command: Command::Message, header }));
    }
}

#[test]
fn message_needs_no_subscription_in_1_0() {
    assert!(parse("MESSAGE\ndestination:a\nmessage-id:1\n\n\0", Version::V1_0).is_ok());
}

#[test]
fn receipt_names_what_it_answers() {
    let parsed = parse("RECEIPT\nreceipt-id:77\n\n\0", Version::V1_2);
    let Ok(ServerFrame::Receipt(receipt)) = parsed else { panic!("{parsed:?}") };
    assert_eq!(receipt.receipt_id(), "77");
    let result = parse("RECEIPT\n\n\0", Version::V1_2);
    let header = "receipt-id";
    assert_eq!(result, Err(FrameError::MissingHeader { command: Command::Receipt, header }));
}

#[test]
fn error_tells_what_went_wrong() {
    let parsed = parse("ERROR\nmessage:bad\nreceipt-id:1\n\ndetails\0", Version::V1_2);
    let Ok(ServerFrame::Error(error)) = parsed else { panic!("{parsed:?}") };
    assert_eq!(
        (error.message().as_deref(), error.receipt_id().as_deref()),
        (Some("bad"), Some("1"))
    );
    assert_eq!(&error.body()[..], b"details");
    assert!(parse("ERROR\n\n\0", Version::V1_2).is_ok());
}

#[test]
fn typed_frames_give_the_generic_one_back() {
    for stream in [
        "CONNECTED\nversion:1.2\n\n\0",
        "MESSAGE\ndestination:a\nmessage-id:1\nsubscription:0\n\nb\0",
        "RECEIPT\nreceipt-id:1\n\n\0",
        "ERROR\nmessage:a\n\n\0",
    ] {
        let before = server_frame(stream.as_bytes(), Version::V1_2);
        let typed = ServerFrame::try_from(before.clone()).expect("valid");
        assert_eq!(typed.command(), before.command());
        assert_eq!(Frame::from(typed), before);
    }
}

#[test]
fn a_clients_frame_is_not_a_servers() {
    let result = ServerFrame::parse(frame(b"BEGIN\n\n\0", Version::V1_2), Version::V1_2);
    assert_eq!(result, Err(FrameError::UnexpectedCommand(Command::Begin)));
}
