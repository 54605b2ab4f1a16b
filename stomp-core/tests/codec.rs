//! The codec for tokio: it delegates, and knows the end of a stream.
#![cfg(feature = "codec")]

use std::io;

use bytes::BytesMut;
use stomp_core::{
    Command, DecodeError, Decoded, EncodeError, Frame, Limits, Role, Version,
    codec::{CodecError, StompCodec},
};
use tokio_util::codec::{Decoder, Encoder};

fn broker() -> StompCodec {
    StompCodec::new(Role::Client, Limits::default())
}

#[test]
fn frames_and_heart_beats_are_read() {
    let mut codec = broker();
    let mut buffer = BytesMut::from("\nSEND\ndestination:a\n\nhi\0SEND\n");
    assert!(matches!(codec.decode(&mut buffer), Ok(Some(Decoded::HeartBeat))));
    assert!(matches!(codec.decode(&mut buffer), Ok(Some(Decoded::Frame(_)))));
    assert!(matches!(codec.decode(&mut buffer), Ok(None)));
}

#[test]
fn a_fault_is_the_peers_and_its_receipt_is_known() {
    let mut codec = broker();
    let fault = codec.decode(&mut BytesMut::from("SEND\nreceipt:7\nbad\n"));
    assert!(matches!(fault, Err(CodecError::Decode(DecodeError::MissingColon))));
    assert_eq!(codec.decoder().receipt_id().as_deref(), Some("7"));
}

#[test]
fn frames_are_written_for_the_version_of_the_session() {
    let mut codec = broker();
    let frame = Frame::builder(Command::Receipt).header("receipt-id", "a:\r").build();
    let mut out = BytesMut::new();
    codec.encode(&frame, &mut out).expect("a frame that can be written");
    codec.set_version(Version::V1_0);
    codec.encode(frame.clone(), &mut out).expect("a frame that can be written");
    codec.set_version(Version::V1_1);
    codec.encode(Decoded::Frame(frame), &mut out).expect("a frame that can be written");
    codec.encode(Decoded::HeartBeat, &mut out).expect("a heart-beat");
    let expected = "RECEIPT\nreceipt-id:a\\c\\r\n\n\0RECEIPT\nreceipt-id:a: \n\n\0\
        RECEIPT\nreceipt-id:a\\c \n\n\0\n";
    assert_eq!(out, expected);
}

#[test]
fn what_cannot_be_written_is_the_callers() {
    let frame = Frame::builder(Command::Receipt).body("x").build();
    let refused = broker().encode(frame, &mut BytesMut::new());
    let expected = EncodeError::BodyNotAllowed(Command::Receipt);
    assert!(matches!(refused, Err(CodecError::Encode(error)) if error == expected));
}

#[test]
fn a_stream_may_end_between_frames_only() {
    let mut codec = broker();
    assert!(matches!(codec.decode_eof(&mut BytesMut::new()), Ok(None)));
    let mut buffer = BytesMut::from("SEND\n\nhi\0SEND\n\nhi");
    assert!(matches!(codec.decode_eof(&mut buffer), Ok(Some(Decoded::Frame(_)))));
    let cut = codec.decode_eof(&mut buffer);
    assert!(
        matches!(cut, Err(CodecError::Io(error)) if error.kind() == io::ErrorKind::UnexpectedEof)
    );
}

#[test]
fn a_fault_at_the_end_of_a_stream_is_a_fault() {
    let fault = broker().decode_eof(&mut BytesMut::from("SEND\nbad\n"));
    assert!(matches!(fault, Err(CodecError::Decode(DecodeError::MissingColon))));
}
