//! A test for each MUST and SHOULD of the three specifications that octets can show;
//! `docs/conformance.md` is the list. What only a session can show is tested in stomp-server.

mod body;
mod client_frames;
mod errors;
mod framing;
mod headers;
mod limits;
mod negotiation;
mod secrets;
mod server_frames;
mod shared;
mod values;

use bytes::BytesMut;
use stomp_core::{DecodeError, Decoded, Decoder, Frame, Limits, Role, Version};

/// What a decoder makes of `stream`: frames, how often it found heart-beats, and the first fault.
#[derive(Debug)]
struct Reading {
    frames: Vec<Frame>,
    heart_beats: usize,
    fault: Option<DecodeError>,
    receipt_id: Option<String>,
}

fn read_as(stream: &[u8], sender: Role, version: Version, limits: Limits) -> Reading {
    let mut decoder = Decoder::new(sender, limits);
    decoder.set_version(version);
    let mut buffer = BytesMut::from(stream);
    let mut reading = Reading { frames: vec![], heart_beats: 0, fault: None, receipt_id: None };
    loop {
        match decoder.decode(&mut buffer) {
            Ok(Some(Decoded::Frame(frame))) => reading.frames.push(frame),
            Ok(Some(Decoded::HeartBeat)) => reading.heart_beats += 1,
            Ok(None) => return reading,
            Err(error) => {
                reading.fault = Some(error);
                reading.receipt_id = decoder.receipt_id().map(Into::into);
                return reading;
            }
        }
    }
}

/// Of a client, in one version.
fn read(stream: &[u8], version: Version) -> Reading {
    read_as(stream, Role::Client, version, Limits::default())
}

/// The one frame that `stream` is.
fn frame(stream: &[u8], version: Version) -> Frame {
    one(read(stream, version))
}

fn server_frame(stream: &[u8], version: Version) -> Frame {
    one(read_as(stream, Role::Server, version, Limits::default()))
}

fn one(reading: Reading) -> Frame {
    assert_eq!(reading.fault, None);
    let [frame] = <[Frame; 1]>::try_from(reading.frames).expect("one frame");
    frame
}

fn fault(stream: &[u8], version: Version) -> DecodeError {
    let reading = read(stream, version);
    reading.fault.unwrap_or_else(|| panic!("no fault in {}: {reading:?}", stream.escape_ascii()))
}

fn encoded(frame: &Frame, version: Version) -> String {
    let mut out = BytesMut::new();
    frame.encode(version, &mut out).expect("a frame that can be written");
    String::from_utf8(out.to_vec()).expect("text")
}

/// Names and values as a reader sees them.
fn pairs(frame: &Frame) -> Vec<(String, String)> {
    frame.headers().map(|header| (header.name().into(), header.value().into())).collect()
}

fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}
