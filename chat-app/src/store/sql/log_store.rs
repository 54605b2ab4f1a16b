//! A batch of the log becomes rows: one transaction, a handful of statements, whatever its size.

use std::collections::{HashMap, HashSet};

use async_trait::async_trait;
use sqlx::{AssertSqlSafe, Row as _};

use super::{
    Sql,
    dialect::{self, Builder, Transaction},
};
use crate::{
    domain::{Marker, RoomId, UserId},
    ports::{
        Applied, ChangedMessage, DeadRecord, LogBatch, LogCursor, LogStore, MessageRow, StoreError,
        StoreResult,
    },
};

#[async_trait]
impl LogStore for Sql {
    async fn cursors(&self) -> StoreResult<Vec<LogCursor>> {
        let rows = sqlx::query("SELECT part, epoch, next_offset FROM log_cursor ORDER BY part")
            .fetch_all(&self.read)
            .await?;
        rows.iter().map(cursor).collect()
    }

    async fn reset_cursors(&self, cursors: &[LogCursor]) -> StoreResult<()> {
        let mut transaction = self.begin().await?;
        sqlx::query("DELETE FROM log_cursor").execute(&mut *transaction).await?;
        let mut query = Builder::new("INSERT INTO log_cursor (part, epoch, next_offset) ");
        query.push_values(cursors, |mut row, cursor| {
            row.push_bind(cursor.partition)
                .push_bind(i64::from(cursor.epoch))
                .push_bind(cursor.next as i64);
        });
        query.build().execute(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(())
    }

    async fn take_over(&self, batch: &LogBatch) -> StoreResult<Applied> {
        let mut transaction = self.begin().await?;
        if !stands_at(&mut transaction, &batch.from).await? {
            return Ok(Applied::Fenced);
        }
        let mut writing = Writing::begin(&mut transaction, batch).await?;
        writing.number(batch, &stored(&mut transaction, &batch.messages).await?);
        insert_messages(&mut transaction, &writing.rows).await?;
        for changed in &batch.changed {
            change_message(&mut transaction, changed).await?;
        }
        advance_heads(&mut transaction, &writing.heads).await?;
        advance_markers(&mut transaction, writing.markers(&batch.markers)).await?;
        advance_delivered(&mut transaction, furthest(batch.delivered.iter().cloned())).await?;
        bury(&mut transaction, batch.dead.iter().chain(&writing.dead)).await?;
        move_cursors(&mut transaction, &batch.to).await?;
        transaction.commit().await?;
        Ok(Applied::Done)
    }
}

/// What a batch comes to, once it is known what is there already.
#[derive(Default)]
struct Writing<'a> {
    /// Rooms of the batch that exist: last ordinal, and the time of the newest message.
    heads: HashMap<&'a RoomId, Head>,
    /// What is new, with its ordinal.
    rows: Vec<(&'a MessageRow, i64)>,
    /// Messages of rooms that are gone.
    dead: Vec<DeadRecord>,
}

#[derive(Clone, Copy)]
struct Head {
    last_ordinal: i64,
    active_at: i64,
    moved: bool,
}

impl<'a> Writing<'a> {
    async fn begin(transaction: &mut Transaction, batch: &'a LogBatch) -> StoreResult<Self> {
        let rooms: HashMap<&str, &RoomId> = batch
            .messages
            .iter()
            .map(|row| (row.message.room.as_str(), &row.message.room))
            .collect();
        if rooms.is_empty() {
            return Ok(Self::default());
        }
        let mut query = Builder::new(
            "SELECT room_id, last_ordinal, active_at FROM room_heads WHERE room_id IN (",
        );
        let mut list = query.separated(", ");
        for room in rooms.keys() {
            list.push_bind((*room).to_owned());
        }
        query.push(")").push(dialect::FOR_UPDATE);
        let mut heads = HashMap::with_capacity(rooms.len());
        for row in query.build().persistent(false).fetch_all(&mut **transaction).await? {
            let Some(room) = rooms.get(row.try_get::<&str, _>(0)?) else { continue };
            let head =
                Head { last_ordinal: row.try_get(1)?, active_at: row.try_get(2)?, moved: false };
            heads.insert(*room, head);
        }
        Ok(Self { heads, ..Self::default() })
    }

    /// Gives every new message the next number of its room; the first of an id wins.
    fn number(&mut self, batch: &'a LogBatch, stored: &HashSet<(String, String)>) {
        let mut seen = HashSet::new();
        for row in &batch.messages {
            let (room, id) = (&row.message.room, &row.message.id);
            let Some(head) = self.heads.get_mut(room) else {
                self.dead.push(without_room(row));
                continue;
            };
            let key = (room.as_str().to_owned(), id.as_str().to_owned());
            if stored.contains(&key) || !seen.insert(key) {
                continue;
            }
            head.last_ordinal += 1;
            head.active_at = head.active_at.max(row.at_ms);
            head.moved = true;
            self.rows.push((row, head.last_ordinal));
        }
    }

    /// The furthest marker of every (room, user): what they said, and what they sent.
    fn markers(&self, said: &[(RoomId, Marker)]) -> Vec<(RoomId, Marker)> {
        let sent = self.rows.iter().map(|(row, ordinal)| {
            let marker = Marker {
                user: row.message.sender.clone(),
                position: Some(row.position.to_string()),
                ordinal: Some(*ordinal),
            };
            (row.message.room.clone(), marker)
        });
        furthest(said.iter().cloned().chain(sent))
    }
}

/// One marker for each (room, user).
fn furthest(markers: impl Iterator<Item = (RoomId, Marker)>) -> Vec<(RoomId, Marker)> {
    let mut furthest: HashMap<(RoomId, UserId), Marker> = HashMap::new();
    for (room, marker) in markers {
        furthest
            .entry((room, marker.user.clone()))
            .and_modify(|known| known.advance(&marker))
            .or_insert(marker);
    }
    furthest.into_iter().map(|((room, _), marker)| (room, marker)).collect()
}

fn without_room(row: &MessageRow) -> DeadRecord {
    DeadRecord {
        partition: row.partition,
        position: row.position,
        route: row.message.room.to_string(),
        reason: "the room does not exist any more",
        body: serde_json::to_string(&row.message).unwrap_or_default(),
    }
}

/// Whether every partition stands where the batch begins. If not, somebody else has written.
async fn stands_at(transaction: &mut Transaction, from: &[LogCursor]) -> StoreResult<bool> {
    let sql = format!(
        "SELECT part, epoch, next_offset FROM log_cursor ORDER BY part{}",
        dialect::FOR_UPDATE
    );
    let rows = sqlx::query(AssertSqlSafe(sql)).fetch_all(&mut **transaction).await?;
    let stands = rows.iter().map(cursor).collect::<StoreResult<Vec<_>>>()?;
    Ok(from.iter().all(|expected| stands.contains(expected)))
}

fn cursor(row: &dialect::Row) -> StoreResult<LogCursor> {
    let (epoch, next): (i64, i64) = (row.try_get(1)?, row.try_get(2)?);
    Ok(LogCursor { partition: row.try_get(0)?, epoch: epoch as u32, next: next as u64 })
}

/// Which of these messages are there already: a retry that came after the log's own window.
async fn stored(
    transaction: &mut Transaction,
    messages: &[MessageRow],
) -> StoreResult<HashSet<(String, String)>> {
    if messages.is_empty() {
        return Ok(HashSet::new());
    }
    let pairs = messages.iter().map(|row| (row.message.room.as_str(), row.message.id.as_str()));
    let mut query = dialect::stored(pairs);
    let rows = query.build().persistent(false).fetch_all(&mut **transaction).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

async fn insert_messages(
    transaction: &mut Transaction,
    rows: &[(&MessageRow, i64)],
) -> StoreResult<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let bodies = rows
        .iter()
        .map(|(row, _)| serde_json::to_string(&row.message.content))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| StoreError::Unreadable(error.to_string()))?;
    let mut query = Builder::new(
        "INSERT INTO messages (room_id, ordinal, id, sender, client_message_id, position, \
         changed_position, body, created_at) ",
    );
    query.push_values(rows.iter().zip(bodies), |mut values, ((row, ordinal), body)| {
        let (message, position) = (&row.message, row.position.to_string());
        values
            .push_bind(message.room.as_str().to_owned())
            .push_bind(*ordinal)
            .push_bind(message.id.as_str().to_owned())
            .push_bind(message.sender.as_str().to_owned())
            .push_bind(message.client_message_id.as_ref().map(|id| id.as_str().to_owned()))
            .push_bind(position.clone())
            .push_bind(position)
            .push_bind(body)
            .push_bind(message.created_at.millis());
    });
    query.build().persistent(false).execute(&mut **transaction).await?;
    Ok(())
}

/// Edits and deletions are rare, so each is a statement. What is deleted stays deleted.
async fn change_message(
    transaction: &mut Transaction,
    changed: &ChangedMessage,
) -> StoreResult<()> {
    let (edited, deleted) = match changed.content {
        Some(_) => (Some(changed.at.millis()), None),
        None => (None, Some(changed.at.millis())),
    };
    let body = serde_json::to_string(&changed.content.clone().unwrap_or_default())
        .map_err(|error| StoreError::Unreadable(error.to_string()))?;
    sqlx::query(
        "UPDATE messages SET body = ?, edited_at = coalesce(?, edited_at), deleted_at = ?, \
         changed_position = ? WHERE room_id = ? AND id = ? AND deleted_at IS NULL",
    )
    .bind(body)
    .bind(edited)
    .bind(deleted)
    .bind(changed.position.to_string())
    .bind(changed.room.as_str())
    .bind(changed.id.as_str())
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

async fn advance_heads(
    transaction: &mut Transaction,
    heads: &HashMap<&RoomId, Head>,
) -> StoreResult<()> {
    let moved = heads
        .iter()
        .filter(|(_, head)| head.moved)
        .map(|(room, head)| (room.as_str(), head.last_ordinal, head.active_at))
        .collect::<Vec<_>>();
    if moved.is_empty() {
        return Ok(());
    }
    let mut query = dialect::advance_heads(moved.into_iter());
    query.build().persistent(false).execute(&mut **transaction).await?;
    Ok(())
}

async fn advance_markers(
    transaction: &mut Transaction,
    markers: Vec<(RoomId, Marker)>,
) -> StoreResult<()> {
    if markers.is_empty() {
        return Ok(());
    }
    let mut query = dialect::advance_markers(markers.iter().map(|(room, marker)| {
        let position = marker.position.as_deref().unwrap_or_default();
        (room.as_str(), marker.user.as_str(), position, marker.ordinal.unwrap_or(0))
    }));
    query.build().persistent(false).execute(&mut **transaction).await?;
    Ok(())
}

async fn advance_delivered(
    transaction: &mut Transaction,
    markers: Vec<(RoomId, Marker)>,
) -> StoreResult<()> {
    let places = markers.iter().filter_map(|(room, marker)| {
        Some((room.as_str(), marker.user.as_str(), marker.position.as_deref()?))
    });
    let places: Vec<_> = places.collect();
    if places.is_empty() {
        return Ok(());
    }
    let mut query = dialect::advance_delivered(places.into_iter());
    query.build().persistent(false).execute(&mut **transaction).await?;
    Ok(())
}

async fn bury<'a>(
    transaction: &mut Transaction,
    records: impl Iterator<Item = &'a DeadRecord>,
) -> StoreResult<()> {
    let records: Vec<_> = records.collect();
    if records.is_empty() {
        return Ok(());
    }
    tracing::warn!(count = records.len(), "records of the log could not be applied");
    let mut query = Builder::new(dialect::INSERT_NEW);
    query.push("dead_records (part, log_offset, epoch, route, reason, body) ");
    query.push_values(records, |mut row, record| {
        row.push_bind(record.partition)
            .push_bind(record.position.offset as i64)
            .push_bind(i64::from(record.position.epoch.0))
            .push_bind(record.route.clone())
            .push_bind(record.reason)
            .push_bind(record.body.clone());
    });
    query.build().persistent(false).execute(&mut **transaction).await?;
    Ok(())
}

async fn move_cursors(transaction: &mut Transaction, to: &[LogCursor]) -> StoreResult<()> {
    for cursor in to {
        sqlx::query("UPDATE log_cursor SET next_offset = ? WHERE part = ?")
            .bind(cursor.next as i64)
            .bind(cursor.partition)
            .execute(&mut **transaction)
            .await?;
    }
    Ok(())
}
