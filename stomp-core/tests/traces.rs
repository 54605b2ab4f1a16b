//! Conversations as they stand on the wire. `⏎` is LF, `␍` CR and `^@` NUL.
//!
//! ```text
//! @ 1.2          the version from here on
//! C: octets      a client's frame or heart-beat, written as we write it: it reads back the same
//! C~ octets      the same, written in another way
//! C! octets ⇒ …  is refused with this sentence
//! S: octets      a server's
//! ```

use bytes::BytesMut;
use stomp_core::{ClientFrame, Decoded, Decoder, Limits, Role, ServerFrame, Version};

#[test]
fn a_browser_speaks_1_2() {
    replay(include_str!("traces/stompjs.txt"));
}

#[test]
fn a_worker_speaks_1_1() {
    replay(include_str!("traces/worker_1_1.txt"));
}

#[test]
fn an_old_client_speaks_1_0() {
    replay(include_str!("traces/old_client_1_0.txt"));
}

#[test]
fn a_person_types_cr_lf() {
    replay(include_str!("traces/telnet_1_2.txt"));
}

#[test]
fn faults_are_named() {
    replay(include_str!("traces/faults.txt"));
}

fn replay(trace: &str) {
    let mut version = Version::V1_2;
    for line in trace.lines().filter(|line| !line.starts_with('#')) {
        let (mark, rest) = line.split_once(' ').expect("a mark and a space");
        match mark {
            "@" => version = rest.parse().expect("a version"),
            "C:" => assert_eq!(round(&wire(rest), Role::Client, version), wire(rest), "{line}"),
            "S:" => assert_eq!(round(&wire(rest), Role::Server, version), wire(rest), "{line}"),
            "C~" => drop(round(&wire(rest), Role::Client, version)),
            "C!" => {
                let (octets, sentence) = rest.split_once(" ⇒ ").expect("octets ⇒ a sentence");
                assert_eq!(refusal(&wire(octets), version), sentence, "{line}");
            }
            other => panic!("no such mark: {other}"),
        }
    }
}

fn wire(text: &str) -> Vec<u8> {
    text.replace('⏎', "\n").replace('␍', "\r").replace("^@", "\0").into_bytes()
}

/// Reads everything there is, as generic and as typed frames, and writes it again.
fn round(octets: &[u8], sender: Role, version: Version) -> Vec<u8> {
    let mut decoder = Decoder::new(sender, Limits::default());
    decoder.set_version(version);
    let mut buffer = BytesMut::from(octets);
    let mut out = BytesMut::new();
    while let Some(decoded) = decoder.decode(&mut buffer).expect("no fault") {
        let Decoded::Frame(frame) = decoded else {
            out.extend_from_slice(b"\n");
            continue;
        };
        match sender {
            Role::Client => drop(ClientFrame::parse(frame.clone(), version).expect("a frame")),
            Role::Server => drop(ServerFrame::parse(frame.clone(), version).expect("a frame")),
        }
        frame.encode(version, &mut out).expect("a frame that can be written");
    }
    assert!(buffer.is_empty() && decoder.is_between_frames());
    out.to_vec()
}

fn refusal(octets: &[u8], version: Version) -> String {
    let mut decoder = Decoder::new(Role::Client, Limits::default());
    decoder.set_version(version);
    let mut buffer = BytesMut::from(octets);
    loop {
        match decoder.decode(&mut buffer) {
            Err(error) => return error.to_string(),
            Ok(Some(Decoded::HeartBeat)) => {}
            Ok(Some(Decoded::Frame(frame))) => {
                return ClientFrame::parse(frame, version).expect_err("a refusal").to_string();
            }
            Ok(None) => panic!("no fault in {}", octets.escape_ascii()),
        }
    }
}
