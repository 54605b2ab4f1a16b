//! Which destinations a subscription's words stand for.

use super::BrokerError;
use crate::problem::{Code, Problem};

/// The prefix of what wildcards work on; elsewhere they are ordinary characters.
const TOPICS: &str = "/topic/";

/// How many words a pattern may have. Each costs a node of the index and a step of its
/// search, and nobody needs more.
const MAX_WORDS: usize = 64;

/// Tells patterns from exact destinations and splits both into words.
#[derive(Clone, Copy, Debug)]
pub(super) struct Words {
    separator: char,
}

impl Words {
    pub(super) const fn new(separator: char) -> Self {
        Self { separator }
    }

    /// Whether the route stands for more than itself: a topic with a word `*`, `#` or `>`.
    pub(super) fn is_pattern(self, route: &str) -> bool {
        self.of(route).is_some_and(|mut words| words.any(|word| is_any(word) || is_rest(word)))
    }

    /// Refuses a pattern that the index does not take.
    pub(super) fn check(self, pattern: &str) -> Result<(), BrokerError> {
        let Some(words) = self.of(pattern) else { return Ok(()) };
        let words: Vec<_> = words.take(MAX_WORDS + 1).collect();
        if words.len() > MAX_WORDS {
            let problem = Problem::new(Code::Limit, "The pattern has too many words.");
            return Err(problem.with_limit("pattern-words", MAX_WORDS as u64).into());
        }
        if words.iter().rev().skip(1).any(|word| is_rest(word)) {
            return Err(BrokerError::refused(
                Code::Invalid,
                "# and > stand for the rest of a destination, so they can only be its last word.",
            ));
        }
        Ok(())
    }

    /// The words behind `/topic/`; none for other routes.
    pub(super) fn of(self, route: &str) -> Option<std::str::Split<'_, char>> {
        route.strip_prefix(TOPICS).map(|words| words.split(self.separator))
    }

    /// Whether `pattern` covers `route`.
    pub(super) fn covers(self, pattern: &str, route: &str) -> bool {
        let (Some(pattern), Some(mut words)) = (self.of(pattern), self.of(route)) else {
            return pattern == route;
        };
        for wanted in pattern {
            if is_rest(wanted) {
                return true;
            }
            match words.next() {
                Some(word) if is_any(wanted) || word == wanted => {}
                _ => return false,
            }
        }
        words.next().is_none()
    }
}

/// One word, whichever.
pub(super) fn is_any(word: &str) -> bool {
    word == "*"
}

/// All further words, also none.
pub(super) fn is_rest(word: &str) -> bool {
    matches!(word, "#" | ">")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_words_of_topics_are_wildcards() {
        let words = Words::new('.');
        for pattern in ["/topic/*", "/topic/a.*.c", "/topic/#", "/topic/a.>"] {
            assert!(words.is_pattern(pattern), "{pattern}");
        }
        for exact in ["/topic/a*", "/topic/a.b#", "/topic/a/*", "/queue/*", "/user/x/queue/#"] {
            assert!(!words.is_pattern(exact), "{exact}");
        }
    }

    #[test]
    fn a_pattern_covers_what_its_words_say() {
        let words = Words::new('.');
        let cases = [
            ("/topic/a.*", "/topic/a.b", true),
            ("/topic/a.*", "/topic/a.b.c", false),
            ("/topic/a.*", "/topic/a", false),
            ("/topic/a.#", "/topic/a.b.c", true),
            ("/topic/a.#", "/topic/a", true),
            ("/topic/a.>", "/topic/ab", false),
            ("/topic/*.b", "/topic/a.b", true),
            ("/topic/#", "/topic/a", true),
            ("/topic/#", "/queue/a", false),
            ("/topic/a", "/topic/a", true),
        ];
        for (pattern, route, covered) in cases {
            assert_eq!(words.covers(pattern, route), covered, "{pattern} {route}");
        }
    }

    #[test]
    fn the_rest_can_only_be_the_last_word() {
        let words = Words::new('.');
        assert!(words.check("/topic/a.#").is_ok());
        assert!(words.check("/topic/#.a").is_err());
        assert!(words.check(&format!("/topic/{}*", "*.".repeat(64))).is_err());
    }

    #[test]
    fn another_separator_splits_otherwise() {
        let words = Words::new('/');
        assert!(words.covers("/topic/a/*", "/topic/a/b"));
        assert!(!words.is_pattern("/topic/a.*"));
    }
}
