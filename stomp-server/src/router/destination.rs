//! What a destination's first word means. Compared byte by byte; nothing is normalised.

use crate::problem::{Code, Problem};

/// A destination, told apart by its prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destination<'a> {
    /// `/topic/…`: every subscription gets each message.
    Topic(&'a str),
    /// `/queue/…`: each message goes to one subscription.
    Queue(&'a str),
    /// `/temp-queue/…`: private to the connection.
    TempQueue(&'a str),
    /// `/user/queue/…`: the subscriber's own.
    OwnUser(&'a str),
    /// `/user/NAME/queue/…`: another user's.
    User {
        /// Whose.
        name: &'a str,
        /// What stands behind `/user/NAME`, as in `/queue/x`.
        rest: &'a str,
    },
    /// `/app/…`: handlers of the embedding program; the whole destination.
    App(&'a str),
}

const PREFIXES: &str = "/topic/, /queue/, /temp-queue/, /user/queue/ and /app/";

impl<'a> Destination<'a> {
    /// Tells a destination by its prefix.
    ///
    /// # Errors
    /// `invalid`, naming the prefixes, for any other form (protocol decision 26).
    pub fn parse(text: &'a str) -> Result<Self, Problem> {
        let unknown =
            || Problem::new(Code::Invalid, format!("A destination starts with one of {PREFIXES}."));
        let (kind, rest) =
            text.strip_prefix('/').and_then(|text| text.split_once('/')).ok_or_else(unknown)?;
        if rest.is_empty() {
            return Err(Problem::new(Code::Invalid, "The destination has no name."));
        }
        match kind {
            "topic" => Ok(Self::Topic(rest)),
            "queue" => Ok(Self::Queue(rest)),
            "temp-queue" => Ok(Self::TempQueue(rest)),
            "app" => Ok(Self::App(text)),
            "user" => Self::parse_user(rest).ok_or_else(unknown),
            _ => Err(unknown()),
        }
    }

    fn parse_user(rest: &'a str) -> Option<Self> {
        let (first, behind) = rest.split_once('/')?;
        if first == "queue" {
            return (!behind.is_empty()).then_some(Self::OwnUser(behind));
        }
        let queue = behind.strip_prefix("queue/")?;
        let rest = &rest[first.len()..];
        (!first.is_empty() && !queue.is_empty()).then_some(Self::User { name: first, rest })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_prefix_has_its_meaning() {
        let parse = |text| Destination::parse(text).unwrap();
        assert_eq!(parse("/topic/a.b"), Destination::Topic("a.b"));
        assert_eq!(parse("/queue/a/b"), Destination::Queue("a/b"));
        assert_eq!(parse("/temp-queue/x"), Destination::TempQueue("x"));
        assert_eq!(parse("/user/queue/errors"), Destination::OwnUser("errors"));
        assert_eq!(
            parse("/user/ann/queue/errors"),
            Destination::User { name: "ann", rest: "/queue/errors" }
        );
        assert_eq!(parse("/app/rooms.7.send"), Destination::App("/app/rooms.7.send"));
    }

    #[test]
    fn other_forms_name_the_prefixes() {
        for text in [
            "",
            "/",
            "topic/a",
            "/topic",
            "/topic/",
            "/Topic/a",
            "//topic/a",
            "/user/",
            "/user/ann",
            "/user/ann/queue/",
            "/user//queue/x",
            "/user/queue/",
            "/exchange/a",
        ] {
            assert_eq!(Destination::parse(text).unwrap_err().code, Code::Invalid, "{text}");
        }
    }
}
