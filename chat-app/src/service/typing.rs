//! Somebody is writing: told to whoever looks, kept for nobody.

use std::{num::NonZeroU32, time::Duration};

use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use moka::future::Cache;
use serde::Deserialize;
use stomp_server::{
    broker::Publish,
    problem::{Code, Problem},
};

use super::{Chat, log::json_message};
use crate::domain::{Actor, Event, Room, RoomId, Timestamp, UserId, room_topic};

/// The same thing again is told after this time: clients repeat it while somebody writes.
const REPEAT: Duration = Duration::from_secs(2);
/// What one user can tell one room: so many at once, and one more each second.
const BURST: NonZeroU32 = NonZeroU32::new(4).expect("four");
/// Writers remembered at a time.
const CAPACITY: u64 = 50_000;
/// Writers whose pace is remembered before those who have stopped are forgotten.
const MANY: usize = 4_096;

type Writer = (RoomId, UserId);

/// Keeps writers from telling a room more than it wants to know.
pub(crate) struct Typing {
    told: Cache<Writer, bool>,
    pace: DefaultKeyedRateLimiter<Writer>,
}

impl Typing {
    pub(crate) fn new() -> Self {
        let told = Cache::builder().max_capacity(CAPACITY).time_to_live(REPEAT).build();
        let one_a_second = Quota::per_second(NonZeroU32::MIN).allow_burst(BURST);
        Self { told, pace: RateLimiter::keyed(one_a_second) }
    }

    /// Whether the room should be told.
    async fn is_news(&self, room: &RoomId, user: &UserId, active: bool) -> bool {
        let writer = (room.clone(), user.clone());
        if self.told.get(&writer).await == Some(active) {
            return false;
        }
        if self.pace.len() > MANY {
            self.pace.retain_recent();
        }
        if self.pace.check_key(&writer).is_err() {
            return false;
        }
        self.told.insert(writer, active).await;
        true
    }
}

#[derive(Deserialize)]
struct Body {
    active: bool,
}

impl Chat {
    /// Tells the room, if it is small enough for that to be worth its traffic.
    pub(crate) async fn typing(
        &self,
        actor: &Actor,
        room: &RoomId,
        body: &[u8],
    ) -> Result<(), Problem> {
        let user = &actor.user;
        self.memberships.member(room, user).await?;
        let Body { active } = serde_json::from_slice(body).map_err(|_| {
            Problem::new(Code::Invalid, "The body is JSON with active, true or false.")
        })?;
        let membership = self.memberships.of(room).await?;
        let is_told = membership.members.len() <= Room::MEMBERS_SHOWN && !membership.blocked;
        if !is_told || !self.typing.is_news(room, user, active).await {
            return Ok(());
        }
        let event =
            Event::Typing { room: room.clone(), at: Timestamp::now(), user: user.clone(), active };
        // Strings and booleans always serialise.
        let json = serde_json::to_string(&event).unwrap_or_default();
        self.log.tell(Publish::volatile(json_message(&room_topic(room), json)));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_same_again_is_no_news_and_changes_have_a_pace() {
        let typing = Typing::new();
        let room = RoomId::parse("r").unwrap();
        let user = |name| UserId::parse(name).unwrap();
        assert!(typing.is_news(&room, &user("ann"), true).await);
        assert!(!typing.is_news(&room, &user("ann"), true).await);
        assert!(typing.is_news(&room, &user("bob"), true).await);
        let mut told = 0;
        for n in 0..100 {
            told += usize::from(typing.is_news(&room, &user("ann"), n % 2 == 1).await);
        }
        assert!((3..=10).contains(&told), "{told}");
    }
}
