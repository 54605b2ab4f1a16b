//! A message for many subscribers: its tail is encoded once, its head for each of them.

use std::{
    borrow::Cow,
    fmt,
    sync::{Arc, OnceLock},
};

use bytes::{BufMut, Bytes, BytesMut};

use crate::{
    Send, StoredError, Version, encode,
    escape::{self, Escaping},
    header::{HeaderIndex, Headers, Reading},
    marks, names,
};

/// What a broker fans out: destination, headers and body of a message. A clone is one reference
/// count.
///
/// On the wire a MESSAGE is [`encode_head`](Self::encode_head) with the headers of one
/// subscription, then [`tail`](Self::tail), which all subscribers of a version share.
///
/// ```
/// use bytes::BytesMut;
/// use stomp_core::{SharedMessage, Version};
///
/// let message = SharedMessage::new("/topic/a", [("content-type", "text/plain")], "hello");
/// let mut out = BytesMut::new();
/// SharedMessage::encode_head(&mut out, Version::V1_2, &[("subscription", "0"), ("message-id", "7")]);
/// out.extend_from_slice(&message.tail(Version::V1_2));
/// assert_eq!(
///     &out[..],
///     b"MESSAGE\nsubscription:0\nmessage-id:7\ndestination:/topic/a\n\
///       content-type:text/plain\ncontent-length:5\n\nhello\0"
/// );
/// ```
#[derive(Clone)]
pub struct SharedMessage {
    inner: Arc<Inner>,
}

struct Inner {
    /// The destination, and behind it the lines that `index` tells of, as they are meant.
    head: Bytes,
    destination: usize,
    index: HeaderIndex,
    body: Bytes,
    /// One for each version; versions that write the message alike hold the same octets. Made when
    /// somebody asks: most messages are kept longer than they are written.
    tails: OnceLock<Box<[OnceLock<Bytes>; Version::ALL.len()]>>,
}

/// Headers of a SEND that mean the SEND itself or are the server's to write.
const NOT_PASSED_ON: [&str; 10] = [
    names::DESTINATION,
    names::RECEIPT,
    names::TRANSACTION,
    names::CONTENT_LENGTH,
    names::MESSAGE_ID,
    names::SUBSCRIPTION,
    names::ACK,
    "redelivered",
    "position",
    "delivery-count",
];
const NOT_PASSED_ON_PREFIX: &str = "x-death-";

impl SharedMessage {
    /// A message of these headers, in order, repeated ones kept. A destination or content-length
    /// among them is left out: the message has its own. So is a header without a name.
    pub fn new(
        destination: &str,
        headers: impl IntoIterator<Item = (impl AsRef<str>, impl AsRef<str>)>,
        body: impl Into<Bytes>,
    ) -> Self {
        let mut builder = HeadBuilder::new(destination);
        for (name, value) in headers {
            builder.header(name.as_ref(), value.as_ref());
        }
        builder.build(body.into())
    }

    /// The message that `send` asks for: its headers in order, but for those that belong to the
    /// SEND (receipt, transaction, content-length) or are the server's to write (message-id,
    /// subscription, ack, redelivered, position, delivery-count, x-death-…).
    pub fn from_send(send: &Send) -> Self {
        Self::from_send_with(send, &send.destination(), &[])
    }

    /// Like [`from_send`](Self::from_send), but for another destination and with `extra` headers
    /// before those of `send`, so that they win.
    pub fn from_send_with(send: &Send, destination: &str, extra: &[(&str, &str)]) -> Self {
        let body = send.body().len();
        let room = send.frame().size_hint() + if body > COPIED_BODY { 0 } else { body };
        let mut builder = HeadBuilder::with_room(destination, room);
        for (name, value) in extra {
            builder.header(name, value);
        }
        for header in send.frame().headers() {
            let name = header.name();
            if is_passed_on(&name) {
                builder.header(&name, &header.value());
            }
        }
        builder.build(send.body().clone())
    }

    /// Where the message was sent.
    pub fn destination(&self) -> &str {
        // Made of a `str`, so it is UTF-8.
        std::str::from_utf8(&self.inner.head[..self.inner.destination]).unwrap_or_default()
    }

    /// The value of the first header of this name; destination is not one of them.
    pub fn header(&self, name: &str) -> Option<Cow<'_, str>> {
        self.lines().value_of(name)
    }

    /// Names and values of the headers in order, repeated ones included; without destination and
    /// content-length.
    pub fn headers(&self) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> + Clone {
        self.lines().map(|header| (header.name(), header.value()))
    }

    /// The body.
    pub fn body(&self) -> &Bytes {
        &self.inner.body
    }

    /// The octets that destination, headers and body take; close to what a subscriber is sent.
    pub fn size(&self) -> usize {
        self.inner.head.len() + self.inner.body.len()
    }

    /// The rest of a MESSAGE behind its subscription's headers: destination, headers,
    /// content-length, blank line, body, NUL. Encoded once for each version, then shared.
    pub fn tail(&self, version: Version) -> Bytes {
        let tails = self.inner.tails.get_or_init(Box::default);
        tails[version.index()]
            .get_or_init(|| {
                if self.is_plain() {
                    let any = tails.iter().find_map(OnceLock::get);
                    any.cloned().unwrap_or_else(|| self.encode_tail(version, &[]).0)
                } else {
                    self.encode_tail(version, &[]).0
                }
            })
            .clone()
    }

    /// Lines of `headers`, escaped for `version`, then what [`tail`](Self::tail) has: for what is
    /// the server's to say and the same for all subscribers. Encoded anew with each call.
    ///
    /// Also tells whether all versions write it so.
    pub fn tail_behind(&self, version: Version, headers: &[(&str, &str)]) -> (Bytes, bool) {
        self.encode_tail(version, headers)
    }

    /// Writes `MESSAGE` and the headers of one subscription at the end of `out`, escaped for
    /// `version`. The [`tail`](Self::tail) follows it.
    pub fn encode_head(out: &mut BytesMut, version: Version, headers: &[(&str, &str)]) {
        let start = out.len();
        encode::write_raw(out, MESSAGE_LINE, headers);
        // A line end for MESSAGE, a colon and a line end for each header: more marks than these need
        // an escape.
        if marks::count(&out[start..]) == 1 + 2 * headers.len() {
            return;
        }
        out.truncate(start);
        out.put_slice(MESSAGE_LINE);
        for (name, value) in headers {
            encode::write_line(out, name, value, version);
        }
    }

    /// The message as one string of octets, for a journal. It does not depend on a version of the
    /// protocol.
    pub fn to_stored(&self) -> Bytes {
        stored::write(self)
    }

    /// The message that [`to_stored`](Self::to_stored) gave `stored` for. Head and body are slices
    /// of it.
    ///
    /// # Errors
    /// [`StoredError`] if it is something else or damaged.
    pub fn from_stored(stored: Bytes) -> Result<Self, StoredError> {
        stored::read(stored)
    }

    fn lines(&self) -> Headers<'_> {
        self.inner.index.view(&self.inner.head, AS_MEANT)
    }

    /// Whether all versions write it alike.
    fn is_plain(&self) -> bool {
        let line = |header: crate::Header<'_>| {
            escape::is_plain(header.raw_name()) && escape::is_plain(header.raw_value())
        };
        escape::is_plain(self.destination().as_bytes()) && self.lines().all(line)
    }

    fn encode_tail(&self, version: Version, before: &[(&str, &str)]) -> (Bytes, bool) {
        let body = self.body();
        // Exactly what it takes if nothing is escaped: octets in memory of their own length are
        // shared without a count of their own.
        let lines: usize = before.iter().map(|(name, value)| name.len() + value.len() + 2).sum();
        let named = names::DESTINATION.len() + self.inner.head.len() + 2 + self.inner.index.len();
        let length = encode::content_length_size(body.len());
        let mut out = BytesMut::with_capacity(lines + named + length + body.len() + 2);
        let mut marks = 0;
        self.each_line(before, |name, value| {
            encode::write_plain_line(&mut out, name, value);
            marks += 2;
        });
        // A colon and a line end for each: more marks than these need an escape.
        let is_plain = marks::count(&out) == marks;
        if !is_plain {
            out.clear();
            self.each_line(before, |name, value| {
                encode::write_line(&mut out, name, value, version);
            });
        }
        encode::write_content_length(&mut out, body.len());
        out.put_u8(b'\n');
        out.put_slice(body);
        out.put_u8(0);
        (out.freeze(), is_plain)
    }

    fn each_line(&self, before: &[(&str, &str)], mut line: impl FnMut(&str, &str)) {
        before.iter().for_each(|(name, value)| line(name, value));
        line(names::DESTINATION, self.destination());
        self.headers().for_each(|(name, value)| line(&name, &value));
    }
}

impl PartialEq for SharedMessage {
    fn eq(&self, other: &Self) -> bool {
        self.destination() == other.destination()
            && self.headers().eq(other.headers())
            && self.body() == other.body()
    }
}

impl Eq for SharedMessage {}

impl fmt::Debug for SharedMessage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("SharedMessage")
            .field("destination", &self.destination())
            .field("headers", &self.lines())
            .field("body", &format_args!("({} octets)", self.body().len()))
            .finish()
    }
}

/// Bodies up to this many octets are copied beside the head: a slice of a read buffer would keep
/// the whole buffer alive for as long as the message is kept.
const COPIED_BODY: usize = 4096;

const MESSAGE_LINE: &[u8] = b"MESSAGE\n";
const AS_MEANT: Reading = Reading { escaping: Escaping::Literal, trim: false };

fn is_passed_on(name: &str) -> bool {
    !NOT_PASSED_ON.contains(&name) && !name.starts_with(NOT_PASSED_ON_PREFIX)
}

/// Collects destination and lines in one piece of memory.
struct HeadBuilder {
    head: BytesMut,
    destination: usize,
    index: HeaderIndex,
}

impl HeadBuilder {
    fn new(destination: &str) -> Self {
        Self::with_room(destination, 0)
    }

    /// Made at once for so many octets behind the destination.
    fn with_room(destination: &str, octets: usize) -> Self {
        let mut head = BytesMut::with_capacity(destination.len() + octets);
        head.put_slice(destination.as_bytes());
        Self { head, destination: destination.len(), index: HeaderIndex::default() }
    }

    fn header(&mut self, name: &str, value: &str) {
        if name.is_empty() || name == names::DESTINATION || name == names::CONTENT_LENGTH {
            return;
        }
        let start = self.head.len();
        self.head.reserve(name.len() + 1 + value.len());
        self.head.put_slice(name.as_bytes());
        self.head.put_u8(b':');
        self.head.put_slice(value.as_bytes());
        self.index.push(start, start + name.len(), self.head.len(), false);
    }

    fn build(self, body: Bytes) -> SharedMessage {
        let Self { mut head, destination, index } = self;
        if body.len() > COPIED_BODY {
            return assemble(head.freeze(), destination, index, body);
        }
        let length = head.len();
        head.extend_from_slice(&body);
        let mut head = head.freeze();
        let body = head.split_off(length);
        assemble(head, destination, index, body)
    }
}

fn assemble(head: Bytes, destination: usize, index: HeaderIndex, body: Bytes) -> SharedMessage {
    let tails = Default::default();
    SharedMessage { inner: Arc::new(Inner { head, destination, index, body, tails }) }
}

/// The stored form: `"S" "1"`, then numbers of four octets, little end first: the length of the
/// destination, the number of headers, and for each the lengths of name and value; then
/// destination, lines (`name:value`, nothing between them) and body.
mod stored {
    use bytes::{Buf, BufMut, Bytes, BytesMut};

    use super::{HeaderIndex, SharedMessage, StoredError, assemble};

    const FORMAT: &[u8] = b"S1";

    pub(super) fn write(message: &SharedMessage) -> Bytes {
        let inner = &message.inner;
        let numbers = 4 * (2 + 2 * inner.index.len());
        let mut out = BytesMut::with_capacity(FORMAT.len() + numbers + message.size());
        out.put_slice(FORMAT);
        out.put_u32_le(inner.destination as u32);
        out.put_u32_le(inner.index.len() as u32);
        for header in message.lines() {
            out.put_u32_le(header.raw_name().len() as u32);
            out.put_u32_le(header.raw_value().len() as u32);
        }
        out.put_slice(&inner.head);
        out.put_slice(&inner.body);
        out.freeze()
    }

    pub(super) fn read(mut stored: Bytes) -> Result<SharedMessage, StoredError> {
        if !stored.starts_with(FORMAT) {
            return Err(StoredError::UnknownFormat);
        }
        stored.advance(FORMAT.len());
        let destination = number(&mut stored)?;
        let count = number(&mut stored)?;
        let (index, length) = index(&mut stored, destination, count)?;
        if length > stored.len() {
            return Err(StoredError::Damaged);
        }
        let head = stored.split_to(length);
        check(&head, destination, &index)?;
        Ok(assemble(head, destination, index, stored))
    }

    /// Where the headers are, and where they end.
    fn index(
        stored: &mut Bytes,
        destination: usize,
        count: usize,
    ) -> Result<(HeaderIndex, usize), StoredError> {
        let mut index = HeaderIndex::default();
        let mut start = destination;
        for _ in 0..count {
            let colon = start.saturating_add(number(stored)?);
            let end = colon.saturating_add(1).saturating_add(number(stored)?);
            if end > i32::MAX as usize {
                return Err(StoredError::Damaged);
            }
            index.push(start, colon, end, false);
            start = end;
        }
        Ok((index, start))
    }

    fn number(stored: &mut Bytes) -> Result<usize, StoredError> {
        stored.try_get_u32_le().map(|number| number as usize).map_err(|_| StoredError::Damaged)
    }

    /// Everything is text, and cut between characters.
    fn check(head: &[u8], destination: usize, index: &HeaderIndex) -> Result<(), StoredError> {
        let is_text = |octets| std::str::from_utf8(octets).is_ok();
        let mut lines = index.view(head, super::AS_MEANT);
        let good = is_text(&head[..destination])
            && lines.all(|line| is_text(line.raw_name()) && is_text(line.raw_value()));
        if good { Ok(()) } else { Err(StoredError::Damaged) }
    }
}
