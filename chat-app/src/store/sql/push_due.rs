//! Rooms with messages that are due: written with the messages, taken by a worker.

use std::time::Duration;

use async_trait::async_trait;
use sqlx::{AssertSqlSafe, Row as _};

use super::{
    Sql,
    dialect::{
        Column::{Number, Text},
        Dialect,
    },
    driver::Transaction,
    list::List,
    push_look::{self, CANDIDATE, candidate},
    rows::parsed,
};
use crate::{
    domain::{Kind, RoomId, Timestamp, UserId},
    notify::{
        Blocks, Candidate, RoomFacts, Window,
        ports::{DueRoom, NewJob},
    },
    ports::StoreResult,
};

/// From a message to its push: long enough for a page that shows the room to say so, and for
/// a second message to share the push of the first.
const DELAY: Duration = Duration::from_secs(2);

/// Makes rooms due, or raises those that are: (room, first and last new ordinal). What is due
/// stays due at its time, however much is said meanwhile.
pub(super) fn make_due(dialect: Dialect) -> String {
    let rows = dialect.list("moved", &[Text("room_id"), Number("since"), Number("upto")]);
    format!(
        "INSERT INTO push_due (room_id, since_ordinal, upto_ordinal, due_at) \
         SELECT moved.room_id, moved.since, moved.upto, {now} + {delay} FROM {rows} WHERE true \
         {conflict} upto_ordinal = {greatest}(push_due.upto_ordinal, {incoming})",
        now = dialect.now_ms(),
        delay = DELAY.as_millis(),
        conflict = dialect.on_conflict("room_id"),
        greatest = dialect.greatest(),
        incoming = dialect.incoming("upto_ordinal"),
    )
}

impl Sql {
    pub(super) async fn take_due_once(&self) -> StoreResult<Option<Box<dyn DueRoom>>> {
        let now = self.dialect.now_ms();
        // Without a lock first: there mostly is nothing.
        let sql = format!(
            "SELECT count(*) FROM (SELECT room_id FROM push_due WHERE due_at <= {now} LIMIT 1) AS any_due"
        );
        let any: i64 = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&self.read).await?;
        if any == 0 {
            return Ok(None);
        }
        let mut transaction = self.begin().await?;
        let sql = format!(
            "SELECT room_id, since_ordinal, upto_ordinal, due_at, {now} FROM push_due \
             WHERE due_at <= {now} ORDER BY due_at LIMIT 1 {}",
            self.dialect.skip_locked()
        );
        let row = sqlx::query(AssertSqlSafe(sql)).fetch_optional(&mut *transaction).await?;
        let Some(row) = row else { return Ok(None) };
        let id = parsed(&row, 0, RoomId::parse)?;
        let (since, upto): (i64, i64) = (row.try_get(1)?, row.try_get(2)?);
        let facts = sqlx::query(
            "SELECT r.kind, r.name, h.last_ordinal FROM rooms r \
             JOIN room_heads h ON h.room_id = r.id WHERE r.id = ?",
        )
        .bind(id.as_str())
        .fetch_optional(&mut *transaction)
        .await?;
        let (kind, name, last_ordinal, window) = match facts {
            Some(row) => {
                let window = push_look::window(&mut transaction, &id, since, upto).await?;
                (parsed(&row, 0, Kind::parse)?, row.try_get(1)?, row.try_get(2)?, window)
            }
            // The room is gone, and nobody is told of it.
            None => (Kind::Group, None, 0, Window::default()),
        };
        Ok(Some(Box::new(Taken {
            dialect: self.dialect,
            transaction,
            facts: RoomFacts { id, kind, name },
            since,
            upto,
            last_ordinal,
            said_at: row.try_get::<i64, _>(3)? - DELAY.as_millis() as i64,
            now: row.try_get(4)?,
            window,
        })))
    }
}

/// A due room with its row locked.
struct Taken {
    dialect: Dialect,
    transaction: Transaction,
    facts: RoomFacts,
    since: i64,
    upto: i64,
    last_ordinal: i64,
    said_at: i64,
    now: i64,
    window: Window,
}

#[async_trait]
impl DueRoom for Taken {
    fn facts(&self) -> &RoomFacts {
        &self.facts
    }

    fn last_ordinal(&self) -> i64 {
        self.last_ordinal
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.now)
    }

    fn window(&self) -> &Window {
        &self.window
    }

    async fn candidates(
        &mut self,
        after: Option<&UserId>,
        limit: u32,
    ) -> StoreResult<Vec<Candidate>> {
        let sql = format!(
            "SELECT {CANDIDATE} FROM members m LEFT JOIN users u ON u.id = m.user_id \
             WHERE m.room_id = ? AND m.user_id > ? AND m.read_ordinal < ? \
             ORDER BY m.user_id LIMIT ?"
        );
        let rows = sqlx::query(AssertSqlSafe(sql))
            .bind(self.facts.id.as_str())
            .bind(after.map_or("", UserId::as_str))
            .bind(self.upto)
            .bind(i64::from(limit))
            .fetch_all(&mut *self.transaction)
            .await?;
        rows.iter().map(candidate).collect()
    }

    async fn blocks(&mut self, of: &[Candidate]) -> StoreResult<Blocks> {
        let users = of.iter().map(|who| &who.user);
        push_look::blocks(&mut self.transaction, self.dialect, users, &self.window).await
    }

    async fn devices(&mut self, of: &[UserId]) -> StoreResult<Vec<NewJob>> {
        if of.is_empty() {
            return Ok(Vec::new());
        }
        let wanted = self.dialect.list("wanted", &[Text("user_id")]);
        let sql = format!(
            "SELECT d.id, d.user_id FROM {wanted} CROSS JOIN devices d \
             ON d.user_id = wanted.user_id"
        );
        let rows = sqlx::query(AssertSqlSafe(sql))
            .bind(List::new(of.iter().map(|user| (user,))).into_text())
            .fetch_all(&mut *self.transaction)
            .await?;
        let job = |row| {
            Ok(NewJob { device: sqlx::Row::try_get(row, 0)?, user: parsed(row, 1, UserId::parse)? })
        };
        rows.iter().map(job).collect()
    }

    async fn open(&mut self, jobs: &[NewJob]) -> StoreResult<()> {
        if jobs.is_empty() {
            return Ok(());
        }
        let rows = jobs.iter().map(|job| (&job.device, &job.user));
        sqlx::query(AssertSqlSafe(open_jobs(self.dialect)))
            .bind(self.facts.id.as_str())
            .bind(self.since)
            .bind(self.upto)
            .bind(self.said_at)
            .bind(self.now)
            .bind(List::new(rows).into_text())
            .execute(&mut *self.transaction)
            .await?;
        Ok(())
    }

    async fn done(mut self: Box<Self>) -> StoreResult<()> {
        sqlx::query("DELETE FROM push_due WHERE room_id = ?")
            .bind(self.facts.id.as_str())
            .execute(&mut *self.transaction)
            .await?;
        self.transaction.commit().await?;
        Ok(())
    }
}

/// One job a device: opened, raised, or risen again. A pause that it is in goes on. `dead`
/// comes last, because MySQL sets one column after the other.
pub(super) fn open_jobs(dialect: Dialect) -> String {
    let jobs = dialect.list("wanted", &[Text("device_id"), Text("user_id")]);
    let incoming = |column| dialect.incoming(column);
    format!(
        "INSERT INTO push_jobs (room_id, since_ordinal, upto_ordinal, said_at, next_at, \
         device_id, user_id) \
         SELECT ?, ?, ?, ?, ?, wanted.device_id, wanted.user_id FROM {jobs} WHERE true \
         {conflict} upto_ordinal = {greatest}(push_jobs.upto_ordinal, {upto}), \
         attempts = CASE WHEN push_jobs.dead = 0 THEN push_jobs.attempts ELSE 0 END, \
         next_at = CASE WHEN push_jobs.dead = 0 THEN push_jobs.next_at ELSE {next} END, \
         dead = 0",
        conflict = dialect.on_conflict("room_id, device_id"),
        greatest = dialect.greatest(),
        upto = incoming("upto_ordinal"),
        next = incoming("next_at"),
    )
}
