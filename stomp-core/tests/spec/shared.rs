//! One message for many subscribers, and for a journal.

use bytes::{Bytes, BytesMut};
use stomp_core::{ClientFrame, Send, SharedMessage, StoredError, Version};

use super::{frame, pair, pairs, server_frame};

fn send(stream: &[u8], version: Version) -> Send {
    match ClientFrame::parse(frame(stream, version), version) {
        Ok(ClientFrame::Send(send)) => send,
        other => panic!("{other:?}"),
    }
}

fn wire(message: &SharedMessage, version: Version, headers: &[(&str, &str)]) -> Vec<u8> {
    let mut out = BytesMut::new();
    SharedMessage::encode_head(&mut out, version, headers);
    out.extend_from_slice(&message.tail(version));
    out.to_vec()
}

fn headers(message: &SharedMessage) -> Vec<(String, String)> {
    message.headers().map(|(name, value)| (name.into(), value.into())).collect()
}

#[test]
fn a_message_passes_on_what_the_sender_wrote() {
    let send = send(
        b"SEND\ndestination:/topic/a\nfoo:1\ncontent-type:text/plain\nfoo:2\n\nhi\0",
        Version::V1_2,
    );
    let message = SharedMessage::from_send(&send);
    assert_eq!(message.destination(), "/topic/a");
    let expected = [pair("foo", "1"), pair("content-type", "text/plain"), pair("foo", "2")];
    assert_eq!(headers(&message), expected);
    assert_eq!(message.header("foo").as_deref(), Some("1"));
    assert_eq!(&message.body()[..], b"hi");
}

#[test]
fn headers_of_the_send_itself_and_forged_ones_are_dropped() {
    let stream = b"SEND\ndestination:a\nreceipt:1\ntransaction:2\ncontent-length:2\nmessage-id:3\n\
        subscription:4\nack:5\nredelivered:6\nposition:7\ndelivery-count:8\nx-death-reason:9\n\
        x-death:10\nmine:11\n\nhi\0";
    let message = SharedMessage::from_send(&send(stream, Version::V1_2));
    assert_eq!(headers(&message), [pair("x-death", "10"), pair("mine", "11")]);
}

#[test]
fn no_content_type_is_invented() {
    let message = SharedMessage::from_send(&send(b"SEND\ndestination:a\n\nhi\0", Version::V1_2));
    let tail = message.tail(Version::V1_2);
    assert_eq!(&tail[..], b"destination:a\ncontent-length:2\n\nhi\0");
}

#[test]
fn a_message_may_go_elsewhere_with_headers_that_win() {
    let send = send(b"SEND\ndestination:/app/x\nfoo:theirs\n\nhi\0", Version::V1_2);
    let message =
        SharedMessage::from_send_with(&send, "/topic/x", &[("foo", "ours"), ("by", "me")]);
    assert_eq!(message.destination(), "/topic/x");
    assert_eq!(message.header("foo").as_deref(), Some("ours"));
    assert_eq!(headers(&message), [pair("foo", "ours"), pair("by", "me"), pair("foo", "theirs")]);
}

#[test]
fn head_and_tail_make_one_message_in_every_version() {
    let own = [("subscription", "s:\n\\1"), ("message-id", "m\r1")];
    let message = SharedMessage::new("/topic/ü:\n", [("a:b", "c\nd"), ("e", "\\")], "x\0y");
    for version in Version::ALL {
        let wire = wire(&message, version, &own);
        let read = server_frame(&wire, version);
        assert_eq!(read.headers().len(), 6);
        assert_eq!(&read.body()[..], b"x\0y");
        assert_eq!(read.header("content-length").as_deref(), Some("3"));
        if version == Version::V1_2 {
            let expected = [
                pair("subscription", "s:\n\\1"),
                pair("message-id", "m\r1"),
                pair("destination", "/topic/ü:\n"),
                pair("a:b", "c\nd"),
                pair("e", "\\"),
                pair("content-length", "3"),
            ];
            assert_eq!(pairs(&read), expected);
        }
    }
}

#[test]
fn what_1_0_cannot_write_becomes_a_space() {
    let message = SharedMessage::new("a\nb", [("c:d", "e\r\nf:g")], "");
    let tail = message.tail(Version::V1_0);
    assert_eq!(&tail[..], b"destination:a b\nc d:e  f:g\ncontent-length:0\n\n\0");
}

#[test]
fn a_tail_is_encoded_once_for_each_version() {
    let message = SharedMessage::new("a:b", [("x", "y")], "body");
    let plain = SharedMessage::new("a", [("x", "y")], "body");
    for version in Version::ALL {
        let (first, second) = (message.tail(version), message.clone().tail(version));
        assert_eq!(first.as_ptr(), second.as_ptr());
        assert_eq!(plain.tail(version).as_ptr(), plain.tail(Version::V1_2).as_ptr());
    }
    assert_ne!(message.tail(Version::V1_0), message.tail(Version::V1_1));
}

#[test]
fn the_message_has_its_own_destination_and_length() {
    let given = [("destination", "z"), ("content-length", "99"), ("", "nameless"), ("a", "b")];
    let message = SharedMessage::new("/topic/a", given, "hi");
    assert_eq!(headers(&message), [pair("a", "b")]);
    assert_eq!(
        &message.tail(Version::V1_2)[..],
        b"destination:/topic/a\na:b\ncontent-length:2\n\nhi\0"
    );
}

#[test]
fn the_size_is_destination_headers_and_body() {
    assert_eq!(SharedMessage::new("/t/a", [("ab", "cde")], "1234567").size(), 4 + 6 + 7);
}

#[test]
fn a_large_body_is_shared_and_not_copied() {
    let body = Bytes::from(vec![7; 100_000]);
    let message = SharedMessage::new("a", [("b", "c")], body.clone());
    assert_eq!(message.body().as_ptr(), body.as_ptr());
}

#[test]
fn a_stored_message_comes_back_the_same() {
    let many: Vec<_> = (0..30).map(|i| (format!("name{i}"), "v".repeat(i))).collect();
    for message in [
        SharedMessage::new("", [("a", "b"); 0], ""),
        SharedMessage::new("/topic/ü\n", [("a:b", "\r\n"), ("a:b", "ü")], vec![0, 255, 10]),
        SharedMessage::new("/queue/a", many, vec![b'x'; 70_000]),
    ] {
        let stored = message.to_stored();
        let read = SharedMessage::from_stored(stored.clone()).expect("what was stored");
        assert_eq!(read, message);
        assert_eq!(read.to_stored(), stored);
        for version in Version::ALL {
            assert_eq!(read.tail(version), message.tail(version));
        }
    }
}

#[test]
fn what_was_not_stored_is_refused() {
    let read = |octets: &[u8]| SharedMessage::from_stored(Bytes::copy_from_slice(octets));
    assert_eq!(read(b"").unwrap_err(), StoredError::UnknownFormat);
    assert_eq!(read(b"S2 later").unwrap_err(), StoredError::UnknownFormat);
    let stored = SharedMessage::new("/ü", [("a", "b")], "").to_stored();
    for length in 2..stored.len() {
        assert_eq!(read(&stored[..length]).unwrap_err(), StoredError::Damaged, "{length}");
    }
    for at in 2..18 {
        let mut octets = stored.to_vec();
        octets[at] ^= 0xff;
        assert_eq!(read(&octets).unwrap_err(), StoredError::Damaged, "{at}");
    }
    let mut octets = stored.to_vec();
    *octets.last_mut().expect("octets") = 0xff;
    assert_eq!(read(&octets).unwrap_err(), StoredError::Damaged);
}
