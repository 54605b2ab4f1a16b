//! Who may come in, and who may not.

use async_trait::async_trait;

use super::StoreResult;
use crate::domain::{Change, InviteCode, RoomId, Timestamp, User, UserId};

/// Bans, invitations and blocks.
#[async_trait]
pub(crate) trait Doors: Send + Sync + 'static {
    /// Bans the user of a decided change, who is out from then on; `None` if the room has
    /// moved on since the decision.
    async fn ban(&self, room: &RoomId, change: &Change, at: Timestamp) -> StoreResult<Option<i64>>;
    async fn unban(&self, room: &RoomId, user: &UserId) -> StoreResult<()>;

    async fn invite(
        &self,
        room: &RoomId,
        code: &InviteCode,
        by: &UserId,
        until: Timestamp,
    ) -> StoreResult<()>;
    async fn drop_invite(&self, room: &RoomId, code: &InviteCode) -> StoreResult<()>;
    /// Whether the code opens this room now.
    async fn opens(&self, room: &RoomId, code: &InviteCode, now: Timestamp) -> StoreResult<bool>;

    /// Blocks or unblocks; where the two have a room, its id and new version.
    async fn set_block(
        &self,
        user: &UserId,
        other: &UserId,
        is_blocked: bool,
        at: Timestamp,
    ) -> StoreResult<Option<(RoomId, i64)>>;
    /// Whom the user blocks, behind `from` in the order of ids.
    async fn blocks(
        &self,
        user: &UserId,
        from: Option<&UserId>,
        limit: u32,
    ) -> StoreResult<Vec<User>>;
}
