//! Ordered headers: the first of repeated ones wins, all of them are kept.

use std::{borrow::Cow, fmt};

use smallvec::SmallVec;

use crate::{Version, escape::Escaping};

/// The names of the headers that the specifications know.
pub mod names {
    /// CONNECT: the versions that the client speaks.
    pub const ACCEPT_VERSION: &str = "accept-version";
    /// SUBSCRIBE: the acknowledgement mode. MESSAGE in 1.2: the id for ACK and NACK.
    pub const ACK: &str = "ack";
    /// The number of octets in the body.
    pub const CONTENT_LENGTH: &str = "content-length";
    /// The media type of the body.
    pub const CONTENT_TYPE: &str = "content-type";
    /// Where a message goes, or comes from.
    pub const DESTINATION: &str = "destination";
    /// CONNECT and CONNECTED: the heart-beats that a side can send and wants.
    pub const HEART_BEAT: &str = "heart-beat";
    /// CONNECT: the virtual host.
    pub const HOST: &str = "host";
    /// SUBSCRIBE, UNSUBSCRIBE: the subscription. ACK, NACK in 1.2: the MESSAGE's ack header.
    pub const ID: &str = "id";
    /// CONNECT: the user.
    pub const LOGIN: &str = "login";
    /// ERROR: a short description.
    pub const MESSAGE: &str = "message";
    /// MESSAGE: its id. ACK, NACK before 1.2: the message meant.
    pub const MESSAGE_ID: &str = "message-id";
    /// CONNECT: the password.
    pub const PASSCODE: &str = "passcode";
    /// Any client frame but CONNECT: asks for a RECEIPT.
    pub const RECEIPT: &str = "receipt";
    /// RECEIPT, ERROR: the receipt header of the frame meant.
    pub const RECEIPT_ID: &str = "receipt-id";
    /// CONNECTED: the server's name and version.
    pub const SERVER: &str = "server";
    /// CONNECTED: the session's id.
    pub const SESSION: &str = "session";
    /// MESSAGE, ACK, NACK: the subscription meant.
    pub const SUBSCRIPTION: &str = "subscription";
    /// The transaction that a frame belongs to.
    pub const TRANSACTION: &str = "transaction";
    /// CONNECTED: the version chosen. ERROR: the versions to choose from.
    pub const VERSION: &str = "version";
}

/// Headers of which [`fmt::Debug`] shows the value; all others may hold secrets of users.
const SHOWN: [&str; 16] = [
    names::ACCEPT_VERSION,
    names::ACK,
    names::CONTENT_LENGTH,
    names::CONTENT_TYPE,
    names::DESTINATION,
    names::HEART_BEAT,
    names::HOST,
    names::ID,
    names::MESSAGE_ID,
    names::RECEIPT,
    names::RECEIPT_ID,
    names::SERVER,
    names::SESSION,
    names::SUBSCRIPTION,
    names::TRANSACTION,
    names::VERSION,
];

/// One header line.
#[derive(Clone, Copy)]
pub struct Header<'a> {
    line: Line<'a>,
}

/// A line cut at its first colon, and how to read it.
#[derive(Clone, Copy)]
struct Line<'a> {
    name: &'a [u8],
    value: &'a [u8],
    /// [`Escaping::Literal`] also where the line has no backslash.
    escaping: Escaping,
}

impl<'a> Header<'a> {
    /// The name, unescaped. Names are case sensitive.
    pub fn name(&self) -> Cow<'a, str> {
        text(self.line.name, self.line.escaping)
    }

    /// The value, unescaped; it allocates only where a backslash is.
    pub fn value(&self) -> Cow<'a, str> {
        text(self.line.value, self.line.escaping)
    }

    /// The name as it was read, before unescaping.
    pub fn raw_name(&self) -> &'a [u8] {
        self.line.name
    }

    /// The value as it was read, before unescaping.
    pub fn raw_value(&self) -> &'a [u8] {
        self.line.value
    }

    /// Whether name or value holds an escape, so that reading allocates.
    pub fn is_escaped(&self) -> bool {
        self.line.escaping != Escaping::Literal
    }

    fn is_named(&self, name: &str) -> bool {
        match self.line.escaping {
            Escaping::Literal => self.line.name == name.as_bytes(),
            _ => self.name() == name,
        }
    }
}

impl fmt::Debug for Header<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name();
        if SHOWN.contains(&&*name) {
            write!(formatter, "{name:?}: {:?}", self.value())
        } else {
            write!(formatter, "{name:?}: ({} octets)", self.line.value.len())
        }
    }
}

/// Heads are UTF-8 before they get here, so nothing is ever replaced.
fn text(octets: &[u8], escaping: Escaping) -> Cow<'_, str> {
    match std::str::from_utf8(octets) {
        Ok(text) => escaping.unescape(text),
        Err(_) => String::from_utf8_lossy(octets),
    }
}

/// Where the headers of a head are. Twelve fit without an allocation: a chat message has about
/// eight, a CONNECT of a browser five.
#[derive(Debug, Clone, Default)]
pub(crate) struct HeaderIndex {
    entries: SmallVec<[Entry; 12]>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    start: u32,
    colon: u32,
    /// The end of the value; the highest bit tells that the line holds a backslash.
    end: u32,
}

const ESCAPED: u32 = 1 << 31;

impl HeaderIndex {
    /// A head is shorter than 2³¹ octets ([`Limits`](crate::Limits)), so positions fit.
    #[inline]
    pub(crate) fn push(&mut self, start: usize, colon: usize, end: usize, escaped: bool) {
        let flag = if escaped { ESCAPED } else { 0 };
        self.entries.push(Entry {
            start: start as u32,
            colon: colon as u32,
            end: end as u32 | flag,
        });
    }

    /// Forgets all headers, and gives back the memory that many of them took.
    pub(crate) fn clear(&mut self) {
        self.entries = SmallVec::new();
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn view<'a>(&'a self, head: &'a [u8], how: Reading) -> Headers<'a> {
        Headers { entries: self.entries.iter(), head, how }
    }
}

/// How the lines of a head are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reading {
    pub(crate) escaping: Escaping,
    /// STOMP 1.0 says nothing of spaces round values; its own examples have them. They go.
    pub(crate) trim: bool,
}

impl Reading {
    pub(crate) fn of(escaping: Escaping, version: Version) -> Self {
        Self { escaping, trim: version == Version::V1_0 }
    }
}

/// The headers of a frame, in order, repeated ones included.
#[derive(Clone)]
pub struct Headers<'a> {
    entries: std::slice::Iter<'a, Entry>,
    head: &'a [u8],
    how: Reading,
}

impl<'a> Headers<'a> {
    /// The value of the first header of this name (STOMP 1.2, *Repeated Header Entries*).
    pub fn value_of(mut self, name: &str) -> Option<Cow<'a, str>> {
        self.find(|header| header.is_named(name)).map(|header| header.value())
    }
}

impl<'a> Iterator for Headers<'a> {
    type Item = Header<'a>;

    #[inline]
    fn next(&mut self) -> Option<Header<'a>> {
        let entry = self.entries.next()?;
        let (start, colon) = (entry.start as usize, entry.colon as usize);
        let end = (entry.end & !ESCAPED) as usize;
        let value = &self.head[colon + 1..end];
        Some(Header {
            line: Line {
                name: &self.head[start..colon],
                value: if self.how.trim { trimmed(value) } else { value },
                escaping: if entry.end & ESCAPED == 0 {
                    Escaping::Literal
                } else {
                    self.how.escaping
                },
            },
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.entries.size_hint()
    }
}

impl ExactSizeIterator for Headers<'_> {}

impl fmt::Debug for Headers<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(self.clone()).finish()
    }
}

/// Without spaces and tabs at both ends.
pub(crate) fn trimmed(value: &[u8]) -> &[u8] {
    let blank = |octet: &u8| matches!(octet, b' ' | b'\t');
    let start = value.iter().position(|octet| !blank(octet)).unwrap_or(value.len());
    let end = value.iter().rposition(|octet| !blank(octet)).map_or(start, |last| last + 1);
    &value[start..end]
}
