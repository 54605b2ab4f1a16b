//! Header lines: names, values, and which of repeated ones counts.

use stomp_core::{DecodeError, Version};

use super::{fault, frame, pair, pairs};

#[test]
fn the_first_of_repeated_headers_is_the_value() {
    let frame = frame(b"SEND\ndestination:a\nfoo:World\nfoo:Hello\n\n\0", Version::V1_2);
    assert_eq!(frame.header("foo").as_deref(), Some("World"));
}

#[test]
fn all_repeated_headers_are_kept_in_order() {
    let frame = frame(b"SEND\nfoo:World\nbar:1\nfoo:Hello\n\n\0", Version::V1_2);
    let expected = [pair("foo", "World"), pair("bar", "1"), pair("foo", "Hello")];
    assert_eq!(pairs(&frame), expected);
}

#[test]
fn colons_behind_the_first_belong_to_the_value() {
    for version in Version::ALL {
        let frame = frame(b"SEND\ntime:10:11:12\nurl:http://a:80\n\n\0", version);
        assert_eq!(pairs(&frame), [pair("time", "10:11:12"), pair("url", "http://a:80")]);
    }
}

#[test]
fn empty_values_are_fine() {
    let frame = frame(b"SEND\nempty:\ncolon::\n\n\0", Version::V1_2);
    assert_eq!(pairs(&frame), [pair("empty", ""), pair("colon", ":")]);
}

#[test]
fn a_line_without_colon_is_a_fault() {
    assert_eq!(fault(b"SEND\ndestination\n\n\0", Version::V1_2), DecodeError::MissingColon);
    assert_eq!(fault(b"SEND\n \n\n\0", Version::V1_0), DecodeError::MissingColon);
}

#[test]
fn an_empty_name_is_a_fault() {
    assert_eq!(fault(b"SEND\n:value\n\n\0", Version::V1_2), DecodeError::EmptyHeaderName);
}

#[test]
fn values_are_never_trimmed_from_1_1_on() {
    for version in [Version::V1_1, Version::V1_2] {
        let frame = frame(b"SEND\n name : value \t\n\n\0", version);
        assert_eq!(pairs(&frame), [pair(" name ", " value \t")]);
    }
}

#[test]
fn values_are_trimmed_in_1_0() {
    let frame =
        frame(b"SEND\ndestination: /queue/a \ntab:\ta\t\nblank:  \nfull:a b\n\n\0", Version::V1_0);
    let expected =
        [pair("destination", "/queue/a"), pair("tab", "a"), pair("blank", ""), pair("full", "a b")];
    assert_eq!(pairs(&frame), expected);
}

#[test]
fn unknown_headers_are_not_lost() {
    let frame = frame(b"SEND\ndestination:a\nx-own:1\n\n\0", Version::V1_2);
    assert_eq!(frame.header("x-own").as_deref(), Some("1"));
}

#[test]
fn more_headers_than_fit_inline_are_read_the_same() {
    for count in [11, 12, 13, 14, 40] {
        let lines: String = (0..count).map(|i| format!("name{i}:value{i}\n")).collect();
        let frame = frame(format!("SEND\n{lines}\n\0").as_bytes(), Version::V1_2);
        let expected: Vec<_> =
            (0..count).map(|i| pair(&format!("name{i}"), &format!("value{i}"))).collect();
        assert_eq!(pairs(&frame), expected);
    }
}

#[test]
fn marks_anywhere_in_a_block_are_found() {
    for length in 1..100 {
        let name = "n".repeat(length);
        let value = "v".repeat(length);
        let frame = frame(format!("SEND\n{name}:{value}\nx:y\n\n\0").as_bytes(), Version::V1_2);
        assert_eq!(pairs(&frame), [pair(&name, &value), pair("x", "y")]);
    }
}

#[test]
fn other_control_characters_are_characters() {
    let frame = frame(b"SEND\na:\x01\x02\x08\t\x0b\x0c\x0e\x1f\x7f\n\n\0", Version::V1_2);
    assert_eq!(pairs(&frame), [pair("a", "\x01\x02\x08\t\x0b\x0c\x0e\x1f\x7f")]);
}

#[test]
fn raw_octets_are_available() {
    let frame = frame(b"SEND\na\\cb:c\\nd\nplain:x\n\n\0", Version::V1_2);
    let headers: Vec<_> = frame.headers().collect();
    assert_eq!((headers[0].raw_name(), headers[0].raw_value()), (&b"a\\cb"[..], &b"c\\nd"[..]));
    assert!(headers[0].is_escaped() && !headers[1].is_escaped());
    assert_eq!(frame.headers().len(), 2);
}

#[test]
fn an_escaped_name_is_found_by_what_it_means() {
    let frame = frame(b"SEND\na\\cb:1\n\n\0", Version::V1_2);
    assert_eq!(frame.header("a:b").as_deref(), Some("1"));
    assert_eq!(frame.header("a\\cb"), None);
}
