//! A push decoder that remembers where it was.

use std::borrow::Cow;

use bytes::{Buf, Bytes, BytesMut};

use crate::{
    Command, DecodeError, Frame, Limits, Role, Version,
    body::BodyScan,
    names, parse,
    scan::{HeaderScan, Rules},
};

/// What a [`Decoder`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "boxing would cost an allocation a frame")]
pub enum Decoded {
    /// A whole frame.
    Frame(Frame),
    /// One or more ends of line between frames, which are heart-beats (STOMP 1.2,
    /// *Heart-beating*). As many as had arrived are one.
    HeartBeat,
}

/// Makes frames of octets as they arrive, in whatever pieces.
///
/// Push octets at the end of a [`BytesMut`] and call [`decode`](Self::decode) until it gives
/// `None`. Every octet is looked at once: the decoder keeps its place between calls, so between them
/// the buffer must only be appended to. It never reserves memory from what a content-length claims.
///
/// ```
/// use bytes::BytesMut;
/// use stomp_core::{Command, Decoded, Decoder, Limits, Role};
///
/// let mut decoder = Decoder::new(Role::Client, Limits::default());
/// let mut buffer = BytesMut::from("SEND\ndestination:/topic/a\n\nhel");
/// assert_eq!(decoder.decode(&mut buffer)?, None);
///
/// buffer.extend_from_slice(b"lo\0");
/// let Some(Decoded::Frame(frame)) = decoder.decode(&mut buffer)? else { panic!("a frame") };
/// assert_eq!(frame.command(), Command::Send);
/// assert_eq!(frame.header("destination").as_deref(), Some("/topic/a"));
/// assert_eq!(&frame.body()[..], b"hello");
/// # Ok::<(), stomp_core::DecodeError>(())
/// ```
#[derive(Debug)]
pub struct Decoder {
    sender: Role,
    limits: Limits,
    version: Version,
    place: Place,
    /// Of the frame being read. They stay where they are from frame to frame, because to move them
    /// would cost as much as to read a header.
    scan: HeaderScan,
    body: BodyScan,
    receipt_id: Option<String>,
}

/// Where the decoder is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Between,
    Command,
    Headers(Command),
    Body(Command),
    Failed(DecodeError),
}

impl Decoder {
    /// A decoder of frames that `sender` sends. Until [`set_version`](Self::set_version) it reads
    /// by STOMP 1.2.
    pub fn new(sender: Role, limits: Limits) -> Self {
        Self {
            sender,
            limits,
            version: Version::V1_2,
            place: Place::Between,
            scan: HeaderScan::default(),
            body: BodyScan::default(),
            receipt_id: None,
        }
    }

    /// Reads by the rules of `version` from the next frame on. CONNECT, STOMP and CONNECTED are
    /// never unescaped, so it is in time after them.
    pub fn set_version(&mut self, version: Version) {
        self.version = version;
    }

    /// The version that frames are read by.
    pub fn version(&self) -> Version {
        self.version
    }

    /// Holds frames against `limits` from the next one on.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// The limits that frames are held against.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Whether no frame has begun. At the end of a stream anything else means that it was cut off.
    pub fn is_between_frames(&self) -> bool {
        self.place == Place::Between
    }

    /// The receipt header of the frame that a [`DecodeError`] is about, if it had been read.
    pub fn receipt_id(&self) -> Option<Cow<'_, str>> {
        self.receipt_id.as_deref().map(Cow::Borrowed)
    }

    /// Takes the next frame or heart-beats out of `buffer`; `None` means that more octets are
    /// needed. Head and body of the frame are slices of what was read, not copies.
    ///
    /// # Errors
    /// A [`DecodeError`] of the first fault in the stream, whatever pieces it came in. There is no
    /// way to read on behind it: the buffer is emptied and every further call gives the same error.
    ///
    /// # Panics
    /// It may if octets of an unfinished frame were taken out of `buffer` since the last call. What
    /// a peer sends never makes it panic.
    pub fn decode(&mut self, buffer: &mut BytesMut) -> Result<Option<Decoded>, DecodeError> {
        match self.step(buffer) {
            Ok(found) => Ok(found),
            Err(error) => {
                self.fail(error, buffer);
                buffer.clear();
                Err(error)
            }
        }
    }

    fn step(&mut self, buffer: &mut BytesMut) -> Result<Option<Decoded>, DecodeError> {
        loop {
            match self.place {
                Place::Between => match parse::end_of_lines(buffer)? {
                    0 if matches!(buffer[..], [] | [b'\r']) => return Ok(None),
                    0 => self.place = Place::Command,
                    length => {
                        buffer.advance(length);
                        return Ok(Some(Decoded::HeartBeat));
                    }
                },
                Place::Command => {
                    let line = parse::command_line(buffer, self.sender, &self.limits);
                    let Some((command, length)) = parse::settle(line)? else { return Ok(None) };
                    self.scan.begin(length, Rules::new(self.limits, command, self.version));
                    self.place = Place::Headers(command);
                }
                Place::Headers(command) => {
                    let lines = parse::header_lines(buffer, &mut self.scan);
                    let Some(length) = parse::settle(lines)? else { return Ok(None) };
                    let claim = self.scan.content_length;
                    self.body = BodyScan::new(command, length, claim, self.limits.body);
                    self.place = Place::Body(command);
                }
                Place::Body(command) => {
                    let Some(length) = self.body.advance(buffer)? else { return Ok(None) };
                    self.place = Place::Between;
                    return Ok(Some(Decoded::Frame(self.take(buffer, command, length))));
                }
                Place::Failed(error) => return Err(error),
            }
        }
    }

    /// Cuts the frame off whose body of `length` octets is in `buffer`.
    fn take(&mut self, buffer: &mut BytesMut, command: Command, length: usize) -> Frame {
        let start = self.body.start();
        let mut head = buffer.split_to(start + length + 1).freeze();
        let body = if length == 0 { Bytes::new() } else { head.slice(start..start + length) };
        head.truncate(start);
        Frame::from_parts(command, head, &mut self.scan, body)
    }

    fn fail(&mut self, error: DecodeError, buffer: &[u8]) {
        if let Place::Headers(_) | Place::Body(_) = self.place {
            self.receipt_id = receipt_of(&self.scan, buffer);
        }
        self.place = Place::Failed(error);
    }
}

/// The first receipt header, if it can be written back.
fn receipt_of(scan: &HeaderScan, head: &[u8]) -> Option<String> {
    let mut headers = scan.index.view(head, scan.rules.reading());
    let receipt = headers.find(|header| header.name() == names::RECEIPT)?;
    std::str::from_utf8(receipt.raw_value()).ok()?;
    Some(receipt.value().into_owned())
}
