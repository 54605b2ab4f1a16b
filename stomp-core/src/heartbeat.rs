//! Heart-beats as plain arithmetic (STOMP 1.2, *Heart-beating*).

use std::fmt;

use nom::{
    IResult, Parser,
    character::complete::{char, digit1},
    combinator::{all_consuming, map_res},
    sequence::separated_pair,
};

/// One side's heart-beat header, in milliseconds; 0 means none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HeartBeat {
    /// The smallest time between beats that this side guarantees to send, 0 if it cannot.
    pub send_ms: u32,
    /// The time between beats that this side would like to get, 0 if it wants none.
    pub want_ms: u32,
}

impl HeartBeat {
    /// No beats in either direction, which is what a missing header means.
    pub const NONE: Self = Self { send_ms: 0, want_ms: 0 };

    /// A heart-beat of these two times in milliseconds.
    pub const fn new(send_ms: u32, want_ms: u32) -> Self {
        Self { send_ms, want_ms }
    }

    /// Reads the value of a heart-beat header: two numbers of decimal digits with a comma between.
    ///
    /// # Errors
    /// [`HeartBeatError::Malformed`] for anything else: signs, spaces, one number or three, and
    /// numbers above 2³² − 1.
    ///
    /// ```
    /// use stomp_core::heartbeat::HeartBeat;
    ///
    /// assert_eq!(HeartBeat::parse("10000,0"), Ok(HeartBeat::new(10_000, 0)));
    /// assert!(HeartBeat::parse("-1,0").is_err());
    /// ```
    pub fn parse(text: &str) -> Result<Self, HeartBeatError> {
        let (_, (send_ms, want_ms)) = heart_beat(text).map_err(|_| HeartBeatError::Malformed)?;
        Ok(Self { send_ms, want_ms })
    }
}

impl fmt::Display for HeartBeat {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{},{}", self.send_ms, self.want_ms)
    }
}

/// Why a heart-beat header cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum HeartBeatError {
    /// It is not two plain numbers with a comma between.
    #[error("heart-beat must be two numbers of milliseconds with a comma between, such as 10000,0")]
    Malformed,
}

impl HeartBeatError {
    /// The section of the specification that the fault is against.
    pub const fn clause(&self) -> &'static str {
        "STOMP 1.2, Heart-beating"
    }
}

/// What will be, seen from `ours`: how often we send, and how often we can expect to receive. In
/// each direction it is the larger of what the sender can and the receiver wants, and none if
/// either says 0.
///
/// ```
/// use stomp_core::heartbeat::{HeartBeat, negotiate};
///
/// let client = HeartBeat::new(0, 200);
/// let server = HeartBeat::new(500, 500);
/// assert_eq!(negotiate(client, server), HeartBeat::new(500, 0));
/// ```
pub fn negotiate(theirs: HeartBeat, ours: HeartBeat) -> HeartBeat {
    HeartBeat {
        send_ms: agree(ours.send_ms, theirs.want_ms),
        want_ms: agree(theirs.send_ms, ours.want_ms),
    }
}

fn agree(can: u32, wish: u32) -> u32 {
    if can == 0 || wish == 0 { 0 } else { can.max(wish) }
}

/// `heart-beat = number "," number`
fn heart_beat(input: &str) -> IResult<&str, (u32, u32)> {
    all_consuming(separated_pair(number, char(','), number)).parse(input)
}

/// `number = 1*DIGIT`
fn number(input: &str) -> IResult<&str, u32> {
    map_res(digit1, str::parse).parse(input)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_plain_numbers_are_read() {
        assert_eq!(HeartBeat::parse("0,0"), Ok(HeartBeat::NONE));
        assert_eq!(HeartBeat::parse("4294967295,1"), Ok(HeartBeat::new(u32::MAX, 1)));
        assert_eq!(HeartBeat::new(7, 9).to_string(), "7,9");
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            ",",
            "1",
            "1,",
            ",1",
            "1,2,3",
            "-1,0",
            "+1,0",
            "1, 2",
            " 1,2",
            "a,b",
            "1.5,0",
            "4294967296,0",
        ] {
            assert_eq!(HeartBeat::parse(text), Err(HeartBeatError::Malformed), "{text:?}");
        }
    }

    #[test]
    fn each_direction_takes_the_larger_and_zero_wins() {
        let cases = [
            ((0, 0), (500, 500), (0, 0)),
            ((100, 0), (500, 500), (0, 500)),
            ((0, 100), (500, 500), (500, 0)),
            ((1000, 2000), (500, 500), (2000, 1000)),
            ((1000, 2000), (0, 500), (0, 1000)),
            ((1000, 2000), (500, 0), (2000, 0)),
        ];
        for (theirs, ours, expected) in cases {
            let pair = |(send, want)| HeartBeat::new(send, want);
            assert_eq!(negotiate(pair(theirs), pair(ours)), pair(expected), "{theirs:?} {ours:?}");
        }
    }
}
