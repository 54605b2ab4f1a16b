//! What databases spell differently. This one is SQLite's.

use std::{borrow::Cow, path::Path, time::Duration};

use sqlx::{
    QueryBuilder, SqlSafeStr, Sqlite, SqlitePool,
    migrate::{Migration, MigrationType, Migrator},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

pub(super) type Db = Sqlite;
pub(super) type Pool = SqlitePool;
pub(super) type Connection = sqlx::SqliteConnection;
pub(super) type Row = sqlx::sqlite::SqliteRow;
pub(super) type Transaction = sqlx::Transaction<'static, Db>;
pub(super) type Builder = QueryBuilder<Db>;

/// Connections that read beside the one that writes.
pub(super) const READERS: u32 = 4;
/// Takes the write lock at once: a transaction that reads first and writes later could
/// otherwise find that its snapshot is too old to write.
pub(super) const BEGIN_WRITE: &str = "BEGIN IMMEDIATE";
/// Begins an INSERT that leaves rows alone which are there already.
pub(super) const INSERT_NEW: &str = "INSERT OR IGNORE INTO ";
/// Ends a SELECT whose rows nobody else may change before the end of the transaction. SQLite's
/// writers are alone anyway.
pub(super) const FOR_UPDATE: &str = "";
/// How long to wait for a connection, and for another process's lock on the file.
const PATIENCE: Duration = Duration::from_secs(5);

pub(super) async fn connect(path: &Path, connections: u32) -> Result<Pool, sqlx::Error> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        // Accounts and rooms are promised when the answer goes out, so a loss of power
        // must not take them back.
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(PATIENCE);
    SqlitePoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(PATIENCE)
        .connect_with(options)
        .await
}

pub(super) fn migrator() -> Migrator {
    let rooms = include_str!("../../../migrations/sqlite/0001_rooms.sql");
    let migration = |version, name: &'static str, sql: &'static str| {
        Migration::new(
            version,
            Cow::Borrowed(name),
            MigrationType::Simple,
            sql.into_sql_str(),
            false,
        )
    };
    Migrator::with_migrations(vec![migration(1, "rooms", rooms)])
}

/// Which of these messages (room, id) are there already. The join's order is fixed: SQLite
/// would otherwise rather read the whole table than look up each pair.
pub(super) fn stored<'a>(messages: impl Iterator<Item = (&'a str, &'a str)>) -> Builder {
    let mut query = Builder::new("WITH wanted(room_id, id) AS (");
    query.push_values(messages, |mut row, (room, id)| {
        row.push_bind(room.to_owned()).push_bind(id.to_owned());
    });
    query.push(
        ") SELECT messages.room_id, messages.id FROM wanted CROSS JOIN messages \
         ON messages.room_id = wanted.room_id AND messages.id = wanted.id",
    );
    query
}

/// One statement that moves many room heads: (room, last ordinal, time of the last message).
pub(super) fn advance_heads<'a>(heads: impl Iterator<Item = (&'a str, i64, i64)>) -> Builder {
    let mut query = Builder::new("WITH moved(room_id, last_ordinal, active_at) AS (");
    query.push_values(heads, |mut row, (room, ordinal, at)| {
        row.push_bind(room.to_owned()).push_bind(ordinal).push_bind(at);
    });
    query.push(
        ") UPDATE room_heads SET last_ordinal = moved.last_ordinal, \
         active_at = max(room_heads.active_at, moved.active_at) \
         FROM moved WHERE room_heads.room_id = moved.room_id",
    );
    query
}

/// One statement that moves many read markers forward, never back and never beyond the
/// newest message: (room, user, position or nothing, ordinal or nought).
pub(super) fn advance_markers<'a>(
    markers: impl Iterator<Item = (&'a str, &'a str, &'a str, i64)>,
) -> Builder {
    let mut query = Builder::new("WITH moved(room_id, user_id, position, ordinal) AS (");
    query.push_values(markers, |mut row, (room, user, position, ordinal)| {
        row.push_bind(room.to_owned())
            .push_bind(user.to_owned())
            .push_bind(position.to_owned())
            .push_bind(ordinal);
    });
    query.push(
        "), counted AS (SELECT moved.room_id, moved.user_id, moved.position, \
         max(moved.ordinal, coalesce((SELECT messages.ordinal FROM messages \
           WHERE messages.room_id = moved.room_id AND messages.position <= moved.position \
           ORDER BY messages.position DESC LIMIT 1), 0)) \
           AS ordinal, room_heads.last_ordinal \
         FROM moved JOIN room_heads ON room_heads.room_id = moved.room_id) \
         UPDATE members SET \
         read_position = max(members.read_position, counted.position), \
         read_ordinal = max(members.read_ordinal, min(counted.ordinal, counted.last_ordinal)) \
         FROM counted \
         WHERE members.room_id = counted.room_id AND members.user_id = counted.user_id",
    );
    query
}

/// One statement that moves many delivered markers forward: (room, user, position).
pub(super) fn advance_delivered<'a>(
    markers: impl Iterator<Item = (&'a str, &'a str, &'a str)>,
) -> Builder {
    let mut query = Builder::new("WITH moved(room_id, user_id, position) AS (");
    query.push_values(markers, |mut row, (room, user, position)| {
        row.push_bind(room.to_owned()).push_bind(user.to_owned()).push_bind(position.to_owned());
    });
    query.push(
        ") UPDATE members SET \
         delivered_position = max(members.delivered_position, moved.position) FROM moved \
         WHERE members.room_id = moved.room_id AND members.user_id = moved.user_id",
    );
    query
}

/// `LIKE` with the pattern's own signs taken literally; `\` escapes.
pub(super) fn like(text: &str) -> String {
    text.replace('\\', r"\\").replace('%', r"\%").replace('_', r"\_")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How SQLite would go about a statement.
    async fn way(query: Builder) -> String {
        use sqlx::{AssertSqlSafe, Row as _};
        let folder = tempfile::tempdir().unwrap();
        let pool = connect(&folder.path().join("plan.db"), 1).await.unwrap();
        migrator().run(&pool).await.unwrap();
        let explain = format!("EXPLAIN QUERY PLAN {}", query.sql().as_str());
        let steps = sqlx::query(AssertSqlSafe(explain)).fetch_all(&pool).await.unwrap();
        steps.iter().map(|step| step.get::<String, _>("detail") + "\n").collect()
    }

    #[tokio::test]
    async fn no_statement_of_a_batch_reads_a_whole_table() {
        let pairs = [("r", "a"), ("r", "b")];
        let stored = way(stored(pairs.into_iter())).await;
        assert!(stored.contains("messages_by_id (room_id=? AND id=?)"), "{stored}");
        let markers = [("r", "ann", "p", 0), ("r", "bob", "p", 0)];
        let markers = way(advance_markers(markers.into_iter())).await;
        assert!(markers.contains("messages_by_position (room_id=? AND position<?)"), "{markers}");
        assert!(markers.contains("members USING PRIMARY KEY (room_id=? AND user_id=?)"));
        let heads = way(advance_heads([("r", 1, 1), ("s", 1, 1)].into_iter())).await;
        assert!(heads.contains("room_heads USING PRIMARY KEY (room_id=?)"), "{heads}");
    }
}
