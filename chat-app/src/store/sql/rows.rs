//! From rows to what they mean.

use sqlx::Row as _;

use super::driver::Row;
use crate::{
    domain::{Content, Kind, Message, Role, Room, RoomId, Timestamp},
    ports::{StoreError, StoreResult},
};

/// The columns of a message, in the order of [`message`], under the table's short name `x`.
pub(super) const MESSAGE: &str = "x.room_id, x.ordinal, x.id, x.sender, x.client_message_id, \
     x.position, x.body, x.created_at, x.edited_at, x.deleted_at";

/// Reads a text column with the parser of its type.
pub(super) fn parsed<T>(
    row: &Row,
    column: usize,
    parse: impl FnOnce(&str) -> Option<T>,
) -> StoreResult<T> {
    let text: &str = row.try_get(column)?;
    parse(text).ok_or_else(|| StoreError::Unreadable(format!("column {column}: {text:?}")))
}

/// A message from the columns of [`MESSAGE`], the first of which stands at `at`.
pub(super) fn message(row: &Row, at: usize) -> StoreResult<Message> {
    let deleted = row.try_get::<Option<i64>, _>(at + 9)?.is_some();
    let content = if deleted { Content::default() } else { content(row.try_get(at + 6)?)? };
    let client: Option<&str> = row.try_get(at + 4)?;
    Ok(Message {
        id: parsed(row, at + 2, crate::domain::MessageId::parse)?,
        room: parsed(row, at, RoomId::parse)?,
        sender: parsed(row, at + 3, crate::domain::UserId::parse)?,
        content,
        client_message_id: client.and_then(crate::domain::ClientMessageId::parse),
        position: row.try_get(at + 5)?,
        ordinal: Some(row.try_get(at + 1)?),
        created_at: Timestamp::from_millis(row.try_get(at + 7)?),
        edited_at: row.try_get::<Option<i64>, _>(at + 8)?.map(Timestamp::from_millis),
        deleted,
    })
}

/// What a message says, as it is kept.
pub(super) fn content(body: &str) -> StoreResult<Content> {
    serde_json::from_str(body).map_err(|error| StoreError::Unreadable(error.to_string()))
}

/// The columns of a room from outside, in the order of [`outside`], under the short name `r`.
pub(super) const ROOM: &str = "r.id, r.kind, r.is_public, r.name, r.version, r.member_count";

/// A room as somebody sees it who is not in it.
pub(super) fn outside(row: &Row) -> StoreResult<Room> {
    Ok(Room {
        id: parsed(row, 0, RoomId::parse)?,
        kind: parsed(row, 1, Kind::parse)?,
        public: row.try_get::<i64, _>(2)? != 0,
        name: row.try_get(3)?,
        version: row.try_get(4)?,
        role: None,
        member_count: None,
        members: None,
        last_ordinal: None,
        read_ordinal: None,
        unread: None,
        last_message: None,
        muted_until: None,
    })
}

/// The columns that a member sees on top, in the order of [`inside`], behind those of [`ROOM`];
/// behind them come those of the last message.
pub(super) const MEMBER: &str =
    "m.role, m.read_ordinal, m.muted_until, h.last_ordinal, h.active_at";

/// A room as a member sees it, but for the list of members.
pub(super) fn inside(row: &Row) -> StoreResult<Room> {
    let mut room = outside(row)?;
    let (read, last): (i64, i64) = (row.try_get(7)?, row.try_get(9)?);
    room.member_count = Some(row.try_get(5)?);
    room.role = Some(parsed(row, 6, Role::parse)?);
    room.read_ordinal = Some(read);
    room.last_ordinal = Some(last);
    room.unread = Some((last - read).max(0));
    let muted = row.try_get::<Option<i64>, _>(8)?.map(Timestamp::from_millis);
    room.muted_until = muted.filter(|until| *until > Timestamp::now());
    let has_message = row.try_get::<Option<i64>, _>(12)?.is_some();
    room.last_message = has_message.then(|| message(row, 11)).transpose()?;
    Ok(room)
}
