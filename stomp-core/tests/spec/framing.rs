//! Commands, lines, and what stands between frames.

use bytes::BytesMut;
use stomp_core::{Command, DecodeError, Decoder, FrameRef, Limits, Role, Version};

use super::{fault, frame, pair, pairs, read, read_as};

#[test]
fn a_frame_is_command_headers_blank_line_body_and_nul() {
    let frame = frame(b"SEND\ndestination:/queue/a\nx:1\n\nhello queue a\0", Version::V1_2);
    assert_eq!(frame.command(), Command::Send);
    assert_eq!(pairs(&frame), [pair("destination", "/queue/a"), pair("x", "1")]);
    assert_eq!(&frame.body()[..], b"hello queue a");
}

#[test]
fn every_command_of_a_client_is_read() {
    for command in Command::ALL.into_iter().filter(|command| command.sender() == Role::Client) {
        let stream = format!("{command}\n\n\0");
        assert_eq!(frame(stream.as_bytes(), Version::V1_2).command(), command);
    }
}

#[test]
fn every_command_of_a_server_is_read() {
    for command in Command::ALL.into_iter().filter(|command| command.sender() == Role::Server) {
        let stream = format!("{command}\n\n\0");
        let frame = super::server_frame(stream.as_bytes(), Version::V1_2);
        assert_eq!(frame.command(), command);
    }
}

#[test]
fn frames_of_the_other_side_are_refused() {
    let error = fault(b"MESSAGE\n\n\0", Version::V1_2);
    assert_eq!(error, DecodeError::UnexpectedCommand(Command::Message));
    let reading = read_as(b"SEND\n\n\0", Role::Server, Version::V1_2, Limits::default());
    assert_eq!(reading.fault, Some(DecodeError::UnexpectedCommand(Command::Send)));
}

#[test]
fn unknown_commands_are_refused() {
    for stream in
        [&b"HELLO\n\n\0"[..], b"SENDX\n\n\0", b"SEN\n\n\0", b" SEND\n\n\0", b"SEND \n\n\0"]
    {
        assert_eq!(fault(stream, Version::V1_2), DecodeError::UnknownCommand);
    }
}

#[test]
fn commands_and_header_names_are_case_sensitive() {
    assert_eq!(fault(b"send\n\n\0", Version::V1_2), DecodeError::UnknownCommand);
    let frame = frame(b"SEND\nDestination:a\n\n\0", Version::V1_2);
    assert_eq!(frame.header("destination"), None);
    assert_eq!(frame.header("Destination").as_deref(), Some("a"));
}

#[test]
fn lines_may_end_with_cr_lf_in_every_version() {
    for version in Version::ALL {
        let frame = frame(b"SEND\r\ndestination:a\r\nx:\r\n\r\nb\r\n\0", version);
        assert_eq!(pairs(&frame), [pair("destination", "a"), pair("x", "")]);
        assert_eq!(&frame.body()[..], b"b\r\n");
    }
}

#[test]
fn line_ends_of_both_kinds_may_be_mixed() {
    let frame = frame(b"SEND\r\ndestination:a\nx:y\r\n\nb\0", Version::V1_2);
    assert_eq!(pairs(&frame), [pair("destination", "a"), pair("x", "y")]);
}

#[test]
fn a_cr_without_lf_in_a_head_is_a_fault_in_every_version() {
    for version in Version::ALL {
        for stream in [
            &b"SEND\rX\n\n\0"[..],
            b"SEND\n\rdestination:a\n\n\0",
            b"SEND\ndestination:a\rb\n\n\0",
            b"SEND\nna\rme:a\n\n\0",
            b"SEND\ndestination:a\r\r\n\n\0",
            b"SEND\ndestination:a\n\r\r\n\0",
            b"\rSEND\n\n\0",
        ] {
            assert_eq!(fault(stream, version), DecodeError::LoneCarriageReturn);
        }
    }
}

#[test]
fn ends_of_line_between_frames_are_heart_beats() {
    let reading =
        read(b"\n\r\nSEND\ndestination:a\n\n\0\n\n\r\nSEND\ndestination:b\n\n\0", Version::V1_2);
    assert_eq!((reading.frames.len(), reading.heart_beats), (2, 2));
    assert_eq!(read(b"\n", Version::V1_2).heart_beats, 1);
}

#[test]
fn a_cr_waits_for_its_lf() {
    let reading = read(b"SEND\ndestination:a\n\n\0\r", Version::V1_2);
    assert_eq!((reading.frames.len(), reading.heart_beats, reading.fault), (1, 0, None));
}

#[test]
fn a_nul_before_the_end_of_the_headers_is_a_fault() {
    for stream in
        [&b"\0"[..], b"SEND\0", b"SE\0ND\n\n\0", b"SEND\nna\0me:a\n\n\0", b"SEND\na:b\0\n\n"]
    {
        assert_eq!(fault(stream, Version::V1_2), DecodeError::NulInHead);
    }
}

#[test]
fn an_unfinished_frame_is_not_a_fault() {
    let stream = b"SEND\r\ndestination:a\r\ncontent-length:3\r\n\r\na\0b\0";
    for length in 0..stream.len() {
        let reading = read(&stream[..length], Version::V1_2);
        assert_eq!((reading.frames.len(), reading.fault), (0, None), "{length}");
    }
}

#[test]
fn nothing_behind_a_faulty_frame_is_read() {
    let reading = read(b"SEND\nbad\n\n\0SEND\ndestination:a\n\n\0", Version::V1_2);
    assert_eq!((reading.frames.len(), reading.fault), (0, Some(DecodeError::MissingColon)));
}

#[test]
fn a_head_without_headers_is_whole() {
    assert_eq!(pairs(&frame(b"DISCONNECT\n\n\0", Version::V1_0)), []);
    assert_eq!(pairs(&frame(b"DISCONNECT\r\n\r\n\0", Version::V1_2)), []);
}

#[test]
fn a_borrowed_frame_tells_what_an_owned_one_does() {
    let stream = b"\r\n\nSEND\ndestination:a\nx:\\c\n\nhi\0SEND";
    let (borrowed, length) =
        FrameRef::decode(stream, Role::Client, Version::V1_1, &Limits::default())
            .expect("no fault")
            .expect("whole");
    assert_eq!(length, stream.len() - 4);
    assert_eq!((borrowed.command(), borrowed.version()), (Command::Send, Version::V1_1));
    assert_eq!(borrowed.header("x").as_deref(), Some(":"));
    assert_eq!((borrowed.headers().len(), borrowed.body()), (2, &b"hi"[..]));
    let owned = borrowed.to_frame();
    assert_eq!(owned, frame(&stream[..length], Version::V1_1));
    assert_eq!(owned.version(), Version::V1_1);
    assert_ne!(owned, frame(b"SEND\ndestination:a\nx:\\c\n\nho\0", Version::V1_1));
    assert_ne!(owned, frame(b"SEND\ndestination:a\nx:c\n\nhi\0", Version::V1_1));
}

#[test]
fn a_decoder_knows_its_rules_and_whether_a_frame_has_begun() {
    let mut decoder = Decoder::new(Role::Client, Limits::default());
    assert_eq!(decoder.version(), Version::V1_2);
    decoder.set_version(Version::V1_0);
    assert_eq!((decoder.version(), decoder.limits()), (Version::V1_0, &Limits::default()));
    let mut buffer = BytesMut::from("SEND\n");
    assert_eq!(decoder.decode(&mut buffer), Ok(None));
    assert!(!decoder.is_between_frames());
    buffer.extend_from_slice(b"\n\0\r");
    assert!(decoder.decode(&mut buffer).is_ok_and(|found| found.is_some()));
    assert!(decoder.is_between_frames());
}
