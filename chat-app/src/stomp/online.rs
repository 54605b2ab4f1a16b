//! Who has a session in this process, and which of their rooms they have had to leave.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use parking_lot::{Mutex, RwLock};

use crate::domain::{RoomId, UserId};

/// Counts the sessions of each user. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Online(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    users: RwLock<HashMap<UserId, Presence>>,
    /// Users whose first session has come or whose last one has gone since somebody looked.
    changed: Mutex<HashSet<UserId>>,
    /// All exits of all users: with none, a delivery costs no look at anything else.
    exits: AtomicUsize,
}

#[derive(Debug, Default)]
struct Presence {
    sessions: usize,
    /// Rooms that the user is out of, and the place of the event that said so. Kept while a
    /// session may still have a subscription from before.
    exits: HashMap<RoomId, u64>,
}

impl Online {
    pub(crate) fn came(&self, user: UserId) {
        let mut users = self.0.users.write();
        let presence = users.entry(user.clone()).or_default();
        presence.sessions += 1;
        let is_first = presence.sessions == 1;
        drop(users);
        if is_first {
            self.look_again(user);
        }
    }

    pub(crate) fn went(&self, user: &UserId) {
        let mut users = self.0.users.write();
        let Some(presence) = users.get_mut(user) else { return };
        presence.sessions -= 1;
        if presence.sessions == 0 {
            self.0.exits.fetch_sub(presence.exits.len(), Ordering::Relaxed);
            users.remove(user);
            drop(users);
            self.look_again(user.clone());
        }
    }

    /// Some of those whose coming or going nobody has looked at yet.
    pub(super) fn changed(&self, most: usize) -> Vec<UserId> {
        let mut changed = self.0.changed.lock();
        let some: Vec<_> = changed.iter().take(most).cloned().collect();
        some.iter().for_each(|user| drop(changed.take(user)));
        some
    }

    pub(super) fn look_again(&self, user: UserId) {
        self.0.changed.lock().insert(user);
    }

    pub(crate) fn is_here(&self, user: &UserId) -> bool {
        self.0.users.read().contains_key(user)
    }

    /// Those of `users` who are here.
    pub(crate) fn among<'a>(&self, users: impl Iterator<Item = &'a UserId>) -> Vec<&'a UserId> {
        let here = self.0.users.read();
        users.filter(|user| here.contains_key(*user)).collect()
    }

    /// The log says at `offset` that the user is out of the room.
    pub(crate) fn left(&self, user: &UserId, room: &RoomId, offset: u64) {
        let mut users = self.0.users.write();
        let Some(presence) = users.get_mut(user) else { return };
        if presence.exits.insert(room.clone(), offset).is_none() {
            self.0.exits.fetch_add(1, Ordering::Release);
        }
    }

    /// The log says at `offset` that the user is in the room (again).
    pub(crate) fn entered(&self, user: &UserId, room: &RoomId, offset: u64) {
        if self.0.exits.load(Ordering::Acquire) == 0 {
            return;
        }
        let mut users = self.0.users.write();
        let Some(presence) = users.get_mut(user) else { return };
        if presence.exits.get(room).is_some_and(|exit| *exit < offset) {
            presence.exits.remove(room);
            self.0.exits.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Whether what stands at `offset` (nowhere: is said now) is still for this user.
    pub(crate) fn may_hear(&self, user: &str, room: &str, offset: Option<u64>) -> bool {
        if self.0.exits.load(Ordering::Acquire) == 0 {
            return true;
        }
        let users = self.0.users.read();
        let Some(exit) = users.get(user).and_then(|presence| presence.exits.get(room)) else {
            return true;
        };
        offset.is_some_and(|offset| offset <= *exit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ann() -> UserId {
        UserId::parse("ann").unwrap()
    }

    #[test]
    fn somebody_is_here_until_the_last_session_ends() {
        let online = Online::default();
        online.came(ann());
        online.came(ann());
        online.went(&ann());
        assert!(online.is_here(&ann()));
        online.went(&ann());
        assert!(!online.is_here(&ann()));
    }

    #[test]
    fn only_the_first_and_the_last_session_are_news() {
        let online = Online::default();
        online.came(ann());
        assert_eq!(online.changed(10), [ann()]);
        online.came(ann());
        online.went(&ann());
        assert!(online.changed(10).is_empty());
        online.went(&ann());
        assert_eq!(online.changed(10), [ann()]);
    }

    #[test]
    fn an_exit_holds_from_its_place_on_until_the_user_is_in_again() {
        let (online, room) = (Online::default(), RoomId::parse("r").unwrap());
        online.came(ann());
        online.left(&ann(), &room, 7);
        let hears = |offset| online.may_hear("ann", "r", offset);
        assert!(hears(Some(6)) && hears(Some(7)), "the event itself is the last one");
        assert!(!hears(Some(8)) && !hears(None));
        assert!(online.may_hear("ann", "other", Some(8)) && online.may_hear("bob", "r", Some(8)));
        online.entered(&ann(), &room, 5);
        assert!(!hears(Some(8)), "an older event changes nothing");
        online.entered(&ann(), &room, 9);
        assert!(hears(Some(8)));
        online.left(&ann(), &room, 10);
        online.went(&ann());
        online.came(ann());
        assert!(hears(Some(11)), "a new session has no old subscription");
    }
}
