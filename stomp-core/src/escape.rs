//! Header escapes, and the frames that they apply to (STOMP 1.2, *Value Encoding*).

use std::borrow::Cow;

use bytes::{BufMut, BytesMut};
use nom::{IResult, Parser, branch::alt, bytes::complete::tag, combinator::value};

use crate::{Command, Version, marks};

/// How the headers of a frame are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Escaping {
    /// As they are: CONNECT, STOMP, CONNECTED, and everything in STOMP 1.0.
    Literal,
    /// `\n`, `\c` and `\\`.
    V1_1,
    /// Also `\r`.
    V1_2,
}

impl Escaping {
    pub(crate) const fn of(command: Command, version: Version) -> Self {
        match version {
            _ if !command.escapes_headers() => Self::Literal,
            Version::V1_0 => Self::Literal,
            Version::V1_1 => Self::V1_1,
            Version::V1_2 => Self::V1_2,
        }
    }

    /// Whether every backslash in `text` begins an escape that exists.
    pub(crate) fn allows(self, text: &[u8]) -> bool {
        let mut rest = text;
        while let Some(at) = memchr::memchr(b'\\', rest) {
            match self.escape(&rest[at..]) {
                Ok((behind, _)) => rest = behind,
                Err(_) => return false,
            }
        }
        true
    }

    /// `text` with its escapes resolved. What is not an escape stays as it is.
    pub(crate) fn unescape(self, text: &str) -> Cow<'_, str> {
        if self == Self::Literal || !text.contains('\\') {
            return Cow::Borrowed(text);
        }
        let mut plain = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find('\\') {
            plain.push_str(&rest[..at]);
            rest = &rest[at..];
            let (step, character) = match self.escape(rest.as_bytes()) {
                Ok((_, character)) => (2, character),
                Err(_) => (1, '\\'),
            };
            plain.push(character);
            rest = &rest[step..];
        }
        plain.push_str(rest);
        Cow::Owned(plain)
    }

    /// `escape = "\" ( "\" / "c" / "n" / "r" )`, the last in 1.2 only.
    fn escape(self, input: &[u8]) -> IResult<&[u8], char> {
        let common = alt((
            value('\\', tag(&b"\\\\"[..])),
            value(':', tag(&b"\\c"[..])),
            value('\n', tag(&b"\\n"[..])),
        ));
        match self {
            Self::V1_2 => alt((common, value('\r', tag(&b"\\r"[..])))).parse(input),
            Self::V1_1 | Self::Literal => { common }.parse(input),
        }
    }
}

/// Which side of the colon a text stands on: a name has no way to hold a colon in STOMP 1.0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Name,
    Value,
}

/// Writes `text` so that it reads back the same in `version`. What the version has no escape for
/// becomes a space, because a line end there would inject headers: NUL always, CR in 1.1, and in
/// 1.0 CR, LF, and a colon in a name.
pub(crate) fn write(out: &mut BytesMut, text: &str, version: Version, side: Side) {
    let text = text.as_bytes();
    if is_plain(text) {
        out.extend_from_slice(text);
    } else {
        write_slowly(out, text, version, side);
    }
}

/// Whether `text` stands for itself in every version.
#[inline]
pub(crate) fn is_plain(text: &[u8]) -> bool {
    marks::count(text) == 0
}

#[cold]
fn write_slowly(out: &mut BytesMut, text: &[u8], version: Version, side: Side) {
    out.reserve(2 * text.len());
    for &octet in text {
        match (octet, version) {
            (0, _) => out.put_u8(b' '),
            (b':', Version::V1_0) if side == Side::Value => out.put_u8(octet),
            (b'\r' | b'\n' | b':', Version::V1_0) => out.put_u8(b' '),
            (b'\r', Version::V1_1) => out.put_u8(b' '),
            (b'\r', Version::V1_2) => out.put_slice(b"\\r"),
            (b'\n', _) => out.put_slice(b"\\n"),
            (b':', _) => out.put_slice(b"\\c"),
            (b'\\', Version::V1_1 | Version::V1_2) => out.put_slice(b"\\\\"),
            _ => out.put_u8(octet),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str, version: Version, side: Side) -> String {
        let mut out = BytesMut::new();
        write(&mut out, text, version, side);
        String::from_utf8(out.to_vec()).unwrap()
    }

    #[test]
    fn each_version_resolves_its_own_escapes() {
        assert_eq!(Escaping::V1_2.unescape(r"a\\b\cc\nd\re"), "a\\b:c\nd\re");
        assert_eq!(Escaping::V1_1.unescape(r"a\\b\cc\nd"), "a\\b:c\nd");
        assert_eq!(Escaping::Literal.unescape(r"a\\b\cc"), r"a\\b\cc");
    }

    #[test]
    fn an_escaped_backslash_does_not_begin_another_escape() {
        assert_eq!(Escaping::V1_2.unescape(r"\\n\\\n"), "\\n\\\n");
    }

    #[test]
    fn undefined_escapes_are_found() {
        for text in [r"\t", r"\", r"a\", r"\\\", r"\C", r"\0", "\\é"] {
            assert!(!Escaping::V1_2.allows(text.as_bytes()), "{text:?}");
            assert!(!Escaping::V1_1.allows(text.as_bytes()), "{text:?}");
        }
        assert!(Escaping::V1_2.allows(br"\r"));
        assert!(!Escaping::V1_1.allows(br"\r"));
    }

    #[test]
    fn what_a_version_cannot_write_becomes_a_space() {
        let text = "a\r\n:\\b\0";
        assert_eq!(written(text, Version::V1_2, Side::Value), "a\\r\\n\\c\\\\b ");
        assert_eq!(written(text, Version::V1_1, Side::Value), "a \\n\\c\\\\b ");
        assert_eq!(written(text, Version::V1_0, Side::Value), "a  :\\b ");
        assert_eq!(written(text, Version::V1_0, Side::Name), "a   \\b ");
    }
}
