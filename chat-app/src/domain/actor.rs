//! Who asks, and by what right.

use super::UserId;

/// Somebody with a token. A service speaks for an existing back end: it sees every room and
/// may do there what an owner may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Actor {
    pub(crate) user: UserId,
    pub(crate) is_service: bool,
}

impl Actor {
    /// A person, with the rights that its roles give.
    pub(crate) fn person(user: UserId) -> Self {
        Self { user, is_service: false }
    }
}
