//! What a refused peer is told: one code, one sentence, and who can mend it.

use std::{borrow::Cow, fmt, time::Duration};

use serde::Serialize;

/// The closed set of reasons that a peer can be refused for.
///
/// The words are part of the contract: they stand in the `code` header of an
/// ERROR frame and in the `code` member of a problem document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Code {
    /// The peer broke a rule of STOMP.
    Protocol,
    /// The peer went past a configured limit, which the problem names.
    Limit,
    /// Well-formed, but not something that can be done.
    Invalid,
    /// The login was refused, or a token is missing.
    Unauthorized,
    /// The token's time is over.
    Expired,
    /// Known, but not allowed to do this.
    Forbidden,
    /// There is no such thing, or none that this peer may know of.
    NotFound,
    /// It contradicts what is there already.
    Conflict,
    /// Somebody else holds it at the moment.
    InUse,
    /// The body is larger than this server takes.
    TooLarge,
    /// Too many of them in too short a time.
    RateLimited,
    /// A part that is needed is away; trying again later helps.
    Unavailable,
    /// This instance is going away; another one helps.
    Shutdown,
}

impl Code {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Protocol,
        Self::Limit,
        Self::Invalid,
        Self::Unauthorized,
        Self::Expired,
        Self::Forbidden,
        Self::NotFound,
        Self::Conflict,
        Self::InUse,
        Self::TooLarge,
        Self::RateLimited,
        Self::Unavailable,
        Self::Shutdown,
    ];

    /// The code of a word on the wire.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.as_str() == word)
    }

    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Protocol => "protocol",
            Self::Limit => "limit",
            Self::Invalid => "invalid",
            Self::Unauthorized => "unauthorized",
            Self::Expired => "expired",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not-found",
            Self::Conflict => "conflict",
            Self::InUse => "in-use",
            Self::TooLarge => "too-large",
            Self::RateLimited => "rate-limited",
            Self::Unavailable => "unavailable",
            Self::Shutdown => "shutdown",
        }
    }

    /// The HTTP status that says the same.
    pub const fn status(self) -> u16 {
        match self {
            Self::Protocol | Self::Limit | Self::Invalid => 400,
            Self::Unauthorized | Self::Expired => 401,
            Self::Forbidden => 403,
            Self::NotFound => 404,
            Self::Conflict | Self::InUse => 409,
            Self::TooLarge => 413,
            Self::RateLimited => 429,
            Self::Unavailable | Self::Shutdown => 503,
        }
    }

    /// A few words for a heading.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Protocol => "Protocol error",
            Self::Limit => "Limit exceeded",
            Self::Invalid => "Invalid request",
            Self::Unauthorized => "Not logged in",
            Self::Expired => "Token expired",
            Self::Forbidden => "Not allowed",
            Self::NotFound => "Not found",
            Self::Conflict => "Conflict",
            Self::InUse => "In use",
            Self::TooLarge => "Too large",
            Self::RateLimited => "Too many requests",
            Self::Unavailable => "Not available now",
            Self::Shutdown => "Going away",
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A refusal. It never carries a passcode, a token or a body.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {detail}")]
pub struct Problem {
    /// The reason, for programs.
    pub code: Code,
    /// One sentence, for people: what is wrong and what mends it.
    pub detail: Cow<'static, str>,
    /// The name of the limit that was passed and its value, as in `max-body 4194304`.
    pub limit: Option<Cow<'static, str>>,
    /// The protocol versions that would have been accepted.
    pub version: Option<&'static str>,
    /// How long to wait before trying again.
    pub retry_after: Option<Duration>,
}

impl Problem {
    /// A problem of this kind with its sentence.
    pub fn new(code: Code, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { code, detail: detail.into(), limit: None, version: None, retry_after: None }
    }

    /// Names the limit that was passed.
    #[must_use]
    pub fn with_limit(mut self, name: &str, value: u64) -> Self {
        self.limit = Some(format!("{name} {value}").into());
        self
    }

    /// Says when to try again.
    #[must_use]
    pub fn with_retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// The problem document of RFC 9457 as JSON, the body of a refusal under `/app`.
    pub fn to_json(&self, request_id: &str) -> String {
        let document = Document {
            kind: "about:blank",
            title: self.code.title(),
            status: self.code.status(),
            detail: &self.detail,
            code: self.code.as_str(),
            limit: self.limit.as_deref(),
            retry_after_ms: self.retry_after.map(|wait| wait.as_millis() as u64),
            request_id,
        };
        // A struct of strings and numbers always serialises.
        serde_json::to_string(&document).unwrap_or_default()
    }
}

#[derive(Serialize)]
struct Document<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    status: u16,
    detail: &'a str,
    code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_ms: Option<u64>,
    request_id: &'a str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_found_by_its_word() {
        for code in Code::ALL {
            assert_eq!(Code::from_word(code.as_str()), Some(code));
        }
        assert_eq!(Code::from_word("other"), None);
    }

    #[test]
    fn a_problem_document_leaves_out_what_is_absent() {
        let json = Problem::new(Code::NotFound, "There is no such room.").to_json("r1");
        assert_eq!(
            json,
            r#"{"type":"about:blank","title":"Not found","status":404,"detail":"There is no such room.","code":"not-found","request_id":"r1"}"#
        );
    }
}
