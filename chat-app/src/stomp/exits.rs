//! Whoever is out of a room hears nothing more from it, from the log's place of the change on.
//!
//! A session meets its own `member` event in log order, before anything behind it; from there
//! on its subscription to the room is silent. The subscription itself stays with the session
//! until it unsubscribes, which has no effect any more.

use stomp_server::{auth::Principal, broker::Logged, router::Intercept};

use super::Online;
use crate::domain::{Event, MemberAction, ROOM_TOPIC, UserId};

/// How the JSON of every membership event begins: nothing else has to be read.
const MEMBER_EVENT: &[u8] = br#"{"type":"member","#;

/// Looks at every delivery of a room.
pub(crate) struct Exits(pub(crate) Online);

impl Intercept for Exits {
    fn outgoing(&self, who: &Principal, message: &Logged) -> bool {
        let Some(room) = message.route.strip_prefix(ROOM_TOPIC) else { return true };
        let offset = message.position.map(|position| position.offset);
        if let Some(offset) = offset
            && message.message.body().starts_with(MEMBER_EVENT)
        {
            self.notice(who, offset, message.message.body());
        }
        self.0.may_hear(who.name(), room, offset)
    }
}

impl Exits {
    /// The event may be about the one who is about to get it.
    fn notice(&self, who: &Principal, offset: u64, body: &[u8]) {
        let Ok(Event::Member { room, user, action, .. }) = serde_json::from_slice(body) else {
            return;
        };
        if user.as_str() == who.name() {
            note(&self.0, &user, &room, action, offset);
        }
    }
}

/// Remembers what an event at `offset` means for the sessions of its user.
pub(super) fn note(
    online: &Online,
    user: &UserId,
    room: &crate::domain::RoomId,
    action: MemberAction,
    offset: u64,
) {
    match action {
        MemberAction::Left | MemberAction::Kicked | MemberAction::Banned => {
            online.left(user, room, offset)
        }
        MemberAction::Joined => online.entered(user, room, offset),
        MemberAction::Role => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{RoomId, Timestamp};

    #[test]
    fn membership_events_begin_as_they_are_looked_for() {
        let ann = UserId::parse("ann").unwrap();
        let event = Event::Member {
            room: RoomId::parse("r").unwrap(),
            at: Timestamp::from_millis(0),
            user: ann.clone(),
            action: MemberAction::Kicked,
            role: None,
            by: ann,
            version: 1,
        };
        assert!(serde_json::to_vec(&event).unwrap().starts_with(MEMBER_EVENT));
    }
}
