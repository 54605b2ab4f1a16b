//! Errors name their clause, become ERROR frames, and repeat nothing of a user.

use bytes::BytesMut;
use stomp_core::{
    Command, DecodeError, Decoder, EncodeError, FrameError, HeartBeatError, Limits, Mender, Role,
    StoredError, Version, VersionError,
};

use super::read;

fn decode_errors() -> Vec<DecodeError> {
    vec![
        DecodeError::CommandTooLong { limit: 1 },
        DecodeError::HeaderLineTooLong { limit: 1 },
        DecodeError::TooManyHeaders { limit: 1 },
        DecodeError::HeadTooLong { limit: 1 },
        DecodeError::BodyTooLong { limit: 1 },
        DecodeError::UnknownCommand,
        DecodeError::UnexpectedCommand(Command::Message),
        DecodeError::NulInHead,
        DecodeError::LoneCarriageReturn,
        DecodeError::MissingColon,
        DecodeError::EmptyHeaderName,
        DecodeError::InvalidUtf8,
        DecodeError::UndefinedEscape,
        DecodeError::InvalidContentLength,
        DecodeError::MissingNul,
        DecodeError::BodyNotAllowed(Command::Ack),
    ]
}

#[test]
fn the_receipt_of_a_faulty_frame_is_known_if_it_was_read() {
    let cases: [(&[u8], Option<&str>); 8] = [
        (b"SEND\nreceipt:7\nbad\n", Some("7")),
        (b"SEND\nbad\nreceipt:7\n", None),
        (b"SEND\nreceipt:a\\cb\n:x\n", Some("a:b")),
        (b"SEND\nreceipt:7\ncontent-length:1\n\nabc", Some("7")),
        (b"SEND\nreceipt:7\nreceipt:8\ncontent-length:x\n", Some("7")),
        (b"BEGIN\nreceipt:7\n\nbody", Some("7")),
        (b"SEND\nreceipt:\xff\n\n", None),
        (b"WHAT\n", None),
    ];
    for (stream, receipt) in cases {
        let reading = read(stream, Version::V1_2);
        assert!(reading.fault.is_some(), "{}", stream.escape_ascii());
        assert_eq!(reading.receipt_id.as_deref(), receipt, "{}", stream.escape_ascii());
    }
}

#[test]
fn a_failed_decoder_stays_failed() {
    let mut decoder = Decoder::new(Role::Client, Limits::default());
    assert!(decoder.receipt_id().is_none() && decoder.is_between_frames());
    let mut buffer = BytesMut::from("SEND\nreceipt:7\nbad\n\n\0");
    let first = decoder.decode(&mut buffer).expect_err("a fault");
    assert!(buffer.is_empty() && !decoder.is_between_frames());
    buffer.extend_from_slice(b"SEND\ndestination:a\n\n\0");
    assert_eq!(decoder.decode(&mut buffer), Err(first));
    assert_eq!(decoder.receipt_id().as_deref(), Some("7"));
}

#[test]
fn every_error_becomes_an_error_frame() {
    for error in decode_errors() {
        let frame = error.to_frame(Some("r:1"));
        assert_eq!(frame.command(), Command::Error);
        assert_eq!(frame.header("message").as_deref(), Some(&*error.to_string()));
        assert_eq!(frame.header("receipt-id").as_deref(), Some("r:1"));
        assert_eq!(frame.header("content-type").as_deref(), Some("text/plain"));
        assert!(frame.header("content-length").is_some());
        let body = String::from_utf8(frame.body().to_vec()).expect("text");
        assert!(body.contains(error.clause()) && error.clause().starts_with("STOMP 1.2, "));
        assert_eq!(error.mender(), Mender::Peer);
        assert_eq!(error.to_frame(None).header("receipt-id"), None);
    }
}

#[test]
fn every_frame_error_becomes_an_error_frame() {
    let mut errors: Vec<FrameError> = Command::ALL
        .into_iter()
        .map(|command| FrameError::MissingHeader { command, header: "id" })
        .collect();
    errors.extend([
        FrameError::UnknownAckMode,
        FrameError::HeartBeat(HeartBeatError::Malformed),
        FrameError::Version(VersionError::NoCommonVersion),
        FrameError::NotInVersion { command: Command::Nack, version: Version::V1_0 },
        FrameError::UnexpectedCommand(Command::Message),
    ]);
    for error in errors {
        let frame = error.to_frame(Some("7"));
        assert_eq!(frame.header("message").as_deref(), Some(&*error.to_string()));
        assert_eq!(frame.header("receipt-id").as_deref(), Some("7"));
        assert!(error.clause().starts_with("STOMP 1.2, "));
        assert_eq!(error.mender(), Mender::Peer);
    }
}

#[test]
fn the_clause_of_a_missing_header_is_the_command() {
    let error = FrameError::MissingHeader { command: Command::Subscribe, header: "id" };
    assert_eq!(error.clause(), "STOMP 1.2, SUBSCRIBE");
    assert_eq!(error.to_string(), "SUBSCRIBE needs the header id");
}

#[test]
fn what_cannot_be_encoded_is_the_callers_to_mend() {
    let clauses = [
        (EncodeError::Unwritable(Command::Connect), "STOMP 1.2, Value Encoding"),
        (EncodeError::EmptyHeaderName(Command::Send), "STOMP 1.2, Augmented BNF"),
        (EncodeError::BodyNotAllowed(Command::Ack), "STOMP 1.2, Body"),
    ];
    for (error, clause) in clauses {
        assert_eq!((error.clause(), error.mender()), (clause, Mender::Caller));
        assert!(!error.to_string().is_empty());
    }
    assert!(!StoredError::Damaged.to_string().is_empty());
}
