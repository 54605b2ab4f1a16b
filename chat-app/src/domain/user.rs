//! Somebody with an account.

use std::fmt;

use serde::{Deserialize, Serialize};
use stomp_server::problem::{Code, Problem};

use super::{Settings, Timestamp, UserId};

/// Longest name of an own account.
const NAME_MAX: usize = 64;
/// Longest name for display, in characters.
const DISPLAY_NAME_MAX: usize = 128;
/// Longest address of a picture, in bytes.
const PICTURE_MAX: usize = 1024;
/// Shortest and longest password, in bytes; the upper bound keeps hashing cheap to ask for.
const PASSWORD: std::ops::RangeInclusive<usize> = 8..=1024;

/// Somebody, as others see them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub(crate) struct User {
    pub(crate) id: UserId,
    /// For display; the id is what counts.
    pub(crate) name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) picture: Option<String>,
}

/// Somebody, as they see themselves and as their sessions are judged.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    pub(crate) user: User,
    pub(crate) settings: Settings,
    pub(crate) cutoff: Option<Cutoff>,
}

/// A moment at which all of a user's sessions ended, but perhaps one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cutoff {
    /// Tokens from before are over.
    pub(crate) at: Timestamp,
    /// The one that goes on.
    pub(crate) except: Option<String>,
}

impl Cutoff {
    /// Whether it ends this token.
    pub(crate) fn ends(&self, token: &str, issued: Timestamp) -> bool {
        issued <= self.at && self.except.as_deref() != Some(token)
    }
}

/// What somebody wants to be called, and to look like; what is absent stays.
#[derive(Clone, Debug, Default)]
pub(crate) struct Profile {
    pub(crate) name: Option<String>,
    /// Inner nothing: none from now on.
    pub(crate) picture: Option<Option<String>>,
}

impl Profile {
    /// Takes a name and a picture's address of acceptable length.
    pub(crate) fn parse(
        name: Option<&str>,
        picture: Option<Option<&str>>,
    ) -> Result<Self, Problem> {
        let name = name.map(display_name).transpose()?;
        let picture = picture.map(|picture| picture.map(picture_address).transpose());
        Ok(Self { name, picture: picture.transpose()? })
    }
}

/// A name for people: 1 to 128 characters, none of them invisible controls.
pub(crate) fn display_name(text: &str) -> Result<String, Problem> {
    let text = text.trim();
    let is_long = text.chars().count() > DISPLAY_NAME_MAX;
    if text.is_empty() || is_long || text.chars().any(char::is_control) {
        return Err(Problem::new(Code::Invalid, "A name has 1 to 128 characters."));
    }
    Ok(text.into())
}

/// Browsers load it, so it is an address of the web and nothing else.
fn picture_address(text: &str) -> Result<String, Problem> {
    let is_web = text.starts_with("https://") || text.starts_with("http://");
    if !is_web || text.len() > PICTURE_MAX || text.contains(|c: char| c.is_control() || c == ' ') {
        let detail = "A picture is the address of one, http or https, of up to 1,024 bytes.";
        return Err(Problem::new(Code::Invalid, detail));
    }
    Ok(text.into())
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
    fn a_profile_is_for_people_and_browsers() {
        let picture = |address| Profile::parse(None, Some(Some(address)));
        assert!(picture("https://example.org/a.png").is_ok());
        for bad in ["javascript:alert(1)", "data:image/png;base64,x", "", "https://a b"] {
            assert!(picture(bad).is_err(), "{bad}");
        }
        assert_eq!(Profile::parse(Some(" 안 "), None).unwrap().name.unwrap(), "안");
        let long = "x".repeat(129);
        for bad in ["", "  ", "a\nb", &long] {
            assert!(Profile::parse(Some(bad), None).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_cutoff_ends_what_was_issued_before_but_for_one() {
        let at = Timestamp::from_millis;
        let cutoff = Cutoff { at: at(10), except: Some("mine".into()) };
        assert!(cutoff.ends("other", at(9)) && cutoff.ends("other", at(10)));
        assert!(!cutoff.ends("other", at(11)) && !cutoff.ends("mine", at(9)));
    }

    #[test]
    fn an_account_is_called_by_its_name_in_lower_case() {
        assert_eq!(account_name("Ann_B-9").unwrap().as_str(), "ann_b-9");
        for bad in ["", "a.b", "a@b", "a b", "änn", "a/b", &"x".repeat(65)] {
            assert!(account_name(bad).is_none(), "{bad}");
        }
    }
}
