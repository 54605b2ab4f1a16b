//! Pushes on their way: taken, looked at, settled.

use std::time::Duration;

use async_trait::async_trait;
use sqlx::{AssertSqlSafe, Row as _};

use super::{
    Sql,
    devices::{address, forget, language},
    driver::{Builder, Row, Transaction},
    push_look::{self, CANDIDATE, candidate},
    retry::retried,
    rows::parsed,
};
use crate::{
    domain::{Kind, RoomId, Timestamp, UserId},
    notify::{
        RoomFacts,
        ports::{Backlog, DueRoom, Fate, Job, ListedJob, Look, PushStore, Which},
    },
    ports::StoreResult,
};

/// Longest cause that is kept, in characters.
const CAUSE: usize = 250;

#[async_trait]
impl PushStore for Sql {
    async fn take_due(&self) -> StoreResult<Option<Box<dyn DueRoom>>> {
        retried(|| self.take_due_once()).await
    }

    async fn claim(&self, limit: u32, lease: Duration) -> StoreResult<Vec<Job>> {
        retried(|| self.claim_once(limit, lease)).await
    }

    async fn look(&self, job: &Job) -> StoreResult<Option<Look>> {
        let now = self.dialect.now_ms();
        let mut snapshot = self.snapshot().await?;
        let sql = format!(
            "SELECT {CANDIDATE}, r.kind, r.name, h.last_ordinal, d.address, d.language, {now} \
             FROM devices d \
             JOIN members m ON m.room_id = ? AND m.user_id = d.user_id \
             JOIN rooms r ON r.id = m.room_id \
             JOIN room_heads h ON h.room_id = m.room_id \
             LEFT JOIN users u ON u.id = m.user_id \
             WHERE d.id = ? AND d.user_id = ?"
        );
        let row = sqlx::query(AssertSqlSafe(sql))
            .bind(job.room.as_str())
            .bind(&job.device)
            .bind(job.user.as_str())
            .fetch_optional(&mut *snapshot)
            .await?;
        let Some(row) = row else { return Ok(None) };
        let who = candidate(&row)?;
        let last_ordinal: i64 = row.try_get(7)?;
        let since = job.since_ordinal.max(who.read_ordinal + 1);
        let window = push_look::window(&mut snapshot, &job.room, since, last_ordinal).await?;
        let users = std::iter::once(&who.user);
        let blocks = push_look::blocks(&mut snapshot, self.dialect, users, &window).await?;
        Ok(Some(Look {
            room: RoomFacts {
                id: job.room.clone(),
                kind: parsed(&row, 5, Kind::parse)?,
                name: row.try_get(6)?,
            },
            unread: (last_ordinal - who.read_ordinal).max(0),
            who,
            address: address(&row, 8)?,
            language: language(&row, 9)?,
            window,
            blocks,
            now: Timestamp::from_millis(row.try_get(10)?),
        }))
    }

    async fn settle(&self, fates: &[(Job, Fate)]) -> StoreResult<()> {
        retried(|| async {
            let mut transaction = self.begin().await?;
            for (job, fate) in fates {
                self.settle_one(&mut transaction, job, fate).await?;
            }
            transaction.commit().await?;
            Ok(())
        })
        .await
    }

    async fn backlog(&self) -> StoreResult<Backlog> {
        let now = self.dialect.now_ms();
        let sql = format!(
            "SELECT count(*), coalesce({now} - min(said_at), 0), \
             (SELECT count(*) FROM push_jobs WHERE dead = 1) FROM push_jobs WHERE dead = 0"
        );
        let row = sqlx::query(AssertSqlSafe(sql)).fetch_one(&self.read).await?;
        let oldest: i64 = row.try_get(1)?;
        Ok(Backlog {
            open: row.try_get(0)?,
            oldest: Duration::from_millis(oldest.max(0) as u64),
            dead: row.try_get(2)?,
        })
    }

    async fn jobs(&self, after: i64, limit: u32) -> StoreResult<Vec<ListedJob>> {
        let now = self.dialect.now_ms();
        let sql = format!(
            "SELECT j.id, j.user_id, j.room_id, d.kind, j.dead, j.attempts, {now} - j.said_at, \
             j.cause FROM push_jobs j LEFT JOIN devices d ON d.id = j.device_id \
             WHERE j.id > ? ORDER BY j.id LIMIT ?"
        );
        let rows = sqlx::query(AssertSqlSafe(sql))
            .bind(after)
            .bind(i64::from(limit))
            .fetch_all(&self.read)
            .await?;
        rows.iter().map(listed).collect()
    }

    async fn revive(&self, which: &Which) -> StoreResult<u64> {
        let now = self.dialect.now_ms();
        let set = format!("UPDATE push_jobs SET attempts = 0, next_at = {now}, dead = 0");
        self.among(set, which).await
    }

    async fn discard(&self, which: &Which) -> StoreResult<u64> {
        self.among("DELETE FROM push_jobs".to_owned(), which).await
    }
}

impl Sql {
    async fn claim_once(&self, limit: u32, lease: Duration) -> StoreResult<Vec<Job>> {
        let now = self.dialect.now_ms();
        let due = format!("FROM push_jobs WHERE dead = 0 AND next_at <= {now}");
        // Without a lock first: there mostly is nothing.
        let sql = format!("SELECT count(*) FROM (SELECT id {due} LIMIT 1) AS any_due");
        let any: i64 = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&self.read).await?;
        if any == 0 {
            return Ok(Vec::new());
        }
        let mut transaction = self.begin().await?;
        let sql = format!(
            "SELECT id, room_id, device_id, user_id, since_ordinal, upto_ordinal, attempts, \
             {now} - said_at {due} ORDER BY next_at, id LIMIT ? {}",
            self.dialect.skip_locked()
        );
        let rows = sqlx::query(AssertSqlSafe(sql))
            .bind(i64::from(limit))
            .fetch_all(&mut *transaction)
            .await?;
        let jobs = rows.iter().map(job).collect::<StoreResult<Vec<_>>>()?;
        if jobs.is_empty() {
            return Ok(jobs);
        }
        let lease = lease.as_millis();
        let take =
            format!("UPDATE push_jobs SET next_at = {now} + {lease}, attempts = attempts + 1");
        let mut query = Builder::new(take);
        among_ids(&mut query, jobs.iter().map(|job| job.id));
        query.build().persistent(false).execute(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(jobs)
    }

    async fn settle_one(
        &self,
        transaction: &mut Transaction,
        job: &Job,
        fate: &Fate,
    ) -> StoreResult<()> {
        let now = self.dialect.now_ms();
        match fate {
            Fate::Over => self.end(transaction, job).await,
            Fate::Gone => forget(transaction, &job.device).await,
            Fate::Dead { cause } => {
                sqlx::query("UPDATE push_jobs SET dead = 1, cause = ? WHERE id = ?")
                    .bind(short(cause))
                    .bind(job.id)
                    .execute(&mut **transaction)
                    .await?;
                Ok(())
            }
            Fate::Again { wait, cause } => {
                // Who was not tried has not used up an attempt.
                let untried = i64::from(cause.is_none());
                let sql = format!(
                    "UPDATE push_jobs SET next_at = {now} + ?, attempts = attempts - ?, \
                     cause = coalesce(?, cause) WHERE id = ?"
                );
                sqlx::query(AssertSqlSafe(sql))
                    .bind(i64::try_from(wait.as_millis()).unwrap_or(i64::MAX / 4))
                    .bind(untried)
                    .bind(cause.as_deref().map(short))
                    .bind(job.id)
                    .execute(&mut **transaction)
                    .await?;
                Ok(())
            }
        }
    }

    /// What came while it was on its way is due at once.
    async fn end(&self, transaction: &mut Transaction, job: &Job) -> StoreResult<()> {
        let ended = sqlx::query("DELETE FROM push_jobs WHERE id = ? AND upto_ordinal = ?")
            .bind(job.id)
            .bind(job.upto_ordinal)
            .execute(&mut **transaction)
            .await?;
        if ended.rows_affected() > 0 {
            return Ok(());
        }
        let now = self.dialect.now_ms();
        let sql = format!(
            "UPDATE push_jobs SET since_ordinal = ?, next_at = {now}, attempts = 0, cause = NULL \
             WHERE id = ?"
        );
        sqlx::query(AssertSqlSafe(sql))
            .bind(job.upto_ordinal + 1)
            .bind(job.id)
            .execute(&mut **transaction)
            .await?;
        Ok(())
    }

    async fn among(&self, statement: String, which: &Which) -> StoreResult<u64> {
        let mut query = Builder::new(statement);
        match which {
            Which::Dead => {
                query.push(" WHERE dead = 1");
            }
            Which::These(ids) if ids.is_empty() => return Ok(0),
            Which::These(ids) => among_ids(&mut query, ids.iter().copied()),
        }
        Ok(query.build().persistent(false).execute(&self.write).await?.rows_affected())
    }
}

fn among_ids(query: &mut Builder, ids: impl Iterator<Item = i64>) {
    query.push(" WHERE id IN (");
    let mut list = query.separated(", ");
    for id in ids {
        list.push_bind(id);
    }
    query.push(")");
}

fn job(row: &Row) -> StoreResult<Job> {
    let (attempts, age): (i64, i64) = (row.try_get(6)?, row.try_get(7)?);
    Ok(Job {
        id: row.try_get(0)?,
        room: parsed(row, 1, RoomId::parse)?,
        device: row.try_get(2)?,
        user: parsed(row, 3, UserId::parse)?,
        since_ordinal: row.try_get(4)?,
        upto_ordinal: row.try_get(5)?,
        attempt: u32::try_from(attempts).unwrap_or_default().saturating_add(1),
        age: Duration::from_millis(age.max(0) as u64),
    })
}

fn listed(row: &Row) -> StoreResult<ListedJob> {
    let age: i64 = row.try_get(6)?;
    Ok(ListedJob {
        id: row.try_get(0)?,
        user: parsed(row, 1, UserId::parse)?,
        room: parsed(row, 2, RoomId::parse)?,
        kind: row.try_get::<Option<String>, _>(3)?.unwrap_or_else(|| "gone".to_owned()),
        dead: row.try_get::<i64, _>(4)? != 0,
        attempts: row.try_get(5)?,
        age: Duration::from_millis(age.max(0) as u64),
        cause: row.try_get(7)?,
    })
}

fn short(cause: &str) -> String {
    cause.chars().take(CAUSE).collect()
}
