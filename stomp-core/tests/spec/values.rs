//! UTF-8, escapes, and what each version can write.

use bytes::BytesMut;
use stomp_core::{Command, DecodeError, EncodeError, Frame, Version};

use super::{encoded, fault, frame, pair, pairs, server_frame};

#[test]
fn escapes_of_1_2_are_resolved() {
    let frame = frame(b"SEND\na\\\\b\\cc\\nd\\re:\\c\\r\\n\\\\\n\n\0", Version::V1_2);
    assert_eq!(pairs(&frame), [pair("a\\b:c\nd\re", ":\r\n\\")]);
}

#[test]
fn escapes_of_1_1_are_resolved() {
    let frame = frame(b"SEND\na\\\\b\\cc\\nd:\\c\\n\\\\\n\n\0", Version::V1_1);
    assert_eq!(pairs(&frame), [pair("a\\b:c\nd", ":\n\\")]);
}

#[test]
fn version_1_0_has_no_escapes() {
    let frame = frame(b"SEND\na\\cb:c\\nd\\t\\\n\n\0", Version::V1_0);
    assert_eq!(pairs(&frame), [pair("a\\cb", "c\\nd\\t\\")]);
}

#[test]
fn undefined_escapes_are_a_fault() {
    for value in ["\\t", "\\", "a\\", "\\N", "\\:", "\\\\\\", "\\é", "\\u0041"] {
        for stream in [format!("SEND\na:{value}\n\n\0"), format!("SEND\n{value}a:b\n\n\0")] {
            if stream.contains("\\\\\\a") || stream.contains("\\:") && !stream.contains("a:\\:") {
                continue;
            }
            assert_eq!(fault(stream.as_bytes(), Version::V1_2), DecodeError::UndefinedEscape);
            assert_eq!(fault(stream.as_bytes(), Version::V1_1), DecodeError::UndefinedEscape);
        }
    }
}

#[test]
fn the_escape_of_cr_is_undefined_in_1_1() {
    assert_eq!(fault(b"SEND\na:\\r\n\n\0", Version::V1_1), DecodeError::UndefinedEscape);
}

#[test]
fn a_backslash_before_the_end_of_line_is_undefined() {
    assert_eq!(fault(b"SEND\na:b\\\nc:d\n\n\0", Version::V1_2), DecodeError::UndefinedEscape);
    assert_eq!(fault(b"SEND\na:b\\\r\n\r\n\0", Version::V1_2), DecodeError::UndefinedEscape);
}

#[test]
fn connect_and_stomp_are_not_unescaped() {
    for version in Version::ALL {
        for command in ["CONNECT", "STOMP"] {
            let stream = format!("{command}\nlogin:a\\nb\npasscode:\\t\\\n\n\0");
            let frame = frame(stream.as_bytes(), version);
            assert_eq!(frame.header("login").as_deref(), Some("a\\nb"));
            assert_eq!(frame.header("passcode").as_deref(), Some("\\t\\"));
        }
    }
}

#[test]
fn connected_is_not_unescaped() {
    let frame = server_frame(b"CONNECTED\nserver:a\\cb\n\n\0", Version::V1_2);
    assert_eq!(frame.header("server").as_deref(), Some("a\\cb"));
}

#[test]
fn connect_stomp_and_connected_are_not_escaped() {
    for command in [Command::Connect, Command::Stomp, Command::Connected] {
        let frame = Frame::builder(command).header("a", "b:c\\d").build();
        for version in Version::ALL {
            assert_eq!(encoded(&frame, version), format!("{command}\na:b:c\\d\n\n\0"));
        }
    }
}

#[test]
fn what_would_need_an_escape_in_connect_is_refused() {
    for command in [Command::Connect, Command::Stomp, Command::Connected] {
        for (name, value) in [("a:b", "c"), ("a\n", "b"), ("a", "b\nc"), ("a", "b\r"), ("a", "\0")]
        {
            let frame = Frame::builder(command).header(name, value).build();
            for version in Version::ALL {
                let mut out = BytesMut::from("before");
                assert_eq!(frame.encode(version, &mut out), Err(EncodeError::Unwritable(command)));
                assert_eq!(out, "before");
            }
        }
    }
}

#[test]
fn each_version_writes_its_own_escapes() {
    let frame = Frame::builder(Command::Send).header("n:\n\\", "v:\n\r\\ ").build();
    assert_eq!(encoded(&frame, Version::V1_2), "SEND\nn\\c\\n\\\\:v\\c\\n\\r\\\\ \n\n\0");
    assert_eq!(encoded(&frame, Version::V1_1), "SEND\nn\\c\\n\\\\:v\\c\\n \\\\ \n\n\0");
    assert_eq!(encoded(&frame, Version::V1_0), "SEND\nn  \\:v:  \\ \n\n\0");
}

#[test]
fn no_header_can_be_injected_in_any_version() {
    let evil = "x\n\r\nfoo:bar\r\n\n\0MESSAGE\n";
    let frame = Frame::builder(Command::Message).header(evil, evil).header("z", "1").build();
    for version in Version::ALL {
        let wire = encoded(&frame, version);
        let read = server_frame(wire.as_bytes(), version);
        assert_eq!(read.headers().len(), 2);
        assert_eq!(read.header("z").as_deref(), Some("1"));
    }
}

#[test]
fn a_frame_of_one_version_is_written_in_another() {
    let old = frame(b"SEND\ndestination:a:b\\c\n\n\0", Version::V1_0);
    assert_eq!(encoded(&old, Version::V1_2), "SEND\ndestination:a\\cb\\\\c\n\n\0");
    let new = frame(b"SEND\ndestination:a\\cb\\\\c\\r\n\n\0", Version::V1_2);
    assert_eq!(encoded(&new, Version::V1_0), "SEND\ndestination:a:b\\c \n\n\0");
    assert_eq!(encoded(&new, Version::V1_1), "SEND\ndestination:a\\cb\\\\c \n\n\0");
}

#[test]
fn headers_are_utf_8() {
    let frame = frame("SEND\nname:Grüße 世界 🦀\nключ:1\n\n\0".as_bytes(), Version::V1_2);
    assert_eq!(pairs(&frame), [pair("name", "Grüße 世界 🦀"), pair("ключ", "1")]);
}

#[test]
fn headers_that_are_not_utf_8_are_a_fault_in_every_version() {
    for octets in [&b"\xff"[..], b"\xc3", b"\xed\xa0\x80", b"\xc0\x80", b"\xf8\x88\x80\x80\x80"] {
        for version in Version::ALL {
            for (before, behind) in [(&b"SEND\na:"[..], &b"\n\n\0"[..]), (b"SEND\n", b":b\n\n\0")] {
                let stream = [before, octets, behind].concat();
                assert_eq!(fault(&stream, version), DecodeError::InvalidUtf8);
            }
        }
    }
}

#[test]
fn a_character_is_not_pieced_together_over_a_colon() {
    assert_eq!(fault(b"SEND\na\xc3:\xa9b\n\n\0", Version::V1_2), DecodeError::InvalidUtf8);
}
