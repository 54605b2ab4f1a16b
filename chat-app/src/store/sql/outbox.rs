//! Changes that are committed and wait for the log.

use async_trait::async_trait;
use sqlx::Row as _;

use super::{
    Sql,
    driver::{Builder, Transaction},
    rows::parsed,
};
use crate::{
    domain::{Event, RoomId},
    ports::{Outbox, OutboxRow, StoreError, StoreResult},
};

#[async_trait]
impl Outbox for Sql {
    async fn pending(&self, limit: u32) -> StoreResult<Vec<OutboxRow>> {
        let rows = sqlx::query("SELECT id, room_id, event FROM outbox ORDER BY id LIMIT ?")
            .bind(i64::from(limit))
            .fetch_all(&self.read)
            .await?;
        rows.iter()
            .map(|row| {
                Ok(OutboxRow {
                    id: row.try_get(0)?,
                    room: parsed(row, 1, RoomId::parse)?,
                    event: row.try_get(2)?,
                })
            })
            .collect()
    }

    async fn done(&self, ids: &[i64]) -> StoreResult<()> {
        if ids.is_empty() {
            return Ok(());
        }
        let mut query = Builder::new("DELETE FROM outbox WHERE id IN (");
        let mut list = query.separated(", ");
        for id in ids {
            list.push_bind(*id);
        }
        query.push(")");
        query.build().execute(&self.write).await?;
        Ok(())
    }
}

/// Writes events into the outbox, in this order, as part of the change that they tell of.
pub(super) async fn insert(
    transaction: &mut Transaction,
    room: &RoomId,
    version: i64,
    events: &[Event],
) -> StoreResult<()> {
    let json = events
        .iter()
        .map(serde_json::to_string)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| StoreError::Unreadable(error.to_string()))?;
    let mut query = Builder::new("INSERT INTO outbox (room_id, version, event) ");
    query.push_values(json, |mut row, event| {
        row.push_bind(room.as_str().to_owned()).push_bind(version).push_bind(event);
    });
    query.build().execute(&mut **transaction).await?;
    Ok(())
}
