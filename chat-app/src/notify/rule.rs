//! Who gets a push for what was said: decided from what is known, without asking anybody.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use serde::Deserialize;

use super::hours::QuietHours;
use crate::domain::{Timestamp, UserId};

/// A message, as far as a notification goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) ordinal: i64,
    pub(crate) position: String,
    pub(crate) sender: UserId,
    /// What the sender is called.
    pub(crate) name: String,
    pub(crate) mentions: Vec<UserId>,
    /// Its text, or the beginning of it.
    pub(crate) text: Option<String>,
}

/// A member, as far as a notification goes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Candidate {
    pub(crate) user: UserId,
    pub(crate) read_ordinal: i64,
    pub(crate) delivered_position: String,
    pub(crate) muted_until: Option<Timestamp>,
    pub(crate) wishes: Wishes,
}

/// The part of a user's settings that is about notifications.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Wishes {
    /// What was said may be shown where others can see it.
    pub(crate) preview: bool,
    pub(crate) quiet_hours: Option<QuietHours>,
}

impl Wishes {
    /// From the settings as they are kept, if there are any. Hours of a zone that does not
    /// exist are never quiet.
    pub(crate) fn of(settings: Option<&str>) -> Self {
        #[derive(Deserialize)]
        struct Kept {
            preview: Option<bool>,
            quiet_hours: Option<serde_json::Value>,
        }
        let kept = settings.and_then(|json| serde_json::from_str::<Kept>(json).ok());
        let (preview, hours) = kept.map_or((None, None), |kept| (kept.preview, kept.quiet_hours));
        Self {
            preview: preview.unwrap_or(true),
            quiet_hours: hours.and_then(|hours| serde_json::from_value(hours).ok()),
        }
    }
}

/// Pairs of who does not want to hear from whom.
pub(crate) type Blocks = HashSet<(UserId, UserId)>;

/// Messages of a room that are to be told of, reduced to what can matter to somebody: the
/// newest of each sender, and the newest with which each sender mentions somebody.
#[derive(Clone, Debug, Default)]
pub(crate) struct Window {
    /// Newest first, one a sender.
    newest: Vec<Arc<Said>>,
    senders: HashSet<UserId>,
    /// Newest first, one a sender.
    mentions: HashMap<UserId, Vec<Arc<Said>>>,
}

impl Window {
    /// Adds a message that is older than all that are in.
    pub(crate) fn add_older(&mut self, said: Said) {
        let said = Arc::new(said);
        if self.senders.insert(said.sender.clone()) {
            self.newest.push(said.clone());
        }
        for user in &said.mentions {
            let known = self.mentions.entry(user.clone()).or_default();
            if known.iter().all(|newer| newer.sender != said.sender) {
                known.push(said.clone());
            }
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.newest.is_empty()
    }

    pub(crate) fn senders(&self) -> impl Iterator<Item = &UserId> {
        self.senders.iter()
    }

    /// The newest message that `who` is to be told of now, if there is one: neither read nor
    /// delivered, by somebody else whom `who` has not blocked; of a muted room only what
    /// mentions `who`; in quiet hours nothing.
    pub(crate) fn due_for(
        &self,
        who: &Candidate,
        blocks: &Blocks,
        now: Timestamp,
    ) -> Option<&Arc<Said>> {
        if who.wishes.quiet_hours.as_ref().is_some_and(|hours| hours.hold(now)) {
            return None;
        }
        let is_muted = who.muted_until.is_some_and(|until| until > now);
        let messages = match is_muted {
            false => &self.newest[..],
            true => self.mentions.get(&who.user)?,
        };
        let wanted = |said: &Said| {
            said.sender != who.user && !blocks.contains(&(who.user.clone(), said.sender.clone()))
        };
        messages.iter().find(|said| wanted(said)).filter(|said| !who.has(said))
    }

    /// Whether `said` mentions `user`.
    pub(crate) fn mentions(said: &Said, user: &UserId) -> bool {
        said.mentions.contains(user)
    }
}

impl Candidate {
    /// Whether the member has seen it, or has it before its eyes. Places of different logs
    /// cannot be compared, and then only what was read counts.
    fn has(&self, said: &Said) -> bool {
        let epoch = |position: &str| position.get(..8).map(str::to_owned);
        let is_delivered = epoch(&self.delivered_position) == epoch(&said.position)
            && self.delivered_position.as_str() >= said.position.as_str();
        self.read_ordinal >= said.ordinal || is_delivered
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(name: &str) -> UserId {
        UserId::parse(name).unwrap()
    }

    fn said(ordinal: i64, sender: &str, mentions: &[&str]) -> Said {
        Said {
            ordinal,
            position: format!("0000000a-{ordinal:016x}"),
            sender: user(sender),
            name: sender.to_owned(),
            mentions: mentions.iter().map(|name| user(name)).collect(),
            text: Some(format!("m{ordinal}")),
        }
    }

    /// Oldest first, as one writes them.
    fn window(messages: &[(&str, &[&str])]) -> Window {
        let mut window = Window::default();
        for (at, (sender, mentions)) in messages.iter().enumerate().rev() {
            window.add_older(said(at as i64 + 1, sender, mentions));
        }
        window
    }

    fn bob() -> Candidate {
        Candidate {
            user: user("bob"),
            read_ordinal: 0,
            delivered_position: String::new(),
            muted_until: None,
            wishes: Wishes::of(None),
        }
    }

    fn told(window: &Window, who: &Candidate) -> Option<i64> {
        told_with(window, who, &[])
    }

    fn told_with(window: &Window, who: &Candidate, blocked: &[&str]) -> Option<i64> {
        let blocks = blocked.iter().map(|name| (who.user.clone(), user(name))).collect();
        let now = Timestamp::from_millis(1_767_225_600_000); // 2026-01-01T00:00:00Z
        window.due_for(who, &blocks, now).map(|said| said.ordinal)
    }

    #[test]
    fn one_is_told_of_the_newest_that_others_said() {
        let window = window(&[("ann", &[]), ("cat", &[]), ("bob", &[])]);
        assert_eq!(told(&window, &bob()), Some(2), "not of one's own");
        assert_eq!(told(&window, &Candidate { user: user("cat"), ..bob() }), Some(3));
        assert_eq!(told_with(&window, &bob(), &["cat"]), Some(1), "not of who is blocked");
        assert_eq!(told_with(&window, &bob(), &["cat", "ann"]), None);
        assert_eq!(told(&Window::default(), &bob()), None);
    }

    #[test]
    fn nothing_that_was_read_or_is_before_ones_eyes() {
        let window = window(&[("ann", &[]), ("ann", &[])]);
        assert_eq!(told(&window, &Candidate { read_ordinal: 1, ..bob() }), Some(2));
        assert_eq!(told(&window, &Candidate { read_ordinal: 2, ..bob() }), None);
        let delivered = |position: &str| Candidate { delivered_position: position.into(), ..bob() };
        assert_eq!(told(&window, &delivered("0000000a-0000000000000001")), Some(2));
        assert_eq!(told(&window, &delivered("0000000a-0000000000000002")), None);
        assert_eq!(told(&window, &delivered("ffffffff-0000000000000009")), Some(2), "another log");
    }

    #[test]
    fn of_a_muted_room_only_what_mentions_one() {
        let muted = Candidate { muted_until: Some(Timestamp::FOREVER), ..bob() };
        assert_eq!(told(&window(&[("ann", &[]), ("ann", &["cat"])]), &muted), None);
        let mentioned = window(&[("ann", &["bob"]), ("cat", &["bob"]), ("ann", &[])]);
        assert_eq!(told(&mentioned, &muted), Some(2));
        assert_eq!(told_with(&mentioned, &muted, &["cat"]), Some(1));
        let over = Candidate { muted_until: Some(Timestamp::from_millis(1)), ..bob() };
        assert_eq!(told(&mentioned, &over), Some(3));
    }

    #[test]
    fn nobody_is_woken() {
        let asleep = |settings: &str| Candidate { wishes: Wishes::of(Some(settings)), ..bob() };
        let window = window(&[("ann", &["bob"])]);
        let night = r#"{"quiet_hours":{"from":"22:00","to":"07:00","zone":"UTC"}}"#;
        assert_eq!(told(&window, &asleep(night)), None);
        let day = r#"{"quiet_hours":{"from":"22:00","to":"07:00","zone":"Asia/Seoul"}}"#;
        assert_eq!(told(&window, &asleep(day)), Some(1), "it is nine in the morning there");
        let nowhere = r#"{"quiet_hours":{"from":"22:00","to":"07:00","zone":"Mars/Base"}}"#;
        assert_eq!(told(&window, &asleep(nowhere)), Some(1));
        assert!(!Wishes::of(Some(r#"{"preview":false,"quiet_hours":null}"#)).preview);
    }
}
