//! A batch of the log becomes rows: one transaction, a handful of statements, whatever its size.

use std::collections::{BTreeMap, HashMap, HashSet};

use async_trait::async_trait;
use serde::Serialize;
use sqlx::{AssertSqlSafe, Row as _};

use super::{
    Sql,
    dialect::Dialect,
    driver::{Builder, Row, Transaction},
    list::List,
    log_moves::{advance_cursors, advance_delivered, advance_heads, advance_markers, stored},
    push_due::make_due,
    retry::retried,
};
use crate::{
    domain::{Content, Marker, RoomId, UserId},
    ports::{
        Applied, ChangedMessage, DeadRecord, LogBatch, LogCursor, LogStore, MessageChange,
        MessageRow, StoreError, StoreResult,
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

    async fn begin_cursors(&self, cursors: &[LogCursor]) -> StoreResult<()> {
        let mut transaction = self.begin().await?;
        insert_cursors(self.dialect, &mut transaction, cursors).await?;
        transaction.commit().await?;
        Ok(())
    }

    async fn reset_cursors(&self, cursors: &[LogCursor]) -> StoreResult<()> {
        let mut transaction = self.begin().await?;
        sqlx::query("DELETE FROM log_cursor").execute(&mut *transaction).await?;
        insert_cursors(self.dialect, &mut transaction, cursors).await?;
        transaction.commit().await?;
        Ok(())
    }

    async fn take_over(&self, batch: &LogBatch) -> StoreResult<Applied> {
        retried(|| self.take_over_once(batch)).await
    }
}

impl Sql {
    async fn take_over_once(&self, batch: &LogBatch) -> StoreResult<Applied> {
        let mut taking = Taking { dialect: self.dialect, transaction: self.begin().await? };
        if !taking.stands_at(&batch.from).await? {
            return Ok(Applied::Fenced);
        }
        let mut writing = Writing { heads: taking.heads(batch).await?, ..Writing::default() };
        writing.number(batch, &taking.stored(&batch.messages).await?);
        taking.insert_messages(&writing.rows).await?;
        for changed in &batch.changed {
            taking.change_message(changed).await?;
        }
        taking.advance_heads(&writing.heads).await?;
        taking.make_due(&writing.rows).await?;
        taking.advance_markers(&writing.markers(&batch.markers)).await?;
        taking.advance_delivered(&furthest(batch.delivered.iter().cloned())).await?;
        taking.bury(batch.dead.iter().chain(&writing.dead)).await?;
        taking.move_cursors(&batch.to).await?;
        taking.transaction.commit().await?;
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
                private: false,
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

async fn insert_cursors(
    dialect: Dialect,
    transaction: &mut Transaction,
    cursors: &[LogCursor],
) -> StoreResult<()> {
    let mut query = Builder::new(dialect.insert_new());
    query.push(" log_cursor (part, epoch, next_offset) ");
    query.push_values(cursors, |mut row, cursor| {
        row.push_bind(i64::from(cursor.partition))
            .push_bind(i64::from(cursor.epoch))
            .push_bind(cursor.next as i64);
    });
    query.build().execute(&mut **transaction).await?;
    Ok(())
}

fn cursor(row: &Row) -> StoreResult<LogCursor> {
    let (part, epoch, next): (i64, i64, i64) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
    Ok(LogCursor { partition: part as u32, epoch: epoch as u32, next: next as u64 })
}

/// The transaction of one batch, statement by statement.
struct Taking {
    dialect: Dialect,
    transaction: Transaction,
}

impl Taking {
    /// Whether every partition of the batch stands where the batch begins. If not, somebody
    /// else has written. The rows stay locked, so nobody else will.
    async fn stands_at(&mut self, from: &[LogCursor]) -> StoreResult<bool> {
        let mut query =
            Builder::new("SELECT part, epoch, next_offset FROM log_cursor WHERE part IN (");
        let mut list = query.separated(", ");
        for cursor in from {
            list.push_bind(i64::from(cursor.partition));
        }
        query.push(") ORDER BY part ").push(self.dialect.for_update());
        let rows = query.build().fetch_all(&mut *self.transaction).await?;
        let stands = rows.iter().map(cursor).collect::<StoreResult<Vec<_>>>()?;
        Ok(from.iter().all(|expected| stands.contains(expected)))
    }

    /// The heads of the batch's rooms, locked in one order.
    async fn heads<'a>(&mut self, batch: &'a LogBatch) -> StoreResult<HashMap<&'a RoomId, Head>> {
        let rooms: BTreeMap<&str, &RoomId> = batch
            .messages
            .iter()
            .map(|row| (row.message.room.as_str(), &row.message.room))
            .collect();
        if rooms.is_empty() {
            return Ok(HashMap::new());
        }
        let mut query = Builder::new(
            "SELECT room_id, last_ordinal, active_at FROM room_heads WHERE room_id IN (",
        );
        let mut list = query.separated(", ");
        for room in rooms.keys() {
            list.push_bind((*room).to_owned());
        }
        query.push(") ORDER BY room_id ").push(self.dialect.for_update());
        let mut heads = HashMap::with_capacity(rooms.len());
        for row in query.build().persistent(false).fetch_all(&mut *self.transaction).await? {
            let Some(room) = rooms.get(row.try_get::<&str, _>(0)?) else { continue };
            let head =
                Head { last_ordinal: row.try_get(1)?, active_at: row.try_get(2)?, moved: false };
            heads.insert(*room, head);
        }
        Ok(heads)
    }

    /// Which of these messages are there already: a retry that came after the log's own window.
    async fn stored(&mut self, messages: &[MessageRow]) -> StoreResult<HashSet<(String, String)>> {
        if messages.is_empty() {
            return Ok(HashSet::new());
        }
        let pairs = messages.iter().map(|row| (&row.message.room, &row.message.id));
        let rows = sqlx::query(AssertSqlSafe(stored(self.dialect)))
            .bind(List::new(pairs).into_text())
            .fetch_all(&mut *self.transaction)
            .await?;
        rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
    }

    async fn insert_messages(&mut self, rows: &[(&MessageRow, i64)]) -> StoreResult<()> {
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
        query.build().persistent(false).execute(&mut *self.transaction).await?;
        Ok(())
    }

    /// Edits and deletions are rare, so each is a statement. What is deleted stays deleted.
    async fn change_message(&mut self, changed: &ChangedMessage) -> StoreResult<()> {
        let at = changed.at.millis();
        let (body, edited, deleted, by) = match &changed.change {
            MessageChange::Edited(content) => (content.clone(), Some(at), None, None),
            MessageChange::Deleted(by) => (Content::default(), None, Some(at), Some(by.as_str())),
        };
        let body = serde_json::to_string(&body)
            .map_err(|error| StoreError::Unreadable(error.to_string()))?;
        sqlx::query(
            "UPDATE messages SET body = ?, edited_at = coalesce(?, edited_at), deleted_at = ?, \
             deleted_by = ?, changed_position = ? \
             WHERE room_id = ? AND id = ? AND deleted_at IS NULL",
        )
        .bind(body)
        .bind(edited)
        .bind(deleted)
        .bind(by)
        .bind(changed.position.to_string())
        .bind(changed.room.as_str())
        .bind(changed.id.as_str())
        .execute(&mut *self.transaction)
        .await?;
        Ok(())
    }

    async fn advance_heads(&mut self, heads: &HashMap<&RoomId, Head>) -> StoreResult<()> {
        let moved = heads.iter().filter(|(_, head)| head.moved);
        let rows = moved.map(|(room, head)| (room, head.last_ordinal, head.active_at));
        self.move_rows(advance_heads(self.dialect), rows.collect()).await
    }

    async fn advance_markers(&mut self, markers: &[(RoomId, Marker)]) -> StoreResult<()> {
        let rows = markers.iter().map(|(room, marker)| {
            let position = marker.position.as_deref().unwrap_or_default();
            (room, &marker.user, position, marker.ordinal.unwrap_or(0))
        });
        self.move_rows(advance_markers(self.dialect), rows.collect()).await
    }

    async fn advance_delivered(&mut self, markers: &[(RoomId, Marker)]) -> StoreResult<()> {
        let rows = markers
            .iter()
            .filter_map(|(room, marker)| Some((room, &marker.user, marker.position.as_deref()?)));
        self.move_rows(advance_delivered(self.dialect), rows.collect()).await
    }

    /// Whoever is not there is to be told, a while from now.
    async fn make_due(&mut self, rows: &[(&MessageRow, i64)]) -> StoreResult<()> {
        let mut due: BTreeMap<&RoomId, (i64, i64)> = BTreeMap::new();
        for (row, ordinal) in rows {
            let (_, upto) = due.entry(&row.message.room).or_insert((*ordinal, *ordinal));
            *upto = *ordinal;
        }
        let rows = due.into_iter().map(|(room, (since, upto))| (room, since, upto));
        self.move_rows(make_due(self.dialect), rows.collect()).await
    }

    async fn move_cursors(&mut self, to: &[LogCursor]) -> StoreResult<()> {
        let rows = to.iter().map(|cursor| (cursor.partition, cursor.next));
        self.move_rows(advance_cursors(self.dialect), rows.collect()).await
    }

    /// One statement over all these rows, if there are any.
    async fn move_rows<T: Serialize>(&mut self, sql: String, rows: Vec<T>) -> StoreResult<()> {
        if rows.is_empty() {
            return Ok(());
        }
        sqlx::query(AssertSqlSafe(sql))
            .bind(List::new(rows).into_text())
            .execute(&mut *self.transaction)
            .await?;
        Ok(())
    }

    async fn bury<'a>(&mut self, records: impl Iterator<Item = &'a DeadRecord>) -> StoreResult<()> {
        let records: Vec<_> = records.collect();
        if records.is_empty() {
            return Ok(());
        }
        tracing::warn!(count = records.len(), "records of the log could not be applied");
        let mut query = Builder::new(self.dialect.insert_new());
        query.push(" dead_records (part, log_offset, epoch, route, reason, body) ");
        query.push_values(records, |mut row, record| {
            row.push_bind(i64::from(record.partition))
                .push_bind(record.position.offset as i64)
                .push_bind(i64::from(record.position.epoch.0))
                .push_bind(record.route.clone())
                .push_bind(record.reason)
                .push_bind(record.body.clone());
        });
        query.build().persistent(false).execute(&mut *self.transaction).await?;
        Ok(())
    }
}
