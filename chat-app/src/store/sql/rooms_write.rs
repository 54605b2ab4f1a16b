//! The statements that changes of rooms are made of; each runs in the change's transaction.

use sqlx::{AssertSqlSafe, Row as _};

use super::{
    driver::{Builder, Row, Transaction},
    rows::parsed,
};
use crate::{
    domain::{Event, Kind, MemberAction, RoomId, RoomName, Timestamp, UserId},
    ports::{Created, NewRoom, StoreResult},
};

/// The two of a direct room, lower id first.
pub(super) fn pair(room: &NewRoom) -> Option<(&UserId, &UserId)> {
    match (room.kind, room.members.as_slice()) {
        (Kind::Direct, [(one, _), (other, _)]) => Some((one.min(other), one.max(other))),
        _ => None,
    }
}

/// What the same request made before.
pub(super) async fn repeated(
    transaction: &mut Transaction,
    room: &NewRoom,
) -> StoreResult<Option<Created>> {
    let Some((key, hash)) = &room.idempotency else { return Ok(None) };
    const DAY_MS: i64 = 24 * 60 * 60 * 1000;
    let row = sqlx::query(
        "SELECT room_id, request_hash FROM idempotency_keys \
         WHERE user_id = ? AND idem_key = ? AND created_at > ?",
    )
    .bind(room.by.as_str())
    .bind(key)
    .bind(room.at.millis() - DAY_MS)
    .fetch_optional(&mut **transaction)
    .await?;
    let Some(row) = row else { return Ok(None) };
    if row.try_get::<&str, _>(1)? != hash {
        return Ok(Some(Created::KeyReused));
    }
    Ok(Some(Created::Existing(parsed(&row, 0, RoomId::parse)?)))
}

pub(super) async fn remember(transaction: &mut Transaction, room: &NewRoom) -> StoreResult<()> {
    let Some((key, hash)) = &room.idempotency else { return Ok(()) };
    sqlx::query("DELETE FROM idempotency_keys WHERE user_id = ? AND idem_key = ?")
        .bind(room.by.as_str())
        .bind(key)
        .execute(&mut **transaction)
        .await?;
    sqlx::query(
        "INSERT INTO idempotency_keys (user_id, idem_key, request_hash, room_id, created_at) \
         VALUES (?, ?, ?, ?, ?)",
    )
    .bind(room.by.as_str())
    .bind(key)
    .bind(hash)
    .bind(room.id.as_str())
    .bind(room.at.millis())
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

pub(super) async fn room_of_pair(
    transaction: &mut Transaction,
    (low, high): (&UserId, &UserId),
) -> StoreResult<Option<RoomId>> {
    let row = sqlx::query("SELECT id FROM rooms WHERE pair_low = ? AND pair_high = ?")
        .bind(low.as_str())
        .bind(high.as_str())
        .fetch_optional(&mut **transaction)
        .await?;
    row.map(|row| parsed(&row, 0, RoomId::parse)).transpose()
}

/// Lists a hidden room again for the one who asks for it.
pub(super) async fn show(
    transaction: &mut Transaction,
    room: &RoomId,
    user: &UserId,
) -> StoreResult<()> {
    sqlx::query("UPDATE members SET hidden_ordinal = -1 WHERE room_id = ? AND user_id = ?")
        .bind(room.as_str())
        .bind(user.as_str())
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

pub(super) async fn insert_room(transaction: &mut Transaction, room: &NewRoom) -> StoreResult<()> {
    let pair = pair(room);
    sqlx::query(
        "INSERT INTO rooms (id, kind, is_public, name, pair_low, pair_high, version, \
         member_count, created_at) VALUES (?, ?, ?, ?, ?, ?, 1, ?, ?)",
    )
    .bind(room.id.as_str())
    .bind(room.kind.as_str())
    .bind(i64::from(room.public))
    .bind(room.name.as_ref().map(RoomName::as_str))
    .bind(pair.map(|(low, _)| low.as_str()))
    .bind(pair.map(|(_, high)| high.as_str()))
    .bind(room.members.len() as i64)
    .bind(room.at.millis())
    .execute(&mut **transaction)
    .await?;
    sqlx::query("INSERT INTO room_heads (room_id, last_ordinal, active_at) VALUES (?, 0, ?)")
        .bind(room.id.as_str())
        .bind(room.at.millis())
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

pub(super) async fn insert_members(
    transaction: &mut Transaction,
    room: &NewRoom,
) -> StoreResult<()> {
    let mut query =
        Builder::new("INSERT INTO members (room_id, user_id, role, version, joined_at) ");
    query.push_values(&room.members, |mut row, (user, role)| {
        row.push_bind(room.id.as_str().to_owned())
            .push_bind(user.as_str().to_owned())
            .push_bind(role.as_str())
            .push_bind(1_i64)
            .push_bind(room.at.millis());
    });
    query.build().execute(&mut **transaction).await?;
    Ok(())
}

pub(super) fn arrivals(room: &NewRoom) -> Vec<Event> {
    let arrival = |(user, role): &(UserId, _)| Event::Member {
        room: room.id.clone(),
        at: room.at,
        user: user.clone(),
        action: MemberAction::Joined,
        role: Some(*role),
        by: room.by.clone(),
        version: 1,
    };
    room.members.iter().map(arrival).collect()
}

/// Takes the next version, if the room still has the one that the decision rests on.
pub(super) async fn bump(
    transaction: &mut Transaction,
    room: &RoomId,
    at_version: i64,
) -> StoreResult<Option<i64>> {
    let moved = sqlx::query("UPDATE rooms SET version = version + 1 WHERE id = ? AND version = ?")
        .bind(room.as_str())
        .bind(at_version)
        .execute(&mut **transaction)
        .await?;
    Ok((moved.rows_affected() == 1).then_some(at_version + 1))
}

/// A newcomer starts with everything read; who is there already only gets the role.
pub(super) async fn put_member(
    transaction: &mut Transaction,
    room: &RoomId,
    user: &UserId,
    role: &'static str,
    version: i64,
    at: Timestamp,
) -> StoreResult<()> {
    let changed =
        sqlx::query("UPDATE members SET role = ?, version = ? WHERE room_id = ? AND user_id = ?")
            .bind(role)
            .bind(version)
            .bind(room.as_str())
            .bind(user.as_str())
            .execute(&mut **transaction)
            .await?;
    if changed.rows_affected() > 0 {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO members (room_id, user_id, role, version, joined_at, read_ordinal) \
         SELECT ?, ?, ?, ?, ?, last_ordinal FROM room_heads WHERE room_id = ?",
    )
    .bind(room.as_str())
    .bind(user.as_str())
    .bind(role)
    .bind(version)
    .bind(at.millis())
    .bind(room.as_str())
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// Whether there was such a member.
pub(super) async fn drop_member(
    transaction: &mut Transaction,
    room: &RoomId,
    user: &UserId,
) -> StoreResult<bool> {
    let dropped = sqlx::query("DELETE FROM members WHERE room_id = ? AND user_id = ?")
        .bind(room.as_str())
        .bind(user.as_str())
        .execute(&mut **transaction)
        .await?;
    Ok(dropped.rows_affected() > 0)
}

pub(super) async fn count_members(transaction: &mut Transaction, room: &RoomId) -> StoreResult<()> {
    sqlx::query(
        "UPDATE rooms SET member_count = \
         (SELECT count(*) FROM members WHERE members.room_id = rooms.id) WHERE id = ?",
    )
    .bind(room.as_str())
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// Everything of the room but its outbox rows, which still have to tell of its end.
pub(super) async fn drop_room(transaction: &mut Transaction, room: &RoomId) -> StoreResult<()> {
    for (table, column) in [
        ("members", "room_id"),
        ("messages", "room_id"),
        ("room_bans", "room_id"),
        ("room_invites", "room_id"),
        ("room_heads", "room_id"),
        ("rooms", "id"),
    ] {
        sqlx::query(AssertSqlSafe(format!("DELETE FROM {table} WHERE {column} = ?")))
            .bind(room.as_str())
            .execute(&mut **transaction)
            .await?;
    }
    Ok(())
}

/// The end of a room is that everybody goes.
pub(super) async fn departures(
    transaction: &mut Transaction,
    room: &RoomId,
    by: &UserId,
    at: Timestamp,
    version: i64,
) -> StoreResult<Vec<Event>> {
    let users = sqlx::query("SELECT user_id FROM members WHERE room_id = ? ORDER BY user_id")
        .bind(room.as_str())
        .fetch_all(&mut **transaction)
        .await?;
    let departure = |row: &Row| {
        let user = parsed(row, 0, UserId::parse)?;
        let action = if user == *by { MemberAction::Left } else { MemberAction::Kicked };
        Ok(Event::Member {
            room: room.clone(),
            at,
            user,
            action,
            role: None,
            by: by.clone(),
            version,
        })
    };
    users.iter().map(departure).collect()
}
