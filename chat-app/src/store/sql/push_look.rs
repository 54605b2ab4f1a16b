//! What there is to tell of, to whom: read for a decision and for the last look alike.

use sqlx::{AssertSqlSafe, Row as _};

use super::{
    dialect::{Column::Text, Dialect},
    driver::{Connection, Row},
    list::List,
    rows::{self, parsed},
};
use crate::{
    domain::{RoomId, Timestamp, UserId},
    notify::{Blocks, Candidate, PREVIEW, Said, Window, Wishes, beginning},
    ports::StoreResult,
};

/// Messages read at a time.
const STRIDE: i64 = 500;

/// What stands in these ordinals, both included, without what was deleted.
pub(super) async fn window(
    connection: &mut Connection,
    room: &RoomId,
    since: i64,
    upto: i64,
) -> StoreResult<Window> {
    let mut window = Window::default();
    let mut below = upto + 1;
    while below > since {
        let rows = sqlx::query(
            "SELECT x.ordinal, x.position, x.sender, u.name, x.body FROM messages x \
             LEFT JOIN users u ON u.id = x.sender \
             WHERE x.room_id = ? AND x.ordinal < ? AND x.ordinal >= ? AND x.deleted_at IS NULL \
             ORDER BY x.ordinal DESC LIMIT ?",
        )
        .bind(room.as_str())
        .bind(below)
        .bind(since)
        .bind(STRIDE)
        .fetch_all(&mut *connection)
        .await?;
        for row in &rows {
            let said = said(row)?;
            below = said.ordinal;
            window.add_older(said);
        }
        if rows.len() < STRIDE as usize {
            break;
        }
    }
    Ok(window)
}

fn said(row: &Row) -> StoreResult<Said> {
    let sender = parsed(row, 2, UserId::parse)?;
    let content = rows::content(row.try_get(4)?)?;
    Ok(Said {
        ordinal: row.try_get(0)?,
        position: row.try_get::<Option<String>, _>(1)?.unwrap_or_default(),
        name: row.try_get::<Option<String>, _>(3)?.unwrap_or_else(|| sender.to_string()),
        sender,
        mentions: content.mentions,
        text: content.text.map(|text| beginning(&text, PREVIEW)),
    })
}

/// The columns of a member, in the order of [`candidate`], of `members m` and `users u`.
pub(super) const CANDIDATE: &str =
    "m.user_id, m.read_ordinal, m.delivered_position, m.muted_until, u.settings";

pub(super) fn candidate(row: &Row) -> StoreResult<Candidate> {
    Ok(Candidate {
        user: parsed(row, 0, UserId::parse)?,
        read_ordinal: row.try_get(1)?,
        delivered_position: row.try_get(2)?,
        muted_until: row.try_get::<Option<i64>, _>(3)?.map(Timestamp::from_millis),
        wishes: Wishes::of(row.try_get::<Option<String>, _>(4)?.as_deref()),
    })
}

/// Which of these users have blocked whom of these senders.
pub(super) async fn blocks<'a>(
    connection: &mut Connection,
    dialect: Dialect,
    users: impl Iterator<Item = &'a UserId>,
    window: &Window,
) -> StoreResult<Blocks> {
    let by = dialect.list("wanted", &[Text("user_id")]);
    let whom = dialect.list("senders", &[Text("user_id")]);
    let sql = format!(
        "SELECT b.user_id, b.blocked_id FROM {by} CROSS JOIN blocks b \
         ON b.user_id = wanted.user_id \
         WHERE b.blocked_id IN (SELECT senders.user_id FROM {whom})"
    );
    let rows = sqlx::query(AssertSqlSafe(sql))
        .bind(List::new(users.map(|user| (user,))).into_text())
        .bind(List::new(window.senders().map(|user| (user,))).into_text())
        .fetch_all(&mut *connection)
        .await?;
    rows.iter()
        .map(|row| Ok((parsed(row, 0, UserId::parse)?, parsed(row, 1, UserId::parse)?)))
        .collect()
}
