//! A room as it is shown, and the words for its parts.

use serde::{Deserialize, Serialize};
use stomp_server::problem::{Code, Problem};

use super::{Message, RoomId, Timestamp, UserId};

/// Longest name of a room, in characters.
const NAME_MAX: usize = 128;

/// Two people, or any number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// Exactly these two, for ever; one room a pair.
    Direct,
    /// Anybody whom its owners and admins let in.
    Group,
}

impl Kind {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Group => "group",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        [Self::Direct, Self::Group].into_iter().find(|kind| kind.as_str() == text)
    }
}

/// What a member may do. The order is that of power.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Role {
    /// Sends, leaves, edits and deletes its own.
    Member,
    /// Renames, adds and removes, deletes any message; grants admin and member.
    Admin,
    /// Everything; only owners touch owners.
    Owner,
}

impl Role {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Admin => "admin",
            Self::Owner => "owner",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        [Self::Member, Self::Admin, Self::Owner].into_iter().find(|role| role.as_str() == text)
    }
}

/// A room, as the one who asks sees it: whoever is not a member sees no role, counters,
/// members or messages.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub(crate) struct Room {
    pub(crate) id: RoomId,
    pub(crate) kind: Kind,
    pub(crate) public: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) role: Option<Role>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) member_count: Option<i64>,
    /// Their ids, in rooms of at most [`Room::MEMBERS_SHOWN`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) members: Option<Vec<UserId>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) last_ordinal: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) read_ordinal: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) unread: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) last_message: Option<Message>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) muted_until: Option<Timestamp>,
    pub(crate) version: i64,
}

impl Room {
    /// Up to this size a room shows its members, and markers travel to all of them.
    pub(crate) const MEMBERS_SHOWN: usize = 100;

    /// Without what is one member's own affair.
    pub(crate) fn for_everybody(mut self) -> Self {
        self.role = None;
        self.read_ordinal = None;
        self.unread = None;
        self.muted_until = None;
        self
    }
}

/// One member, as other members see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub(crate) struct Member {
    pub(crate) user: UserId,
    pub(crate) name: String,
    pub(crate) role: Role,
    /// Whether a session of it is here; said in rooms of at most [`Room::MEMBERS_SHOWN`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) online: Option<bool>,
}

/// What a room is called: 1 to 128 characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RoomName(String);

impl RoomName {
    pub(crate) fn parse(text: &str) -> Result<Self, Problem> {
        let text = text.trim();
        if text.is_empty() || text.chars().count() > NAME_MAX {
            return Err(Problem::new(Code::Invalid, "A room's name has 1 to 128 characters."));
        }
        Ok(Self(text.into()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// The one answer for a room that does not exist and for one that the asker may not know of.
pub(crate) fn no_such_room() -> Problem {
    Problem::new(Code::NotFound, "There is no such room.")
}
