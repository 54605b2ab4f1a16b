//! What is moved in. Messages go where they belong at once, but nobody can see them: their room
//! is made when all of it is there.

use std::collections::HashMap;

use sqlx::{AssertSqlSafe, Row as _};

use super::{
    Sql,
    driver::{Builder, Transaction},
    rows::parsed,
};
use crate::{
    domain::{MessageId, RoomId, Timestamp},
    ports::{StoreError, StoreResult},
    transfer::{MarkerRecord, MemberRecord, MessageRecord, RoomRecord, UserRecord},
};

/// Rows of one INSERT; each is up to twelve parameters, of which SQLite takes 32,766.
const ROWS: usize = 1_000;

/// How far a file has been read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) byte: u64,
    pub(crate) line: u64,
    /// Everything is in, rooms are open.
    pub(crate) finished: bool,
}

/// A room that is being filled.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ImportRoom {
    /// It was there before: what is in the file for it is left out.
    pub(crate) passed_over: bool,
    pub(crate) last_ordinal: i64,
    pub(crate) active_at: i64,
}

/// Lines that are taken in one transaction.
#[derive(Debug, Default)]
pub(crate) struct ImportBatch {
    pub(crate) users: Vec<UserRecord>,
    pub(crate) rooms: Vec<(RoomRecord, ImportRoom)>,
    pub(crate) members: Vec<MemberRecord>,
    /// With their ordinals and ids.
    pub(crate) messages: Vec<(MessageRecord, i64, MessageId)>,
    /// Rooms that got messages, with their new heads.
    pub(crate) heads: HashMap<RoomId, ImportRoom>,
    pub(crate) markers: Vec<MarkerRecord>,
}

impl Sql {
    /// How far this file was read before; at its beginning if never.
    pub(crate) async fn import_place(&self, source: &str) -> StoreResult<Place> {
        let place = "SELECT next_byte, next_line, finished_at FROM imports WHERE source = ?";
        let row = sqlx::query(place).bind(source).fetch_optional(&self.write).await?;
        let Some(row) = row else { return Ok(Place::default()) };
        Ok(Place {
            byte: row.try_get::<i64, _>(0)? as u64,
            line: row.try_get::<i64, _>(1)? as u64,
            finished: row.try_get::<Option<i64>, _>(2)?.is_some(),
        })
    }

    /// A room that an earlier part of this file has begun.
    pub(crate) async fn import_room(
        &self,
        source: &str,
        room: &RoomId,
    ) -> StoreResult<Option<ImportRoom>> {
        let begun = "SELECT passed_over, last_ordinal, active_at FROM import_rooms \
             WHERE room_id = ? AND source = ?";
        let begun = sqlx::query(begun).bind(room.as_str()).bind(source);
        let row = begun.fetch_optional(&self.write).await?;
        row.map(|row| {
            Ok(ImportRoom {
                passed_over: row.try_get::<i64, _>(0)? != 0,
                last_ordinal: row.try_get(1)?,
                active_at: row.try_get(2)?,
            })
        })
        .transpose()
    }

    /// Whether a room, or the room of its pair, is there already or being filled by another file.
    pub(crate) async fn is_room_taken(&self, room: &RoomRecord) -> StoreResult<bool> {
        let [low, high] = pair(room);
        let taken = "SELECT count(*) FROM (SELECT id FROM rooms \
             WHERE id = ? OR (pair_low = ? AND pair_high = ?) \
             UNION ALL SELECT room_id FROM import_rooms \
             WHERE room_id = ? OR (pair_low = ? AND pair_high = ?)) AS taken";
        let taken = sqlx::query_scalar::<_, i64>(taken).bind(room.id.as_str());
        let taken = taken.bind(low).bind(high).bind(room.id.as_str()).bind(low).bind(high);
        Ok(taken.fetch_one(&self.write).await? > 0)
    }

    /// Takes a batch, and remembers the place behind it: all or nothing.
    pub(crate) async fn import(
        &self,
        source: &str,
        batch: &ImportBatch,
        place: Place,
    ) -> StoreResult<()> {
        let mut transaction = self.begin().await?;
        self.take_users(&mut transaction, &batch.users).await?;
        take_rooms(&mut transaction, source, &batch.rooms).await?;
        self.take_members(&mut transaction, &batch.members).await?;
        take_messages(&mut transaction, &batch.messages).await?;
        let head = "UPDATE import_rooms SET last_ordinal = ?, active_at = ? WHERE room_id = ?";
        for (room, head_of) in &batch.heads {
            let head = sqlx::query(head).bind(head_of.last_ordinal).bind(head_of.active_at);
            head.bind(room.as_str()).execute(&mut *transaction).await?;
        }
        let marker = "UPDATE import_members SET read_ordinal = ? WHERE room_id = ? AND user_id = ?";
        for MarkerRecord { room, user, ordinal } in &batch.markers {
            let marker = sqlx::query(marker).bind(*ordinal).bind(room.as_str());
            marker.bind(user.as_str()).execute(&mut *transaction).await?;
        }
        self.remember(&mut transaction, source, place).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Opens the next room that is whole; `false` where it had to be passed over, none when
    /// all are open.
    pub(crate) async fn open_imported(&self, source: &str) -> StoreResult<Option<bool>> {
        let next = "SELECT room_id, passed_over FROM import_rooms WHERE source = ? \
             ORDER BY room_id LIMIT 1";
        let next = sqlx::query(next).bind(source).fetch_optional(&self.write).await?;
        let Some(next) = next else { return Ok(None) };
        let room = parsed(&next, 0, RoomId::parse)?;
        let opened = next.try_get::<i64, _>(1)? == 0;
        let mut transaction = self.begin().await?;
        for statement in [
            "INSERT INTO rooms (id, kind, is_public, name, pair_low, pair_high, version, \
             member_count, created_at) \
             SELECT r.room_id, r.kind, r.is_public, r.name, r.pair_low, r.pair_high, 1, \
             (SELECT count(*) FROM import_members m WHERE m.room_id = r.room_id), r.created_at \
             FROM import_rooms r WHERE r.room_id = ? AND r.passed_over = 0",
            "INSERT INTO members (room_id, user_id, role, version, joined_at, read_ordinal, \
             muted_until) \
             SELECT m.room_id, m.user_id, m.role, 1, m.joined_at, \
             CASE WHEN m.read_ordinal < r.last_ordinal THEN m.read_ordinal \
             ELSE r.last_ordinal END, m.muted_until FROM import_members m \
             JOIN import_rooms r ON r.room_id = m.room_id \
             WHERE m.room_id = ? AND r.passed_over = 0",
            "INSERT INTO room_heads (room_id, last_ordinal, active_at) \
             SELECT r.room_id, r.last_ordinal, r.active_at FROM import_rooms r \
             WHERE r.room_id = ? AND r.passed_over = 0",
            "DELETE FROM import_members WHERE room_id = ?",
            "DELETE FROM import_rooms WHERE room_id = ?",
        ] {
            sqlx::query(statement).bind(room.as_str()).execute(&mut *transaction).await?;
        }
        transaction.commit().await?;
        Ok(Some(opened))
    }

    /// How many rooms of this file are still closed.
    pub(crate) async fn closed_rooms(&self, source: &str) -> StoreResult<u64> {
        let count = sqlx::query_scalar("SELECT count(*) FROM import_rooms WHERE source = ?");
        Ok(count.bind(source).fetch_one(&self.write).await.map(|count: i64| count as u64)?)
    }

    /// Everything of this file is in.
    pub(crate) async fn finish_import(&self, source: &str, place: Place) -> StoreResult<()> {
        let mut transaction = self.begin().await?;
        self.remember(&mut transaction, source, Place { finished: true, ..place }).await?;
        transaction.commit().await?;
        Ok(())
    }

    async fn remember(
        &self,
        transaction: &mut Transaction,
        source: &str,
        place: Place,
    ) -> StoreResult<()> {
        let dialect = self.dialect;
        let upsert = format!(
            "INSERT INTO imports (source, next_byte, next_line, finished_at) VALUES (?, ?, ?, ?) \
             {} next_byte = {}, next_line = {}, finished_at = {}",
            dialect.on_conflict("source"),
            dialect.incoming("next_byte"),
            dialect.incoming("next_line"),
            dialect.incoming("finished_at"),
        );
        let upsert = sqlx::query(AssertSqlSafe(upsert)).bind(source).bind(place.byte as i64);
        let finished = place.finished.then(|| Timestamp::now().millis());
        upsert.bind(place.line as i64).bind(finished).execute(&mut **transaction).await?;
        Ok(())
    }

    /// Users who are there already stay as they are.
    async fn take_users(
        &self,
        transaction: &mut Transaction,
        users: &[UserRecord],
    ) -> StoreResult<()> {
        let now = Timestamp::now().millis();
        for users in users.chunks(ROWS) {
            let mut insert = Builder::new(format!(
                "{} users (id, name, picture, password_hash, created_at) ",
                self.dialect.insert_new()
            ));
            insert.push_values(users, |mut row, user| {
                row.push_bind(user.id.to_string()).push_bind(user.name.clone());
                row.push_bind(user.picture.clone()).push_bind(user.password_hash.clone());
                row.push_bind(now);
            });
            insert.build().persistent(false).execute(&mut **transaction).await?;
        }
        Ok(())
    }

    async fn take_members(
        &self,
        transaction: &mut Transaction,
        members: &[MemberRecord],
    ) -> StoreResult<()> {
        for members in members.chunks(ROWS) {
            let mut insert = Builder::new(format!(
                "{} import_members (room_id, user_id, role, joined_at, read_ordinal, \
                 muted_until) ",
                self.dialect.insert_new()
            ));
            insert.push_values(members, |mut row, member| {
                row.push_bind(member.room.to_string()).push_bind(member.user.to_string());
                row.push_bind(member.role.as_str()).push_bind(member.joined_at.millis());
                row.push_bind(member.read_ordinal);
                row.push_bind(member.muted_until.map(Timestamp::millis));
            });
            insert.build().persistent(false).execute(&mut **transaction).await?;
        }
        Ok(())
    }
}

async fn take_rooms(
    transaction: &mut Transaction,
    source: &str,
    rooms: &[(RoomRecord, ImportRoom)],
) -> StoreResult<()> {
    for rooms in rooms.chunks(ROWS) {
        let mut insert = Builder::new(
            "INSERT INTO import_rooms (room_id, source, passed_over, kind, is_public, name, \
             pair_low, pair_high, created_at, last_ordinal, active_at) ",
        );
        insert.push_values(rooms, |mut row, (room, state)| {
            // A room that is passed over must not stand in the way of the one that it meets.
            let [low, high] = if state.passed_over { [None, None] } else { pair(room) };
            row.push_bind(room.id.to_string()).push_bind(source.to_owned());
            row.push_bind(i64::from(state.passed_over)).push_bind(room.kind.as_str());
            row.push_bind(i64::from(room.public)).push_bind(room.name.clone());
            row.push_bind(low.map(str::to_owned)).push_bind(high.map(str::to_owned));
            row.push_bind(room.created_at.millis());
            row.push_bind(0_i64).push_bind(room.created_at.millis());
        });
        insert.build().persistent(false).execute(&mut **transaction).await?;
    }
    Ok(())
}

async fn take_messages(
    transaction: &mut Transaction,
    messages: &[(MessageRecord, i64, MessageId)],
) -> StoreResult<()> {
    for messages in messages.chunks(ROWS) {
        let bodies = messages.iter().map(|(message, ..)| body(message));
        let bodies = bodies.collect::<StoreResult<Vec<_>>>()?;
        let mut insert = Builder::new(
            "INSERT INTO messages (room_id, ordinal, id, sender, client_message_id, body, \
             created_at, edited_at, deleted_at) ",
        );
        insert.push_values(
            messages.iter().zip(bodies),
            |mut row, ((message, ordinal, id), body)| {
                row.push_bind(message.room.to_string())
                    .push_bind(*ordinal)
                    .push_bind(id.to_string());
                row.push_bind(message.sender.to_string());
                row.push_bind(message.client_message_id.as_ref().map(ToString::to_string));
                row.push_bind(body).push_bind(message.created_at.millis());
                row.push_bind(message.edited_at.map(Timestamp::millis));
                row.push_bind(message.gone_at().map(Timestamp::millis));
            },
        );
        insert.build().persistent(false).execute(&mut **transaction).await?;
    }
    Ok(())
}

fn body(message: &MessageRecord) -> StoreResult<String> {
    serde_json::to_string(&message.content)
        .map_err(|error| StoreError::Unreadable(error.to_string()))
}

/// The two of a direct room, the lower first.
fn pair(room: &RoomRecord) -> [Option<&str>; 2] {
    let Some([one, two]) = &room.pair else { return [None, None] };
    let (low, high) = if one <= two { (one, two) } else { (two, one) };
    [Some(low.as_str()), Some(high.as_str())]
}
