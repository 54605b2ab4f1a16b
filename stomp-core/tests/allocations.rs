//! How often does it allocate? A frame that is read costs none but for its share of the read buffer,
//! up to twelve headers; more spill the index. Nothing that a subscriber gets is allocated for it.
//!
//! One test, because what is counted is the whole process.

use std::alloc::System;

use bytes::BytesMut;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use stomp_core::{Decoded, Decoder, FrameRef, Limits, Role, SharedMessage, Version};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

#[test]
fn frames_cost_next_to_no_allocations() {
    let few = per_frame(12);
    let many = per_frame(30);
    let borrowed = borrowed_per_frame(12);
    let subscriber = per_subscriber();
    println!(
        "allocations: {few:.4} a frame of 12 headers, {many:.4} of 30, {borrowed:.4} borrowed"
    );
    println!("allocations: {subscriber:.4} a subscriber");
    assert!(few <= 0.1 && many <= 3.0 && borrowed == 0.0 && subscriber <= 0.01);
}

const FRAMES: usize = 20_000;

fn wire(headers: usize) -> Vec<u8> {
    let lines: String = (1..headers).map(|i| format!("name-{i}:value-{i}\n")).collect();
    format!("SEND\n{lines}content-length:5\n\nhello\0").into_bytes()
}

/// In reads of 8 KiB, each frame used and let go: what a session does.
fn per_frame(headers: usize) -> f64 {
    let stream = wire(headers).repeat(FRAMES);
    let mut decoder = Decoder::new(Role::Client, Limits::default());
    let mut buffer = BytesMut::with_capacity(64 * 1024);
    let region = Region::new(ALLOCATOR);
    let mut count = 0;
    for read in stream.chunks(8192) {
        buffer.extend_from_slice(read);
        while let Ok(Some(Decoded::Frame(frame))) = decoder.decode(&mut buffer) {
            assert_eq!(frame.header("content-length").as_deref(), Some("5"));
            count += 1;
        }
    }
    let allocations = allocations(&region);
    assert_eq!(count, FRAMES);
    allocations / FRAMES as f64
}

fn borrowed_per_frame(headers: usize) -> f64 {
    let stream = wire(headers).repeat(FRAMES);
    let limits = Limits::default();
    let mut rest = &stream[..];
    let region = Region::new(ALLOCATOR);
    while let Ok(Some((_, length))) = FrameRef::decode(rest, Role::Client, Version::V1_2, &limits) {
        rest = &rest[length..];
    }
    assert!(rest.is_empty());
    allocations(&region) / FRAMES as f64
}

fn per_subscriber() -> f64 {
    let message = SharedMessage::new("/topic/a", [("content-type", "text/plain")], vec![7; 1024]);
    let mut out = BytesMut::with_capacity(4096);
    let region = Region::new(ALLOCATOR);
    for _ in 0..FRAMES {
        out.clear();
        let own = [("subscription", "0"), ("message-id", "a-1")];
        SharedMessage::encode_head(&mut out, Version::V1_2, &own);
        out.extend_from_slice(&message.tail(Version::V1_2));
    }
    allocations(&region) / FRAMES as f64
}

fn allocations(region: &Region<'_, System>) -> f64 {
    let change = region.change();
    (change.allocations + change.reallocations) as f64
}
