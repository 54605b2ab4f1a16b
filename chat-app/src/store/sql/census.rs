//! How much there is, for the operator.

use sqlx::Row as _;

use super::Sql;
use crate::{
    domain::Timestamp,
    ports::{BusyRoom, Census, StoreResult},
};

impl Sql {
    /// Counts, and the rooms that were written to last. It reads all rooms' heads: whoever asks
    /// often keeps the answer for a while.
    pub(crate) async fn census(&self, limit: u32) -> StoreResult<Census> {
        let counts = "SELECT (SELECT count(*) FROM users), (SELECT count(*) FROM rooms), \
                      (SELECT CAST(coalesce(sum(last_ordinal), 0) AS SIGNED) FROM room_heads)";
        let counts = sqlx::query(counts).fetch_one(&self.read).await?;
        let newest = "SELECT r.id, r.kind, r.name, r.member_count, h.last_ordinal, h.active_at \
                      FROM room_heads h JOIN rooms r ON r.id = h.room_id \
                      WHERE h.last_ordinal > 0 ORDER BY h.active_at DESC, r.id LIMIT ?";
        let newest = sqlx::query(newest).bind(i64::from(limit)).fetch_all(&self.read).await?;
        let room = |row: &super::driver::Row| -> StoreResult<BusyRoom> {
            Ok(BusyRoom {
                id: row.try_get(0)?,
                kind: row.try_get(1)?,
                name: row.try_get(2)?,
                members: row.try_get(3)?,
                messages: row.try_get(4)?,
                active_at: Timestamp::from_millis(row.try_get(5)?),
            })
        };
        Ok(Census {
            users: counts.try_get(0)?,
            rooms: counts.try_get(1)?,
            messages: counts.try_get(2)?,
            newest: newest.iter().map(room).collect::<StoreResult<_>>()?,
        })
    }
}
