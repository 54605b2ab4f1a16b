//! How far somebody has read, or has at least received.

use serde::{Deserialize, Serialize};
use stomp_server::broker::Position;

use super::UserId;

/// Up to where, as a client says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReadUpTo {
    /// Up to this place in the log.
    Position(Position),
    /// Up to this message of the room, counted from one; reaches imported messages too.
    Ordinal(i64),
}

/// What a marker says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum MarkerKind {
    /// Everything up to here has been seen.
    Read,
    /// Everything up to here is on one of the member's devices.
    Delivered,
}

/// One member's marker, as it travels and as the log keeps it. Markers only move forward.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Marker {
    pub(crate) user: UserId,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) position: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ordinal: Option<i64>,
    /// Only the user's own sessions are told.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) private: bool,
}

impl Marker {
    pub(crate) fn new(user: UserId, up_to: ReadUpTo) -> Self {
        let (position, ordinal) = match up_to {
            ReadUpTo::Position(position) => (Some(position.to_string()), None),
            ReadUpTo::Ordinal(ordinal) => (None, Some(ordinal)),
        };
        Self { user, position, ordinal, private: false }
    }

    /// Moves forward to where `other` is, if that is further. Positions compare as text.
    pub(crate) fn advance(&mut self, other: &Self) {
        self.position = self.position.take().max(other.position.clone());
        self.ordinal = self.ordinal.max(other.ordinal);
        self.private = other.private;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_never_moves_back() {
        let user = UserId::parse("ann").unwrap();
        let at = |position: &str| Marker {
            user: user.clone(),
            position: Some(position.into()),
            ordinal: None,
            private: false,
        };
        let mut marker = at("0-2");
        marker.advance(&at("0-1"));
        assert_eq!(marker, at("0-2"));
        marker.advance(&at("0-3"));
        assert_eq!(marker, at("0-3"));
        marker.advance(&Marker { user, position: None, ordinal: Some(4), private: false });
        assert_eq!((marker.position.as_deref(), marker.ordinal), (Some("0-3"), Some(4)));
    }
}
