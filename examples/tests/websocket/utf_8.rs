//! Text is UTF-8, wherever its frames and its octets are cut.

use crate::raw::{BINARY, Echo, FIN, GOES_ON, PING, Said, TEXT, frame, text};

const NOT_UTF_8: Said = Said::Close(Some(1007));

/// At the borders of what can be written in one to four octets, and some that are only odd.
const VALID: [&str; 9] = [
    "\0",
    "\u{7f}\u{80}",
    "\u{7ff}\u{800}",
    "\u{d7ff}\u{e000}",
    "\u{fffd}\u{fffe}\u{ffff}",
    "\u{10000}\u{1fffe}\u{10ffff}",
    "\u{feff}Hello-µ@ßöäüàá-UTF-8!!",
    "κόσμε 안녕 🎉",
    "e\u{301}\u{202e}",
];

const INVALID: [(&str, &[u8]); 16] = [
    ("a continuation alone", b"\x80"),
    ("the last continuation alone", b"\xbf"),
    ("the beginning of two alone", b"\xc3 "),
    ("the beginning of three alone", b"\xe0 "),
    ("two of three octets", b"\xe1\x80 "),
    ("three of four octets", b"\xf1\x80\x80 "),
    ("a solidus in two octets", b"\xc0\xaf"),
    ("a solidus in three octets", b"\xe0\x80\xaf"),
    ("a solidus in four octets", b"\xf0\x80\x80\xaf"),
    ("NUL in two octets", b"\xc0\x80"),
    ("the first surrogate", b"\xed\xa0\x80"),
    ("the last surrogate", b"\xed\xbf\xbf"),
    ("a pair of surrogates", b"\xed\xa0\x80\xed\xb0\x80"),
    ("above the last code point", b"\xf4\x90\x80\x80"),
    ("five octets", b"\xf8\x88\x80\x80\x80"),
    ("an octet that never occurs", b"\xff"),
];

#[tokio::test]
async fn valid_text_comes_back_however_it_is_cut() {
    let echo = Echo::start().await;
    for valid in VALID {
        echo.answers(valid, &frame(FIN | TEXT, valid.as_bytes()), &[text(valid)]).await;
        for cut in 0..=valid.len() {
            let (head, tail) = valid.as_bytes().split_at(cut);
            let pieces = [frame(TEXT, head), frame(FIN | GOES_ON, tail)].concat();
            echo.answers(&format!("{valid} cut at {cut}"), &pieces, &[text(valid)]).await;
        }
        let mut octets = frame(TEXT, b"");
        for octet in valid.as_bytes() {
            octets.extend(frame(GOES_ON, &[*octet]));
            octets.extend(frame(FIN | PING, b"?"));
        }
        octets.extend(frame(FIN, b""));
        let pongs = (0..valid.len()).map(|_| Said::Pong(b"?".to_vec()));
        let expected: Vec<Said> = pongs.chain([text(valid)]).collect();
        echo.answers(&format!("{valid} octet by octet, with pings"), &octets, &expected).await;
    }
}

#[tokio::test]
async fn invalid_text_is_refused_wherever_it_stands() {
    let echo = Echo::start().await;
    for (what, invalid) in INVALID {
        let whole = [b"before ", invalid, b" behind"].concat();
        echo.answers(what, &frame(FIN | TEXT, &whole), &[NOT_UTF_8]).await;
        for cut in 0..=whole.len() {
            let (head, tail) = whole.split_at(cut);
            let pieces = [frame(TEXT, head), frame(FIN | GOES_ON, tail)].concat();
            echo.answers(&format!("{what}, cut at {cut}"), &pieces, &[NOT_UTF_8]).await;
        }
    }
}

#[tokio::test]
async fn invalid_text_is_refused_before_its_message_ends() {
    let echo = Echo::start().await;
    for (what, invalid) in INVALID {
        let octets = [frame(TEXT, b"valid"), frame(GOES_ON, &[invalid, b" "].concat())].concat();
        echo.answers(what, &octets, &[NOT_UTF_8]).await; // nothing more is sent: it need not wait
    }
}

#[tokio::test]
async fn text_that_ends_within_a_code_point_is_refused() {
    let echo = Echo::start().await;
    for letter in ["é", "한", "🎉"] {
        for cut in 1..letter.len() {
            let begun = &letter.as_bytes()[..cut];
            echo.answers(letter, &frame(FIN | TEXT, begun), &[NOT_UTF_8]).await;
            let pieces = [frame(TEXT, begun), frame(FIN, b"")].concat();
            echo.answers(letter, &pieces, &[NOT_UTF_8]).await;
            // The next message does not complete it.
            let rest = &letter.as_bytes()[cut..];
            let two = [frame(FIN | TEXT, begun), frame(FIN | TEXT, rest)].concat();
            echo.answers(letter, &two, &[NOT_UTF_8]).await;
        }
    }
}

#[tokio::test]
async fn octets_that_are_not_called_text_may_be_anything() {
    let echo = Echo::start().await;
    for (what, invalid) in INVALID {
        let octets = frame(FIN | BINARY, invalid);
        echo.answers(what, &octets, &[Said::Binary(invalid.to_vec())]).await;
        echo.answers(what, &frame(FIN | PING, invalid), &[Said::Pong(invalid.to_vec())]).await;
    }
}
