//! What the targets share. The first octet of an input says how to read the rest.

use bytes::BytesMut;
use stomp_core::{DecodeError, Decoded, Decoder, Frame, Limits, Role, Version};

/// How to read an input.
#[derive(Clone, Copy)]
pub struct How {
    /// Whose frames.
    pub sender: Role,
    /// By which rules.
    pub version: Version,
    /// Small ones are met more often.
    pub limits: Limits,
    /// What is left of the first octet.
    pub seed: usize,
}

/// The first octet and the rest.
pub fn how(input: &[u8]) -> Option<(How, &[u8])> {
    let (first, rest) = input.split_first()?;
    let first = usize::from(*first);
    let small = Limits { command: 11, header_line: 40, headers: 4, head: 120, body: 30 };
    let how = How {
        sender: if first & 1 == 0 { Role::Client } else { Role::Server },
        version: Version::ALL[(first >> 1) % 3],
        limits: if first & 0x80 == 0 { Limits::default() } else { small },
        seed: first >> 3,
    };
    Some((how, rest))
}

/// What a stream is read as: frames, then perhaps a fault and the receipt of the faulty frame.
pub type Reading = (Vec<Frame>, Option<(DecodeError, Option<String>)>);

/// Reads what comes in `pieces`.
pub fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>, how: How) -> Reading {
    let mut decoder = Decoder::new(how.sender, how.limits);
    decoder.set_version(how.version);
    let mut buffer = BytesMut::new();
    let mut frames = vec![];
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
