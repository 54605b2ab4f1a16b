//! A message as a record of Kafka: its route is the key, its headers are record headers in
//! their order, its body is the value.
//!
//! What is ours comes first: `x-stomp`, whose value is a format and how many more of ours
//! follow, so that no header of a sender can be taken for one of them. A record without it
//! was written by somebody else; its key is the destination and all its headers count.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use bytes::Bytes;
use compact_str::CompactString;
use rdkafka::{
    Message,
    message::{BorrowedMessage, Header, Headers, OwnedHeaders},
};
use stomp_core::SharedMessage;

use crate::broker::{DedupeKey, Publish};

const MARK: &str = "x-stomp";
const DESTINATION: &str = "x-stomp-destination";
const ID: &str = "x-stomp-message-id";
const SENDER: &str = "x-stomp-sender";
const DEDUPE: &str = "x-stomp-dedup-id";

/// What a record says.
#[derive(Debug)]
pub(super) struct Content {
    pub(super) route: CompactString,
    pub(super) id: Option<Arc<str>>,
    pub(super) dedupe: Option<DedupeKey>,
    pub(super) message: SharedMessage,
}

/// The record headers of a message; none where a name has an octet that Kafka's cannot have.
pub(super) fn headers(publish: &Publish) -> Option<OwnedHeaders> {
    let destination = publish.message.destination();
    let dedupe = publish.dedupe.as_ref();
    let ours = [
        (DESTINATION, Some(destination).filter(|shown| *shown != publish.route)),
        (ID, publish.message_id.as_deref()),
        (SENDER, dedupe.map(|key| key.sender.as_str())),
        (DEDUPE, dedupe.map(|key| key.id.as_str())),
    ];
    let ours: Vec<_> =
        ours.into_iter().filter_map(|(name, value)| value.map(|value| (name, value))).collect();
    let mut headers = OwnedHeaders::new_with_capacity(8);
    headers = with(headers, MARK, &format!("1 {}", ours.len()));
    for (name, value) in ours {
        headers = with(headers, name, value);
    }
    for (name, value) in publish.message.headers() {
        if name.contains('\0') {
            return None;
        }
        headers = with(headers, &name, &value);
    }
    Some(headers)
}

fn with(headers: OwnedHeaders, key: &str, value: &str) -> OwnedHeaders {
    headers.insert(Header { key, value: Some(value) })
}

/// What a record says, if it is one that we understand.
pub(super) fn read(record: &BorrowedMessage<'_>) -> Option<Content> {
    let route = CompactString::from_utf8(record.key()?).ok().filter(|route| route.len() > 1)?;
    // The library panics at a header's name that is not UTF-8; somebody else's record must not
    // end the reader.
    let mut pairs = catch_unwind(AssertUnwindSafe(|| pairs(record))).ok()??;
    let ours = pairs.first().and_then(|(name, value)| count_of_ours(name, value));
    let mut content = Content { route, id: None, dedupe: None, message: empty() };
    let mut destination = content.route.clone();
    if let Some(count) = ours {
        let count = count.checked_add(1).filter(|count| *count <= pairs.len())?;
        let mut sender = None;
        for (name, value) in pairs.drain(..count).skip(1) {
            match name {
                DESTINATION => destination = value.into(),
                ID => content.id = Some(value.into()),
                SENDER => sender = Some(CompactString::from(value)),
                DEDUPE => {
                    let id = value.into();
                    content.dedupe = Some(DedupeKey { sender: sender.take()?, id });
                }
                _ => {} // of a later version
            }
        }
    }
    let body = Bytes::copy_from_slice(record.payload().unwrap_or_default());
    content.message = SharedMessage::new(&destination, pairs, body);
    Some(content)
}

/// Whether a record is for this route; cheaper than to read it.
pub(super) fn is_for(record: &BorrowedMessage<'_>, route: &str) -> bool {
    record.key() == Some(route.as_bytes())
}

fn pairs<'a>(record: &'a BorrowedMessage<'_>) -> Option<Vec<(&'a str, &'a str)>> {
    let Some(headers) = record.headers() else { return Some(Vec::new()) };
    let pair = |header: Header<'a, &'a [u8]>| {
        let value = std::str::from_utf8(header.value.unwrap_or_default()).ok()?;
        Some((header.key, value))
    };
    headers.iter().map(pair).collect()
}

fn count_of_ours(name: &str, value: &str) -> Option<usize> {
    if name != MARK {
        return None;
    }
    value.strip_prefix("1 ")?.parse().ok()
}

fn empty() -> SharedMessage {
    SharedMessage::new("", [("", ""); 0], Bytes::new())
}
