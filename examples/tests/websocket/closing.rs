//! The end of a connection: codes and reasons, and what comes after.

use crate::raw::{CLOSE, Echo, FIN, PING, Said, TEXT, close, frame, text};

const PROTOCOL: Said = Said::Close(Some(1002));

#[tokio::test]
async fn a_close_is_answered_with_its_code() {
    let echo = Echo::start().await;
    echo.answers("no code", &frame(FIN | CLOSE, b""), &[Said::Close(None)]).await;
    let valid = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013];
    for code in valid.into_iter().chain([3000, 3999, 4000, 4999]) {
        let expected = [Said::Close(Some(code))];
        echo.answers(&code.to_string(), &close(code, b""), &expected).await;
        echo.answers(&code.to_string(), &close(code, "später".as_bytes()), &expected).await;
        echo.answers(&code.to_string(), &close(code, &[b'*'; 123]), &expected).await;
    }
}

#[tokio::test]
async fn codes_that_nobody_may_send_are_a_fault() {
    let echo = Echo::start().await;
    for code in [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, u16::MAX] {
        echo.answers(&code.to_string(), &close(code, b"x"), &[PROTOCOL]).await;
    }
}

#[tokio::test]
async fn half_a_code_is_a_fault() {
    Echo::start().await.answers("one octet", &frame(FIN | CLOSE, &[3]), &[PROTOCOL]).await;
}

#[tokio::test]
async fn a_reason_is_utf_8() {
    let echo = Echo::start().await;
    for reason in [&b"\xff"[..], b"\xce\xba\xe1\xbd\xb9\xcf", b"\xed\xa0\x80"] {
        echo.answers("a bad reason", &close(1000, reason), &[Said::Close(Some(1007))]).await;
    }
}

#[tokio::test]
async fn nothing_behind_a_close_is_heard() {
    let echo = Echo::start().await;
    for behind in [frame(FIN | TEXT, b"late"), frame(FIN | PING, b"late"), close(1001, b"late")] {
        let octets = [frame(FIN | TEXT, b"early"), close(1000, b""), behind].concat();
        echo.answers("behind", &octets, &[text("early"), Said::Close(Some(1000))]).await;
    }
}

#[tokio::test]
async fn what_was_sent_before_a_close_is_answered_before_it() {
    let echo = Echo::start().await;
    let large = "*".repeat(256 * 1024);
    let octets = [frame(FIN | TEXT, large.as_bytes()), close(1000, b"")].concat();
    echo.answers("a large echo", &octets, &[text(&large), Said::Close(Some(1000))]).await;
}
