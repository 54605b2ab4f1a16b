//! The driver's types under short names, and how connections are opened.

use std::{path::Path, time::Duration};

use sqlx::{
    Any, AnyPool, Executor, QueryBuilder,
    any::{AnyConnectOptions, AnyPoolOptions, install_default_drivers},
};

use super::dialect::Dialect;
use crate::config::DatabaseChoice;

pub(super) type Pool = AnyPool;
pub(super) type Connection = sqlx::AnyConnection;
pub(super) type Row = sqlx::any::AnyRow;
pub(super) type Transaction = sqlx::Transaction<'static, Any>;
pub(super) type Builder = QueryBuilder<Any>;

/// Connections that read.
const READERS: u32 = 8;
/// Connections that write. SQLite lets one transaction write at a time; queueing for the one
/// connection is fair, while several would meet each other's locks.
const WRITERS: [(Dialect, u32); 2] = [(Dialect::Sqlite, 1), (Dialect::MySql, 4)];
/// How long to wait for a connection.
const PATIENCE: Duration = Duration::from_secs(5);
/// What every SQLite connection is told first. Accounts and rooms are promised when the answer
/// goes out, so a loss of power must not take them back.
const SQLITE_SETUP: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
     PRAGMA busy_timeout = 5000;";
/// What every MySQL connection is told first: what does not fit is refused instead of cut, and
/// text compares byte by byte where the tables say nothing else.
const MYSQL_SETUP: &str = "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', \
     SESSION innodb_lock_wait_timeout = 10, NAMES utf8mb4 COLLATE utf8mb4_bin";
/// Those that write see what is committed and lock only what they touch: with the gaps locked
/// too, writers would meet each other all the time.
const MYSQL_WRITER: &str = "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED";

/// A pool that writes and one that reads.
pub(super) async fn connect(choice: &DatabaseChoice) -> Result<(Dialect, Pool, Pool), sqlx::Error> {
    install_default_drivers();
    let (dialect, options) = match choice {
        DatabaseChoice::Sqlite(path) => (Dialect::Sqlite, sqlite(path)?),
        DatabaseChoice::MySql(url) => (Dialect::MySql, url.as_str().parse()?),
    };
    let writers = WRITERS.iter().find(|(of, _)| *of == dialect).map_or(1, |(_, count)| *count);
    let (reader, writer): (&[_], &[_]) = match dialect {
        Dialect::Sqlite => (&[SQLITE_SETUP], &[SQLITE_SETUP]),
        Dialect::MySql => (&[MYSQL_SETUP], &[MYSQL_SETUP, MYSQL_WRITER]),
    };
    let write = pool(writer, &options, writers).await?;
    let read = pool(reader, &options, READERS).await?;
    Ok((dialect, write, read))
}

/// The file's address; what a URL takes for a sign is written as its number.
fn sqlite(path: &Path) -> Result<AnyConnectOptions, sqlx::Error> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._~-".contains(&byte);
    let mut url = "sqlite://".to_owned();
    for &byte in std::path::absolute(path)?.as_os_str().as_encoded_bytes() {
        if plain(byte) {
            url.push(char::from(byte));
        } else {
            url.push_str(&format!("%{byte:02X}"));
        }
    }
    url.push_str("?mode=rwc");
    url.parse()
}

async fn pool(
    setup: &'static [&'static str],
    options: &AnyConnectOptions,
    connections: u32,
) -> Result<Pool, sqlx::Error> {
    AnyPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(PATIENCE)
        .after_connect(move |connection, _| {
            Box::pin(async move {
                for statement in setup {
                    connection.execute(*statement).await?;
                }
                Ok(())
            })
        })
        .connect_with(options.clone())
        .await
}
