//! Frames as they are on the wire: generic, ordered, lossless.

use std::{borrow::Cow, fmt};

use bytes::{BufMut, Bytes, BytesMut};

use crate::{
    Command, DecodeError, Limits, Role, Version,
    body::BodyScan,
    escape::Escaping,
    header::{HeaderIndex, Headers, Reading},
    names, parse,
    scan::{HeaderScan, Rules},
};

/// A frame that owns its octets: cheap to clone, and to send to another thread. Head and body are
/// slices of what was read.
///
/// Two frames are equal if command, headers (unescaped, in order, repeated ones included) and body
/// are. Its `Debug` form shows neither bodies nor the values of headers that may hold secrets.
#[derive(Clone)]
pub struct Frame {
    command: Command,
    version: Version,
    how: Reading,
    head: Bytes,
    index: HeaderIndex,
    body: Bytes,
}

impl Frame {
    /// Begins a frame to be sent.
    ///
    /// ```
    /// use stomp_core::{Command, Frame};
    ///
    /// let frame = Frame::builder(Command::Send)
    ///     .header("destination", "/queue/a")
    ///     .body("hello")
    ///     .build();
    /// assert_eq!(frame.header("content-length").as_deref(), Some("5"));
    /// ```
    pub fn builder(command: Command) -> FrameBuilder {
        FrameBuilder {
            command,
            head: BytesMut::new(),
            index: HeaderIndex::default(),
            body: Bytes::new(),
        }
    }

    /// Takes the index out of `scan`.
    pub(crate) fn from_parts(
        command: Command,
        head: Bytes,
        scan: &mut HeaderScan,
        body: Bytes,
    ) -> Self {
        Self {
            command,
            version: scan.rules.version,
            how: scan.rules.reading(),
            head,
            index: std::mem::take(&mut scan.index),
            body,
        }
    }

    /// The command.
    pub fn command(&self) -> Command {
        self.command
    }

    /// The version that the frame was read by; 1.2 for built frames.
    pub fn version(&self) -> Version {
        self.version
    }

    /// The value of the first header of this name (STOMP 1.2, *Repeated Header Entries*). Names are
    /// case sensitive. It allocates only if the value holds an escape.
    pub fn header(&self, name: &str) -> Option<Cow<'_, str>> {
        self.headers().value_of(name)
    }

    /// All headers in order, repeated ones included.
    pub fn headers(&self) -> Headers<'_> {
        self.index.view(&self.head, self.how)
    }

    /// The body; empty if there is none.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// Whether the body is more than ends of line, which old clients send where none may be.
    pub(crate) fn has_body(&self) -> bool {
        self.body.iter().any(|octet| !matches!(octet, b'\r' | b'\n'))
    }
}

impl PartialEq for Frame {
    fn eq(&self, other: &Self) -> bool {
        let pairs = |frame: &Self| {
            frame
                .headers()
                .map(|header| (header.name(), header.value()))
                .eq(other.headers().map(|header| (header.name(), header.value())))
        };
        self.command == other.command && self.body == other.body && pairs(self)
    }
}

impl Eq for Frame {}

impl fmt::Debug for Frame {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(formatter, self.command, self.headers(), self.body.len())
    }
}

fn show(
    formatter: &mut fmt::Formatter<'_>,
    command: Command,
    headers: Headers<'_>,
    body: usize,
) -> fmt::Result {
    formatter
        .debug_struct(command.as_str())
        .field("headers", &headers)
        .field("body", &format_args!("({body} octets)"))
        .finish()
}

/// A frame that borrows the octets it was read from.
///
/// ```
/// use stomp_core::{FrameRef, Limits, Role, Version};
///
/// let input = b"SEND\ndestination:/topic/a\n\nhello\0";
/// let (frame, length) =
///     FrameRef::decode(input, Role::Client, Version::V1_2, &Limits::default())?.expect("whole");
/// assert_eq!((frame.body(), length), (&b"hello"[..], input.len()));
/// # Ok::<(), stomp_core::DecodeError>(())
/// ```
#[derive(Clone)]
pub struct FrameRef<'a> {
    command: Command,
    version: Version,
    how: Reading,
    head: &'a [u8],
    index: HeaderIndex,
    body: &'a [u8],
}

impl<'a> FrameRef<'a> {
    /// Reads one frame from the start of `input`, passing over heart-beats before it, and tells how
    /// many octets both were. `None` means that the frame is not whole; for octets that come in
    /// pieces [`Decoder`](crate::Decoder) does not begin anew each time.
    ///
    /// # Errors
    /// The first fault in the frame, the same as [`Decoder`](crate::Decoder) gives.
    pub fn decode(
        input: &'a [u8],
        sender: Role,
        version: Version,
        limits: &Limits,
    ) -> Result<Option<(Self, usize)>, DecodeError> {
        let skipped = parse::end_of_lines(input)?;
        let input = &input[skipped..];
        if matches!(input, [] | [b'\r']) {
            return Ok(None);
        }
        let line = parse::command_line(input, sender, limits);
        let Some((command, start)) = parse::settle(line)? else { return Ok(None) };
        let mut scan = HeaderScan::new(start, Rules::new(*limits, command, version));
        let lines = parse::header_lines(input, &mut scan);
        let Some(head) = parse::settle(lines)? else { return Ok(None) };
        let mut body = BodyScan::new(command, head, scan.content_length, limits.body);
        let Some(length) = body.advance(input)? else { return Ok(None) };
        let frame = Self {
            command,
            version,
            how: scan.rules.reading(),
            head: &input[..head],
            index: scan.index,
            body: &input[head..head + length],
        };
        Ok(Some((frame, skipped + head + length + 1)))
    }

    /// The command.
    pub fn command(&self) -> Command {
        self.command
    }

    /// The version that the frame was read by.
    pub fn version(&self) -> Version {
        self.version
    }

    /// The value of the first header of this name (STOMP 1.2, *Repeated Header Entries*).
    pub fn header(&self, name: &str) -> Option<Cow<'_, str>> {
        self.headers().value_of(name)
    }

    /// All headers in order, repeated ones included.
    pub fn headers(&self) -> Headers<'_> {
        self.index.view(self.head, self.how)
    }

    /// The body; empty if there is none.
    pub fn body(&self) -> &'a [u8] {
        self.body
    }

    /// A frame of its own, with a copy of the octets.
    pub fn to_frame(&self) -> Frame {
        Frame {
            command: self.command,
            version: self.version,
            how: self.how,
            head: Bytes::copy_from_slice(self.head),
            index: self.index.clone(),
            body: Bytes::copy_from_slice(self.body),
        }
    }
}

impl fmt::Debug for FrameRef<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(formatter, self.command, self.headers(), self.body.len())
    }
}

/// Builds a [`Frame`] to be sent. Names and values are given as they are meant; escaping is done
/// when the frame is encoded, by the version it is encoded for.
#[derive(Clone)]
pub struct FrameBuilder {
    command: Command,
    head: BytesMut,
    index: HeaderIndex,
    body: Bytes,
}

impl FrameBuilder {
    /// Adds a header behind those that there are; a repeated name is kept, though readers heed the
    /// first only.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let start = self.head.len();
        self.head.reserve(name.len() + 1 + value.len());
        self.head.put_slice(name.as_bytes());
        self.head.put_u8(b':');
        self.head.put_slice(value.as_bytes());
        self.index.push(start, start + name.len(), self.head.len(), false);
        self
    }

    /// Adds a header if there is a value for it.
    pub fn header_if(self, name: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.header(name, value),
            None => self,
        }
    }

    /// Sets the body. Only SEND, MESSAGE and ERROR may have one; for others
    /// [`Frame::encode`] refuses it.
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// The frame. A body gets its content-length if none was added (STOMP 1.2, *Header
    /// content-length*).
    pub fn build(self) -> Frame {
        let view = self.index.view(&self.head, Self::HOW);
        let builder = if self.body.is_empty() || view.value_of(names::CONTENT_LENGTH).is_some() {
            self
        } else {
            let length = self.body.len().to_string();
            self.header(names::CONTENT_LENGTH, &length)
        };
        Frame {
            command: builder.command,
            version: Version::V1_2,
            how: Self::HOW,
            head: builder.head.freeze(),
            index: builder.index,
            body: builder.body,
        }
    }

    /// What is built is kept as it is meant.
    const HOW: Reading = Reading { escaping: Escaping::Literal, trim: false };
}

impl fmt::Debug for FrameBuilder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headers = self.index.view(&self.head, Self::HOW);
        show(formatter, self.command, headers, self.body.len())
    }
}
