//! Everything, in the order of its keys, of one moment.

use sqlx::Row as _;

use super::{
    Sql,
    driver::{Row, Transaction},
    rows::{content, parsed},
};
use crate::{
    domain::{ClientMessageId, Kind, MessageId, Role, RoomId, Timestamp, UserId},
    ports::{StoreError, StoreResult},
    transfer::{MarkerRecord, MemberRecord, MessageRecord, Record, RoomRecord, UserRecord},
};

/// Rows that are read at once.
const PAGE: i64 = 1_000;

/// Reads everything, page by page.
pub(crate) struct Export {
    snapshot: Transaction,
    passwords: bool,
    at: At,
}

/// What has been read already.
#[derive(Clone, Debug)]
enum At {
    Users(String),
    Rooms(String),
    /// Of this room, up to this member; and so on, room by room.
    Members(String, String),
    Messages(String, i64),
    Markers(String, String),
}

impl Export {
    /// Begins behind a record of an earlier attempt, or with the first.
    pub(crate) async fn begin(
        sql: &Sql,
        after: Option<Record>,
        passwords: bool,
    ) -> StoreResult<Self> {
        let text = |id: &dyn ToString| id.to_string();
        let at = match after {
            None | Some(Record::Header { .. }) => At::Users(String::new()),
            Some(Record::User(user)) => At::Users(text(&user.id)),
            Some(Record::Room(room)) => At::Rooms(text(&room.id)),
            Some(Record::Member(member)) => At::Members(text(&member.room), text(&member.user)),
            Some(Record::Message(message)) => {
                At::Messages(text(&message.room), message.ordinal.unwrap_or_default())
            }
            Some(Record::Marker(marker)) => At::Markers(text(&marker.room), text(&marker.user)),
        };
        Ok(Self { snapshot: sql.snapshot().await?, passwords, at })
    }

    /// How many records there are, the first attempt's too.
    pub(crate) async fn count(&mut self) -> StoreResult<u64> {
        let count = "SELECT (SELECT count(*) FROM users) + (SELECT count(*) FROM rooms) \
             + 2 * (SELECT count(*) FROM members) + (SELECT count(*) FROM messages)";
        let count: i64 = sqlx::query_scalar(count).fetch_one(&mut *self.snapshot).await?;
        Ok(count as u64)
    }

    /// The next records; none at the end.
    pub(crate) async fn next(&mut self) -> StoreResult<Vec<Record>> {
        loop {
            let at = self.at.clone();
            let records = match &at {
                At::Users(after) => self.users(after).await?,
                At::Rooms(after) => self.rooms(after).await?,
                At::Members(room, after) => self.members(room, after).await?,
                At::Messages(room, after) => self.messages(room, *after).await?,
                At::Markers(room, after) => self.markers(room, after).await?,
            };
            if !records.is_empty() {
                return Ok(records);
            }
            let none = String::new;
            self.at = match at {
                At::Users(_) => At::Rooms(none()),
                At::Rooms(_) => At::Members(none(), none()),
                At::Members(room, _) => match self.room_behind(&room).await? {
                    Some(next) => At::Members(next, none()),
                    None => At::Messages(none(), 0),
                },
                At::Messages(room, _) => match self.room_behind(&room).await? {
                    Some(next) => At::Messages(next, 0),
                    None => At::Markers(none(), none()),
                },
                At::Markers(room, _) => match self.room_behind(&room).await? {
                    Some(next) => At::Markers(next, none()),
                    None => return Ok(Vec::new()),
                },
            };
        }
    }

    async fn room_behind(&mut self, room: &str) -> StoreResult<Option<String>> {
        let next = sqlx::query_scalar("SELECT id FROM rooms WHERE id > ? ORDER BY id LIMIT 1");
        Ok(next.bind(room).fetch_optional(&mut *self.snapshot).await?)
    }

    async fn users(&mut self, after: &str) -> StoreResult<Vec<Record>> {
        let users = "SELECT id, name, picture, password_hash FROM users WHERE id > ? \
             ORDER BY id LIMIT ?";
        let users = sqlx::query(users).bind(after).bind(PAGE);
        let rows = users.fetch_all(&mut *self.snapshot).await?;
        let mut records = rows.iter().map(user).collect::<StoreResult<Vec<_>>>()?;
        if let Some(last) = records.last() {
            self.at = At::Users(last.id.to_string());
        }
        if !self.passwords {
            records.iter_mut().for_each(|user| user.password_hash = None);
        }
        Ok(records.into_iter().map(Record::User).collect())
    }

    async fn rooms(&mut self, after: &str) -> StoreResult<Vec<Record>> {
        let rooms = "SELECT id, kind, is_public, name, pair_low, pair_high, created_at FROM rooms \
             WHERE id > ? ORDER BY id LIMIT ?";
        let rooms = sqlx::query(rooms).bind(after).bind(PAGE);
        let rows = rooms.fetch_all(&mut *self.snapshot).await?;
        let records = rows.iter().map(room_record).collect::<StoreResult<Vec<_>>>()?;
        if let Some(last) = records.last() {
            self.at = At::Rooms(last.id.to_string());
        }
        Ok(records.into_iter().map(Record::Room).collect())
    }

    async fn members(&mut self, room: &str, after: &str) -> StoreResult<Vec<Record>> {
        let members = "SELECT room_id, user_id, role, joined_at, muted_until FROM members \
             WHERE room_id = ? AND user_id > ? ORDER BY user_id LIMIT ?";
        let members = sqlx::query(members).bind(room).bind(after).bind(PAGE);
        let rows = members.fetch_all(&mut *self.snapshot).await?;
        let records = rows.iter().map(member).collect::<StoreResult<Vec<_>>>()?;
        if let Some(last) = records.last() {
            self.at = At::Members(room.to_owned(), last.user.to_string());
        }
        Ok(records.into_iter().map(Record::Member).collect())
    }

    async fn messages(&mut self, room: &str, after: i64) -> StoreResult<Vec<Record>> {
        let messages = "SELECT ordinal, id, sender, client_message_id, body, created_at, \
             edited_at, deleted_at, room_id FROM messages \
             WHERE room_id = ? AND ordinal > ? ORDER BY ordinal LIMIT ?";
        let messages = sqlx::query(messages).bind(room);
        let rows = messages.bind(after).bind(PAGE).fetch_all(&mut *self.snapshot).await?;
        let records = rows.iter().map(message).collect::<StoreResult<Vec<_>>>()?;
        if let Some(last) = records.last().and_then(|last| last.ordinal) {
            self.at = At::Messages(room.to_owned(), last);
        }
        Ok(records.into_iter().map(Record::Message).collect())
    }

    async fn markers(&mut self, room: &str, after: &str) -> StoreResult<Vec<Record>> {
        let markers = "SELECT room_id, user_id, read_ordinal FROM members \
             WHERE room_id = ? AND user_id > ? ORDER BY user_id LIMIT ?";
        let markers = sqlx::query(markers).bind(room).bind(after).bind(PAGE);
        let rows = markers.fetch_all(&mut *self.snapshot).await?;
        let records = rows.iter().map(marker).collect::<StoreResult<Vec<_>>>()?;
        if let Some(last) = records.last() {
            self.at = At::Markers(room.to_owned(), last.user.to_string());
        }
        Ok(records.into_iter().map(Record::Marker).collect())
    }
}

fn user(row: &Row) -> StoreResult<UserRecord> {
    Ok(UserRecord {
        id: parsed(row, 0, UserId::parse)?,
        name: row.try_get(1)?,
        picture: row.try_get(2)?,
        password_hash: row.try_get(3)?,
    })
}

fn room_record(row: &Row) -> StoreResult<RoomRecord> {
    let user = |column: usize| -> StoreResult<Option<UserId>> {
        let id: Option<&str> = row.try_get(column)?;
        let unreadable = |id: &str| StoreError::Unreadable(format!("a user called {id:?}"));
        id.map(|id| UserId::parse(id).ok_or_else(|| unreadable(id))).transpose()
    };
    Ok(RoomRecord {
        id: parsed(row, 0, RoomId::parse)?,
        kind: parsed(row, 1, Kind::parse)?,
        public: row.try_get::<i64, _>(2)? != 0,
        name: row.try_get(3)?,
        pair: user(4)?.zip(user(5)?).map(|(low, high)| [low, high]),
        created_at: Timestamp::from_millis(row.try_get(6)?),
    })
}

fn member(row: &Row) -> StoreResult<MemberRecord> {
    Ok(MemberRecord {
        room: parsed(row, 0, RoomId::parse)?,
        user: parsed(row, 1, UserId::parse)?,
        role: parsed(row, 2, Role::parse)?,
        joined_at: Timestamp::from_millis(row.try_get(3)?),
        read_ordinal: None, // its marker says it
        muted_until: row.try_get::<Option<i64>, _>(4)?.map(Timestamp::from_millis),
    })
}

fn marker(row: &Row) -> StoreResult<MarkerRecord> {
    Ok(MarkerRecord {
        room: parsed(row, 0, RoomId::parse)?,
        user: parsed(row, 1, UserId::parse)?,
        ordinal: row.try_get(2)?,
    })
}

fn message(row: &Row) -> StoreResult<MessageRecord> {
    let client: Option<&str> = row.try_get(3)?;
    let deleted_at = row.try_get::<Option<i64>, _>(7)?.map(Timestamp::from_millis);
    Ok(MessageRecord {
        room: parsed(row, 8, RoomId::parse)?,
        ordinal: Some(row.try_get(0)?),
        id: Some(parsed(row, 1, MessageId::parse)?),
        sender: parsed(row, 2, UserId::parse)?,
        content: content(row.try_get(4)?)?,
        client_message_id: client.and_then(ClientMessageId::parse),
        created_at: Timestamp::from_millis(row.try_get(5)?),
        edited_at: row.try_get::<Option<i64>, _>(6)?.map(Timestamp::from_millis),
        deleted: deleted_at.is_some(),
        deleted_at,
    })
}
