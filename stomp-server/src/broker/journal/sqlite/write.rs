//! A batch as one transaction.

use std::collections::HashMap;

use sqlx::{
    AssertSqlSafe, Connection, Sqlite, SqliteConnection, Transaction, query::Query,
    sqlite::SqliteArguments,
};

use super::{cause, route_hash, signed};
use crate::broker::journal::{Change, Entry, JournalError, PlaceEntry, QueueEntry, record};

/// How many rows one statement inserts, at most. Powers of two below it fill up, so that few
/// statements are ever prepared; more rows gain nothing more.
const MAX_ROWS: usize = 64;

pub(super) async fn commit(
    connection: &mut SqliteConnection,
    batch: &[Change],
) -> Result<(), JournalError> {
    let failed = |error| JournalError::NotCommitted(cause(&error));
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await.map_err(failed)?;
    if let Err(error) = apply(&mut transaction, batch).await {
        // The statement did nothing; without this the next transaction would begin inside it.
        let _ = transaction.rollback().await;
        return Err(failed(error));
    }
    transaction.commit().await.map_err(|error| JournalError::Unknown(cause(&error)))
}

/// New messages first, in order, then what became of older ones.
async fn apply(
    transaction: &mut Transaction<'_, Sqlite>,
    batch: &[Change],
) -> Result<(), sqlx::Error> {
    let mut appended = Vec::new();
    let mut enqueued = Vec::new();
    for change in batch {
        match change {
            Change::Append(entry) => appended.push(entry),
            Change::Enqueue(entry) => enqueued.push(entry),
            _ => {}
        }
    }
    insert(transaction, &appended, "log (offset, at_ms, route_hash, record)", 4, bind_entry)
        .await?;
    let queued = "queued (offset, at_ms, priority, expires_at_ms, returns, record)";
    insert(transaction, &enqueued, queued, 6, bind_queued).await?;
    enqueued.retain(|entry| entry.entry.logged.dedupe.is_some());
    let seen = "seen (offset, at_ms, route, sender, id)";
    insert(transaction, &enqueued, seen, 5, bind_seen).await?;
    delete(transaction, batch).await?;
    let mut places = HashMap::new();
    for change in batch {
        match change {
            Change::Place(place) => {
                places.insert(&place.key, place);
            }
            Change::Forget(key) => {
                places.remove(key);
                apply_one(transaction, change).await?;
            }
            _ => apply_one(transaction, change).await?,
        }
    }
    // A place that moved with each acknowledgement is written once.
    for place in places.into_values() {
        bind_place(place).execute(&mut **transaction).await?;
    }
    Ok(())
}

/// Removes the messages of queues that are done with, many in one statement.
async fn delete(
    transaction: &mut Transaction<'_, Sqlite>,
    batch: &[Change],
) -> Result<(), sqlx::Error> {
    let gone: Vec<u64> = batch
        .iter()
        .filter_map(|change| match change {
            Change::Dequeue(offset) => Some(*offset),
            _ => None,
        })
        .collect();
    let mut gone = gone.as_slice();
    while !gone.is_empty() {
        let (now, later) = gone.split_at(rows_at_once(gone.len()));
        let places = vec!["?"; now.len()].join(",");
        let sql = format!("DELETE FROM queued WHERE offset IN ({places})");
        let mut statement = sqlx::query(AssertSqlSafe(sql));
        for offset in now {
            statement = statement.bind(signed(*offset));
        }
        statement.execute(&mut **transaction).await?;
        gone = later;
    }
    Ok(())
}

/// A power of two, up to the most that one statement takes.
fn rows_at_once(count: usize) -> usize {
    MAX_ROWS.min(1 << count.ilog2())
}

type Statement<'q> = Query<'q, Sqlite, SqliteArguments>;

async fn insert<T>(
    transaction: &mut Transaction<'_, Sqlite>,
    mut rows: &[&T],
    table: &str,
    columns: usize,
    bind: for<'q> fn(Statement<'q>, &T) -> Statement<'q>,
) -> Result<(), sqlx::Error> {
    while !rows.is_empty() {
        let count = rows_at_once(rows.len());
        let (now, later) = rows.split_at(count);
        let row = format!("({})", vec!["?"; columns].join(","));
        let sql = format!("INSERT INTO {table} VALUES {}", vec![row; count].join(","));
        let mut statement = sqlx::query(AssertSqlSafe(sql));
        for row in now {
            statement = bind(statement, row);
        }
        statement.execute(&mut **transaction).await?;
        rows = later;
    }
    Ok(())
}

fn bind_entry<'q>(statement: Statement<'q>, entry: &Entry) -> Statement<'q> {
    statement
        .bind(signed(entry.offset))
        .bind(signed(entry.at_ms))
        .bind(route_hash(&entry.logged.route))
        .bind(record::write(&entry.logged))
}

fn bind_queued<'q>(statement: Statement<'q>, queued: &QueueEntry) -> Statement<'q> {
    statement
        .bind(signed(queued.entry.offset))
        .bind(signed(queued.entry.at_ms))
        .bind(i64::from(queued.priority))
        .bind(queued.expires_at_ms.map(signed))
        .bind(i64::from(queued.returns))
        .bind(record::write(&queued.entry.logged))
}

fn bind_seen<'q>(statement: Statement<'q>, queued: &QueueEntry) -> Statement<'q> {
    let logged = &queued.entry.logged;
    let (sender, id) = match &logged.dedupe {
        Some(key) => (key.sender.to_string(), key.id.to_string()),
        None => (String::new(), String::new()),
    };
    statement
        .bind(signed(queued.entry.offset))
        .bind(signed(queued.entry.at_ms))
        .bind(logged.route.to_string())
        .bind(sender)
        .bind(id)
}

async fn apply_one(
    transaction: &mut Transaction<'_, Sqlite>,
    change: &Change,
) -> Result<(), sqlx::Error> {
    let statement = match change {
        Change::Append(_) | Change::Enqueue(_) | Change::Dequeue(_) | Change::Place(_) => {
            return Ok(());
        }
        Change::Returned(offset, returns) => {
            sqlx::query("UPDATE queued SET returns = ? WHERE offset = ?")
                .bind(i64::from(*returns))
                .bind(signed(*offset))
        }
        Change::Forget(key) => sqlx::query("DELETE FROM place WHERE user = ? AND id = ?")
            .bind(key.user.to_string())
            .bind(key.id.to_string()),
        Change::Unsee(before_ms) => {
            sqlx::query("DELETE FROM seen WHERE at_ms < ?").bind(signed(*before_ms))
        }
        Change::Cursor(name, next) => sqlx::query(
            "INSERT INTO cursor (name, next) VALUES (?, ?)
             ON CONFLICT (name) DO UPDATE SET next = excluded.next",
        )
        .bind(name.to_string())
        .bind(signed(*next)),
        Change::Trim(upto) => {
            sqlx::query("UPDATE meta SET value = max(value, ?) WHERE name = 'trimmed'")
                .bind(signed(*upto))
                .execute(&mut **transaction)
                .await?;
            sqlx::query("DELETE FROM log WHERE offset <= ?").bind(signed(*upto))
        }
    };
    statement.execute(&mut **transaction).await?;
    Ok(())
}

fn bind_place(place: &PlaceEntry) -> Statement<'static> {
    sqlx::query(
        "INSERT INTO place (user, id, route, offset, at_ms) VALUES (?, ?, ?, ?, ?)
         ON CONFLICT (user, id) DO UPDATE
         SET route = excluded.route, offset = excluded.offset, at_ms = excluded.at_ms",
    )
    .bind(place.key.user.to_string())
    .bind(place.key.id.to_string())
    .bind(place.route.to_string())
    .bind(signed(place.offset))
    .bind(signed(place.at_ms))
}
