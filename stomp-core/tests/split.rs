//! The same octets in any pieces give the same frames and the same error.

use bytes::BytesMut;
use stomp_core::{DecodeError, Decoded, Decoder, Frame, FrameRef, Limits, Role, Version};

const STREAMS: &[&[u8]] = &[
    b"SEND\ndestination:/topic/a\n\nhello\0\n\nSEND\ndestination:b\ncontent-length:3\n\na\0c\0",
    b"\r\n\nCONNECT\r\naccept-version:1.2\r\nhost:a\r\n\r\n\0\r\n",
    b"SEND\ndestination:/topic/a\nreceipt:r\nbad\n\n\0",
    b"SEND\nreceipt:a\\cb\ndestination:\\t\n\n\0",
    b"SEND\nreceipt:1\ncontent-length:2\n\nabc\0",
    b"BEGIN\ntransaction:1\n\n\r\n\0BEGIN\ntransaction:1\n\nx\0",
    b"ACK\nid:1\ncontent-length:2\n\n\r\n\0ACK\nid:1\ncontent-length:2\n\n\nx\0",
    b"SEND\nname:\xff\n\n\0",
    b"SEND\nname:\xc3\xa9\nreceipt:\xc3\xa9\n\n\xff\xfe\0",
    b"SEND\na:b\rc\n\n\0",
    b"SEND\r\r\n",
    b"\rSEND\n\n\0",
    b"SE\0ND\n",
    b"MESSAGE\n\n\0",
    b"SEND\ncontent-length:-1\n\n\0",
    b"SEND\ncontent-length:99999999999999999999999\n\n\0",
    b"SENDSENDSENDSENDSENDSENDSENDSENDSENDSEND\n",
];

/// Under miri, which is a thousand times slower, a sample is enough.
const STEP: usize = if cfg!(miri) { 11 } else { 1 };

type Outcome = (Vec<Frame>, Option<(DecodeError, Option<String>)>);

fn decode(pieces: &[&[u8]], limits: Limits) -> Outcome {
    let mut decoder = Decoder::new(Role::Client, limits);
    let mut buffer = BytesMut::new();
    let mut frames = Vec::new();
    for piece in pieces {
        buffer.extend_from_slice(piece);
        loop {
            match decoder.decode(&mut buffer) {
                Ok(Some(Decoded::Frame(frame))) => frames.push(frame),
                Ok(Some(Decoded::HeartBeat)) => {}
                Ok(None) => break,
                Err(error) => {
                    let receipt = decoder.receipt_id().map(Into::into);
                    return (frames, Some((error, receipt)));
                }
            }
        }
    }
    (frames, None)
}

fn decode_at_once(mut input: &[u8], limits: Limits) -> (Vec<Frame>, Option<DecodeError>) {
    let mut frames = Vec::new();
    loop {
        match FrameRef::decode(input, Role::Client, Version::V1_2, &limits) {
            Ok(Some((frame, length))) => {
                frames.push(frame.to_frame());
                input = &input[length..];
            }
            Ok(None) => return (frames, None),
            Err(error) => return (frames, Some(error)),
        }
    }
}

#[test]
fn pieces_of_every_size_give_the_same() {
    let small = Limits { command: 9, header_line: 21, headers: 2, head: 45, body: 4 };
    for limits in [Limits::default(), small] {
        for stream in STREAMS {
            let whole = decode(&[stream], limits);
            for size in (1..stream.len()).step_by(STEP) {
                let pieces: Vec<&[u8]> = stream.chunks(size).collect();
                assert_eq!(decode(&pieces, limits), whole, "{size} {:?}", stream.escape_ascii());
            }
            let (frames, error) = decode_at_once(stream, limits);
            assert_eq!((frames, error), (whole.0, whole.1.map(|(error, _)| error)));
        }
    }
}

#[test]
fn any_two_limits_near_the_length_give_the_same_error_in_pieces() {
    let stream = b"SEND\r\na:bcdefgh\r\nc\\cd:ef\r\n\r\nbody\0";
    for head in (0..40).step_by(STEP) {
        for header_line in (0..12).step_by(STEP) {
            let limits = Limits { command: 4, header_line, headers: 2, head, body: 4 };
            let whole = decode(&[stream], limits);
            for size in (1..stream.len()).step_by(STEP) {
                let pieces: Vec<&[u8]> = stream.chunks(size).collect();
                assert_eq!(decode(&pieces, limits), whole, "{head} {header_line} {size}");
            }
        }
    }
}
