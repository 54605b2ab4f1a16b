//! Limits: what is as long as allowed passes, one octet more does not, and nothing is buffered
//! because a peer claims it.

use bytes::BytesMut;
use stomp_core::{Command, DecodeError, Decoded, Decoder, Limits, PassedLimit, Role, Version};

use super::read_as;

fn fault_with(stream: &[u8], limits: Limits) -> Option<DecodeError> {
    read_as(stream, Role::Client, Version::V1_2, limits).fault
}

#[test]
fn a_command_line_is_limited() {
    let limits = Limits { command: 4, ..Limits::default() };
    assert_eq!(fault_with(b"SEND\n\n\0", limits), None);
    assert_eq!(fault_with(b"SEND\r\n\r\n\0", limits), None);
    let over = Some(DecodeError::CommandTooLong { limit: 4 });
    assert_eq!(fault_with(b"BEGIN\n\n\0", limits), over);
    assert_eq!(fault_with(b"BEGIN", limits), over);
}

#[test]
fn a_header_line_is_limited() {
    let limits = Limits { header_line: 7, ..Limits::default() };
    let over = Some(DecodeError::HeaderLineTooLong { limit: 7 });
    for (line, expected) in [
        ("abc:def\n", None),
        ("abc:def\r\n", None),
        ("abc:defg\n", over),
        ("abc:defg\r\n", over),
        ("abc:defg", over),
        ("abcdefgh", over),
        ("abc:def", None),
        ("abc:def\r", None),
    ] {
        assert_eq!(fault_with(format!("SEND\n{line}").as_bytes(), limits), expected, "{line:?}");
    }
}

#[test]
fn the_number_of_headers_is_limited_and_repeating_does_not_evade_it() {
    let limits = Limits { headers: 2, ..Limits::default() };
    let over = Some(DecodeError::TooManyHeaders { limit: 2 });
    assert_eq!(fault_with(b"SEND\na:1\na:2\n\n\0", limits), None);
    assert_eq!(fault_with(b"SEND\na:1\na:2\na:3\n", limits), over);
    assert_eq!(fault_with(b"SEND\na:1\nb:2\nc:3\n", limits), over);
}

#[test]
fn a_head_is_limited() {
    let stream = b"SEND\na:1\nb:2\n\n\0";
    let head = stream.len() - 1;
    assert_eq!(fault_with(stream, Limits { head, ..Limits::default() }), None);
    let limits = Limits { head: head - 1, ..Limits::default() };
    assert_eq!(fault_with(stream, limits), Some(DecodeError::HeadTooLong { limit: head - 1 }));
}

#[test]
fn a_body_is_limited_with_and_without_content_length() {
    let limits = Limits { body: 3, ..Limits::default() };
    let over = Some(DecodeError::BodyTooLong { limit: 3 });
    for (stream, expected) in [
        (&b"SEND\n\nabc\0"[..], None),
        (b"SEND\n\nabcd\0", over),
        (b"SEND\n\nabcd", over),
        (b"SEND\ncontent-length:3\n\nabc\0", None),
        (b"SEND\ncontent-length:4\n", over),
        (b"BEGIN\n\n\n\n\n\0", None),
        (b"BEGIN\n\n\n\n\n\n\0", over),
        (b"BEGIN\n\n\n\n\n\n", over),
    ] {
        assert_eq!(fault_with(stream, limits), expected, "{}", stream.escape_ascii());
    }
}

#[test]
fn defaults_leave_room_for_what_clients_send() {
    let limits = Limits::default();
    let lines: String = (0..63).map(|i| format!("name{i}:v\n")).collect();
    let token = "t".repeat(8 * 1024);
    let stream = format!("CONNECT\n{lines}Authorization:{token}\n\n\0");
    assert_eq!(fault_with(stream.as_bytes(), limits), None);
    let body = vec![b'x'; 4 * 1024 * 1024];
    let stream = [&b"SEND\ncontent-length:4194304\n\n"[..], &body, b"\0"].concat();
    assert_eq!(fault_with(&stream, limits), None);
}

#[test]
fn extreme_limits_neither_overflow_nor_let_anything_through() {
    let none = Limits { command: 0, header_line: 0, headers: 0, head: 0, body: 0 };
    assert!(fault_with(b"SEND\n\n\0", none).is_some());
    let max = usize::MAX;
    let all = Limits { command: max, header_line: max, headers: max, head: max, body: max };
    assert_eq!(fault_with(b"SEND\na:b\n\nc\0", all), None);
    assert_eq!(fault_with(format!("SEND\ncontent-length:{max}\n\nabc").as_bytes(), all), None);
}

#[test]
fn a_claimed_length_reserves_nothing() {
    for claim in ["4194304", "-4194304", "999999999999", "99999999999999999999999999"] {
        let mut decoder = Decoder::new(Role::Client, Limits::default());
        let mut buffer = BytesMut::from(&format!("SEND\ncontent-length:{claim}\n\nabc")[..]);
        let before = buffer.capacity();
        let _ = decoder.decode(&mut buffer);
        assert!(buffer.capacity() <= before, "{claim}");
    }
}

#[test]
fn an_unfinished_frame_is_refused_before_it_holds_more_than_its_limits() {
    let limits = Limits { command: 8, header_line: 50, headers: 4, head: 120, body: 200 };
    let most = limits.head + limits.body + 1;
    let floods: [&[u8]; 5] = [b"S", b"SEND\na", b"SEND\na:b\n", b"SEND\n\n", b"BEGIN\n\n\n"];
    for flood in floods {
        let mut decoder = Decoder::new(Role::Client, limits);
        let mut buffer = BytesMut::from(flood);
        let refill = [*flood.last().expect("octets")];
        let fault = (0..=most).find_map(|_| {
            buffer.extend_from_slice(&refill);
            decoder.decode(&mut buffer).err()
        });
        assert!(fault.is_some_and(|fault| fault.limit().is_some() || flood == b"SEND\na:b\n"));
        assert!(buffer.is_empty());
    }
}

#[test]
fn limits_may_change_between_frames() {
    let mut decoder = Decoder::new(Role::Client, Limits { body: 1, ..Limits::default() });
    assert_eq!(decoder.limits().body, 1);
    decoder.set_limits(Limits { body: 2, ..Limits::default() });
    let mut buffer = BytesMut::from("SEND\n\nab\0");
    assert!(matches!(decoder.decode(&mut buffer), Ok(Some(Decoded::Frame(_)))));
}

#[test]
fn a_passed_limit_is_named() {
    let cases = [
        (DecodeError::CommandTooLong { limit: 1 }, "command"),
        (DecodeError::HeaderLineTooLong { limit: 1 }, "header_line"),
        (DecodeError::TooManyHeaders { limit: 1 }, "headers"),
        (DecodeError::HeadTooLong { limit: 1 }, "head"),
        (DecodeError::BodyTooLong { limit: 1 }, "body"),
    ];
    for (error, name) in cases {
        assert_eq!(error.limit(), Some(PassedLimit { name, value: 1 }));
        assert!(error.to_string().contains('1'));
    }
    assert_eq!(DecodeError::BodyNotAllowed(Command::Ack).limit(), None);
}
