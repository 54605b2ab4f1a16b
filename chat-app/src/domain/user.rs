//! Somebody with an account.

use std::fmt;

use serde::{Deserialize, Serialize};
use stomp_server::problem::{Code, Problem};

use super::UserId;

/// Longest name of an own account.
const NAME_MAX: usize = 64;
/// Shortest and longest password, in bytes; the upper bound keeps hashing cheap to ask for.
const PASSWORD: std::ops::RangeInclusive<usize> = 8..=1024;

/// Somebody, as others see them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct User {
    pub(crate) id: UserId,
    /// For display; the id is what counts.
    pub(crate) name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) picture: Option<String>,
}

/// The id of an own account: its name in lower case. `None` for a name that no account can have.
pub(crate) fn account_name(name: &str) -> Option<UserId> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
    if name.len() > NAME_MAX || !name.bytes().all(plain) {
        return None;
    }
    UserId::parse(&name.to_ascii_lowercase())
}

/// A password on its way to be hashed. `Debug` does not show it.
pub(crate) struct Password(String);

impl Password {
    /// Takes a password of an acceptable length.
    pub(crate) fn parse(text: String) -> Result<Self, Problem> {
        if PASSWORD.contains(&text.len()) {
            return Ok(Self(text));
        }
        Err(Problem::new(Code::Invalid, "A password has 8 to 1024 bytes."))
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_called_by_its_name_in_lower_case() {
        assert_eq!(account_name("Ann_B-9").unwrap().as_str(), "ann_b-9");
        for bad in ["", "a.b", "a@b", "a b", "änn", "a/b", &"x".repeat(65)] {
            assert!(account_name(bad).is_none(), "{bad}");
        }
    }
}
