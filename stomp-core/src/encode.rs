//! Frames to octets.

use bytes::{BufMut, BytesMut};

use crate::{
    Command, EncodeError, Frame, Header, Version,
    escape::{self, Side},
    names,
};

impl Frame {
    /// Writes the frame at the end of `out`, with the escapes of `version`, which need not be the
    /// one it was read by. What `version` cannot write (CR in 1.1; in 1.0 CR, LF, and a colon in a
    /// name; NUL in all) becomes a space. A body always goes with its correct content-length.
    ///
    /// # Errors
    /// [`EncodeError`] if the frame cannot be written at all; `out` is then as it was.
    pub fn encode(&self, version: Version, out: &mut BytesMut) -> Result<(), EncodeError> {
        let before = out.len();
        let written = self.write(version, out);
        if written.is_err() {
            out.truncate(before);
        }
        written
    }

    fn write(&self, version: Version, out: &mut BytesMut) -> Result<(), EncodeError> {
        let command = self.command();
        if !command.may_have_body() && self.has_body() {
            return Err(EncodeError::BodyNotAllowed(command));
        }
        let body = if command.may_have_body() { &self.body()[..] } else { &[] };
        out.reserve(self.size_hint() + body.len());
        out.put_slice(command.as_str().as_bytes());
        out.put_u8(b'\n');
        let mut says_length = false;
        for header in self.headers() {
            if header.name() != names::CONTENT_LENGTH {
                write_header(out, command, &header, version)?;
            } else if !says_length {
                says_length = true;
                write_content_length(out, body.len());
            }
        }
        if !says_length && !body.is_empty() {
            write_content_length(out, body.len());
        }
        out.put_u8(b'\n');
        out.put_slice(body);
        out.put_u8(0);
        Ok(())
    }

    /// Most heads need no more room than they took: command, a content-length, blank line, NUL.
    pub(crate) fn size_hint(&self) -> usize {
        const OTHERS: usize = 64;
        let line = |header: Header<'_>| header.raw_name().len() + header.raw_value().len() + 2;
        self.headers().map(line).sum::<usize>() + OTHERS
    }
}

fn write_header(
    out: &mut BytesMut,
    command: Command,
    header: &Header<'_>,
    version: Version,
) -> Result<(), EncodeError> {
    let (name, value) = (header.name(), header.value());
    if name.is_empty() {
        return Err(EncodeError::EmptyHeaderName(command));
    }
    if command.escapes_headers() {
        write_line(out, &name, &value, version);
        return Ok(());
    }
    let breaks = |text: &str| text.contains(['\r', '\n', '\0']);
    if name.contains(':') || breaks(&name) || breaks(&value) {
        return Err(EncodeError::Unwritable(command));
    }
    out.put_slice(name.as_bytes());
    out.put_u8(b':');
    out.put_slice(value.as_bytes());
    out.put_u8(b'\n');
    Ok(())
}

/// `header-name ":" header-value EOL`, escaped.
pub(crate) fn write_line(out: &mut BytesMut, name: &str, value: &str, version: Version) {
    escape::write(out, name, version, Side::Name);
    out.put_u8(b':');
    escape::write(out, value, version, Side::Value);
    out.put_u8(b'\n');
}

/// The same for what needs no escape.
#[inline]
pub(crate) fn write_plain_line(out: &mut BytesMut, name: &str, value: &str) {
    out.put_slice(name.as_bytes());
    out.put_u8(b':');
    out.put_slice(value.as_bytes());
    out.put_u8(b'\n');
}

/// What [`write_content_length`] writes, in octets.
pub(crate) fn content_length_size(length: usize) -> usize {
    let digits = length.checked_ilog10().unwrap_or(0) as usize + 1;
    "content-length:".len() + digits + 1
}

/// Writes `first` and the lines of `headers` as they are. In one piece of memory: room is made once,
/// and not for each of the many short texts.
pub(crate) fn write_raw(out: &mut BytesMut, first: &[u8], headers: &[(&str, &str)]) {
    let start = out.len();
    let lines: usize = headers.iter().map(|(name, value)| name.len() + value.len() + 2).sum();
    out.resize(start + first.len() + lines, b'\n');
    let (line, mut place) = out[start..].split_at_mut(first.len());
    line.copy_from_slice(first);
    for (name, value) in headers {
        let (line, rest) = place.split_at_mut(name.len() + value.len() + 2);
        let (before, behind) = line.split_at_mut(name.len() + 1);
        before[..name.len()].copy_from_slice(name.as_bytes());
        before[name.len()] = b':';
        behind[..value.len()].copy_from_slice(value.as_bytes());
        place = rest;
    }
}

/// `content-length:` and the number, without a detour over a string.
pub(crate) fn write_content_length(out: &mut BytesMut, length: usize) {
    out.put_slice(b"content-length:");
    let mut digits = [0; 20];
    let mut at = digits.len();
    let mut rest = length;
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.put_slice(&digits[at..]);
    out.put_u8(b'\n');
}
