//! Bodies, content-length, and the NUL behind them.

use bytes::BytesMut;
use stomp_core::{Command, DecodeError, EncodeError, Frame, Version};

use super::{encoded, fault, frame, read, server_frame};

#[test]
fn without_content_length_the_first_nul_ends_the_body() {
    let reading = read(b"SEND\ndestination:a\n\nab\0SEND\ndestination:b\n\n\0", Version::V1_2);
    assert_eq!(&reading.frames[0].body()[..], b"ab");
    assert_eq!(reading.frames.len(), 2);
}

#[test]
fn content_length_octets_are_read_whatever_they_are() {
    for version in Version::ALL {
        let frame = frame(b"SEND\ncontent-length:7\n\n\0a\n\r\0\0\xff\0", version);
        assert_eq!(&frame.body()[..], b"\0a\n\r\0\0\xff");
    }
}

#[test]
fn a_body_of_length_zero_is_empty() {
    assert!(frame(b"SEND\ncontent-length:0\n\n\0", Version::V1_2).body().is_empty());
    assert!(frame(b"SEND\ncontent-length:000\n\n\0", Version::V1_2).body().is_empty());
}

#[test]
fn the_octet_behind_a_body_must_be_nul() {
    for stream in [
        &b"SEND\ncontent-length:2\n\nabc\0"[..],
        b"SEND\ncontent-length:0\n\na",
        b"SEND\ncontent-length:1\n\na\n\0",
    ] {
        assert_eq!(fault(stream, Version::V1_2), DecodeError::MissingNul);
    }
}

#[test]
fn content_length_is_decimal_digits_only() {
    for value in [
        "",
        "-1",
        "+1",
        " 1",
        "1 ",
        "0x1",
        "1.0",
        "1e3",
        "a",
        "1,",
        "٣",
        "18446744073709551616",
        "99999999999999999999999999999",
    ] {
        let stream = format!("SEND\ncontent-length:{value}\n");
        for version in [Version::V1_1, Version::V1_2] {
            let error = fault(stream.as_bytes(), version);
            assert_eq!(error, DecodeError::InvalidContentLength, "{value:?}");
        }
    }
}

#[test]
fn content_length_may_have_spaces_in_1_0() {
    assert_eq!(&frame(b"SEND\ncontent-length: 2 \n\na\0\0", Version::V1_0).body()[..], b"a\0");
    let error = fault(b"SEND\ncontent-length: - 2\n\n", Version::V1_0);
    assert_eq!(error, DecodeError::InvalidContentLength);
}

#[test]
fn the_first_content_length_counts() {
    let stream = b"SEND\ncontent-length:1\ncontent-length:9\ncontent-length:x\n\na\0";
    assert_eq!(&frame(stream, Version::V1_2).body()[..], b"a");
}

#[test]
fn only_send_message_and_error_may_have_a_body() {
    for command in Command::ALL {
        let stream = format!("{command}\n\nbody\0");
        let reading =
            super::read_as(stream.as_bytes(), command.sender(), Version::V1_2, Default::default());
        let may = matches!(command, Command::Send | Command::Message | Command::Error);
        let expected = if may { None } else { Some(DecodeError::BodyNotAllowed(command)) };
        assert_eq!(reading.fault, expected);
    }
}

#[test]
fn a_body_is_refused_by_its_first_octet() {
    for stream in [
        &b"BEGIN\n\nx"[..],
        b"BEGIN\ncontent-length:9\n\n\n\nx",
        b"BEGIN\ncontent-length:3\n\n\n\0",
    ] {
        assert_eq!(fault(stream, Version::V1_2), DecodeError::BodyNotAllowed(Command::Begin));
    }
}

#[test]
fn ends_of_line_instead_of_a_body_are_passed_over() {
    for stream in [
        &b"BEGIN\ntransaction:1\n\n\n\0"[..],
        b"BEGIN\ntransaction:1\n\n\r\n\n\0",
        b"BEGIN\ntransaction:1\ncontent-length:1\n\n\n\0",
        b"BEGIN\ntransaction:1\ncontent-length:0\n\n\0",
    ] {
        let frame = frame(stream, Version::V1_2);
        assert!(encoded(&frame, Version::V1_2).ends_with("\n\n\0"));
    }
    let error = fault(b"BEGIN\ncontent-length:1\n\n\nx", Version::V1_2);
    assert_eq!(error, DecodeError::MissingNul);
}

#[test]
fn a_body_is_octets_and_not_text() {
    let octets: Vec<u8> = (0..=255).collect();
    let stream = [&b"SEND\ncontent-length:256\n\n"[..], &octets, b"\0"].concat();
    assert_eq!(frame(&stream, Version::V1_2).body()[..], octets);
}

#[test]
fn a_body_is_written_with_its_content_length() {
    for command in [Command::Send, Command::Message, Command::Error] {
        let frame = Frame::builder(command).body("a\0b").build();
        for version in Version::ALL {
            assert_eq!(encoded(&frame, version), format!("{command}\ncontent-length:3\n\na\0b\0"));
        }
    }
}

#[test]
fn a_frame_read_without_content_length_is_written_with_it() {
    let frame = server_frame(b"MESSAGE\na:b\n\nbody\0", Version::V1_2);
    assert_eq!(encoded(&frame, Version::V1_2), "MESSAGE\na:b\ncontent-length:4\n\nbody\0");
}

#[test]
fn a_wrong_content_length_is_never_written() {
    let frame = Frame::builder(Command::Send)
        .header("content-length", "99")
        .header("a", "b")
        .header("content-length", "1")
        .body("four")
        .build();
    assert_eq!(encoded(&frame, Version::V1_2), "SEND\ncontent-length:4\na:b\n\nfour\0");
    for (length, digits) in [(9, "9"), (10, "10"), (1005, "1005"), (70_000, "70000")] {
        let frame = Frame::builder(Command::Send).body(vec![b'x'; length]).build();
        assert!(
            encoded(&frame, Version::V1_2)
                .starts_with(&format!("SEND\ncontent-length:{digits}\n\nx"))
        );
    }
}

#[test]
fn an_empty_body_needs_no_content_length() {
    let frame = Frame::builder(Command::Send).header("destination", "a").build();
    assert_eq!(encoded(&frame, Version::V1_2), "SEND\ndestination:a\n\n\0");
    let with = Frame::builder(Command::Send).header("content-length", "7").build();
    assert_eq!(encoded(&with, Version::V1_2), "SEND\ncontent-length:0\n\n\0");
}

#[test]
fn a_body_that_may_not_be_is_not_written() {
    let frame = Frame::builder(Command::Receipt).header("receipt-id", "1").body("x").build();
    let mut out = BytesMut::new();
    let refused = frame.encode(Version::V1_2, &mut out);
    assert_eq!(refused, Err(EncodeError::BodyNotAllowed(Command::Receipt)));
    assert!(out.is_empty());
}

#[test]
fn a_header_without_a_name_is_not_written() {
    let frame = Frame::builder(Command::Send).header("", "x").build();
    let refused = frame.encode(Version::V1_2, &mut BytesMut::new());
    assert_eq!(refused, Err(EncodeError::EmptyHeaderName(Command::Send)));
}
