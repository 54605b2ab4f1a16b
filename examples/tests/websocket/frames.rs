//! Single frames: lengths, masks, reserved bits and opcodes, pings.

use crate::raw::{BINARY, Echo, FIN, PING, PONG, Said, TEXT, close, frame, frame_of, text};

const PROTOCOL: Said = Said::Close(Some(1002));
const TOO_LARGE: Said = Said::Close(Some(1009));

#[tokio::test]
async fn text_and_octets_of_every_kind_of_length_come_back() {
    let echo = Echo::start().await;
    for length in [0, 1, 125, 126, 127, 128, 4_096, 65_535, 65_536, 200_000] {
        let words = "*".repeat(length);
        let octets: Vec<u8> = (0..length).map(|n| n as u8).collect();
        let what = format!("{length} octets");
        echo.answers(&what, &frame(FIN | TEXT, words.as_bytes()), &[text(&words)]).await;
        echo.answers(&what, &frame(FIN | BINARY, &octets), &[Said::Binary(octets.clone())]).await;
    }
}

#[tokio::test]
async fn a_stream_may_be_cut_anywhere() {
    let echo = Echo::start().await;
    let octets = [
        frame(TEXT, "κόσ".as_bytes()),
        frame(FIN | PING, b"in between"),
        frame(FIN, "με".as_bytes()),
        frame(FIN | BINARY, &[7; 300]),
        close(1000, b"bye"),
    ]
    .concat();
    let expected = || {
        [
            Said::Pong(b"in between".to_vec()),
            text("κόσμε"),
            Said::Binary(vec![7; 300]),
            Said::Close(Some(1000)),
        ]
    };
    echo.answers("at once", &octets, &expected()).await;
    let mut client = echo.client().await;
    for octet in octets {
        client.write(&[octet]).await;
        tokio::task::yield_now().await;
    }
    for expected in expected() {
        assert_eq!(client.next().await, expected);
    }
}

#[tokio::test]
async fn pings_are_answered_with_what_they_brought() {
    let echo = Echo::start().await;
    for payload in [&b""[..], b"hello", &[0, 0xff, 0xfe, 0xfd], &[b'*'; 125]] {
        let ping = frame(FIN | PING, payload);
        echo.answers("a ping", &ping, &[Said::Pong(payload.to_vec())]).await;
    }
    let mut client = echo.client().await;
    for n in 0..10 {
        client.write(&frame(FIN | PING, &[n])).await;
        assert_eq!(client.next().await, Said::Pong(vec![n]));
    }
    let pongs = [frame(FIN | PONG, b""), frame(FIN | PONG, b"nobody asked")].concat();
    let octets = [pongs, frame(FIN | TEXT, b"on")].concat();
    echo.answers("a pong that nobody asked for", &octets, &[text("on")]).await;
}

#[tokio::test]
async fn control_frames_have_at_most_125_octets() {
    let echo = Echo::start().await;
    for opcode in [PING, PONG] {
        let long = frame(FIN | opcode, &[b'*'; 126]);
        echo.answers("126 octets", &long, &[PROTOCOL]).await;
        let huge = [&[FIN | opcode, 0xff][..], &(1_u64 << 40).to_be_bytes(), &[0; 4]].concat();
        // Two rules are broken; the one that needs no more octets speaks.
        echo.answers("a terabyte", &huge, &[TOO_LARGE]).await;
    }
    echo.answers("a long close", &close(1000, &[b'*'; 124]), &[PROTOCOL]).await;
}

#[tokio::test]
async fn reserved_bits_are_refused_in_every_frame() {
    let echo = Echo::start().await;
    for reserved in [0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70] {
        for opcode in [TEXT, BINARY, PING, PONG, 0x8] {
            let what = format!("bits {reserved:x} of opcode {opcode}");
            echo.answers(&what, &frame(FIN | reserved | opcode, b"x"), &[PROTOCOL]).await;
        }
        let later = [frame(TEXT, b"a"), frame(FIN | reserved, b"b")].concat();
        echo.answers("in a later fragment", &later, &[PROTOCOL]).await;
    }
}

#[tokio::test]
async fn reserved_opcodes_are_refused_and_what_came_before_is_answered() {
    let echo = Echo::start().await;
    for opcode in (3..8).chain(11..16) {
        let what = format!("opcode {opcode}");
        echo.answers(&what, &frame(FIN | opcode, b""), &[PROTOCOL]).await;
        let second = [frame(FIN | TEXT, b"first"), frame(FIN | opcode, b"x")].concat();
        echo.answers(&what, &second, &[text("first"), PROTOCOL]).await;
    }
}

#[tokio::test]
async fn frames_without_a_mask_are_refused() {
    let echo = Echo::start().await;
    for octets in [&b"\x81\x05hello"[..], b"\x82\x00", b"\x89\x00", b"\x88\x02\x03\xe8"] {
        echo.answers("no mask", octets, &[PROTOCOL]).await;
    }
    // A mask of zeros is a mask.
    echo.answers("zeros", b"\x81\x85\0\0\0\0hello", &[text("hello")]).await;
}

#[tokio::test]
async fn a_length_that_cannot_be_is_refused_before_it_is_read() {
    let echo = Echo::start().await;
    let largest = crate::ws_echo::LARGEST as u64;
    for length in [largest + 1, 1 << 40, u64::MAX >> 1, 1 << 63, u64::MAX] {
        let octets = [&[FIN | BINARY, 0xff][..], &length.to_be_bytes(), &[0; 4]].concat();
        echo.answers(&format!("{length} octets"), &octets, &[TOO_LARGE]).await;
    }
}

/// The fewest octets are the sender's duty; nothing is to be gained by refusing more, and all
/// readers must agree on where a frame ends.
#[tokio::test]
async fn lengths_in_more_octets_than_they_need_are_read_as_what_they_say() {
    let echo = Echo::start().await;
    for octets in [2, 8] {
        let what = format!("in {octets} octets");
        let two = [frame_of(FIN | TEXT, octets, b"hello"), frame(FIN | TEXT, b"next")].concat();
        echo.answers(&what, &two, &[text("hello"), text("next")]).await;
        echo.answers(&what, &frame_of(FIN | TEXT, octets, b""), &[text("")]).await;
    }
}
