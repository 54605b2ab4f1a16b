//! The rules by which the records of the topic become places and their holders.
//!
//! Everything here is a function of the records in their order and the times that the log gave
//! them, so that all instances agree.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::LEASE;
use crate::broker::DurableKey;

/// What a record wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Verb {
    /// To have a place.
    Claim,
    /// To move a place that it has.
    Hold,
    /// To leave a place for its return.
    Free,
    /// To forget a place.
    Forget,
    /// To be heard of.
    Here,
}

/// A record's value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Line {
    pub(super) verb: Verb,
    /// Whose record.
    pub(super) instance: String,
    /// Which of its claims.
    pub(super) claim: u64,
    /// The destination of the subscription.
    pub(super) route: String,
    /// The place as its writer knew it: whoever reads the topic after older records have been
    /// cleared away begins with this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) place: Option<Place>,
}

/// A place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Place {
    pub(super) route: String,
    pub(super) epoch: String,
    /// Nothing before its first subscription has said.
    pub(super) offset: Option<u64>,
    /// When it was last used, by the log's time.
    pub(super) used_ms: u64,
}

/// What became of a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Granted(Option<Place>),
    /// This instance has it, which may have been heard of or be gone by this moment.
    Refused {
        holder: String,
        at_ms: u64,
    },
}

/// What a record has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// A claim was decided; by a grant, a place may have changed hands.
    Decided {
        verdict: Verdict,
        lost_by: Option<Holder>,
    },
    /// Somebody else's record was passed over: the holder should write its place again, so
    /// that what is left of the topic in the end is the truth.
    PassedOver(Holder),
    Nothing,
}

/// A claim that was granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Holder {
    pub(super) instance: String,
    pub(super) claim: u64,
}

#[derive(Debug)]
struct Entry {
    place: Place,
    holder: Option<Holder>,
}

/// All places, and when instances were last heard of.
#[derive(Debug, Default)]
pub(super) struct Book {
    entries: HashMap<DurableKey, Entry>,
    heard_ms: HashMap<String, u64>,
}

impl Book {
    pub(super) fn apply(&mut self, key: &DurableKey, line: Option<Line>, at_ms: u64) -> Change {
        let Some(line) = line else { return self.clear(key) };
        self.hear(&line.instance, at_ms);
        match line.verb {
            Verb::Claim => self.claim(key, line, at_ms),
            Verb::Hold | Verb::Free | Verb::Forget => self.change(key, line, at_ms),
            Verb::Here => Change::Nothing,
        }
    }

    /// Notes that an instance lives, or that it has said goodbye.
    pub(super) fn hear(&mut self, instance: &str, at_ms: u64) {
        let heard = self.heard_ms.entry(instance.to_owned()).or_default();
        *heard = at_ms.max(*heard);
    }

    pub(super) fn part(&mut self, instance: &str) {
        self.heard_ms.remove(instance);
    }

    /// When an instance was last heard of.
    pub(super) fn heard_ms(&self, instance: &str) -> Option<u64> {
        self.heard_ms.get(instance).copied()
    }

    /// The place of a name, as it is known now.
    pub(super) fn place(&self, key: &DurableKey) -> Option<Place> {
        self.entries.get(key).map(|entry| entry.place.clone())
    }

    /// The keys of records that nobody can need: of instances that were last heard of before a
    /// moment, and of free places that were last used before another.
    pub(super) fn useless(&self, instances_ms: u64, places_ms: u64) -> Vec<String> {
        let instances = self.heard_ms.iter().filter(|(_, heard)| **heard < instances_ms);
        let is_useless = |entry: &Entry| {
            let holder = entry.holder.as_ref();
            let is_held = holder.is_some_and(|one| self.heard_ms.contains_key(&one.instance));
            !is_held && entry.place.used_ms < places_ms
        };
        let places = self.entries.iter().filter(|(_, entry)| is_useless(entry));
        let keys = instances.map(|(instance, _)| instance_key(instance));
        keys.chain(places.map(|(key, _)| place_key(key))).collect()
    }

    fn claim(&mut self, key: &DurableKey, line: Line, at_ms: u64) -> Change {
        let new = Holder { instance: line.instance, claim: line.claim };
        let mut lost_by = None;
        if let Some(entry) = self.entries.get_mut(key) {
            if let Some(holder) = &entry.holder
                && *holder != new
            {
                let heard = self.heard_ms.get(&holder.instance).copied();
                let silent_ms = heard.map_or(u64::MAX, |heard| at_ms.saturating_sub(heard));
                if silent_ms <= LEASE.as_millis() as u64 && holder.instance != new.instance {
                    let holder = holder.instance.clone();
                    let verdict = Verdict::Refused { holder, at_ms };
                    return Change::Decided { verdict, lost_by: None };
                }
            }
            let old = entry.holder.replace(new);
            lost_by = old.filter(|old| Some(old) != entry.holder.as_ref());
        } else {
            let place = line.place.unwrap_or_else(|| Place::nowhere(&line.route, at_ms));
            self.entries.insert(key.clone(), Entry { place, holder: Some(new) });
        }
        let granted = self.entries.get_mut(key).map(|entry| {
            // A place of another destination is not its: the name is used anew.
            if entry.place.route != line.route {
                entry.place = Place::nowhere(&line.route, at_ms);
            }
            entry.place.clone()
        });
        Change::Decided { verdict: Verdict::Granted(granted), lost_by }
    }

    fn change(&mut self, key: &DurableKey, line: Line, at_ms: u64) -> Change {
        let writer = Holder { instance: line.instance, claim: line.claim };
        if let Some(holder) = self.entries.get(key).and_then(|entry| entry.holder.as_ref())
            && *holder != writer
        {
            return Change::PassedOver(holder.clone());
        }
        // A forgotten place is known to be nowhere: a claim whose writer did not know that yet
        // must not bring it back.
        let place = line.place.filter(|_| line.verb != Verb::Forget);
        let place = place.unwrap_or_else(|| Place::nowhere(&line.route, at_ms));
        let holder = (line.verb == Verb::Hold).then_some(writer);
        let place = Place { used_ms: at_ms, ..place };
        self.entries.insert(key.clone(), Entry { place, holder });
        Change::Nothing
    }

    fn clear(&mut self, key: &DurableKey) -> Change {
        let holder = self.entries.get(key).and_then(|entry| entry.holder.clone());
        match holder {
            Some(holder) if self.heard_ms.contains_key(&holder.instance) => {
                Change::PassedOver(holder)
            }
            _ => {
                self.entries.remove(key);
                Change::Nothing
            }
        }
    }
}

impl Place {
    fn nowhere(route: &str, at_ms: u64) -> Self {
        Self { route: route.to_owned(), epoch: String::new(), offset: None, used_ms: at_ms }
    }
}

/// What a record is about, by its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    Place(DurableKey),
    Instance(String),
}

/// The key of a place's records.
pub(super) fn place_key(key: &DurableKey) -> String {
    words(&[key.user.as_str(), key.id.as_str()])
}

/// The key of the records by which an instance is heard of.
pub(super) fn instance_key(instance: &str) -> String {
    words(&[instance])
}

fn words(words: &[&str]) -> String {
    serde_json::Value::from(words.to_vec()).to_string()
}

pub(super) fn subject(key: &[u8]) -> Option<Subject> {
    let words: Vec<String> = serde_json::from_slice(key).ok()?;
    match &words[..] {
        [instance] => Some(Subject::Instance(instance.clone())),
        [user, id] => Some(Subject::Place(DurableKey { user: user.into(), id: id.into() })),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LATER: u64 = LEASE.as_millis() as u64 + 1;

    fn key() -> DurableKey {
        DurableKey { user: "ann".into(), id: "inbox".into() }
    }

    fn line(verb: Verb, instance: &str, offset: Option<u64>) -> Option<Line> {
        let route = "/topic/a".to_owned();
        let place = Place { route: route.clone(), epoch: "e".to_owned(), offset, used_ms: 0 };
        let place = offset.map(|_| place);
        Some(Line { verb, instance: instance.to_owned(), claim: 1, route, place })
    }

    fn granted(change: Change) -> Option<u64> {
        match change {
            Change::Decided { verdict: Verdict::Granted(place), .. } => place?.offset,
            other => panic!("it is granted: {other:?}"),
        }
    }

    #[test]
    fn a_place_has_one_holder_who_leaves_it_where_it_is() {
        let mut book = Book::default();
        assert_eq!(granted(book.apply(&key(), line(Verb::Claim, "one", None), 0)), None);
        book.apply(&key(), line(Verb::Hold, "one", Some(7)), 1);
        let refused = book.apply(&key(), line(Verb::Claim, "two", None), 2);
        assert!(matches!(refused, Change::Decided { verdict: Verdict::Refused { .. }, .. }));
        let passed = book.apply(&key(), line(Verb::Hold, "two", Some(99)), 3);
        assert!(matches!(passed, Change::PassedOver(_)));
        book.apply(&key(), line(Verb::Free, "one", Some(8)), 4);
        assert_eq!(granted(book.apply(&key(), line(Verb::Claim, "two", None), 5)), Some(8));
    }

    #[test]
    fn a_holder_that_is_not_heard_of_loses_its_place_and_its_word() {
        let mut book = Book::default();
        book.apply(&key(), line(Verb::Claim, "one", None), 0);
        book.apply(&key(), line(Verb::Hold, "one", Some(7)), 1);
        let change = book.apply(&key(), line(Verb::Claim, "two", None), 1 + LATER);
        let Change::Decided { lost_by: Some(loser), .. } = &change else { panic!("{change:?}") };
        assert_eq!(loser.instance, "one");
        assert_eq!(granted(change), Some(7));
        let late = book.apply(&key(), line(Verb::Hold, "one", Some(3)), 2 + LATER);
        assert!(matches!(late, Change::PassedOver(_)), "its word counts no longer");
        assert_eq!(book.place(&key()).and_then(|place| place.offset), Some(7));
    }

    #[test]
    fn being_heard_of_keeps_a_place() {
        let mut book = Book::default();
        book.apply(&key(), line(Verb::Claim, "one", None), 0);
        book.hear("one", LATER);
        let refused = book.apply(&key(), line(Verb::Claim, "two", None), LATER + 1);
        assert!(matches!(refused, Change::Decided { verdict: Verdict::Refused { .. }, .. }));
        book.part("one");
        granted(book.apply(&key(), line(Verb::Claim, "two", None), LATER + 2));
    }

    #[test]
    fn a_forgotten_place_and_one_of_another_destination_begin_anew() {
        let mut book = Book::default();
        book.apply(&key(), line(Verb::Claim, "one", None), 0);
        book.apply(&key(), line(Verb::Hold, "one", Some(7)), 1);
        book.apply(&key(), line(Verb::Forget, "one", None), 2);
        let late = line(Verb::Claim, "two", Some(7)); // as it was before
        assert_eq!(granted(book.apply(&key(), late, 3)), None);
        book.apply(&key(), line(Verb::Free, "two", Some(9)), 4);
        let mut other = line(Verb::Claim, "two", Some(9));
        if let Some(line) = &mut other {
            line.route = "/topic/b".to_owned();
        }
        assert_eq!(granted(book.apply(&key(), other, 5)), None);
    }

    #[test]
    fn one_record_is_enough_for_a_reader_that_begins_with_it() {
        for verb in [Verb::Hold, Verb::Free, Verb::Claim] {
            let mut book = Book::default();
            book.apply(&key(), line(verb, "one", Some(7)), 0);
            assert_eq!(book.place(&key()).and_then(|place| place.offset), Some(7), "{verb:?}");
        }
    }

    #[test]
    fn what_is_useless_is_told_and_what_is_held_stays() {
        let mut book = Book::default();
        book.apply(&key(), line(Verb::Hold, "one", Some(7)), 10);
        assert!(book.useless(0, 100).is_empty());
        assert_eq!(book.useless(100, 0), [instance_key("one")]);
        assert!(matches!(book.apply(&key(), None, 11), Change::PassedOver(_)));
        book.apply(&key(), line(Verb::Free, "one", Some(7)), 12);
        book.part("one");
        assert_eq!(book.useless(0, 100), [place_key(&key())]);
        assert_eq!(book.apply(&key(), None, 13), Change::Nothing);
        assert_eq!(book.place(&key()), None);
    }

    #[test]
    fn keys_are_read_back_whatever_is_in_them() {
        let key = DurableKey { user: "a\"b,".into(), id: "ü".into() };
        assert_eq!(subject(place_key(&key).as_bytes()), Some(Subject::Place(key)));
        assert_eq!(subject(b"[\"x\"]"), Some(Subject::Instance("x".to_owned())));
        assert_eq!(subject(b"x"), None);
    }
}
