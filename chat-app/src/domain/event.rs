//! What happens in a room, as subscribers and the store read it.

use serde::{Deserialize, Serialize};

use super::{Marker, Message, MessageId, Role, Room, RoomId, Timestamp, UserId};

/// How somebody's membership changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum MemberAction {
    Joined,
    Left,
    Kicked,
    Banned,
    Role,
}

/// An event of one room, the body of a MESSAGE on its destination.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Event {
    /// Somebody said something.
    Message { room: RoomId, at: Timestamp, message: Message },
    /// Somebody said it otherwise.
    Edited { room: RoomId, at: Timestamp, message: Message },
    /// A message was taken back.
    Deleted { room: RoomId, at: Timestamp, id: MessageId, by: UserId },
    /// Members have read up to here.
    Read { room: RoomId, at: Timestamp, markers: Vec<Marker> },
    /// Members' devices have everything up to here.
    Delivered { room: RoomId, at: Timestamp, markers: Vec<Marker> },
    /// Somebody is writing, or has stopped.
    Typing { room: RoomId, at: Timestamp, user: UserId, active: bool },
    /// A membership changed. The highest version of a (room, user) counts, whatever the
    /// order of arrival.
    Member {
        room: RoomId,
        at: Timestamp,
        user: UserId,
        action: MemberAction,
        #[serde(skip_serializing_if = "Option::is_none")]
        role: Option<Role>,
        by: UserId,
        version: i64,
    },
    /// Somebody has come, or has gone.
    Presence { room: RoomId, at: Timestamp, user: UserId, online: bool },
    /// Something that only rights depend on has changed, and nobody is told what. It stands
    /// beside the room, where nobody subscribes.
    Changed { room: RoomId, at: Timestamp, version: i64 },
    /// The room itself changed; shown without what is one member's own affair.
    Room { room: Box<Room>, at: Timestamp },
}

/// What a user's own `/user/queue/rooms` says.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum RoomsEvent {
    /// A kept message in one of the user's rooms.
    Activity { room: RoomId, position: String, last_message: Box<Message> },
    /// The user is in a room from now on.
    Added { room: RoomId, position: String },
    /// The user is out of a room.
    Removed { room: RoomId, position: String },
    /// The user has read up to here on one of its devices.
    Read {
        room: RoomId,
        #[serde(skip_serializing_if = "Option::is_none")]
        position: Option<String>,
    },
}
