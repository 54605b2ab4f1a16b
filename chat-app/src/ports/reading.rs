//! Who has read what, and where a word stands.

use async_trait::async_trait;

use super::StoreResult;
use crate::domain::{Message, RoomId, UserId};

/// A room as a search looks at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) room: RoomId,
    pub(crate) last_ordinal: i64,
    /// When something was said there last, in milliseconds since 1970.
    pub(crate) active_at: i64,
}

/// Questions to the history beside its pages.
#[async_trait]
pub(crate) trait Reading: Send + Sync + 'static {
    /// The user's rooms, or one of them, newest activity first.
    async fn heads(
        &self,
        user: &UserId,
        room: Option<&RoomId>,
        limit: u32,
    ) -> StoreResult<Vec<Head>>;
    /// Messages of the room before this ordinal, newest first, without those deleted.
    /// The number of messages looked at comes along.
    async fn texts_below(
        &self,
        room: &RoomId,
        ordinal: i64,
        limit: u32,
    ) -> StoreResult<(Vec<Message>, i64)>;
    /// Who has read the message: neither its sender, nor those who keep that to themselves,
    /// nor those who came later. Behind `from` in the order of ids.
    async fn readers(
        &self,
        message: &Message,
        from: Option<&UserId>,
        limit: u32,
    ) -> StoreResult<Vec<UserId>>;
}
