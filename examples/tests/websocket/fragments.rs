//! Messages in pieces, and what may stand between the pieces.

use crate::raw::{BINARY, CLOSE, Echo, FIN, GOES_ON, PING, PONG, Said, TEXT, close, frame, text};

const PROTOCOL: Said = Said::Close(Some(1002));

#[tokio::test]
async fn pieces_make_one_message_of_the_first_ones_kind() {
    let echo = Echo::start().await;
    let two = [frame(TEXT, b"frag"), frame(FIN | GOES_ON, b"ments")].concat();
    echo.answers("two", &two, &[text("fragments")]).await;
    let octets = [frame(BINARY, &[0xff]), frame(GOES_ON, &[0]), frame(FIN, &[0xfe])].concat();
    echo.answers("octets", &octets, &[Said::Binary(vec![0xff, 0, 0xfe])]).await;
    let empty = [frame(TEXT, b""), frame(GOES_ON, b""), frame(FIN, b"")].concat();
    echo.answers("of nothing", &empty, &[text("")]).await;
    let hollow = [frame(TEXT, b""), frame(GOES_ON, b"middle"), frame(FIN, b"")].concat();
    echo.answers("nothing at the ends", &hollow, &[text("middle")]).await;
    let mut many = frame(TEXT, b"");
    for _ in 0..1_000 {
        many.extend(frame(GOES_ON, b"0123456789"));
    }
    many.extend(frame(FIN, b""));
    echo.answers("a thousand", &many, &[text(&"0123456789".repeat(1_000))]).await;
}

#[tokio::test]
async fn control_frames_may_stand_between_pieces_and_are_answered_at_once() {
    let echo = Echo::start().await;
    let mut client = echo.client().await;
    client.write(&frame(TEXT, b"a")).await;
    for n in 0..3 {
        client.write(&frame(FIN | PING, &[n])).await;
        assert_eq!(client.next().await, Said::Pong(vec![n]), "the message has not ended yet");
        client.write(&frame(FIN | PONG, b"stray")).await;
        client.write(&frame(GOES_ON, b"b")).await;
    }
    client.write(&frame(FIN, b"c")).await;
    assert_eq!(client.next().await, text("abbbc"));

    let closed = [frame(TEXT, b"never ended"), close(1000, b""), frame(FIN, b"!")].concat();
    echo.answers("a close between", &closed, &[Said::Close(Some(1000))]).await;
}

#[tokio::test]
async fn control_frames_come_whole() {
    let echo = Echo::start().await;
    for opcode in [PING, PONG, CLOSE] {
        let what = format!("opcode {opcode} in pieces");
        echo.answers(&what, &frame(opcode, b"\x03\xe8"), &[PROTOCOL]).await;
        let pieces = [frame(opcode, b""), frame(FIN, b"")].concat();
        echo.answers(&what, &pieces, &[PROTOCOL]).await;
    }
}

#[tokio::test]
async fn nothing_goes_on_that_has_not_begun() {
    let echo = Echo::start().await;
    for first in [GOES_ON, FIN | GOES_ON] {
        echo.answers("at first", &frame(first, b"x"), &[PROTOCOL]).await;
        let behind = [frame(FIN | TEXT, b"whole"), frame(first, b"x")].concat();
        echo.answers("behind a whole one", &behind, &[text("whole"), PROTOCOL]).await;
    }
}

#[tokio::test]
async fn a_message_ends_before_the_next_begins() {
    let echo = Echo::start().await;
    for second in [TEXT, BINARY, FIN | TEXT, FIN | BINARY] {
        let octets = [frame(TEXT, b"first"), frame(second, b"second")].concat();
        echo.answers(&format!("{second:x}"), &octets, &[PROTOCOL]).await;
    }
}

#[tokio::test]
async fn pieces_together_are_no_larger_than_a_message_may_be() {
    let echo = Echo::start().await;
    let piece = vec![0; crate::ws_echo::LARGEST / 2];
    let largest = [frame(BINARY, &piece), frame(FIN, &piece)].concat();
    echo.answers("the largest", &largest, &[Said::Binary([&piece[..], &piece].concat())]).await;
    let more = [frame(BINARY, &piece), frame(GOES_ON, &piece), frame(FIN, b"x")].concat();
    echo.answers("one octet more", &more, &[Said::Close(Some(1009))]).await;
}
