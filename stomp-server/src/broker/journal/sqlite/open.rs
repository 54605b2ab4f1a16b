//! Opening a file: whose it is, whether it is sound, and what it needs.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::Read,
    path::{Path, PathBuf},
    time::Duration,
};

use sqlx::{
    Connection, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use tokio::sync::Mutex;

use super::{SqliteJournal, writer::Writer};
use crate::broker::{Epoch, JournalError, JournalSync};

/// "STMP": what SQLite files of this kind are marked with.
const APPLICATION: i64 = 0x5354_4d50;

/// The tables as they are now. A file with a higher number is refused; for a lower one there
/// would be a step here.
const VERSION: i64 = 1;

const SCHEMA: [&str; 8] = [
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID",
    // AUTOINCREMENT: an offset is never given twice, also when its message has been trimmed.
    "CREATE TABLE log (
        offset INTEGER PRIMARY KEY AUTOINCREMENT,
        at_ms INTEGER NOT NULL,
        route_hash INTEGER NOT NULL,
        record BLOB NOT NULL
    )",
    "CREATE INDEX log_by_route ON log (route_hash, offset)",
    "CREATE TABLE queued (
        offset INTEGER PRIMARY KEY AUTOINCREMENT,
        at_ms INTEGER NOT NULL,
        priority INTEGER NOT NULL,
        expires_at_ms INTEGER,
        returns INTEGER NOT NULL,
        record BLOB NOT NULL
    )",
    // The ids that were published to queues, which outlive their messages.
    "CREATE TABLE seen (
        offset INTEGER PRIMARY KEY,
        at_ms INTEGER NOT NULL,
        route TEXT NOT NULL,
        sender TEXT NOT NULL,
        id TEXT NOT NULL
    )",
    "CREATE INDEX seen_by_age ON seen (at_ms)",
    "CREATE TABLE place (
        user TEXT NOT NULL,
        id TEXT NOT NULL,
        route TEXT NOT NULL,
        offset INTEGER NOT NULL,
        at_ms INTEGER NOT NULL,
        PRIMARY KEY (user, id)
    ) WITHOUT ROWID",
    "CREATE TABLE cursor (name TEXT PRIMARY KEY, next INTEGER NOT NULL) WITHOUT ROWID",
];

/// Up to this size a file is checked as a whole at every start; beyond it that would take
/// too long, and damage shows when it is met.
const CHECKED_BYTES: u64 = 64 << 20;

pub(super) async fn open(path: &Path, sync: JournalSync) -> Result<SqliteJournal, JournalError> {
    let lock = lock(path)?;
    check_head(path)?;
    let options = options(path, sync);
    let mut writer =
        SqliteConnection::connect_with(&options).await.map_err(|error| not_usable(path, &error))?;
    let epoch = prepare(&mut writer, path).await?;
    let options = options.create_if_missing(false);
    let readers = SqlitePoolOptions::new()
        .max_connections(2)
        .min_connections(0)
        .connect_lazy_with(options.clone());
    Ok(SqliteJournal {
        epoch,
        writer: Mutex::new(Writer::new(options, writer)),
        readers,
        lock: parking_lot::Mutex::new(Some(lock)),
    })
}

fn options(path: &Path, sync: JournalSync) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(match sync {
            JournalSync::Full => SqliteSynchronous::Full,
            JournalSync::Normal => SqliteSynchronous::Normal,
        })
        .busy_timeout(Duration::from_secs(5))
}

/// Locks the file against other processes, and against a second journal in this one.
fn lock(path: &Path) -> Result<File, JournalError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let name = PathBuf::from(name);
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(&name);
    let file = file.map_err(|error| {
        refused(
            path,
            &format!("cannot be used ({error}): make its folder, or give it to this user"),
        )
    })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(refused(
            path,
            "is in use by another process: stop that one, or give this one another file",
        )),
        Err(TryLockError::Error(error)) => {
            Err(refused(path, &format!("cannot be locked ({error}): use a local file system")))
        }
    }
}

/// Tells something else from a journal before SQLite touches it.
fn check_head(path: &Path) -> Result<(), JournalError> {
    const MAGIC: &[u8] = b"SQLite format 3\0";
    let Ok(mut file) = File::open(path) else { return Ok(()) }; // it will be made
    let mut head = Vec::new();
    let read = file.by_ref().take(MAGIC.len() as u64).read_to_end(&mut head);
    if read.is_ok() && (head.is_empty() || head == MAGIC) {
        return Ok(());
    }
    Err(refused(path, "is not a journal: move it away, or name another file"))
}

/// Makes the tables in an empty file, or checks that a full one is ours, sound and readable.
async fn prepare(connection: &mut SqliteConnection, path: &Path) -> Result<Epoch, JournalError> {
    let failed = |error| not_usable(path, &error);
    let application = number(connection, "PRAGMA application_id").await.map_err(failed)?;
    let tables = number(connection, "SELECT count(*) FROM sqlite_schema").await.map_err(failed)?;
    if application == 0 && tables == 0 {
        create(connection).await.map_err(failed)?;
    } else if application != APPLICATION {
        return Err(refused(
            path,
            "is an SQLite file of something else: move it away, or name another file",
        ));
    }
    let version = number(connection, "PRAGMA user_version").await.map_err(failed)?;
    if version > VERSION {
        let what = format!(
            "was written by a newer version (format {version}, this one reads {VERSION}): use \
             that version, or name another file"
        );
        return Err(refused(path, &what));
    }
    check_sound(connection, path).await?;
    let epoch = number(connection, "SELECT value FROM meta WHERE name = 'epoch'").await;
    let epoch = u32::try_from(epoch.map_err(failed)?).map_err(|_| damaged(path, "its epoch"))?;
    Ok(Epoch(epoch))
}

async fn create(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    for statement in SCHEMA {
        sqlx::query(statement).execute(&mut *transaction).await?;
    }
    let epoch = i64::from(Epoch::random().0);
    sqlx::query("INSERT INTO meta (name, value) VALUES ('epoch', ?), ('trimmed', 0)")
        .bind(epoch)
        .execute(&mut *transaction)
        .await?;
    sqlx::query(sqlx::AssertSqlSafe(format!("PRAGMA application_id = {APPLICATION}")))
        .execute(&mut *transaction)
        .await?;
    sqlx::query(sqlx::AssertSqlSafe(format!("PRAGMA user_version = {VERSION}")))
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await
}

async fn check_sound(connection: &mut SqliteConnection, path: &Path) -> Result<(), JournalError> {
    let failed = |error| not_usable(path, &error);
    let pages = number(connection, "PRAGMA page_count").await.map_err(failed)?;
    let size = number(connection, "PRAGMA page_size").await.map_err(failed)?;
    if super::unsigned(pages.saturating_mul(size)) > CHECKED_BYTES {
        return Ok(());
    }
    let verdict: String =
        sqlx::query_scalar("PRAGMA quick_check(1)").fetch_one(connection).await.map_err(failed)?;
    if verdict == "ok" { Ok(()) } else { Err(damaged(path, &verdict)) }
}

async fn number(
    connection: &mut SqliteConnection,
    query: &'static str,
) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar(query).fetch_one(connection).await
}

fn not_usable(path: &Path, error: &sqlx::Error) -> JournalError {
    const CORRUPT: &str = "11";
    const NOT_A_DATABASE: &str = "26";
    const NOT_FOUND: &str = "1";
    let code = error.as_database_error().and_then(|error| error.code());
    match code.as_deref() {
        // Without a table that must be there it was cut off or tampered with.
        Some(CORRUPT | NOT_A_DATABASE | NOT_FOUND) => damaged(path, &error.to_string()),
        _ => refused(path, &format!("cannot be opened ({error})")),
    }
}

fn damaged(path: &Path, what: &str) -> JournalError {
    refused(
        path,
        &format!(
            "is damaged ({what}): restore it from a backup, or move it away together with its \
             -wal file to begin an empty log (`sqlite3 FILE .recover` saves what can be read)"
        ),
    )
}

fn refused(path: &Path, what: &str) -> JournalError {
    JournalError::Refused(format!("The journal {} {what}.", path.display()))
}
