//! Every statement that the stores run finds its rows by an index, on each database.
//!
//! The statements are not listed here: each method of the ports is called once on a MariaDB with
//! many rows, what the driver was given is caught, and each text is asked how it would be run.
//! A new method is called in [`everything`].

mod calls;

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

use sqlx::{AssertSqlSafe, Executor as _, Row as _};
use tracing::{Event, Metadata, Subscriber, field::Visit, span};

use self::calls::everything;
use super::{Sql, dialect::Dialect, log_moves, push_due};
use crate::config::DatabaseChoice;

/// What may read a whole table, and why.
const WHOLE: &[(&str, &str)] = &[
    ("log_cursor", "a row for each partition: 64"),
    ("revoked_tokens", "all of them are wanted"),
    ("outbox", "in the order of its key, and only the first ones"),
    ("users", "a search by a part of a name"),
    ("_sqlx_migrations", "a row for each step"),
];

/// What reads whole tables, by its beginning, and why.
const THOROUGH: &[(&str, &str)] = &[
    (
        "SELECT (SELECT count(*) FROM users)",
        "an export says once how much there is; the admin page too",
    ),
    (
        "SELECT r.id, r.kind, r.name, r.member_count, h.last_ordinal",
        "the admin page, every 10 s while somebody looks: an index would cost every message",
    ),
];

#[tokio::test]
async fn every_statement_finds_its_rows_by_an_index_on_mariadb() {
    let Some(url) = crate::mariadb::database() else { return };
    let sql = Sql::open(&DatabaseChoice::parse(&url).unwrap()).await.unwrap();
    fill(&sql).await;
    let mut whole = Vec::new();
    for statement in statements(&sql).await {
        for (table, kind) in way_in_mysql(&sql, &statement).await {
            if matches!(kind.as_str(), "ALL" | "index") && !may_be_whole(&table, &statement) {
                whole.push(format!("{table} is read whole ({kind}):\n{statement}"));
            }
        }
    }
    assert!(whole.is_empty(), "{}", whole.join("\n"));
}

#[tokio::test]
async fn every_statement_finds_its_rows_by_an_index_on_sqlite() {
    let Some(url) = crate::mariadb::database() else { return };
    let mariadb = Sql::open(&DatabaseChoice::parse(&url).unwrap()).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = DatabaseChoice::Sqlite(folder.path().join("chat.db"));
    let sqlite = Sql::open(&file).await.unwrap();
    fill(&mariadb).await;
    let same = statements(&mariadb).await.into_iter().filter_map(|text| in_sqlite(&text));
    let mut whole = Vec::new();
    for statement in same.chain(moves(Dialect::Sqlite)) {
        let explain = format!("EXPLAIN QUERY PLAN {statement}");
        let steps = sqlx::query(AssertSqlSafe(explain)).fetch_all(&sqlite.write).await;
        for step in steps.unwrap_or_else(|error| panic!("{error}:\n{statement}")) {
            let step: String = step.get("detail");
            let table = step.strip_prefix("SCAN ").map(|rest| rest.split(' ').next().unwrap());
            let may_be = |table| may_be_whole(table_of(table, &statement), &statement);
            if table.is_some_and(|table| !may_be(table)) {
                whole.push(format!("{step}:\n{statement}"));
            }
        }
    }
    assert!(whole.is_empty(), "{}", whole.join("\n"));
}

fn may_be_whole(table: &str, statement: &str) -> bool {
    // Tables made of a parameter, and what is derived from them, are meant to be read.
    let is_made = ["json_each", "CONSTANT"].contains(&table)
        || table.starts_with('<')
        || statement.contains(&format!(") AS {table}"));
    is_made
        || WHOLE.iter().any(|(name, _)| *name == table)
        || THOROUGH.iter().any(|(beginning, _)| statement.starts_with(beginning))
}

/// The table behind a short name.
fn table_of<'a>(name: &'a str, statement: &'a str) -> &'a str {
    let words: Vec<_> = statement.split([' ', ',', '(', ')']).collect();
    let named = words.windows(2).find(|pair| pair[1] == name && pair[0] != "AS");
    match named {
        // A table's own name comes behind a word of the statement.
        Some([table, _]) if table.contains(|c: char| c.is_ascii_lowercase()) => table,
        _ => name,
    }
}

/// The statements over a list of rows.
fn moves(dialect: Dialect) -> impl Iterator<Item = String> {
    let all: [fn(Dialect) -> String; 7] = [
        push_due::make_due,
        push_due::open_jobs,
        log_moves::stored,
        log_moves::advance_heads,
        log_moves::advance_markers,
        log_moves::advance_delivered,
        log_moves::advance_cursors,
    ];
    all.into_iter().map(move |statement| statement(dialect))
}

/// The same statement in SQLite's words; `None` for those that [`moves`] has.
fn in_sqlite(text: &str) -> Option<String> {
    let now = [Dialect::MySql.now_ms(), Dialect::Sqlite.now_ms()];
    let words = [
        (now[0], now[1]),
        ("INSERT IGNORE INTO", "INSERT OR IGNORE INTO"),
        ("FOR UPDATE SKIP LOCKED", ""),
        ("FOR UPDATE", ""),
        ("GREATEST(", "max("),
        ("LEAST(", "min("),
    ];
    let text = words.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to));
    let is_ours = ["JSON_TABLE", "SET SESSION", "_sqlx_", "GET_LOCK", "RELEASE_LOCK", "DATABASE()"];
    (!is_ours.iter().any(|word| text.contains(word)) && is_explainable(&text)).then_some(text)
}

fn is_explainable(text: &str) -> bool {
    let reads = ["SELECT", "UPDATE", "DELETE"].iter().any(|verb| text.starts_with(verb));
    (reads || text.starts_with("INSERT") && text.contains("SELECT")) && text.contains("FROM")
        || text.starts_with("UPDATE")
}

/// (table, how it is read), for each table of the statement.
async fn way_in_mysql(sql: &Sql, statement: &str) -> Vec<(String, String)> {
    let list = r#"[["room-1","m-1","00000001-0000000000000005",1]]"#;
    let text = statement
        .replace("JSON_TABLE(?", &format!("JSON_TABLE('{list}'"))
        .replace("LIMIT ?", "LIMIT 10");
    let count = text.matches('?').count();
    let mut explain = sqlx::query(AssertSqlSafe(format!("EXPLAIN {text}")));
    for _ in 0..count {
        explain = explain.bind("room-1");
    }
    let rows = explain.fetch_all(&sql.write).await;
    let rows = rows.unwrap_or_else(|error| panic!("{error}:\n{statement}"));
    let word = |row: &super::driver::Row, column: usize| {
        row.try_get::<Option<String>, _>(column).ok().flatten().unwrap_or_default()
    };
    rows.iter().map(|row| (word(row, 2), word(row, 3))).map(real(statement)).collect()
}

fn real(statement: &str) -> impl Fn((String, String)) -> (String, String) {
    |(name, kind)| (table_of(&name, statement).to_owned(), kind)
}

/// The texts that the driver is given while everything is called, each once.
async fn statements(sql: &Sql) -> Vec<String> {
    let caught = Caught::default();
    // While there is one subscriber only, an event that another test's thread meets first is asked
    // about there, where nobody listens, and is off from then on.
    let _second = tracing::Dispatch::new(Caught::default());
    let guard = tracing::subscriber::set_default(caught.clone());
    everything(sql).await;
    drop(guard);
    let texts = std::mem::take(&mut *caught.0.lock().unwrap());
    assert!(texts.len() > 120, "only {} statements were caught", texts.len());
    texts.into_iter().filter(|text| is_explainable(text)).collect()
}

/// Catches what sqlx tells of its statements.
#[derive(Clone, Default)]
struct Caught(Arc<Mutex<BTreeSet<String>>>);

impl Subscriber for Caught {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "sqlx::query"
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut text = Text::default();
        event.record(&mut text);
        // The whole text, unless it is so short that its beginning is all of it.
        let text = if text.whole.is_empty() { text.beginning } else { text.whole };
        self.0.lock().unwrap().insert(text.trim().to_owned());
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

#[derive(Default)]
struct Text {
    beginning: String,
    whole: String,
}

impl Visit for Text {
    fn record_debug(&mut self, _: &tracing::field::Field, _: &dyn std::fmt::Debug) {}

    fn record_str(&mut self, field: &tracing::field::Field, value: &str) {
        match field.name() {
            "summary" => self.beginning = value.to_owned(),
            "db.statement" => self.whole = value.to_owned(),
            _ => {}
        }
    }
}

/// Enough rows that reading all of them is never the better way.
async fn fill(sql: &Sql) {
    for statement in [
        "INSERT INTO rooms (id, kind, is_public, name, pair_low, pair_high, version, \
         member_count, created_at) SELECT concat('room-', seq), 'group', 0, NULL, concat('a', seq), \
         concat('b', seq), 1, 10, 1 FROM seq_1_to_300",
        "INSERT INTO room_heads (room_id, last_ordinal, active_at) SELECT concat('room-', seq), 100, seq FROM seq_1_to_300",
        "INSERT INTO members (room_id, user_id, role, version, joined_at) \
         SELECT concat('room-', r.seq), concat('user-', u.seq), 'member', 1, 1 \
         FROM seq_1_to_300 r JOIN seq_1_to_10 u",
        "INSERT INTO messages (room_id, ordinal, id, sender, client_message_id, position, \
         changed_position, body, created_at) \
         SELECT concat('room-', r.seq), m.seq, concat('m-', m.seq), 'user-1', \
         concat('c-', m.seq), concat('00000001-', lower(lpad(hex(m.seq), 16, '0'))), \
         concat('00000001-', lower(lpad(hex(m.seq), 16, '0'))), '{\"text\":\"x\"}', 1 \
         FROM seq_1_to_300 r JOIN seq_1_to_100 m",
        "INSERT INTO users (id, name, picture, password_hash, created_at) SELECT concat('user-', seq), concat('User ', seq), NULL, NULL, 1 \
         FROM seq_1_to_2000",
        "INSERT INTO idempotency_keys (user_id, idem_key, request_hash, room_id, created_at) \
         SELECT concat('user-', seq), 'k', 'h', 'room-1', 1 \
         FROM seq_1_to_2000",
        "INSERT INTO blocks (user_id, blocked_id, created_at) SELECT concat('user-', u.seq), concat('user-', b.seq), 1 \
         FROM seq_1_to_50 u JOIN seq_51_to_100 b",
        "INSERT INTO devices (id, user_id, place, kind, address, language, token_id, created_at) \
         SELECT concat('d-', seq), concat('user-', seq), concat('p-', seq), 'fcm', \
         '{\"kind\":\"fcm\",\"token\":\"x\"}', 'en', concat('t-', seq), 1 FROM seq_1_to_2000",
        "INSERT INTO push_due (room_id, since_ordinal, upto_ordinal, due_at) \
         SELECT concat('room-', seq), 1, 100, seq * 10000000000 FROM seq_1_to_300",
        "INSERT INTO push_jobs (room_id, device_id, user_id, since_ordinal, upto_ordinal, \
         said_at, next_at, dead) \
         SELECT concat('room-', r.seq), concat('d-', d.seq), concat('user-', d.seq), 1, 100, \
         r.seq, r.seq * 10000000000, r.seq = 300 FROM seq_1_to_300 r JOIN seq_1_to_10 d",
        "INSERT INTO presences (user_id, process, until_at) \
         SELECT concat('user-', seq), concat('process-', seq % 50), seq * 1000000000 \
         FROM seq_1_to_2000",
        "INSERT INTO room_bans (room_id, user_id, banned_by, created_at) \
         SELECT concat('room-', r.seq), concat('user-', u.seq), 'user-1', 1 \
         FROM seq_1_to_300 r JOIN seq_11_to_20 u",
        "INSERT INTO room_invites (room_id, code, created_by, expires_at) \
         SELECT concat('room-', r.seq), concat('code-of-sixteen-', i.seq), 'user-1', \
         r.seq * 10000000000 FROM seq_1_to_300 r JOIN seq_1_to_10 i",
        "INSERT INTO import_rooms (room_id, source, passed_over, kind, is_public, pair_low, \
         pair_high, created_at, last_ordinal, active_at) \
         SELECT concat('coming-', seq), concat('file-', seq % 50), 0, 'group', 0, NULL, NULL, 1, \
         0, 1 FROM seq_1_to_2000",
        "INSERT INTO import_members (room_id, user_id, role, joined_at) \
         SELECT concat('coming-', r.seq), concat('user-', u.seq), 'member', 1 \
         FROM seq_1_to_2000 r JOIN seq_1_to_3 u",
        "ANALYZE TABLE blocks, rooms, room_heads, members, messages, users, idempotency_keys, \
         devices, push_due, push_jobs, presences, room_bans, room_invites, import_rooms, \
         import_members",
    ] {
        sql.write.execute(statement).await.unwrap();
    }
}
