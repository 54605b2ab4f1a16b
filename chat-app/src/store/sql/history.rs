//! What the log became, page by page.

use async_trait::async_trait;
use sqlx::{AssertSqlSafe, Row as _};
use stomp_server::broker::{Epoch, Position};

use super::{
    Sql,
    driver::Connection,
    rows::{self, MESSAGE},
};
use crate::{
    domain::{Message, MessageId, Page, RoomId},
    ports::{History, Range, StoreResult},
};

#[async_trait]
impl History for Sql {
    async fn page(
        &self,
        room: &RoomId,
        partition: u32,
        range: &Range,
        limit: u32,
    ) -> StoreResult<Page> {
        let mut snapshot = self.snapshot().await?;
        let position = cursor(&mut snapshot, partition).await?;
        let last = last_ordinal(&mut snapshot, room).await?;
        let messages = match range {
            Range::Newest => below(&mut snapshot, room, i64::MAX, limit).await?,
            Range::Before(ordinal) => below(&mut snapshot, room, *ordinal, limit).await?,
            Range::After(ordinal) => above(&mut snapshot, room, *ordinal, limit).await?,
            Range::Around(ordinal) => around(&mut snapshot, room, *ordinal, limit).await?,
        };
        let ordinal = |message: Option<&Message>| message.and_then(|message| message.ordinal);
        Ok(Page {
            before: ordinal(messages.first()).filter(|first| *first > 1),
            after: ordinal(messages.last()).filter(|newest| *newest < last),
            position,
            messages,
        })
    }

    async fn message(&self, room: &RoomId, id: &MessageId) -> StoreResult<Option<Message>> {
        let sql = format!("SELECT {MESSAGE} FROM messages x WHERE x.room_id = ? AND x.id = ?");
        let row = sqlx::query(AssertSqlSafe(sql))
            .bind(room.as_str())
            .bind(id.as_str())
            .fetch_optional(&self.read)
            .await?;
        row.map(|row| rows::message(&row, 0)).transpose()
    }
}

/// The last place that has been taken over: what comes behind it is not in the page.
async fn cursor(connection: &mut Connection, partition: u32) -> StoreResult<String> {
    let row = sqlx::query("SELECT epoch, next_offset FROM log_cursor WHERE part = ?")
        .bind(i64::from(partition))
        .fetch_optional(&mut *connection)
        .await?;
    let (epoch, next): (i64, i64) = match row {
        Some(row) => (row.try_get(0)?, row.try_get(1)?),
        None => (0, 0),
    };
    let offset = (next as u64).saturating_sub(1);
    Ok(Position { epoch: Epoch(epoch as u32), offset }.to_string())
}

async fn last_ordinal(connection: &mut Connection, room: &RoomId) -> StoreResult<i64> {
    let last: Option<i64> =
        sqlx::query_scalar("SELECT last_ordinal FROM room_heads WHERE room_id = ?")
            .bind(room.as_str())
            .fetch_optional(&mut *connection)
            .await?;
    Ok(last.unwrap_or(0))
}

async fn below(
    connection: &mut Connection,
    room: &RoomId,
    ordinal: i64,
    limit: u32,
) -> StoreResult<Vec<Message>> {
    let sql = format!(
        "SELECT {MESSAGE} FROM messages x WHERE x.room_id = ? AND x.ordinal < ? \
         ORDER BY x.ordinal DESC LIMIT ?"
    );
    let mut messages = select(connection, sql, room, ordinal, limit).await?;
    messages.reverse();
    Ok(messages)
}

async fn above(
    connection: &mut Connection,
    room: &RoomId,
    ordinal: i64,
    limit: u32,
) -> StoreResult<Vec<Message>> {
    let sql = format!(
        "SELECT {MESSAGE} FROM messages x WHERE x.room_id = ? AND x.ordinal > ? \
         ORDER BY x.ordinal LIMIT ?"
    );
    select(connection, sql, room, ordinal, limit).await
}

/// Half of the page before the message; itself and the other half behind.
async fn around(
    connection: &mut Connection,
    room: &RoomId,
    ordinal: i64,
    limit: u32,
) -> StoreResult<Vec<Message>> {
    let mut messages = below(connection, room, ordinal, limit / 2).await?;
    messages.extend(above(connection, room, ordinal - 1, limit - limit / 2).await?);
    Ok(messages)
}

async fn select(
    connection: &mut Connection,
    sql: String,
    room: &RoomId,
    ordinal: i64,
    limit: u32,
) -> StoreResult<Vec<Message>> {
    let rows = sqlx::query(AssertSqlSafe(sql))
        .bind(room.as_str())
        .bind(ordinal)
        .bind(i64::from(limit))
        .fetch_all(&mut *connection)
        .await?;
    rows.iter().map(|row| rows::message(row, 0)).collect()
}
