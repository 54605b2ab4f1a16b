//! Versions, and how both sides agree on one.

use std::{fmt, str::FromStr};

use nom::{
    IResult, Parser,
    bytes::complete::{tag, take_till},
    character::complete::space0,
    combinator::all_consuming,
    multi::separated_list0,
    sequence::delimited,
};

/// A version of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// STOMP 1.0: no escapes, no heart-beats, subscriptions without an id.
    V1_0,
    /// STOMP 1.1: escapes `\n`, `\c` and `\\`.
    V1_1,
    /// STOMP 1.2: also `\r`, CR LF line ends, ACK by its own id.
    V1_2,
}

impl Version {
    /// Every version, oldest first.
    pub const ALL: [Self; 3] = [Self::V1_0, Self::V1_1, Self::V1_2];

    /// All versions as an ERROR frame lists them: `1.0,1.1,1.2`.
    pub const LIST: &'static str = "1.0,1.1,1.2";

    /// The version as it stands in headers, such as `1.2`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V1_0 => "1.0",
            Self::V1_1 => "1.1",
            Self::V1_2 => "1.2",
        }
    }

    pub(crate) const fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl FromStr for Version {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        Self::ALL
            .into_iter()
            .find(|version| version.as_str() == text)
            .ok_or(VersionError::NoCommonVersion)
    }
}

/// Why there is no version to speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum VersionError {
    /// The other side's list has none of [`Version::ALL`].
    #[error("none of the versions asked for is supported, supported are {}", Version::LIST)]
    NoCommonVersion,
}

impl VersionError {
    /// The section of the specification that the fault is against.
    pub const fn clause(&self) -> &'static str {
        "STOMP 1.2, Protocol Negotiation"
    }
}

/// The highest version that both sides speak. `accept` is the accept-version header of a CONNECT;
/// without it the client speaks 1.0 (STOMP 1.2, *Protocol Negotiation*). Spaces round the commas
/// and the order of the list do not matter; unknown versions in it are passed over.
///
/// # Errors
/// [`VersionError::NoCommonVersion`]: answer with an ERROR frame that has
/// `version:`[`Version::LIST`] and close.
///
/// ```
/// use stomp_core::{Version, version::negotiate};
///
/// assert_eq!(negotiate(Some("1.0, 1.2,2.0")), Ok(Version::V1_2));
/// assert_eq!(negotiate(None), Ok(Version::V1_0));
/// assert!(negotiate(Some("2.0")).is_err());
/// ```
pub fn negotiate(accept: Option<&str>) -> Result<Version, VersionError> {
    let Some(accept) = accept else { return Ok(Version::V1_0) };
    let (_, words) = accept_version(accept).map_err(|_| VersionError::NoCommonVersion)?;
    words
        .into_iter()
        .filter_map(|word| word.parse().ok())
        .max()
        .ok_or(VersionError::NoCommonVersion)
}

/// `accept-version = version *("," version)`, with optional spaces round each.
fn accept_version(input: &str) -> IResult<&str, Vec<&str>> {
    all_consuming(separated_list0(tag(","), version)).parse(input)
}

fn version(input: &str) -> IResult<&str, &str> {
    delimited(space0, take_till(|c| c == ',').map(str::trim_end), space0).parse(input)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_common_version_is_chosen_whatever_the_order() {
        let cases = [
            ("1.2,1.1,1.0", Ok(Version::V1_2)),
            ("1.0,1.1", Ok(Version::V1_1)),
            ("1.1 , 1.0", Ok(Version::V1_1)),
            (" 1.0 ", Ok(Version::V1_0)),
            ("1.0,9.9", Ok(Version::V1_0)),
            (",1.1,,", Ok(Version::V1_1)),
            ("9.9", Err(VersionError::NoCommonVersion)),
            ("", Err(VersionError::NoCommonVersion)),
            ("1.2.0", Err(VersionError::NoCommonVersion)),
            ("1.10", Err(VersionError::NoCommonVersion)),
            ("12", Err(VersionError::NoCommonVersion)),
        ];
        for (accept, expected) in cases {
            assert_eq!(negotiate(Some(accept)), expected, "{accept:?}");
        }
    }

    #[test]
    fn a_missing_list_means_1_0() {
        assert_eq!(negotiate(None), Ok(Version::V1_0));
    }

    #[test]
    fn versions_are_ordered_and_read_back() {
        assert!(Version::V1_0 < Version::V1_1 && Version::V1_1 < Version::V1_2);
        for version in Version::ALL {
            assert_eq!(version.to_string().parse(), Ok(version));
        }
        let list = Version::ALL.map(Version::as_str).join(",");
        assert_eq!(list, Version::LIST);
    }
}
