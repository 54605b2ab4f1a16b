//! Somebody is writing: told to whoever looks, kept for nobody.

use serde::Deserialize;
use stomp_server::{
    broker::Publish,
    problem::{Code, Problem},
};

use super::{Chat, log::json_message};
use crate::domain::{Event, Room, RoomId, Timestamp, UserId, room_topic};

#[derive(Deserialize)]
struct Body {
    active: bool,
}

impl Chat {
    /// Tells the room, if it is small enough for that to be worth its traffic.
    pub(crate) async fn typing(
        &self,
        user: &UserId,
        room: &RoomId,
        body: &[u8],
    ) -> Result<(), Problem> {
        self.memberships.role(room, user).await?;
        let Body { active } = serde_json::from_slice(body).map_err(|_| {
            Problem::new(Code::Invalid, "The body is JSON with active, true or false.")
        })?;
        if self.memberships.of(room).await?.members.len() > Room::MEMBERS_SHOWN {
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
