//! Ids, each with the only form that it can have: whoever holds one holds a valid one.

use std::{borrow::Borrow, fmt, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// Longest user id; an existing service's ids (mail addresses too) fit in.
const USER_MAX: usize = 128;
/// Longest of all other ids.
const ID_MAX: usize = 64;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $accepts:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, utoipa::ToSchema)]
        #[schema(value_type = String)]
        pub(crate) struct $name(Arc<str>);

        impl $name {
            /// Takes a text that has the form of such an id.
            pub(crate) fn parse(text: &str) -> Option<Self> {
                let accepts: fn(&str) -> bool = $accepts;
                accepts(text).then(|| Self(text.into()))
            }

            pub(crate) fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                Self::parse(&text)
                    .ok_or_else(|| D::Error::custom(concat!("not a ", stringify!($name))))
            }
        }
    };
}

id!(
    /// Who: an account's name in lower case, or the subject of an existing service's token.
    UserId,
    |text| matches!(text.len(), 1..=USER_MAX)
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'@' | b'-'))
);
id!(
    /// Which room. Without dots, so that it is one word of a destination.
    RoomId,
    is_plain
);
id!(
    /// Which message.
    MessageId,
    is_plain
);
id!(
    /// What the sender called its message; makes a retry harmless.
    ClientMessageId,
    is_plain
);

fn is_plain(text: &str) -> bool {
    matches!(text.len(), 1..=ID_MAX)
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
}

impl UserId {
    /// The same text, to be shared with whoever names users by text.
    pub(crate) fn shared(&self) -> Arc<str> {
        self.0.clone()
    }
}

impl RoomId {
    /// A room that nobody has yet. Time comes first, so that new rooms stand side by side in an index.
    pub(crate) fn fresh() -> Self {
        Self(Uuid::now_v7().to_string().into())
    }
}

impl ClientMessageId {
    /// For a sender that gave none.
    pub(crate) fn fresh() -> Self {
        Self(Uuid::new_v4().to_string().into())
    }
}

impl MessageId {
    /// The id that every retry of the same message carries again.
    ///
    /// The parts hold no NUL, so no two different ones hash the same text.
    pub(crate) fn of(room: &RoomId, sender: &UserId, client: &ClientMessageId) -> Self {
        Self::from_parts(&[room.as_str(), sender.as_str(), client.as_str()])
    }

    /// The id of an imported message that came without one: the same at each attempt.
    pub(crate) fn imported(room: &RoomId, ordinal: i64) -> Self {
        Self::from_parts(&[room.as_str(), &ordinal.to_string()])
    }

    fn from_parts(parts: &[&str]) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update(part.as_bytes());
            hash.update([0]);
        }
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&hash.finalize()[..16]);
        Self(Uuid::new_v8(bytes).to_string().into())
    }

    pub(crate) fn shared(&self) -> Arc<str> {
        self.0.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_only_the_forms_of_the_contract() {
        for good in ["a", "A-b_9", &"x".repeat(64)] {
            assert!(RoomId::parse(good).is_some(), "{good}");
        }
        for bad in ["", "a.b", "a/b", "*", "#", ">", "a b", "ä", "a\0", &"x".repeat(65)] {
            assert!(RoomId::parse(bad).is_none(), "{bad}");
        }
        assert!(UserId::parse("ann.b@example.org").is_some());
        for bad in ["", "a/b", "a b", "a:b", &"x".repeat(129)] {
            assert!(UserId::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_retry_has_the_same_message_id_and_nothing_else_does() {
        let id = |room: &str, user: &str, client: &str| {
            MessageId::of(
                &RoomId::parse(room).unwrap(),
                &UserId::parse(user).unwrap(),
                &ClientMessageId::parse(client).unwrap(),
            )
        };
        assert_eq!(id("r", "ann", "1"), id("r", "ann", "1"));
        let all =
            [id("r", "ann", "1"), id("r", "ann1", "1"), id("ra", "nn", "1"), id("r", "a", "nn1")];
        for (n, one) in all.iter().enumerate() {
            assert_eq!(one.as_str().as_bytes()[14], b'8', "a version 8 UUID");
            assert!(all[n + 1..].iter().all(|other| other != one));
        }
    }
}
