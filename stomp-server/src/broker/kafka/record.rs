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
use smallvec::SmallVec;
use stomp_core::SharedMessage;

use crate::broker::{DedupeKey, Publish, packed::Parts};

const MARK: &str = "x-stomp";
const DESTINATION: &str = "x-stomp-destination";
const ID: &str = "x-stomp-message-id";
const SENDER: &str = "x-stomp-sender";
const DEDUPE: &str = "x-stomp-dedup-id";
const EXPIRES: &str = "x-stomp-expires";
const RETURNS: &str = "x-stomp-returns";
const DUE: &str = "x-stomp-due";
const PLACE: &str = "x-stomp-place";

/// What a record says.
#[derive(Debug)]
pub(super) struct Content {
    pub(super) route: CompactString,
    pub(super) id: Option<Arc<str>>,
    pub(super) dedupe: Option<DedupeKey>,
    pub(super) message: SharedMessage,
}

/// What a record of a queue says beside its message; times are in milliseconds since 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Marks {
    /// When it is to be offered no longer.
    pub(super) expires_ms: Option<u64>,
    /// How often it came back.
    pub(super) returns: u32,
    /// When it is to be offered again.
    pub(super) due_ms: Option<u64>,
    /// Where it stood first.
    pub(super) place: Option<u64>,
}

/// The record headers of a message; none where a name has an octet that Kafka's cannot have.
pub(super) fn headers(publish: &Publish) -> Option<OwnedHeaders> {
    marked_headers(publish, Marks::default())
}

/// The same for a message of a queue.
pub(super) fn marked_headers(publish: &Publish, marks: Marks) -> Option<OwnedHeaders> {
    let destination = publish.message.destination();
    let dedupe = publish.dedupe.as_ref();
    let expires = marks.expires_ms.map(|at| at.to_string());
    let returns = Some(marks.returns).filter(|returns| *returns > 0).map(|n| n.to_string());
    let due = marks.due_ms.map(|at| at.to_string());
    let place = marks.place.map(|place| place.to_string());
    let ours = [
        (DESTINATION, Some(destination).filter(|shown| *shown != publish.route)),
        (ID, publish.message_id.as_deref()),
        (SENDER, dedupe.map(|key| key.sender.as_str())),
        (DEDUPE, dedupe.map(|key| key.id.as_str())),
        (EXPIRES, expires.as_deref()),
        (RETURNS, returns.as_deref()),
        (DUE, due.as_deref()),
        (PLACE, place.as_deref()),
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
    let parts = parts(record)?;
    let message = parts.message(Bytes::copy_from_slice(parts.body));
    let (id, dedupe) = (parts.message_id(), parts.dedupe_key());
    Some(Content { route: parts.route.into(), id, dedupe, message })
}

/// The same as words of the record, before anything is copied.
pub(super) fn parts<'a>(record: &'a BorrowedMessage<'_>) -> Option<Parts<'a>> {
    let route = std::str::from_utf8(record.key()?).ok().filter(|route| route.len() > 1)?;
    let body = record.payload().unwrap_or_default();
    let headers = checked_pairs(record)?;
    let mut parts = Parts { route, shown: None, id: None, dedupe: None, headers, body };
    strip_ours(&mut parts)?;
    Some(parts)
}

/// What a record of a queue says beside its message.
pub(super) fn marks(record: &BorrowedMessage<'_>) -> Marks {
    let mut marks = Marks::default();
    let Some(pairs) = checked_pairs(record) else { return marks };
    let ours = pairs.first().and_then(|(name, value)| count_of_ours(name, value)).unwrap_or(0);
    for (name, value) in pairs.iter().skip(1).take(ours) {
        match *name {
            EXPIRES => marks.expires_ms = value.parse().ok(),
            RETURNS => marks.returns = value.parse().unwrap_or_default(),
            DUE => marks.due_ms = value.parse().ok(),
            PLACE => marks.place = value.parse().ok(),
            _ => {}
        }
    }
    marks
}

type Pairs<'a> = SmallVec<[(&'a str, &'a str); 12]>;

fn checked_pairs<'a>(record: &'a BorrowedMessage<'_>) -> Option<Pairs<'a>> {
    // The library panics at a header's name that is not UTF-8; somebody else's record must not
    // end the reader.
    catch_unwind(AssertUnwindSafe(|| pairs(record))).ok()?
}

/// Takes out of the headers what is ours, and notes it. Nothing if it makes no sense.
fn strip_ours(parts: &mut Parts<'_>) -> Option<()> {
    let ours = parts.headers.first().and_then(|(name, value)| count_of_ours(name, value));
    if let Some(count) = ours {
        let count = count.checked_add(1).filter(|count| *count <= parts.headers.len())?;
        let mut sender = None;
        for (name, value) in &parts.headers[1..count] {
            match *name {
                DESTINATION => parts.shown = Some(value),
                ID => parts.id = Some(value),
                SENDER => sender = Some(*value),
                DEDUPE => parts.dedupe = Some((sender.take()?, value)),
                _ => {} // of a later version
            }
        }
        parts.headers.drain(..count);
    }
    Some(())
}

/// Whether a record is for this route; cheaper than to read it.
pub(super) fn is_for(record: &BorrowedMessage<'_>, route: &str) -> bool {
    record.key() == Some(route.as_bytes())
}

fn pairs<'a>(record: &'a BorrowedMessage<'_>) -> Option<Pairs<'a>> {
    let mut pairs = SmallVec::new();
    let Some(headers) = record.headers() else { return Some(pairs) };
    while let Some(header) = headers.try_get(pairs.len()) {
        let value = std::str::from_utf8(header.value.unwrap_or_default()).ok()?;
        pairs.push((header.key, value));
    }
    Some(pairs)
}

fn count_of_ours(name: &str, value: &str) -> Option<usize> {
    if name != MARK {
        return None;
    }
    value.strip_prefix("1 ")?.parse().ok()
}
