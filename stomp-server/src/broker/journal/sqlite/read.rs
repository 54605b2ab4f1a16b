//! What is read from the file.

use sqlx::{SqlitePool, query_as, query_scalar};

use super::{route_hash, signed, unreadable, unsigned};
use crate::broker::{
    DedupeKey, DurableKey, Epoch,
    journal::{Entry, Extent, JournalError, PlaceEntry, QueueEntry, Seen, Span, record},
};

type Row = (i64, i64, Vec<u8>);

pub(super) async fn extent(readers: &SqlitePool) -> Result<Extent, sqlx::Error> {
    let (newest, trimmed): (i64, i64) = query_as(
        "SELECT coalesce((SELECT max(seq) FROM sqlite_sequence), 0),
                (SELECT value FROM meta WHERE name = 'trimmed')",
    )
    .fetch_one(readers)
    .await?;
    Ok(Extent { trimmed: unsigned(trimmed), newest: unsigned(newest.max(trimmed)) })
}

pub(super) async fn all(
    readers: &SqlitePool,
    epoch: Epoch,
    span: Span,
    max: usize,
) -> Result<Vec<Entry>, JournalError> {
    let rows: Vec<Row> = query_as(
        "SELECT offset, at_ms, record FROM log WHERE offset > ? AND offset <= ?
         ORDER BY offset LIMIT ?",
    )
    .bind(signed(span.after))
    .bind(signed(span.upto))
    .bind(signed(max as u64))
    .fetch_all(readers)
    .await
    .map_err(unreadable)?;
    rows.into_iter().map(|row| entry(epoch, row)).collect()
}

pub(super) async fn of_route(
    readers: &SqlitePool,
    epoch: Epoch,
    route: &str,
    span: Span,
    max: usize,
) -> Result<Vec<Entry>, JournalError> {
    let mut span = span;
    loop {
        let mut entries = of_hash(readers, epoch, route, span, max).await?;
        let last = entries.last().map(|entry| entry.offset);
        let is_end = entries.len() < max;
        entries.retain(|entry| entry.logged.route == route);
        match last {
            // All of them were of another topic with the same hash: look behind them.
            Some(last) if entries.is_empty() && !is_end => span.after = last,
            _ => return Ok(entries),
        }
    }
}

async fn of_hash(
    readers: &SqlitePool,
    epoch: Epoch,
    route: &str,
    span: Span,
    max: usize,
) -> Result<Vec<Entry>, JournalError> {
    let rows: Vec<Row> = query_as(
        "SELECT offset, at_ms, record FROM log
         WHERE route_hash = ? AND offset > ? AND offset <= ? ORDER BY offset LIMIT ?",
    )
    .bind(route_hash(route))
    .bind(signed(span.after))
    .bind(signed(span.upto))
    .bind(signed(max as u64))
    .fetch_all(readers)
    .await
    .map_err(unreadable)?;
    rows.into_iter().map(|row| entry(epoch, row)).collect()
}

pub(super) async fn count_route(
    readers: &SqlitePool,
    route: &str,
    span: Span,
    at_most: usize,
) -> Result<usize, sqlx::Error> {
    let count: i64 = query_scalar(
        "SELECT count(*) FROM (SELECT 1 FROM log
         WHERE route_hash = ? AND offset > ? AND offset <= ? LIMIT ?)",
    )
    .bind(route_hash(route))
    .bind(signed(span.after))
    .bind(signed(span.upto))
    .bind(signed(at_most as u64))
    .fetch_one(readers)
    .await?;
    Ok(unsigned(count) as usize)
}

pub(super) async fn first_of_last(
    readers: &SqlitePool,
    route: &str,
    span: Span,
    count: usize,
) -> Result<Option<u64>, sqlx::Error> {
    let first: Option<i64> = query_scalar(
        "SELECT min(offset) FROM (SELECT offset FROM log
         WHERE route_hash = ? AND offset > ? AND offset <= ? ORDER BY offset DESC LIMIT ?)",
    )
    .bind(route_hash(route))
    .bind(signed(span.after))
    .bind(signed(span.upto))
    .bind(signed(count as u64))
    .fetch_one(readers)
    .await?;
    Ok(first.map(unsigned))
}

pub(super) async fn oldest(
    readers: &SqlitePool,
    before_ms: u64,
    at_most: usize,
) -> Result<Option<u64>, sqlx::Error> {
    let oldest: Option<i64> = query_scalar(
        "SELECT max(offset) FROM (SELECT offset, at_ms FROM log ORDER BY offset LIMIT ?)
         WHERE at_ms < ?",
    )
    .bind(signed(at_most as u64))
    .bind(signed(before_ms))
    .fetch_one(readers)
    .await?;
    Ok(oldest.map(unsigned))
}

pub(super) async fn cursor(readers: &SqlitePool, name: &str) -> Result<Option<u64>, sqlx::Error> {
    let next: Option<i64> = query_scalar("SELECT next FROM cursor WHERE name = ?")
        .bind(name.to_owned())
        .fetch_optional(readers)
        .await?;
    Ok(next.map(unsigned))
}

pub(super) async fn queued(
    readers: &SqlitePool,
    epoch: Epoch,
    after: u64,
    max: usize,
) -> Result<Vec<QueueEntry>, JournalError> {
    type Queued = (i64, i64, i64, Option<i64>, i64, Vec<u8>);
    let rows: Vec<Queued> = query_as(
        "SELECT offset, at_ms, priority, expires_at_ms, returns, record FROM queued
         WHERE offset > ? ORDER BY offset LIMIT ?",
    )
    .bind(signed(after))
    .bind(signed(max as u64))
    .fetch_all(readers)
    .await
    .map_err(unreadable)?;
    let queued = |(offset, at_ms, priority, expires_at_ms, returns, record): Queued| {
        Ok(QueueEntry {
            entry: entry(epoch, (offset, at_ms, record))?,
            priority: u8::try_from(priority).unwrap_or_default(),
            expires_at_ms: expires_at_ms.map(unsigned),
            returns: u32::try_from(returns).unwrap_or_default(),
        })
    };
    rows.into_iter().map(queued).collect()
}

pub(super) async fn seen(
    readers: &SqlitePool,
    after: u64,
    max: usize,
) -> Result<Vec<Seen>, sqlx::Error> {
    let rows: Vec<(i64, i64, String, String, String)> = query_as(
        "SELECT offset, at_ms, route, sender, id FROM seen WHERE offset > ?
         ORDER BY offset LIMIT ?",
    )
    .bind(signed(after))
    .bind(signed(max as u64))
    .fetch_all(readers)
    .await?;
    let seen = |(offset, at_ms, route, sender, id): (i64, i64, String, String, String)| Seen {
        offset: unsigned(offset),
        at_ms: unsigned(at_ms),
        route: route.into(),
        key: DedupeKey { sender: sender.into(), id: id.into() },
    };
    Ok(rows.into_iter().map(seen).collect())
}

pub(super) async fn places(readers: &SqlitePool) -> Result<Vec<PlaceEntry>, sqlx::Error> {
    let rows: Vec<(String, String, String, i64, i64)> =
        query_as("SELECT user, id, route, offset, at_ms FROM place").fetch_all(readers).await?;
    let place = |(user, id, route, offset, at_ms): (String, String, String, i64, i64)| PlaceEntry {
        key: DurableKey { user: user.into(), id: id.into() },
        route: route.into(),
        offset: unsigned(offset),
        at_ms: unsigned(at_ms),
    };
    Ok(rows.into_iter().map(place).collect())
}

pub(super) async fn bytes(readers: &SqlitePool) -> Result<u64, sqlx::Error> {
    let (pages, free, size): (i64, i64, i64) = query_as(
        "SELECT page_count, freelist_count, page_size
         FROM pragma_page_count, pragma_freelist_count, pragma_page_size",
    )
    .fetch_one(readers)
    .await?;
    Ok(unsigned((pages - free) * size))
}

fn entry(epoch: Epoch, (offset, at_ms, octets): Row) -> Result<Entry, JournalError> {
    record::read(octets, epoch, unsigned(offset), unsigned(at_ms))
}
