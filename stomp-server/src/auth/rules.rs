//! Which destinations a rule allows: `/topic/orders.*`, `/queue/#`, `/user/*/queue/replies`.
//!
//! Rules and destinations are compared byte by byte, word by word; nothing is normalised.
//! A rule that allows a pattern to be subscribed to allows every destination that the
//! pattern can ever match.

use super::Intent;
use crate::router::Destination;

/// What somebody may do, verb by verb. Nothing by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rights {
    /// Where they may SEND.
    pub send: Vec<Rule>,
    /// What they may SUBSCRIBE to.
    pub subscribe: Vec<Rule>,
}

impl Rights {
    /// Whether one of the rules allows this. What is private to a session or its user
    /// anyway (`/temp-queue/**`, `/user/queue/**`) needs none.
    pub fn allow(&self, intent: Intent<'_>, separator: char) -> bool {
        let (rules, text, patterns) = match intent {
            Intent::Send(text) => (&self.send, text, false),
            Intent::Subscribe(text) => (&self.subscribe, text, true),
        };
        match Destination::parse(text) {
            Ok(Destination::TempQueue(_) | Destination::OwnUser(_)) => true,
            Ok(target) => rules.iter().any(|rule| rule.covers(target, patterns, separator)),
            Err(_) => false,
        }
    }
}

/// One allowed destination, or a pattern of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    kind: Kind,
    words: Vec<Word>,
    /// Any number of further words, also none.
    rest: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Topic,
    Queue,
    /// `/user/NAME/queue/…`
    User(Word),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Word {
    Any,
    Exact(Box<str>),
}

impl Rule {
    /// Reads a rule; words are split by `separator`, as those of topics are.
    ///
    /// # Errors
    /// A sentence that says what is wrong with it.
    pub fn parse(text: &str, separator: char) -> Result<Self, String> {
        let target = Destination::parse(text).map_err(|problem| problem.detail.into_owned())?;
        let (kind, name) = match target {
            Destination::Topic(name) => (Kind::Topic, name),
            Destination::Queue(name) => (Kind::Queue, name),
            Destination::User { name, rest } => {
                let queue = rest.strip_prefix("/queue/").unwrap_or_default();
                (Kind::User(Word::parse(name)?), queue)
            }
            Destination::TempQueue(_) | Destination::OwnUser(_) | Destination::App(_) => {
                return Err("this needs no rule".to_owned());
            }
        };
        let mut words: Vec<&str> = name.split(separator).collect();
        let rest = words.pop_if(|last| is_rest(last)).is_some();
        let words = words.into_iter().map(Word::parse).collect::<Result<_, _>>()?;
        Ok(Self { kind, words, rest })
    }

    /// Whether everything that `target` can stand for is allowed by this rule.
    fn covers(&self, target: Destination<'_>, patterns: bool, separator: char) -> bool {
        match (&self.kind, target) {
            (Kind::Topic, Destination::Topic(name)) => {
                self.covers_words(name.split(separator), patterns)
            }
            (Kind::Queue, Destination::Queue(name)) => {
                self.covers_words(name.split(separator), false)
            }
            (Kind::User(whose), Destination::User { name, rest }) => {
                let queue = rest.strip_prefix("/queue/").unwrap_or_default();
                whose.covers(name) && self.covers_words(queue.split(separator), false)
            }
            _ => false,
        }
    }

    fn covers_words<'a>(&self, mut asked: impl Iterator<Item = &'a str>, patterns: bool) -> bool {
        for allowed in &self.words {
            let Some(word) = asked.next() else { return false };
            // Any number of words cannot be covered by exactly one.
            let covered = !(patterns && is_rest(word)) && allowed.covers(word);
            // `*` stands for every word, which a single one does not cover.
            let too_wide = patterns && word == "*" && *allowed != Word::Any;
            if !covered || too_wide {
                return false;
            }
        }
        self.rest || asked.next().is_none()
    }
}

impl Word {
    fn parse(text: &str) -> Result<Self, String> {
        if text == "*" {
            return Ok(Self::Any);
        }
        if text.contains(['*', '#', '>']) {
            return Err("* stands for a whole word, # and > for all words at the end".to_owned());
        }
        if text.contains(char::is_control) {
            return Err("a rule has no control characters".to_owned());
        }
        Ok(Self::Exact(text.into()))
    }

    fn covers(&self, word: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Exact(exact) => **exact == *word,
        }
    }
}

fn is_rest(word: &str) -> bool {
    matches!(word, "#" | ">")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rights(rule: &str) -> Rights {
        let rule = Rule::parse(rule, '.').unwrap();
        Rights { send: vec![rule.clone()], subscribe: vec![rule] }
    }

    fn sends(rule: &str, destination: &str) -> bool {
        rights(rule).allow(Intent::Send(destination), '.')
    }

    fn subscribes(rule: &str, destination: &str) -> bool {
        rights(rule).allow(Intent::Subscribe(destination), '.')
    }

    #[test]
    fn a_rule_allows_what_its_words_say() {
        let cases = [
            ("/topic/a", "/topic/a", true),
            ("/topic/a", "/topic/a.b", false),
            ("/topic/a.*", "/topic/a.b", true),
            ("/topic/a.*", "/topic/a.b.c", false),
            ("/topic/a.*", "/topic/a", false),
            ("/topic/a.#", "/topic/a", true),
            ("/topic/a.>", "/topic/a.b.c", true),
            ("/topic/#", "/topic/anything", true),
            ("/queue/a.*", "/queue/a.b", true),
            ("/queue/#", "/topic/a", false),
            ("/user/*/queue/x", "/user/ann/queue/x", true),
            ("/user/ann/queue/#", "/user/ann/queue/x", true),
            ("/user/ann/queue/#", "/user/bob/queue/x", false),
        ];
        for (rule, destination, allowed) in cases {
            assert_eq!(sends(rule, destination), allowed, "{rule} {destination}");
        }
    }

    #[test]
    fn look_alikes_reach_nothing() {
        for look_alike in [
            "/topic/A",
            "/topic/a ",
            "/topic//a",
            "/topic/./a",
            "/topic/../topic/a",
            "/topic/b/../a",
            "/topic/a/",
            "/topic/a.",
            "/topic/.a",
            "//topic/a",
            "/topic/a\0",
            "/topic/%61",
            "/topic/\u{430}", // cyrillic
            "/topic/a\u{200b}",
            "/topic/*",
            "/topic/#",
            "/queue/a",
            "topic/a",
            "",
        ] {
            assert!(!sends("/topic/a", look_alike), "SEND {look_alike:?}");
            assert!(!subscribes("/topic/a", look_alike), "SUBSCRIBE {look_alike:?}");
        }
    }

    #[test]
    fn a_pattern_is_subscribed_to_only_if_all_that_it_matches_is_allowed() {
        let cases = [
            ("/topic/a.*", "/topic/a.*", true),
            ("/topic/a.*", "/topic/a.#", false),
            ("/topic/a.*", "/topic/a.>", false),
            ("/topic/a.*", "/topic/*.b", false),
            ("/topic/a.b", "/topic/a.*", false),
            ("/topic/a.#", "/topic/a.*", true),
            ("/topic/a.#", "/topic/a.*.*", true),
            ("/topic/a.#", "/topic/a.>", true),
            ("/topic/a.#", "/topic/#", false),
            ("/topic/a.*.#", "/topic/a.#", false),
            ("/topic/*.*", "/topic/#", false),
            ("/topic/#", "/topic/#", true),
            ("/topic/#", "/topic/*", true),
            ("/topic/*", "/topic/a*", true), // an ordinary word with a star in it
            ("/topic/a", "/topic/a*", false),
        ];
        for (rule, pattern, allowed) in cases {
            assert_eq!(subscribes(rule, pattern), allowed, "{rule} {pattern}");
        }
    }

    /// The law behind the table above, over all small patterns and destinations.
    #[test]
    fn no_allowed_pattern_matches_a_destination_that_is_not_allowed() {
        fn matches(pattern: &[&str], words: &[&str]) -> bool {
            match (pattern.first(), words.first()) {
                (Some(&"#"), _) => true,
                (Some(wanted), Some(word)) if *wanted == "*" || wanted == word => {
                    matches(&pattern[1..], &words[1..])
                }
                (None, None) => true,
                _ => false,
            }
        }
        let all = |alphabet: &[&'static str]| {
            let mut lists: Vec<Vec<&'static str>> = Vec::new();
            for one in alphabet {
                lists.push(vec![*one]);
                for two in alphabet {
                    lists.push(vec![*one, *two]);
                    for three in alphabet {
                        lists.push(vec![*one, *two, *three]);
                    }
                }
            }
            lists
        };
        let patterns = all(&["a", "*", "#"]);
        let ends_well = |words: &Vec<&str>| !words[..words.len() - 1].contains(&"#");
        let mut destinations = all(&["a", "b", ""]);
        destinations.retain(|words| *words != [""]); // `/topic/` is no destination
        for rule in patterns.iter().filter(|words| ends_well(words)) {
            let rights = rights(&format!("/topic/{}", rule.join(".")));
            for pattern in patterns.iter().filter(|words| ends_well(words)) {
                let text = format!("/topic/{}", pattern.join("."));
                if !rights.allow(Intent::Subscribe(&text), '.') {
                    continue;
                }
                for words in destinations.iter().filter(|words| matches(pattern, words)) {
                    let destination = format!("/topic/{}", words.join("."));
                    assert!(
                        rights.allow(Intent::Send(&destination), '.'),
                        "{rule:?} allows {text}, which matches {destination}"
                    );
                }
            }
        }
    }

    #[test]
    fn what_is_private_anyway_needs_no_rule() {
        let none = Rights::default();
        assert!(none.allow(Intent::Send("/temp-queue/x"), '.'));
        assert!(none.allow(Intent::Subscribe("/user/queue/errors"), '.'));
        assert!(!none.allow(Intent::Send("/user/bob/queue/x"), '.'));
        assert!(!none.allow(Intent::Send("/topic/a"), '.'));
    }

    #[test]
    fn a_rule_that_would_mislead_is_refused() {
        for rule in ["/topic/room*", "/topic/#.a", "/topic/", "/app/x", "/temp-queue/x", "a", ""] {
            assert!(Rule::parse(rule, '.').is_err(), "{rule}");
        }
    }

    #[test]
    fn words_are_split_by_the_separator_of_the_server() {
        let rule = Rule::parse("/topic/a/*", '/').unwrap();
        let rights = Rights { send: vec![rule], ..Rights::default() };
        assert!(rights.allow(Intent::Send("/topic/a/b"), '/'));
        assert!(!rights.allow(Intent::Send("/topic/a/b/c"), '/'));
        assert!(rights.allow(Intent::Send("/topic/a/b.c"), '/'));
    }
}
