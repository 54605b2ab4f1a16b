//! What the log became, page by page.

use async_trait::async_trait;
use sqlx::{AssertSqlSafe, Row as _};
use stomp_server::broker::{Epoch, Position};

use super::{
    Sql,
    driver::{Builder, Connection},
    rows::{self, MESSAGE, parsed},
};
use crate::{
    domain::{Message, MessageId, Page, RoomId, UserId},
    ports::{Changes, History, Range, StoreError, StoreResult},
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
        if let Some(page) = self.page_at_once(room, partition, range, limit).await? {
            return Ok(page);
        }
        let mut snapshot = self.snapshot().await?;
        let (epoch, next) = cursor(&mut snapshot, partition).await?;
        let last = last_ordinal(&mut snapshot, room).await?;
        let messages = match range {
            Range::Newest => below(&mut snapshot, room, i64::MAX, limit).await?,
            Range::Before(ordinal) => below(&mut snapshot, room, *ordinal, limit).await?,
            Range::After(ordinal) => above(&mut snapshot, room, *ordinal, limit).await?,
            Range::Around(ordinal) => around(&mut snapshot, room, *ordinal, limit).await?,
        };
        Ok(page(messages, last, epoch, next))
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

    async fn deleted(&self, room: &RoomId, ids: &[MessageId]) -> StoreResult<Vec<MessageId>> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut query = Builder::new("SELECT id FROM messages WHERE room_id = ");
        query.push_bind(room.as_str().to_owned()).push(" AND deleted_at IS NOT NULL AND id IN (");
        let mut list = query.separated(", ");
        for id in ids {
            list.push_bind(id.as_str().to_owned());
        }
        query.push(")");
        let rows = query.build().persistent(false).fetch_all(&self.read).await?;
        rows.iter().map(|row| parsed(row, 0, MessageId::parse)).collect()
    }

    async fn changes(
        &self,
        room: &RoomId,
        partition: u32,
        after: Position,
        limit: u32,
    ) -> StoreResult<Changes> {
        let mut snapshot = self.snapshot().await?;
        let (epoch, next) = cursor(&mut snapshot, partition).await?;
        if epoch as u32 != after.epoch.0 {
            return Err(StoreError::Unreadable("the rows are of another log".into()));
        }
        let sql = format!(
            "SELECT {MESSAGE}, x.changed_position, x.deleted_by FROM messages x \
             WHERE x.room_id = ? AND x.changed_position > ? ORDER BY x.changed_position LIMIT ?"
        );
        let rows = sqlx::query(AssertSqlSafe(sql))
            .bind(room.as_str())
            .bind(after.to_string())
            .bind(i64::from(limit))
            .fetch_all(&mut *snapshot)
            .await?;
        let change = |row| -> StoreResult<_> {
            let position = parsed(row, 10, |text| text.parse::<Position>().ok())?;
            let by = row.try_get::<Option<&str>, _>(11)?.and_then(UserId::parse);
            Ok((position, rows::message(row, 0)?, by))
        };
        let messages = rows.iter().map(change).collect::<StoreResult<Vec<_>>>()?;
        let upto = match messages.last() {
            Some((last, ..)) if rows.len() >= limit as usize => last.offset,
            _ => (next as u64).saturating_sub(1),
        };
        Ok(Changes { messages, upto })
    }

    async fn count_changes(
        &self,
        room: &RoomId,
        partition: u32,
        after: Position,
        limit: u32,
    ) -> StoreResult<Option<u32>> {
        let mut snapshot = self.snapshot().await?;
        let (epoch, next) = cursor(&mut snapshot, partition).await?;
        if epoch as u32 != after.epoch.0 || next as u64 <= after.offset {
            return Ok(None);
        }
        let count: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM (SELECT x.id FROM messages x \
             WHERE x.room_id = ? AND x.changed_position > ? LIMIT ?) AS counted",
        )
        .bind(room.as_str())
        .bind(after.to_string())
        .bind(i64::from(limit))
        .fetch_one(&mut *snapshot)
        .await?;
        Ok(Some(count as u32))
    }
}

impl Sql {
    /// A page by one statement, which is of one moment by itself. `None` for pages that take
    /// more, and for empty ones, whose moment no row would tell.
    async fn page_at_once(
        &self,
        room: &RoomId,
        partition: u32,
        range: &Range,
        limit: u32,
    ) -> StoreResult<Option<Page>> {
        let (side, ordinal, order) = match range {
            Range::Newest => ("<", i64::MAX, "DESC"),
            Range::Before(ordinal) => ("<", *ordinal, "DESC"),
            Range::After(ordinal) => (">", *ordinal, "ASC"),
            Range::Around(_) => return Ok(None),
        };
        let sql = format!(
            "SELECT {MESSAGE}, \
             (SELECT h.last_ordinal FROM room_heads h WHERE h.room_id = ?), \
             (SELECT c.epoch FROM log_cursor c WHERE c.part = ?), \
             (SELECT c.next_offset FROM log_cursor c WHERE c.part = ?) \
             FROM messages x WHERE x.room_id = ? AND x.ordinal {side} ? \
             ORDER BY x.ordinal {order} LIMIT ?"
        );
        let rows = sqlx::query(AssertSqlSafe(sql))
            .bind(room.as_str())
            .bind(i64::from(partition))
            .bind(i64::from(partition))
            .bind(room.as_str())
            .bind(ordinal)
            .bind(i64::from(limit))
            .fetch_all(&self.read)
            .await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let number = |column| Ok::<_, StoreError>(row.try_get::<Option<i64>, _>(column)?);
        let (last, epoch, next) = (number(10)?, number(11)?, number(12)?);
        let mut messages =
            rows.iter().map(|row| rows::message(row, 0)).collect::<StoreResult<Vec<_>>>()?;
        if order == "DESC" {
            messages.reverse();
        }
        let number = |value: Option<i64>| value.unwrap_or(0);
        Ok(Some(page(messages, number(last), number(epoch), number(next))))
    }
}

/// The page, and what lies around it. Its position is the last place that has been taken over:
/// what comes behind it is not in the page.
fn page(messages: Vec<Message>, last: i64, epoch: i64, next: i64) -> Page {
    let ordinal = |message: Option<&Message>| message.and_then(|message| message.ordinal);
    let offset = (next as u64).saturating_sub(1);
    Page {
        before: ordinal(messages.first()).filter(|first| *first > 1),
        after: ordinal(messages.last()).filter(|newest| *newest < last),
        position: Position { epoch: Epoch(epoch as u32), offset }.to_string(),
        messages,
    }
}

/// Epoch and next offset of a partition.
async fn cursor(connection: &mut Connection, partition: u32) -> StoreResult<(i64, i64)> {
    let row = sqlx::query("SELECT epoch, next_offset FROM log_cursor WHERE part = ?")
        .bind(i64::from(partition))
        .fetch_optional(&mut *connection)
        .await?;
    Ok(match row {
        Some(row) => (row.try_get(0)?, row.try_get(1)?),
        None => (0, 0),
    })
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
