//! What one line of an export says.

use serde::{Deserialize, Serialize};

use crate::domain::{ClientMessageId, Content, Kind, MessageId, Role, RoomId, Timestamp, UserId};

/// The version of the format that is written here; older ones are read.
pub(crate) const FORMAT: u32 = 1;

/// A line. The first is [`Record::Chat`]; a room comes before its members and messages.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Record {
    /// What this is. The name tells one export from another.
    Chat {
        format: u32,
        name: String,
    },
    User(UserRecord),
    Room(RoomRecord),
    Member(MemberRecord),
    Message(MessageRecord),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct UserRecord {
    pub(crate) id: UserId,
    pub(crate) name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) picture: Option<String>,
    /// An argon2id hash; without one the user cannot log in by a password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) password_hash: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct RoomRecord {
    pub(crate) id: RoomId,
    pub(crate) kind: Kind,
    #[serde(default)]
    pub(crate) public: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    /// The two of a direct room.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) pair: Option<[UserId; 2]>,
    pub(crate) created_at: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct MemberRecord {
    pub(crate) room: RoomId,
    pub(crate) user: UserId,
    pub(crate) role: Role,
    pub(crate) joined_at: Timestamp,
    /// Up to which message they have read; absent: everything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) read_ordinal: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) muted_until: Option<Timestamp>,
}

/// A message without its position: that belongs to the log it came from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct MessageRecord {
    pub(crate) room: RoomId,
    /// Its number in the room, from one, without holes; absent: the next one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ordinal: Option<i64>,
    /// Absent: one is made from room and ordinal, the same at each attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<MessageId>,
    pub(crate) sender: UserId,
    #[serde(flatten)]
    pub(crate) content: Content,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) client_message_id: Option<ClientMessageId>,
    pub(crate) created_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) edited_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) deleted_at: Option<Timestamp>,
}

impl Record {
    /// Reads one line.
    pub(crate) fn parse(line: &str) -> Result<Self, String> {
        serde_json::from_str(line).map_err(|error| error.to_string())
    }
}
