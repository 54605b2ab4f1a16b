//! What one line of an export says.

use serde::{Deserialize, Serialize};

use crate::domain::{ClientMessageId, Content, Kind, MessageId, Role, RoomId, Timestamp, UserId};

/// The version of the lines that is written here; older ones are read.
pub(crate) const VERSION: u32 = 1;

/// A line. The first is [`Record::Header`]; users, rooms, members, messages and markers follow, a
/// room in any case before what belongs to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Record {
    /// What this is.
    #[serde(alias = "chat")]
    Header {
        #[serde(alias = "format")]
        version: u32,
        /// Tells one export from another, also where both begin alike.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
    },
    User(UserRecord),
    Room(RoomRecord),
    Member(MemberRecord),
    Message(MessageRecord),
    Marker(MarkerRecord),
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
    #[serde(default = "Timestamp::now")]
    pub(crate) created_at: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct MemberRecord {
    pub(crate) room: RoomId,
    pub(crate) user: UserId,
    pub(crate) role: Role,
    #[serde(default = "Timestamp::now")]
    pub(crate) joined_at: Timestamp,
    /// Up to which message they have read; absent: what their marker says, without one everything.
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
    /// It is deleted; when, says `deleted_at`, or else its last change.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) deleted: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) deleted_at: Option<Timestamp>,
}

/// Up to which message a member has read: by its ordinal, for positions belong to a log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct MarkerRecord {
    pub(crate) room: RoomId,
    pub(crate) user: UserId,
    pub(crate) ordinal: i64,
}

impl MessageRecord {
    /// When it was deleted, if it was.
    pub(crate) fn gone_at(&self) -> Option<Timestamp> {
        let changed = self.edited_at.unwrap_or(self.created_at);
        self.deleted_at.or(self.deleted.then_some(changed))
    }
}

impl Record {
    /// Reads one line.
    pub(crate) fn parse(line: &str) -> Result<Self, String> {
        serde_json::from_str(line).map_err(|error| error.to_string())
    }
}
