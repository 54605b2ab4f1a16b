//! Patterns to whoever subscribed with them: a trie of words.
//!
//! Exact destinations never come here; they are found by one hash look-up
//! (`channel.rs`), and each remembers which patterns cover it until the trie changes.

use std::collections::HashMap;

use compact_str::CompactString;

use super::{
    SubscriptionKey,
    pattern::{Words, is_any, is_rest},
};

/// Subscriptions by pattern.
#[derive(Debug)]
pub(super) struct Index<T> {
    words: Words,
    root: Node<T>,
    len: usize,
}

#[derive(Debug)]
struct Node<T> {
    children: HashMap<CompactString, Node<T>>,
    any: Option<Box<Node<T>>>,
    /// Patterns that end here.
    here: Vec<(SubscriptionKey, T)>,
    /// Patterns that take all further words.
    rest: Vec<(SubscriptionKey, T)>,
}

impl<T> Default for Node<T> {
    fn default() -> Self {
        Self { children: HashMap::new(), any: None, here: Vec::new(), rest: Vec::new() }
    }
}

impl<T: Clone> Index<T> {
    pub(super) fn new(words: Words) -> Self {
        Self { words, root: Node::default(), len: 0 }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds a subscription; its pattern has been checked.
    pub(super) fn insert(&mut self, pattern: &str, key: SubscriptionKey, value: T) {
        let Some(words) = self.words.of(pattern) else { return };
        let mut node = &mut self.root;
        self.len += 1;
        for word in words {
            if is_rest(word) {
                node.rest.push((key, value));
                return;
            }
            node = node.child(word);
        }
        node.here.push((key, value));
    }

    /// Removes a subscription and the words that only it needed.
    pub(super) fn remove(&mut self, pattern: &str, key: SubscriptionKey) {
        let Some(words) = self.words.of(pattern) else { return };
        let words: Vec<_> = words.collect();
        if self.root.remove(&words, key) {
            self.len -= 1;
        }
    }

    /// All whose pattern covers the route.
    pub(super) fn matches(&self, route: &str) -> Vec<T> {
        let mut found = Vec::new();
        if let Some(words) = self.words.of(route)
            && !self.is_empty()
        {
            self.root.collect(words, &mut found);
        }
        found
    }
}

impl<T: Clone> Node<T> {
    fn child(&mut self, word: &str) -> &mut Self {
        if is_any(word) {
            self.any.get_or_insert_default()
        } else {
            self.children.entry(word.into()).or_default()
        }
    }

    fn remove(&mut self, words: &[&str], key: SubscriptionKey) -> bool {
        match words {
            [] => take(&mut self.here, key),
            [word, ..] if is_rest(word) => take(&mut self.rest, key),
            [word, further @ ..] if is_any(word) => {
                let Some(any) = &mut self.any else { return false };
                let removed = any.remove(further, key);
                if any.is_bare() {
                    self.any = None;
                }
                removed
            }
            [word, further @ ..] => {
                let Some(child) = self.children.get_mut(*word) else { return false };
                let removed = child.remove(further, key);
                if child.is_bare() {
                    self.children.remove(*word);
                }
                removed
            }
        }
    }

    /// As deep as the deepest pattern, not as the route is long.
    fn collect(&self, mut words: std::str::Split<'_, char>, found: &mut Vec<T>) {
        found.extend(self.rest.iter().map(|(_, value)| value.clone()));
        let Some(word) = words.next() else {
            found.extend(self.here.iter().map(|(_, value)| value.clone()));
            return;
        };
        if let Some(child) = self.children.get(word) {
            child.collect(words.clone(), found);
        }
        if let Some(any) = &self.any {
            any.collect(words, found);
        }
    }

    fn is_bare(&self) -> bool {
        self.children.is_empty()
            && self.any.is_none()
            && self.here.is_empty()
            && self.rest.is_empty()
    }
}

fn take<T>(entries: &mut Vec<(SubscriptionKey, T)>, key: SubscriptionKey) -> bool {
    let before = entries.len();
    entries.retain(|(other, _)| *other != key);
    entries.len() < before
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::ConnectionId;

    fn key(number: u32) -> SubscriptionKey {
        SubscriptionKey { connection: ConnectionId(1), number }
    }

    fn index(patterns: &[&str]) -> Index<u32> {
        let mut index = Index::new(Words::new('.'));
        for (number, pattern) in (0..).zip(patterns) {
            index.insert(pattern, key(number), number);
        }
        index
    }

    fn found(index: &Index<u32>, route: &str) -> Vec<u32> {
        let mut found = index.matches(route);
        found.sort_unstable();
        found
    }

    #[test]
    fn a_route_finds_every_pattern_that_covers_it() {
        let patterns = ["/topic/a.*", "/topic/a.#", "/topic/*.b", "/topic/>", "/topic/a.*.c"];
        let index = index(&patterns);
        assert_eq!(found(&index, "/topic/a.b"), [0, 1, 2, 3]);
        assert_eq!(found(&index, "/topic/a"), [1, 3]);
        assert_eq!(found(&index, "/topic/a.b.c"), [1, 3, 4]);
        assert_eq!(found(&index, "/topic/x.y"), [3]);
        assert!(found(&index, "/queue/a.b").is_empty());
    }

    #[test]
    fn the_trie_agrees_with_the_plain_comparison() {
        let words = ["a", "b", "*", "#"];
        let mut patterns = Vec::new();
        for one in words {
            patterns.push(format!("/topic/{one}"));
            for two in words {
                patterns.push(format!("/topic/{one}.{two}"));
            }
        }
        let plain = Words::new('.');
        patterns.retain(|pattern| plain.check(pattern).is_ok());
        let borrowed: Vec<_> = patterns.iter().map(String::as_str).collect();
        let index = index(&borrowed);
        for route in ["/topic/a", "/topic/b.a", "/topic/c", "/topic/a.b.c", "/topic/"] {
            let expected: Vec<u32> = (0..)
                .zip(&patterns)
                .filter(|(_, pattern)| plain.covers(pattern, route))
                .map(|(number, _)| number)
                .collect();
            assert_eq!(found(&index, route), expected, "{route}");
        }
    }

    #[test]
    fn removing_the_last_pattern_leaves_nothing_behind() {
        let patterns = ["/topic/a.*.c", "/topic/a.b.>", "/topic/*"];
        let mut index = index(&patterns);
        for (number, pattern) in (0..).zip(patterns) {
            index.remove(pattern, key(99));
            index.remove(pattern, key(number));
            index.remove(pattern, key(number));
        }
        assert!(index.is_empty());
        assert!(index.root.is_bare());
    }
}
