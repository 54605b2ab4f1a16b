//! Where a message stands in the log.

use std::{fmt, str::FromStr};

/// One life of a log: 32 random bits, drawn when the log is made.
///
/// A place of another epoch belongs to a log that was replaced, and says nothing
/// about this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u32);

impl Epoch {
    /// A fresh epoch for a new log.
    pub fn random() -> Self {
        Self(rand::random())
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

/// A place in the log: 8 hex digits of epoch, `-`, 16 hex digits of offset, lower case.
///
/// Positions of one destination and epoch compare by log order, as values and as
/// text. Everything else about them is opaque to clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The log's life.
    pub epoch: Epoch,
    /// The record's number in its partition; offsets have gaps.
    pub offset: u64,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.text()).unwrap_or_default()) // digits and a hyphen
    }
}

impl Position {
    /// Its octets, without a detour over formatting: every message has some.
    fn text(self) -> [u8; 25] {
        let mut text = [b'-'; 25];
        hex(u64::from(self.epoch.0), &mut text[..8]);
        hex(self.offset, &mut text[9..]);
        text
    }
}

/// The last digits of a number, as many as there is place for.
fn hex(mut number: u64, place: &mut [u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for digit in place.iter_mut().rev() {
        *digit = DIGITS[(number & 15) as usize];
        number >>= 4;
    }
}

/// The text is not a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a position is 8 hex digits, a hyphen and 16 hex digits, in lower case")]
pub struct InvalidPosition;

impl FromStr for Position {
    type Err = InvalidPosition;

    fn from_str(text: &str) -> Result<Self, InvalidPosition> {
        let bytes = text.as_bytes();
        let digit = |b: &u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
        let (Some(epoch), Some(b'-'), Some(offset)) =
            (bytes.get(..8), bytes.get(8), bytes.get(9..))
        else {
            return Err(InvalidPosition);
        };
        if offset.len() != 16 || !epoch.iter().chain(offset).all(digit) {
            return Err(InvalidPosition);
        }
        let epoch = u32::from_str_radix(&text[..8], 16).map_err(|_| InvalidPosition)?;
        let offset = u64::from_str_radix(&text[9..], 16).map_err(|_| InvalidPosition)?;
        Ok(Self { epoch: Epoch(epoch), offset })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_reads_back_what_it_writes() {
        let position = Position { epoch: Epoch(0xab), offset: 258 };
        assert_eq!(position.to_string(), "000000ab-0000000000000102");
        assert_eq!(position.to_string().parse(), Ok(position));
    }

    #[test]
    fn other_forms_are_not_positions() {
        for text in [
            "",
            "-",
            "000000ab",
            "000000AB-0000000000000102",
            "000000ab-000000000000102",
            "000000ab-00000000000001020",
            "000000ab_0000000000000102",
            "+00000ab-0000000000000102",
            "000000äb-0000000000000102",
        ] {
            assert_eq!(text.parse::<Position>(), Err(InvalidPosition), "{text}");
        }
    }
}
