//! How rooms are seen: from inside, from outside, one by one and in lists.

use std::collections::HashMap;

use sqlx::{AssertSqlSafe, Row as _};

use super::{
    dialect,
    driver::{Builder, Connection, Pool, Row},
    rows::{self, MEMBER, MESSAGE, ROOM, parsed},
};
use crate::{
    domain::{Kind, Member, Role, Room, RoomId, Standing, UserId},
    ports::{Membership, RoomsCursor, StoreResult},
};

pub(super) async fn standing(
    pool: &Pool,
    room: &RoomId,
    actor: &UserId,
    target: &UserId,
) -> StoreResult<Option<Standing>> {
    let row = sqlx::query(
        "SELECT r.kind, r.is_public, r.version, r.member_count, \
         (SELECT count(*) FROM members o WHERE o.room_id = r.id AND o.role = 'owner'), \
         (SELECT a.role FROM members a WHERE a.room_id = r.id AND a.user_id = ?), \
         (SELECT t.role FROM members t WHERE t.room_id = r.id AND t.user_id = ?), \
         (SELECT count(*) FROM room_bans b WHERE b.room_id = r.id AND b.user_id = ?) \
         FROM rooms r WHERE r.id = ?",
    )
    .bind(actor.as_str())
    .bind(target.as_str())
    .bind(target.as_str())
    .bind(room.as_str())
    .fetch_optional(pool)
    .await?;
    let role = |row: &Row, column: usize| -> StoreResult<Option<Role>> {
        Ok(row.try_get::<Option<&str>, _>(column)?.and_then(Role::parse))
    };
    row.map(|row| {
        Ok(Standing {
            kind: parsed(&row, 0, Kind::parse)?,
            public: row.try_get::<i64, _>(1)? != 0,
            version: row.try_get(2)?,
            member_count: row.try_get(3)?,
            owners: row.try_get(4)?,
            actor: role(&row, 5)?,
            target: role(&row, 6)?,
            banned: row.try_get::<i64, _>(7)? > 0,
        })
    })
    .transpose()
}

pub(super) async fn membership(
    connection: &mut Connection,
    room: &RoomId,
) -> StoreResult<Option<Membership>> {
    let row = sqlx::query(
        "SELECT r.version, r.kind, (SELECT count(*) FROM blocks b \
         WHERE (b.user_id = r.pair_low AND b.blocked_id = r.pair_high) \
         OR (b.user_id = r.pair_high AND b.blocked_id = r.pair_low)) FROM rooms r WHERE r.id = ?",
    )
    .bind(room.as_str())
    .fetch_optional(&mut *connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let rows = sqlx::query("SELECT user_id, role FROM members WHERE room_id = ?")
        .bind(room.as_str())
        .fetch_all(&mut *connection)
        .await?;
    let members = rows
        .iter()
        .map(|row| Ok((parsed(row, 0, UserId::parse)?, parsed(row, 1, Role::parse)?)))
        .collect::<StoreResult<HashMap<_, _>>>()?;
    Ok(Some(Membership {
        version: row.try_get(0)?,
        kind: parsed(&row, 1, Kind::parse)?,
        blocked: row.try_get::<i64, _>(2)? > 0,
        members,
    }))
}

pub(super) async fn room(
    connection: &mut Connection,
    room: &RoomId,
    viewer: &UserId,
) -> StoreResult<Option<Room>> {
    let sql = format!(
        "SELECT {ROOM}, {MEMBER}, {MESSAGE} FROM rooms r \
         JOIN members m ON m.room_id = r.id AND m.user_id = ? \
         JOIN room_heads h ON h.room_id = r.id \
         LEFT JOIN messages x ON x.room_id = r.id AND x.ordinal = h.last_ordinal \
         WHERE r.id = ?"
    );
    let row = sqlx::query(AssertSqlSafe(sql))
        .bind(viewer.as_str())
        .bind(room.as_str())
        .fetch_optional(&mut *connection)
        .await?;
    let Some(row) = row else { return from_outside(connection, room).await };
    let mut rooms = [rows::inside(&row)?];
    add_members(connection, &mut rooms).await?;
    let [room] = rooms;
    Ok(Some(room))
}

/// A public room, as it looks to whoever is not in it.
async fn from_outside(connection: &mut Connection, room: &RoomId) -> StoreResult<Option<Room>> {
    let sql = format!("SELECT {ROOM} FROM rooms r WHERE r.id = ? AND r.is_public = 1");
    let row = sqlx::query(AssertSqlSafe(sql))
        .bind(room.as_str())
        .fetch_optional(&mut *connection)
        .await?;
    row.as_ref().map(rows::outside).transpose()
}

/// The room through the eyes of one of its members, for what is told to all of them.
pub(super) async fn anybodys(
    connection: &mut Connection,
    room: &RoomId,
) -> StoreResult<Option<Room>> {
    let row = sqlx::query("SELECT user_id FROM members WHERE room_id = ? LIMIT 1")
        .bind(room.as_str())
        .fetch_optional(&mut *connection)
        .await?;
    let Some(row) = row else { return Ok(None) };
    let viewer = parsed(&row, 0, UserId::parse)?;
    self::room(connection, room, &viewer).await
}

pub(super) async fn list(
    connection: &mut Connection,
    user: &UserId,
    from: Option<&RoomsCursor>,
    limit: u32,
) -> StoreResult<(Vec<Room>, Option<RoomsCursor>)> {
    let behind = if from.is_some() {
        "AND (h.active_at < ? OR (h.active_at = ? AND r.id < ?)) "
    } else {
        ""
    };
    let sql = format!(
        "SELECT {ROOM}, {MEMBER}, {MESSAGE} FROM members m \
         JOIN rooms r ON r.id = m.room_id \
         JOIN room_heads h ON h.room_id = m.room_id \
         LEFT JOIN messages x ON x.room_id = m.room_id AND x.ordinal = h.last_ordinal \
         WHERE m.user_id = ? AND h.last_ordinal > m.hidden_ordinal {behind}\
         ORDER BY h.active_at DESC, r.id DESC LIMIT ?"
    );
    let mut query = sqlx::query(AssertSqlSafe(sql)).bind(user.as_str());
    if let Some(RoomsCursor { active_at, room }) = from {
        query = query.bind(active_at).bind(active_at).bind(room.as_str());
    }
    // One more than asked for tells whether there is more.
    let rows = query.bind(i64::from(limit) + 1).fetch_all(&mut *connection).await?;
    let shown = &rows[..rows.len().min(limit as usize)];
    let mut rooms = shown.iter().map(rows::inside).collect::<StoreResult<Vec<_>>>()?;
    add_members(connection, &mut rooms).await?;
    let next = match (rows.len() > shown.len(), shown.last()) {
        (true, Some(last)) => Some(RoomsCursor {
            active_at: last.try_get(10)?,
            room: parsed(last, 0, RoomId::parse)?,
        }),
        _ => None,
    };
    Ok((rooms, next))
}

pub(super) async fn public(
    connection: &mut Connection,
    viewer: &UserId,
    query: &str,
    from: Option<&RoomId>,
    limit: u32,
) -> StoreResult<Vec<Room>> {
    let ids: Vec<String> = sqlx::query_scalar(
        "SELECT id FROM rooms WHERE is_public = 1 AND id > ? AND name LIKE ? ESCAPE '!' \
         ORDER BY id LIMIT ?",
    )
    .bind(from.map_or("", RoomId::as_str))
    .bind(format!("%{}%", dialect::like(query)))
    .bind(i64::from(limit))
    .fetch_all(&mut *connection)
    .await?;
    let mut rooms = Vec::with_capacity(ids.len());
    for id in ids.iter().filter_map(|id| RoomId::parse(id)) {
        rooms.extend(room(connection, &id, viewer).await?);
    }
    Ok(rooms)
}

pub(super) async fn members(
    pool: &Pool,
    room: &RoomId,
    from: Option<&UserId>,
    limit: u32,
) -> StoreResult<Vec<Member>> {
    let rows = sqlx::query(
        "SELECT m.user_id, coalesce(u.name, m.user_id), m.role FROM members m \
         LEFT JOIN users u ON u.id = m.user_id \
         WHERE m.room_id = ? AND m.user_id > ? ORDER BY m.user_id LIMIT ?",
    )
    .bind(room.as_str())
    .bind(from.map_or("", UserId::as_str))
    .bind(i64::from(limit))
    .fetch_all(pool)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(Member {
                user: parsed(row, 0, UserId::parse)?,
                name: row.try_get(1)?,
                role: parsed(row, 2, Role::parse)?,
                online: None,
            })
        })
        .collect()
}

/// Fills in who is there, in rooms small enough to show it.
async fn add_members(connection: &mut Connection, rooms: &mut [Room]) -> StoreResult<()> {
    let small = |room: &&mut Room| {
        room.member_count.is_some_and(|count| count <= Room::MEMBERS_SHOWN as i64)
    };
    let mut wanted: HashMap<RoomId, &mut Room> =
        rooms.iter_mut().filter(small).map(|room| (room.id.clone(), room)).collect();
    if wanted.is_empty() {
        return Ok(());
    }
    let mut query = Builder::new("SELECT room_id, user_id FROM members WHERE room_id IN (");
    let mut list = query.separated(", ");
    for id in wanted.keys() {
        list.push_bind(id.as_str().to_owned());
    }
    query.push(") ORDER BY room_id, user_id");
    for row in query.build().fetch_all(&mut *connection).await? {
        let (room, user) = (parsed(&row, 0, RoomId::parse)?, parsed(&row, 1, UserId::parse)?);
        if let Some(room) = wanted.get_mut(&room) {
            room.members.get_or_insert_default().push(user);
        }
    }
    Ok(())
}
