//! Is there a published codec that reads frames faster?
//!
//! All read the same MESSAGE frames, because most published codecs read servers' frames only. The
//! tokio codecs get reads of 4 KiB; stomp-parser knows no stream, so it gets each frame in a vector
//! of its own, as its interface asks.

/// The same harness and frames, without what the other benches need.
#[path = "../../lib.rs"]
#[allow(dead_code, reason = "this bench asks one question only")]
mod benches;

use std::hint::black_box;

use benches::{Answer, Bound, Contest, frames, report};
use bytes::BytesMut;
use stomp_core::{Limits, Role, codec::StompCodec};
use tokio_util::codec::Decoder;

fn main() {
    let (stream, count) = frames::stream(&frames::chat_message());
    let frame = frames::chat_message();
    let outcome = Contest::new("A MESSAGE of a chat, owned")
        .entry("stomp-core", || feed(&stream, StompCodec::new(Role::Server, Limits::default())))
        .entry("async-stomp", || feed(&stream, async_stomp::client::ClientCodec::new()))
        .entry("tokio-stomp-2", || feed(&stream, tokio_stomp_2::client::ClientCodec))
        .entry("stomp-parser", || {
            for _ in 0..count {
                let parsed = stomp_parser::server::ServerFrame::try_from(frame.clone());
                assert!(black_box(parsed).is_ok());
            }
            count
        })
        .run();
    let others = ["async-stomp", "tokio-stomp-2", "stomp-parser"];
    let fastest = others.map(|other| outcome.speed("stomp-core", other));
    report(&[
        Answer {
            what: "relative to async-stomp 0.7",
            value: fastest[0],
            floor: Bound::AtLeast(4.0),
        },
        Answer {
            what: "relative to tokio-stomp-2 0.3",
            value: fastest[1],
            floor: Bound::AtLeast(4.0),
        },
        Answer {
            what: "relative to stomp-parser 0.8",
            value: fastest[2],
            floor: Bound::AtLeast(4.0),
        },
    ]);
}

/// Every frame of `octets` in reads of 4 KiB; the number of them.
fn feed<D: Decoder>(octets: &[u8], mut codec: D) -> usize {
    let mut buffer = BytesMut::with_capacity(8192);
    let mut count = 0;
    for read in octets.chunks(4096) {
        buffer.extend_from_slice(read);
        while let Ok(Some(found)) = codec.decode(&mut buffer) {
            black_box(&found);
            count += 1;
        }
    }
    assert_eq!(count, octets.len() / frames::chat_message().len());
    count
}
