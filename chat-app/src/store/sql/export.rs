//! Everything, in the order of its keys, of one moment.

use sqlx::{AssertSqlSafe, Row as _};

use super::{
    Sql,
    driver::{Row, Transaction},
    rows::{content, parsed},
};
use crate::{
    domain::{ClientMessageId, Kind, MessageId, Role, RoomId, Timestamp, UserId},
    ports::{StoreError, StoreResult},
    transfer::{MemberRecord, MessageRecord, Record, RoomRecord, UserRecord},
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
    /// Rooms up to and with this one.
    Rooms(String),
    Members(RoomId, String),
    Messages(RoomId, i64),
}

impl Export {
    /// Begins behind a record of an earlier attempt, or with the first.
    pub(crate) async fn begin(
        sql: &Sql,
        after: Option<Record>,
        passwords: bool,
    ) -> StoreResult<Self> {
        let at = match after {
            None | Some(Record::Chat { .. }) => At::Users(String::new()),
            Some(Record::User(user)) => At::Users(user.id.to_string()),
            Some(Record::Room(room)) => At::Members(room.id, String::new()),
            Some(Record::Member(member)) => At::Members(member.room, member.user.to_string()),
            Some(Record::Message(message)) => {
                At::Messages(message.room, message.ordinal.unwrap_or_default())
            }
        };
        Ok(Self { snapshot: sql.snapshot().await?, passwords, at })
    }

    /// How many records there are, the first attempt's too.
    pub(crate) async fn count(&mut self) -> StoreResult<u64> {
        let count = "SELECT (SELECT count(*) FROM users) + (SELECT count(*) FROM rooms) \
             + (SELECT count(*) FROM members) + (SELECT count(*) FROM messages)";
        let count: i64 = sqlx::query_scalar(count).fetch_one(&mut *self.snapshot).await?;
        Ok(count as u64)
    }

    /// The next records; none at the end.
    pub(crate) async fn next(&mut self) -> StoreResult<Vec<Record>> {
        loop {
            let (records, then) = match self.at.clone() {
                At::Users(after) => (self.users(&after).await?, At::Rooms(String::new())),
                At::Rooms(after) => match self.room(&after).await? {
                    None => return Ok(Vec::new()),
                    Some(room) => {
                        let then = At::Members(room.id.clone(), String::new());
                        self.at = then.clone();
                        (vec![Record::Room(room)], then)
                    }
                },
                At::Members(room, after) => {
                    (self.members(&room, &after).await?, At::Messages(room, 0))
                }
                At::Messages(room, after) => {
                    (self.messages(&room, after).await?, At::Rooms(room.to_string()))
                }
            };
            if !records.is_empty() {
                return Ok(records);
            }
            self.at = then;
        }
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

    async fn room(&mut self, after: &str) -> StoreResult<Option<RoomRecord>> {
        let room = "SELECT id, kind, is_public, name, pair_low, pair_high, created_at FROM rooms \
             WHERE id > ? ORDER BY id LIMIT 1";
        let row = sqlx::query(room).bind(after).fetch_optional(&mut *self.snapshot).await?;
        row.as_ref().map(room_record).transpose()
    }

    async fn members(&mut self, room: &RoomId, after: &str) -> StoreResult<Vec<Record>> {
        let members = "SELECT user_id, role, joined_at, read_ordinal, muted_until FROM members \
             WHERE room_id = ? AND user_id > ? ORDER BY user_id LIMIT ?";
        let members = sqlx::query(members).bind(room.as_str()).bind(after).bind(PAGE);
        let rows = members.fetch_all(&mut *self.snapshot).await?;
        let records = rows.iter().map(|row| member(room, row)).collect::<StoreResult<Vec<_>>>()?;
        if let Some(last) = records.last() {
            self.at = At::Members(room.clone(), last.user.to_string());
        }
        Ok(records.into_iter().map(Record::Member).collect())
    }

    async fn messages(&mut self, room: &RoomId, after: i64) -> StoreResult<Vec<Record>> {
        let messages = "SELECT ordinal, id, sender, client_message_id, body, created_at, \
             edited_at, deleted_at FROM messages \
             WHERE room_id = ? AND ordinal > ? ORDER BY ordinal LIMIT ?";
        let messages = sqlx::query(AssertSqlSafe(messages)).bind(room.as_str());
        let rows = messages.bind(after).bind(PAGE).fetch_all(&mut *self.snapshot).await?;
        let records = rows.iter().map(|row| message(room, row)).collect::<StoreResult<Vec<_>>>()?;
        if let Some(last) = records.last().and_then(|last| last.ordinal) {
            self.at = At::Messages(room.clone(), last);
        }
        Ok(records.into_iter().map(Record::Message).collect())
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

fn member(room: &RoomId, row: &Row) -> StoreResult<MemberRecord> {
    Ok(MemberRecord {
        room: room.clone(),
        user: parsed(row, 0, UserId::parse)?,
        role: parsed(row, 1, Role::parse)?,
        joined_at: Timestamp::from_millis(row.try_get(2)?),
        read_ordinal: Some(row.try_get(3)?),
        muted_until: row.try_get::<Option<i64>, _>(4)?.map(Timestamp::from_millis),
    })
}

fn message(room: &RoomId, row: &Row) -> StoreResult<MessageRecord> {
    let client: Option<&str> = row.try_get(3)?;
    Ok(MessageRecord {
        room: room.clone(),
        ordinal: Some(row.try_get(0)?),
        id: Some(parsed(row, 1, MessageId::parse)?),
        sender: parsed(row, 2, UserId::parse)?,
        content: content(row.try_get(4)?)?,
        client_message_id: client.and_then(ClientMessageId::parse),
        created_at: Timestamp::from_millis(row.try_get(5)?),
        edited_at: row.try_get::<Option<i64>, _>(6)?.map(Timestamp::from_millis),
        deleted_at: row.try_get::<Option<i64>, _>(7)?.map(Timestamp::from_millis),
    })
}
