//! Leases of users who are somewhere, by the database's clock.

use std::{collections::HashSet, time::Duration};

use async_trait::async_trait;
use sqlx::AssertSqlSafe;

use super::{
    Sql,
    driver::{Builder, Row, Transaction},
    retry::retried,
    rows::parsed,
};
use crate::{
    domain::{RoomId, UserId},
    ports::{Presences, StoreResult},
};

/// Leases ended in one sweep; the next one comes soon.
const SWEPT: i64 = 500;

#[async_trait]
impl Presences for Sql {
    async fn lease(
        &self,
        process: &str,
        users: &[UserId],
        life: Duration,
    ) -> StoreResult<Vec<UserId>> {
        if users.is_empty() {
            return Ok(Vec::new());
        }
        retried(|| self.try_lease(process, users, life)).await
    }

    async fn renew(&self, process: &str, life: Duration) -> StoreResult<u64> {
        let now = self.dialect.now_ms();
        let update = format!("UPDATE presences SET until_at = {now} + ? WHERE process = ?");
        let renewed = sqlx::query(AssertSqlSafe(update))
            .bind(life.as_millis() as i64)
            .bind(process)
            .execute(&self.write)
            .await?;
        Ok(renewed.rows_affected())
    }

    async fn release(&self, process: &str, users: &[UserId]) -> StoreResult<Vec<UserId>> {
        if users.is_empty() {
            return Ok(Vec::new());
        }
        retried(|| self.try_release(process, users)).await
    }

    async fn sweep(&self) -> StoreResult<Vec<UserId>> {
        retried(|| self.try_sweep()).await
    }

    async fn online(&self, users: &[UserId]) -> StoreResult<HashSet<UserId>> {
        if users.is_empty() {
            return Ok(HashSet::new());
        }
        let mut snapshot = self.snapshot().await?;
        self.somewhere(&mut snapshot, users).await
    }

    async fn small_rooms(
        &self,
        user: &UserId,
        members: usize,
        limit: u32,
    ) -> StoreResult<Vec<RoomId>> {
        let rows = sqlx::query(
            "SELECT m.room_id FROM members m JOIN rooms r ON r.id = m.room_id \
             JOIN room_heads h ON h.room_id = m.room_id \
             WHERE m.user_id = ? AND r.member_count <= ? ORDER BY h.active_at DESC LIMIT ?",
        )
        .bind(user.as_str())
        .bind(members as i64)
        .bind(i64::from(limit))
        .fetch_all(&self.read)
        .await?;
        rows.iter().map(|row| parsed(row, 0, RoomId::parse)).collect()
    }
}

impl Sql {
    async fn try_lease(
        &self,
        process: &str,
        users: &[UserId],
        life: Duration,
    ) -> StoreResult<Vec<UserId>> {
        let mut transaction = self.begin().await?;
        let before = self.somewhere(&mut transaction, users).await?;
        let mut insert = Builder::new("INSERT INTO presences (user_id, process, until_at) ");
        insert.push_values(users, |mut row, user| {
            row.push_bind(user.as_str().to_owned()).push_bind(process.to_owned());
            row.push(self.dialect.now_ms()).push_unseparated(" + ");
            row.push_bind_unseparated(life.as_millis() as i64);
        });
        let set = self.dialect.on_conflict("user_id, process");
        let until = self.dialect.incoming("until_at");
        insert.push(format!(" {set} until_at = {until}"));
        insert.build().execute(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(users.iter().filter(|user| !before.contains(*user)).cloned().collect())
    }

    async fn try_release(&self, process: &str, users: &[UserId]) -> StoreResult<Vec<UserId>> {
        let mut transaction = self.begin().await?;
        let mut delete = Builder::new("DELETE FROM presences WHERE process = ");
        delete.push_bind(process.to_owned()).push(" AND user_id IN (");
        push_users(&mut delete, users);
        delete.build().execute(&mut *transaction).await?;
        let still = self.somewhere(&mut transaction, users).await?;
        transaction.commit().await?;
        Ok(users.iter().filter(|user| !still.contains(*user)).cloned().collect())
    }

    async fn try_sweep(&self) -> StoreResult<Vec<UserId>> {
        let now = self.dialect.now_ms();
        let over = format!(
            "SELECT user_id FROM presences WHERE until_at <= {now} ORDER BY until_at LIMIT ?"
        );
        let rows = sqlx::query(AssertSqlSafe(over)).bind(SWEPT).fetch_all(&self.read).await?;
        let mut users = rows.iter().map(user).collect::<StoreResult<Vec<_>>>()?;
        users.sort_unstable();
        users.dedup(); // one lease for each process
        if users.is_empty() {
            return Ok(users);
        }
        let mut transaction = self.begin().await?;
        let mut delete =
            Builder::new(format!("DELETE FROM presences WHERE until_at <= {now} AND user_id IN ("));
        push_users(&mut delete, &users);
        delete.build().execute(&mut *transaction).await?;
        let still = self.somewhere(&mut transaction, &users).await?;
        transaction.commit().await?;
        Ok(users.into_iter().filter(|user| !still.contains(user)).collect())
    }

    /// Those who have a lease that holds.
    async fn somewhere(
        &self,
        transaction: &mut Transaction,
        users: &[UserId],
    ) -> StoreResult<HashSet<UserId>> {
        let now = self.dialect.now_ms();
        let mut query = Builder::new(format!(
            "SELECT DISTINCT user_id FROM presences WHERE until_at > {now} AND user_id IN ("
        ));
        push_users(&mut query, users);
        query.build().fetch_all(&mut **transaction).await?.iter().map(user).collect()
    }
}

fn push_users(query: &mut Builder, users: &[UserId]) {
    let mut list = query.separated(", ");
    for user in users {
        list.push_bind(user.as_str().to_owned());
    }
    query.push(")");
}

fn user(row: &Row) -> StoreResult<UserId> {
    parsed(row, 0, UserId::parse)
}
