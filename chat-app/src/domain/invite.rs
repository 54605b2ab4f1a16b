//! An invitation: a word that lets whoever has it into a room.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

/// How long it lasts.
pub(crate) const INVITE_LIFE: Duration = Duration::from_secs(7 * 24 * 3600);
/// Shortest and longest code that can have been given out.
const LENGTH: std::ops::RangeInclusive<usize> = 16..=64;
/// Random bits of a code, in octets: nobody guesses it.
const RANDOM: usize = 15;

/// The code of an invitation. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct InviteCode(String);

impl InviteCode {
    /// One that nobody has yet: 20 characters.
    pub(crate) fn fresh() -> Self {
        Self(URL_SAFE_NO_PAD.encode(rand::random::<[u8; RANDOM]>()))
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
        (LENGTH.contains(&text.len()) && text.bytes().all(plain)).then(|| Self(text.into()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for InviteCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("InviteCode(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fresh_code_is_long_and_can_be_read_again() {
        let code = InviteCode::fresh();
        assert!(code.as_str().len() >= 16);
        assert_eq!(InviteCode::parse(code.as_str()), Some(code.clone()));
        assert_ne!(InviteCode::fresh(), code);
        assert!(!format!("{code:?}").contains(code.as_str()));
        for bad in ["", "short", "has/a/slash/in/it", &"x".repeat(65)] {
            assert_eq!(InviteCode::parse(bad), None, "{bad}");
        }
    }
}
