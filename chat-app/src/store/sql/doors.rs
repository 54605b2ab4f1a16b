//! Bans, invitations and blocks.

use async_trait::async_trait;
use sqlx::{AssertSqlSafe, Row as _};

use super::{
    Sql,
    driver::{Row, Transaction},
    outbox,
    retry::retried,
    rooms_write::{bump, count_members, drop_member},
    rows::parsed,
};
use crate::{
    domain::{Change, Event, InviteCode, RoomId, Timestamp, User, UserId},
    ports::{Doors, StoreResult},
};

#[async_trait]
impl Doors for Sql {
    async fn ban(&self, room: &RoomId, change: &Change, at: Timestamp) -> StoreResult<Option<i64>> {
        retried(|| self.try_ban(room, change, at)).await
    }

    async fn unban(&self, room: &RoomId, user: &UserId) -> StoreResult<()> {
        sqlx::query("DELETE FROM room_bans WHERE room_id = ? AND user_id = ?")
            .bind(room.as_str())
            .bind(user.as_str())
            .execute(&self.write)
            .await?;
        Ok(())
    }

    async fn invite(
        &self,
        room: &RoomId,
        code: &InviteCode,
        by: &UserId,
        until: Timestamp,
    ) -> StoreResult<()> {
        sqlx::query("DELETE FROM room_invites WHERE expires_at <= ?")
            .bind(Timestamp::now().millis())
            .execute(&self.write)
            .await?;
        sqlx::query(
            "INSERT INTO room_invites (room_id, code, created_by, expires_at) VALUES (?, ?, ?, ?)",
        )
        .bind(room.as_str())
        .bind(code.as_str())
        .bind(by.as_str())
        .bind(until.millis())
        .execute(&self.write)
        .await?;
        Ok(())
    }

    async fn drop_invite(&self, room: &RoomId, code: &InviteCode) -> StoreResult<()> {
        sqlx::query("DELETE FROM room_invites WHERE room_id = ? AND code = ?")
            .bind(room.as_str())
            .bind(code.as_str())
            .execute(&self.write)
            .await?;
        Ok(())
    }

    async fn opens(&self, room: &RoomId, code: &InviteCode, now: Timestamp) -> StoreResult<bool> {
        let row = sqlx::query(
            "SELECT room_id FROM room_invites WHERE room_id = ? AND code = ? AND expires_at > ?",
        )
        .bind(room.as_str())
        .bind(code.as_str())
        .bind(now.millis())
        .fetch_optional(&self.read)
        .await?;
        Ok(row.is_some())
    }

    async fn set_block(
        &self,
        user: &UserId,
        other: &UserId,
        is_blocked: bool,
        at: Timestamp,
    ) -> StoreResult<Option<(RoomId, i64)>> {
        retried(|| self.try_set_block(user, other, is_blocked, at)).await
    }

    async fn blocks(
        &self,
        user: &UserId,
        from: Option<&UserId>,
        limit: u32,
    ) -> StoreResult<Vec<User>> {
        let rows = sqlx::query(
            "SELECT b.blocked_id, coalesce(u.name, b.blocked_id), u.picture FROM blocks b \
             LEFT JOIN users u ON u.id = b.blocked_id \
             WHERE b.user_id = ? AND b.blocked_id > ? ORDER BY b.blocked_id LIMIT ?",
        )
        .bind(user.as_str())
        .bind(from.map_or("", UserId::as_str))
        .bind(i64::from(limit))
        .fetch_all(&self.read)
        .await?;
        let user = |row: &Row| {
            let id = parsed(row, 0, UserId::parse)?;
            Ok(User { id, name: row.try_get(1)?, picture: row.try_get(2)? })
        };
        rows.iter().map(user).collect()
    }
}

impl Sql {
    async fn try_ban(
        &self,
        room: &RoomId,
        change: &Change,
        at: Timestamp,
    ) -> StoreResult<Option<i64>> {
        let mut transaction = self.begin().await?;
        // Also for somebody who is not there: whoever is about to join has decided on a past
        // without the ban.
        let Some(version) = bump(&mut transaction, room, change.at_version).await? else {
            return Ok(None);
        };
        let insert = format!(
            "{} room_bans (room_id, user_id, banned_by, created_at) VALUES (?, ?, ?, ?)",
            self.dialect.insert_new()
        );
        sqlx::query(AssertSqlSafe(insert))
            .bind(room.as_str())
            .bind(change.user.as_str())
            .bind(change.by.as_str())
            .bind(at.millis())
            .execute(&mut *transaction)
            .await?;
        let was_there = drop_member(&mut transaction, room, &change.user).await?;
        count_members(&mut transaction, room).await?;
        let event = match was_there {
            true => Event::Member {
                room: room.clone(),
                at,
                user: change.user.clone(),
                action: change.action,
                role: None,
                by: change.by.clone(),
                version,
            },
            false => Event::Changed { room: room.clone(), at, version },
        };
        outbox::insert(&mut transaction, room, version, &[event]).await?;
        transaction.commit().await?;
        Ok(Some(version))
    }

    async fn try_set_block(
        &self,
        user: &UserId,
        other: &UserId,
        is_blocked: bool,
        at: Timestamp,
    ) -> StoreResult<Option<(RoomId, i64)>> {
        let mut transaction = self.begin().await?;
        if is_blocked {
            let insert = format!(
                "{} blocks (user_id, blocked_id, created_at) VALUES (?, ?, ?)",
                self.dialect.insert_new()
            );
            sqlx::query(AssertSqlSafe(insert))
                .bind(user.as_str())
                .bind(other.as_str())
                .bind(at.millis())
                .execute(&mut *transaction)
                .await?;
        } else {
            sqlx::query("DELETE FROM blocks WHERE user_id = ? AND blocked_id = ?")
                .bind(user.as_str())
                .bind(other.as_str())
                .execute(&mut *transaction)
                .await?;
        }
        let moved = move_pairs_room(&mut transaction, user, other, at).await?;
        transaction.commit().await?;
        Ok(moved)
    }
}

/// Gives the room of these two its next version, without a word to anybody.
async fn move_pairs_room(
    transaction: &mut Transaction,
    one: &UserId,
    other: &UserId,
    at: Timestamp,
) -> StoreResult<Option<(RoomId, i64)>> {
    let pair = (one.min(other), one.max(other));
    sqlx::query("UPDATE rooms SET version = version + 1 WHERE pair_low = ? AND pair_high = ?")
        .bind(pair.0.as_str())
        .bind(pair.1.as_str())
        .execute(&mut **transaction)
        .await?;
    let row = sqlx::query("SELECT id, version FROM rooms WHERE pair_low = ? AND pair_high = ?")
        .bind(pair.0.as_str())
        .bind(pair.1.as_str())
        .fetch_optional(&mut **transaction)
        .await?;
    let Some(row) = row else { return Ok(None) };
    let (room, version) = (parsed(&row, 0, RoomId::parse)?, row.try_get(1)?);
    let event = Event::Changed { room: room.clone(), at, version };
    outbox::insert(transaction, &room, version, &[event]).await?;
    Ok(Some((room, version)))
}

/// Whether one of these two has blocked the other.
pub(super) async fn is_blocked(
    transaction: &mut Transaction,
    (low, high): (&UserId, &UserId),
) -> StoreResult<bool> {
    let row = sqlx::query(
        "SELECT user_id FROM blocks WHERE (user_id = ? AND blocked_id = ?) \
         OR (user_id = ? AND blocked_id = ?) LIMIT 1",
    )
    .bind(low.as_str())
    .bind(high.as_str())
    .bind(high.as_str())
    .bind(low.as_str())
    .fetch_optional(&mut **transaction)
    .await?;
    Ok(row.is_some())
}
