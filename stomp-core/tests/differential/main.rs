//! The decoder against a naive reference parser, on generated and damaged streams.
//!
//! They must agree on every frame and on whether the stream is at fault. The one difference allowed
//! is time: the decoder refuses as soon as no octets to come could mend the fault, while the
//! reference waits for the blank line. So where only the decoder refuses, the rest of the frame is
//! added, and then the reference must refuse too.
//!
//! `DIFFERENTIAL_FRAMES=1000000 cargo test -p stomp-core --test differential` for a long run;
//! `DIFFERENTIAL_SEED` for other streams.

mod generate;
mod reference;

use bytes::BytesMut;
use generate::Numbers;
use reference::{End, Plain};
use stomp_core::{Decoded, Decoder, Frame, Limits, Role, Version};

#[test]
fn the_decoder_agrees_with_the_reference() {
    let wanted = number("DIFFERENTIAL_FRAMES", if cfg!(miri) { 40 } else { 20_000 });
    let mut numbers = Numbers::new(number("DIFFERENTIAL_SEED", 1) as u64);
    let (mut frames, mut faults, mut streams) = (0, 0, 0);
    while frames < wanted {
        let stream = generate::stream(&mut numbers);
        let version = Version::ALL[numbers.below(3)];
        let (read, end) = compare(&stream, version);
        frames += read;
        faults += usize::from(end == End::Fault);
        streams += 1;
    }
    println!("{frames} frames and {faults} faults in {streams} streams: no difference");
    assert!(faults > streams / 10, "too few damaged streams to prove anything");
}

fn number(variable: &str, default: usize) -> usize {
    std::env::var(variable).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

fn compare(stream: &[u8], version: Version) -> (usize, End) {
    let expected = reference::parse(stream, version);
    let found = decode(stream, version);
    let shown = stream.escape_ascii();
    assert_eq!(found.0, expected.0, "{version} {shown}");
    if found.1 != expected.1 {
        assert_eq!((found.1, expected.1), (End::Fault, End::Unfinished), "{version} {shown}");
        assert!(is_beyond_mending(stream, version), "{version} {shown}");
    }
    (found.0.len(), found.1)
}

/// Whether the last frame cannot become whole, however it goes on: the reference refuses it once
/// it has what it waits for, which may be as many octets as the longest content-length.
fn is_beyond_mending(stream: &[u8], version: Version) -> bool {
    let ends: [&[u8]; 6] = [b"\n\n\0", b":\n\n\0", b"n:\n\n\0", b"c:\n\n\0", b"\0", b"x\0"];
    let after = |end: &[u8]| reference::parse(&[stream, end].concat(), version).1;
    let endings = ends.map(after);
    let refused = || endings.contains(&End::Fault) || after(&[b'x'; 5 << 20]) == End::Fault;
    !endings.contains(&End::Whole) && refused()
}

fn decode(stream: &[u8], version: Version) -> (Vec<Plain>, End) {
    let mut decoder = Decoder::new(Role::Client, Limits::default());
    decoder.set_version(version);
    let mut buffer = BytesMut::from(stream);
    let mut frames = vec![];
    loop {
        match decoder.decode(&mut buffer) {
            Ok(Some(Decoded::Frame(frame))) => frames.push(plain(&frame)),
            Ok(Some(Decoded::HeartBeat)) => {}
            Ok(None) if buffer.is_empty() => return (frames, End::Whole),
            Ok(None) => return (frames, End::Unfinished),
            Err(_) => return (frames, End::Fault),
        }
    }
}

fn plain(frame: &Frame) -> Plain {
    Plain {
        command: frame.command().to_string(),
        headers: frame
            .headers()
            .map(|header| (header.name().into(), header.value().into()))
            .collect(),
        body: frame.body().to_vec(),
    }
}
