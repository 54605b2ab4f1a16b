//! What does it cost to write one message to a thousand subscribers?
//!
//! The tail (destination, headers, body) is the same for all of them, so it is encoded once and
//! shared; only the head with the subscription's own headers is written for each. The questions: how
//! much does that save against encoding a whole MESSAGE for each, and does the size of the body
//! still matter?

use std::hint::black_box;

use benches::{Answer, Bound, Contest, report};
use bytes::{Bytes, BytesMut};
use stomp_core::{Command, Frame, SharedMessage, Version};

const SUBSCRIBERS: usize = 1_000;
const HEADERS: [(&str, &str); 3] = [
    ("content-type", "application/json;charset=utf-8"),
    ("sender", "ann"),
    ("client-message-id", "0192f0c1-2a5b-7c3d-8e9f-0a1b2c3d4e5f"),
];

fn main() {
    let mut answers = vec![];
    let [short, middle, long] = [200, 1024, 16 * 1024].map(|size| Bytes::from(vec![b'x'; size]));
    let outcome = Contest::new("A message of 1 KiB, a subscriber")
        .entry("shared tail", || shared(&middle))
        .entry("whole re-encode", || whole(&middle))
        .run();
    answers.push(Answer {
        what: "fan-out encode, shared tail against whole re-encode, 1 KiB x 1,000",
        value: outcome.speed("shared tail", "whole re-encode"),
        floor: Bound::AtLeast(5.0),
    });
    let outcome = Contest::new("Does the body matter? A subscriber")
        .entry("200 B", || shared(&short))
        .entry("16 KiB", || shared(&long))
        .run();
    answers.push(Answer {
        what: "a 16 KiB body's cost per subscriber relative to a 200 B one",
        value: outcome.speed("200 B", "16 KiB"),
        floor: Bound::AtMost(1.5),
    });
    report(&answers);
}

/// Ids as a broker makes them: each subscriber has its own.
fn ids() -> Vec<(String, String)> {
    (0..SUBSCRIBERS).map(|i| (format!("sub-{}", i % 10), format!("7f3a91-{i}"))).collect()
}

/// Each connection's write buffer gets a head of its own, its queue the shared tail. The message is
/// new each time, so the encoding of the tail is part of it.
fn shared(body: &Bytes) -> usize {
    let message = SharedMessage::new("/topic/rooms.4711", HEADERS, body.clone());
    let mut out = BytesMut::with_capacity(32 * 1024);
    for_each_id(|subscription, id| {
        out.clear();
        let own = [("subscription", subscription), ("message-id", id), ("ack", id)];
        SharedMessage::encode_head(&mut out, Version::V1_2, &own);
        black_box((&out, message.tail(Version::V1_2)));
    });
    SUBSCRIBERS
}

/// Without a shared tail: all headers escaped and the body copied for each. The frame itself is made
/// once, so that only encoding counts.
fn whole(body: &Bytes) -> usize {
    let mut builder = Frame::builder(Command::Message)
        .header("subscription", "sub-7")
        .header("message-id", "7f3a91-777")
        .header("ack", "7f3a91-777")
        .header("destination", "/topic/rooms.4711");
    for (name, value) in HEADERS {
        builder = builder.header(name, value);
    }
    let frame = builder.body(body.clone()).build();
    let mut out = BytesMut::with_capacity(32 * 1024);
    for_each_id(|_, _| {
        out.clear();
        black_box((&frame.encode(Version::V1_2, &mut out), &out));
    });
    SUBSCRIBERS
}

fn for_each_id(mut each: impl FnMut(&str, &str)) {
    thread_local! {
        static IDS: Vec<(String, String)> = ids();
    }
    IDS.with(|ids| ids.iter().for_each(|(subscription, id)| each(subscription, id)));
}
