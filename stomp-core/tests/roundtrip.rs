//! Properties: decode after encode is the identity, any split gives the same, limits hold at n and
//! n + 1, and no octets make the decoder panic or reserve.

use bytes::BytesMut;
use proptest::{collection::vec, prelude::*};
use stomp_core::{
    ClientFrame, Command, DecodeError, Decoded, Decoder, Frame, FrameRef, Limits, Role,
    SharedMessage, Version,
};

/// Text of what is hard: marks, escapes, blanks, more than one octet a character.
fn text() -> impl Strategy<Value = String> {
    let hard = prop::sample::select(vec![
        'a', 'b', '0', ' ', '\t', ':', '\\', '\n', '\r', 'n', 'c', 'r', 'é', '世', '🦀', '\u{1}',
    ]);
    vec(hard, 0..40).prop_map(String::from_iter)
}

fn name() -> impl Strategy<Value = String> {
    text().prop_filter("names are not empty and not content-length", |name| !name.is_empty())
}

fn version() -> impl Strategy<Value = Version> {
    prop::sample::select(Version::ALL.to_vec())
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    vec(prop::sample::select(vec![0, b'\n', b'\r', b'a', 0xff]), 0..60)
}

fn command() -> impl Strategy<Value = Command> {
    let escaped = Command::ALL.into_iter().filter(|command| command.escapes_headers());
    prop::sample::select(escaped.collect::<Vec<_>>())
}

fn frame() -> impl Strategy<Value = Frame> {
    (command(), vec((name(), text()), 0..16), body()).prop_map(|(command, headers, body)| {
        let builder = headers
            .iter()
            .fold(Frame::builder(command), |builder, (name, value)| builder.header(name, value));
        if command.may_have_body() { builder.body(body).build() } else { builder.build() }
    })
}

/// What can be said in `version`, and how a reader of it sees the rest.
fn as_readable_in(version: Version, frame: &Frame) -> Frame {
    let header = |text: &str, is_name: bool| match version {
        Version::V1_2 => text.to_owned(),
        Version::V1_1 => text.replace('\r', " "),
        Version::V1_0 if is_name => text.replace(['\r', '\n', ':'], " "),
        Version::V1_0 => text.replace(['\r', '\n'], " ").trim_matches([' ', '\t']).to_owned(),
    };
    let mut builder = Frame::builder(frame.command()).body(frame.body().clone());
    for line in frame.headers() {
        builder = builder.header(&header(&line.name(), true), &header(&line.value(), false));
    }
    builder.build()
}

/// Pieces of one octet, which miri would take minutes for.
const SMALLEST: usize = if cfg!(miri) { 50 } else { 1 };

type Outcome = (Vec<Frame>, Option<DecodeError>);

fn decode<'a>(
    pieces: impl IntoIterator<Item = &'a [u8]>,
    sender: Role,
    version: Version,
    limits: Limits,
) -> Outcome {
    let mut decoder = Decoder::new(sender, limits);
    decoder.set_version(version);
    let mut buffer = BytesMut::new();
    let mut frames = vec![];
    for piece in pieces {
        buffer.extend_from_slice(piece);
        loop {
            match decoder.decode(&mut buffer) {
                Ok(Some(Decoded::Frame(frame))) => frames.push(frame),
                Ok(Some(Decoded::HeartBeat)) => {}
                Ok(None) => break,
                Err(error) => return (frames, Some(error)),
            }
        }
    }
    (frames, None)
}

/// `octets` cut at each of `cuts`, which are taken in any order and modulo the length.
fn cut<'a>(octets: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let mut places: Vec<usize> = cuts.iter().map(|cut| cut % (octets.len() + 1)).collect();
    places.extend([0, octets.len()]);
    places.sort_unstable();
    places.windows(2).map(|pair| &octets[pair[0]..pair[1]]).collect()
}

/// Octets that are nearly frames.
fn nearly_frames() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop::sample::select(vec![
        &b"SEND\n"[..],
        b"SEND\r\n",
        b"ACK\n",
        b"CONNECT\n",
        b"MESSAGE\n",
        b"a:b\n",
        b"a:\\c\n",
        b"a:\\x\n",
        b"receipt:1\n",
        b"content-length:3\n",
        b"content-length:x\n",
        b"content-length:99\r\n",
        b"\n",
        b"\r\n",
        b"\r",
        b"\0",
        b"\0\n",
        b"abc",
        b":",
        b"\\",
        b"\xff",
        b"\xc3\xa9",
        b"bad\n",
        b"abc\0",
        b"\n\n\0",
    ]);
    vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

fn small_limits() -> impl Strategy<Value = Limits> {
    (0usize..12, 0usize..24, 0usize..4, 0usize..60, 0usize..12).prop_map(
        |(command, header_line, headers, head, body)| Limits {
            command,
            header_line,
            headers,
            head,
            body,
        },
    )
}

proptest! {
    #[test]
    fn decode_after_encode_is_the_identity(frame in frame(), version in version()) {
        let mut wire = BytesMut::new();
        frame.encode(version, &mut wire).expect("a frame that can be written");
        let (frames, fault) = decode([&wire[..]], frame.command().sender(), version, Limits::default());
        prop_assert_eq!(fault, None);
        prop_assert_eq!(&frames[..], &[as_readable_in(version, &frame)][..]);

        let mut again = BytesMut::new();
        frames[0].encode(version, &mut again).expect("what was read can be written");
        let (read, _) = decode([&again[..]], frame.command().sender(), version, Limits::default());
        prop_assert_eq!(read, frames);
    }

    #[test]
    fn any_split_gives_the_same_frames(
        first in vec(frame(), 1..4), cuts in vec(any::<usize>(), 0..20), version in version(),
    ) {
        let sender = first[0].command().sender();
        let mut wire = BytesMut::new();
        for frame in first.iter().filter(|frame| frame.command().sender() == sender) {
            frame.encode(version, &mut wire).expect("a frame that can be written");
            wire.extend_from_slice(b"\r\n\n");
        }
        let whole = decode([&wire[..]], sender, version, Limits::default());
        let split = decode(cut(&wire, &cuts), sender, version, Limits::default());
        let octets = decode(wire.chunks(SMALLEST), sender, version, Limits::default());
        prop_assert_eq!(whole.1, None);
        prop_assert_eq!(&split, &whole);
        prop_assert_eq!(octets, whole);
    }

    #[test]
    fn any_split_gives_the_same_error(
        octets in nearly_frames(), cuts in vec(any::<usize>(), 0..20), version in version(),
        small in small_limits(), is_small in any::<bool>(),
    ) {
        let limits = if is_small { small } else { Limits::default() };
        let whole = decode([&octets[..]], Role::Client, version, limits);
        let split = decode(cut(&octets, &cuts), Role::Client, version, limits);
        prop_assert_eq!(&split, &whole);
        prop_assert_eq!(decode(octets.chunks(SMALLEST), Role::Client, version, limits), whole);
    }

    #[test]
    fn borrowed_and_owned_frames_are_the_same(octets in nearly_frames(), version in version()) {
        let (owned, fault) = decode([&octets[..]], Role::Client, version, Limits::default());
        let mut rest = &octets[..];
        let mut borrowed = vec![];
        let end = loop {
            match FrameRef::decode(rest, Role::Client, version, &Limits::default()) {
                Ok(Some((frame, length))) => {
                    borrowed.push(frame.to_frame());
                    rest = &rest[length..];
                }
                Ok(None) => break None,
                Err(error) => break Some(error),
            }
        };
        prop_assert_eq!((borrowed, end), (owned, fault));
    }

    #[test]
    fn limits_hold_at_n_and_n_plus_one(
        name_length in 1usize..40, value_length in 0usize..40, count in 1usize..20, body in 0usize..80,
    ) {
        let line = format!("{}:{}\n", "n".repeat(name_length), "v".repeat(value_length));
        let stream = format!("SEND\n{}\n{}\0", line.repeat(count), "b".repeat(body));
        let exact = Limits {
            command: 4,
            header_line: line.len() - 1,
            headers: count,
            head: stream.len() - body - 1,
            body,
        };
        let fault = |limits| decode([stream.as_bytes()], Role::Client, Version::V1_2, limits).1;
        prop_assert_eq!(fault(exact), None);
        let limit = exact.command - 1;
        prop_assert_eq!(fault(Limits { command: limit, ..exact }), Some(DecodeError::CommandTooLong { limit }));
        let limit = exact.header_line - 1;
        prop_assert_eq!(fault(Limits { header_line: limit, ..exact }), Some(DecodeError::HeaderLineTooLong { limit }));
        let limit = exact.headers - 1;
        prop_assert_eq!(fault(Limits { headers: limit, ..exact }), Some(DecodeError::TooManyHeaders { limit }));
        let limit = exact.head - 1;
        prop_assert_eq!(fault(Limits { head: limit, ..exact }), Some(DecodeError::HeadTooLong { limit }));
        if let Some(limit) = exact.body.checked_sub(1) {
            prop_assert_eq!(fault(Limits { body: limit, ..exact }), Some(DecodeError::BodyTooLong { limit }));
        }
    }

    #[test]
    fn a_content_length_never_reserves(claim in "[-+ ]?[0-9]{0,30}x?", body in body()) {
        let head = format!("SEND\ncontent-length:{claim}\n\n");
        let mut buffer = BytesMut::from(&[head.as_bytes(), &body].concat()[..]);
        let before = buffer.capacity();
        let mut decoder = Decoder::new(Role::Client, Limits::default());
        let _ = decoder.decode(&mut buffer);
        prop_assert!(buffer.capacity() <= before);
    }

    #[test]
    fn an_unfinished_frame_holds_at_most_its_limits_and_one_read(
        pieces in vec(nearly_frames(), 0..30), limits in small_limits(),
    ) {
        let mut decoder = Decoder::new(Role::Client, limits);
        let mut buffer = BytesMut::new();
        for piece in pieces {
            buffer.extend_from_slice(&piece);
            while let Ok(Some(_)) = decoder.decode(&mut buffer) {}
            prop_assert!(buffer.len() <= limits.command + 2 + limits.head + limits.body + 1);
        }
    }

    #[test]
    fn any_octets_are_frames_or_a_fault(octets in vec(any::<u8>(), 0..300), version in version()) {
        let (frames, _) = decode([&octets[..]], Role::Server, version, Limits::default());
        for frame in frames {
            let mut out = BytesMut::new();
            if frame.encode(version, &mut out).is_ok() {
                prop_assert_eq!(decode([&out[..]], Role::Server, version, Limits::default()).1, None);
            }
        }
    }

    #[test]
    fn typed_frames_keep_every_header(frame in frame(), version in version()) {
        let before = frame.clone();
        if let Ok(typed) = ClientFrame::parse(frame, version) {
            prop_assert_eq!(typed.frame(), &before);
            prop_assert_eq!(Frame::from(typed), before);
        }
    }

    #[test]
    fn head_and_tail_are_what_a_whole_message_is(
        destination in text(), headers in vec((name(), text()), 0..14), own in vec((name(), text()), 0..5),
        body in body(), version in version(),
    ) {
        let message = SharedMessage::new(&destination, headers, body.clone());
        let own: Vec<_> = own.iter().map(|(name, value)| (&name[..], &value[..])).collect();
        let mut wire = BytesMut::new();
        SharedMessage::encode_head(&mut wire, version, &own);
        wire.extend_from_slice(&message.tail(version));

        let mut builder = Frame::builder(Command::Message);
        for (name, value) in &own {
            builder = builder.header(name, value);
        }
        builder = builder.header("destination", &destination);
        for (name, value) in message.headers() {
            builder = builder.header(&name, &value);
        }
        let whole = builder.header("content-length", &body.len().to_string()).body(body).build();
        let mut expected = BytesMut::new();
        whole.encode(version, &mut expected).expect("a frame that can be written");
        prop_assert_eq!(wire, expected);
    }

    #[test]
    fn a_stored_message_is_the_same_message(
        destination in text(), headers in vec((name(), text()), 0..14), body in body(),
    ) {
        let message = SharedMessage::new(&destination, headers, body);
        let read = SharedMessage::from_stored(message.to_stored());
        prop_assert_eq!(read, Ok(message));
    }

    #[test]
    fn any_octets_are_a_stored_message_or_refused(octets in vec(any::<u8>(), 0..100)) {
        let stored = [&b"S1"[..], &octets].concat();
        if let Ok(message) = SharedMessage::from_stored(stored.into()) {
            let again = SharedMessage::from_stored(message.to_stored());
            prop_assert_eq!(again, Ok(message));
        }
    }
}
