//! Who has read what, and where a word stands.

use async_trait::async_trait;
use sqlx::{AssertSqlSafe, Row as _};

use super::{
    Sql,
    driver::Row,
    rows::{self, MESSAGE, parsed},
};
use crate::{
    domain::{Message, RoomId, UserId},
    ports::{Head, Reading, StoreResult},
};

#[async_trait]
impl Reading for Sql {
    async fn heads(
        &self,
        user: &UserId,
        room: Option<&RoomId>,
        limit: u32,
    ) -> StoreResult<Vec<Head>> {
        let only = if room.is_some() { "AND m.room_id = ?" } else { "" };
        let select = format!(
            "SELECT m.room_id, h.last_ordinal, h.active_at FROM members m \
             JOIN room_heads h ON h.room_id = m.room_id \
             WHERE m.user_id = ? {only} ORDER BY h.active_at DESC LIMIT ?"
        );
        let mut query = sqlx::query(AssertSqlSafe(select)).bind(user.as_str());
        if let Some(room) = room {
            query = query.bind(room.as_str());
        }
        let rows = query.bind(i64::from(limit)).fetch_all(&self.read).await?;
        let head = |row: &Row| {
            Ok(Head {
                room: parsed(row, 0, RoomId::parse)?,
                last_ordinal: row.try_get(1)?,
                active_at: row.try_get(2)?,
            })
        };
        rows.iter().map(head).collect()
    }

    async fn texts_below(
        &self,
        room: &RoomId,
        ordinal: i64,
        limit: u32,
    ) -> StoreResult<(Vec<Message>, i64)> {
        let select = format!(
            "SELECT {MESSAGE} FROM messages x WHERE x.room_id = ? AND x.ordinal < ? \
             ORDER BY x.ordinal DESC LIMIT ?"
        );
        let rows = sqlx::query(AssertSqlSafe(select))
            .bind(room.as_str())
            .bind(ordinal)
            .bind(i64::from(limit))
            .fetch_all(&self.read)
            .await?;
        let messages = rows.iter().map(|row| rows::message(row, 0));
        let mut messages = messages.collect::<StoreResult<Vec<_>>>()?;
        messages.retain(|message| !message.deleted);
        Ok((messages, rows.len() as i64))
    }

    async fn readers(
        &self,
        message: &Message,
        from: Option<&UserId>,
        limit: u32,
    ) -> StoreResult<Vec<UserId>> {
        let rows = sqlx::query(
            "SELECT m.user_id FROM members m LEFT JOIN users u ON u.id = m.user_id \
             WHERE m.room_id = ? AND m.user_id > ? AND m.read_ordinal >= ? AND m.user_id <> ? \
             AND m.joined_at <= ? AND coalesce(u.private_receipts, 0) = 0 \
             ORDER BY m.user_id LIMIT ?",
        )
        .bind(message.room.as_str())
        .bind(from.map_or("", UserId::as_str))
        .bind(message.ordinal.unwrap_or(i64::MAX))
        .bind(message.sender.as_str())
        .bind(message.created_at.millis())
        .bind(i64::from(limit))
        .fetch_all(&self.read)
        .await?;
        rows.iter().map(|row| parsed(row, 0, UserId::parse)).collect()
    }
}
