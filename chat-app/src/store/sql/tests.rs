//! Every statement that the stores run finds its rows by an index, on each database.
//!
//! The statements are not listed here: each method of the ports is called once on a MariaDB with
//! many rows, what the driver was given is caught, and each text is asked how it would be run.
//! A new method is called in [`everything`].

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

use sqlx::{AssertSqlSafe, Executor as _, Row as _};
use stomp_server::broker::{Epoch, Position};
use tracing::{Event, Metadata, Subscriber, field::Visit, span};

use super::{Sql, dialect::Dialect, log_moves};
use crate::{
    config::DatabaseChoice,
    domain::{
        Change, ClientMessageId, Content, Kind, Marker, MemberAction, Message, MessageId, Role,
        RoomId, RoomName, Timestamp, User, UserId,
    },
    ports::{
        Accounts, ChangedMessage, DeadRecord, History, LogBatch, LogCursor, LogStore,
        MessageChange, MessageRow, NewRoom, Outbox, Range, Rooms, RoomsCursor,
    },
};

/// What may read a whole table, and why.
const WHOLE: &[(&str, &str)] = &[
    ("log_cursor", "a row for each partition: 64"),
    ("revoked_tokens", "all of them are wanted"),
    ("outbox", "in the order of its key, and only the first ones"),
    ("users", "a search by a part of a name"),
    ("_sqlx_migrations", "a row for each step"),
];

#[tokio::test]
async fn every_statement_finds_its_rows_by_an_index_on_mariadb() {
    let Some(url) = crate::mariadb::database() else { return };
    let sql = Sql::open(&DatabaseChoice::parse(&url).unwrap()).await.unwrap();
    fill(&sql).await;
    for statement in statements(&sql).await {
        let said = way_in_mysql(&sql, &statement).await;
        for (table, kind) in said {
            let whole = matches!(kind.as_str(), "ALL" | "index");
            let fine = !whole || may_be_whole(&table, &statement);
            assert!(fine, "{table} is read whole ({kind}):\n{statement}");
        }
    }
}

#[tokio::test]
async fn every_statement_finds_its_rows_by_an_index_on_sqlite() {
    let Some(url) = crate::mariadb::database() else { return };
    let mariadb = Sql::open(&DatabaseChoice::parse(&url).unwrap()).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = DatabaseChoice::Sqlite(folder.path().join("chat.db"));
    let sqlite = Sql::open(&file).await.unwrap();
    let same = statements(&mariadb).await.into_iter().filter_map(|text| in_sqlite(&text));
    for statement in same.chain(moves(Dialect::Sqlite)) {
        let explain = format!("EXPLAIN QUERY PLAN {statement}");
        let steps = sqlx::query(AssertSqlSafe(explain)).fetch_all(&sqlite.write).await;
        for step in steps.unwrap_or_else(|error| panic!("{error}:\n{statement}")) {
            let step: String = step.get("detail");
            let table = step.strip_prefix("SCAN ").map(|rest| rest.split(' ').next().unwrap());
            let may_be = |table| may_be_whole(table_of(table, &statement), &statement);
            let whole = table.is_some_and(|table| !may_be(table));
            assert!(!whole, "{step}:\n{statement}");
        }
    }
}

fn may_be_whole(table: &str, statement: &str) -> bool {
    // Tables made of a parameter, and what is derived from them, are meant to be read.
    let is_made = ["json_each", "CONSTANT"].contains(&table)
        || table.starts_with('<')
        || statement.contains(&format!(") AS {table}"));
    is_made || WHOLE.iter().any(|(name, _)| *name == table)
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
    let all: [fn(Dialect) -> String; 5] = [
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
    let words = [
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
    let guard = tracing::subscriber::set_default(caught.clone());
    everything(sql).await;
    drop(guard);
    let texts = std::mem::take(&mut *caught.0.lock().unwrap());
    assert!(texts.len() > 40, "only {} statements were caught", texts.len());
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
        "ANALYZE TABLE blocks, rooms, room_heads, members, messages, users, idempotency_keys",
    ] {
        sql.write.execute(statement).await.unwrap();
    }
}

fn user(name: &str) -> UserId {
    UserId::parse(name).unwrap()
}

/// Calls each method of the ports.
async fn everything(sql: &Sql) {
    accounts(sql).await;
    rooms(sql).await;
    history(sql).await;
    log(sql).await;
}

async fn accounts(sql: &Sql) {
    let (ann, now) = (user("ann"), Timestamp::now());
    let person = User { id: ann.clone(), name: "Ann".into(), picture: None };
    sql.create_account(&person).await;
    sql.user(&ann).await.unwrap();
    sql.password_hash(&ann).await.unwrap();
    Accounts::search(sql, "a", None, 10).await.unwrap();
    sql.unknown(&[ann.clone(), user("bob")]).await.unwrap();
    sql.revoke("t", &ann, now).await.unwrap();
    sql.revoked(now).await.unwrap();
}

impl Sql {
    async fn create_account(&self, person: &User) {
        Accounts::create(self, person, None).await.unwrap();
    }
}

async fn rooms(sql: &Sql) {
    let (ann, bob, now) = (user("ann"), user("bob"), Timestamp::now());
    let new = |id: &str, kind| NewRoom {
        id: RoomId::parse(id).unwrap(),
        kind,
        public: kind == Kind::Group,
        name: None,
        members: vec![(ann.clone(), Role::Owner), (bob.clone(), Role::Member)],
        by: ann.clone(),
        at: now,
        idempotency: Some((id.into(), "h".into())),
    };
    let group = new("fresh-1", Kind::Group);
    for room in [&group, &group, &new("fresh-2", Kind::Direct), &new("fresh-3", Kind::Direct)] {
        Rooms::create(sql, room).await.unwrap();
    }
    let room = &group.id;
    let standing = sql.standing(room, &ann, &bob).await.unwrap().unwrap();
    let change = |action, role| Change {
        user: bob.clone(),
        by: ann.clone(),
        action,
        role,
        at_version: 1,
        ends_room: false,
    };
    assert_eq!(standing.version, 1);
    let promoted = change(MemberAction::Role, Some(Role::Admin));
    assert_eq!(sql.apply(room, &promoted, now).await.unwrap(), Some(2));
    let gone = Change { at_version: 2, ..change(MemberAction::Kicked, None) };
    assert_eq!(sql.apply(room, &gone, now).await.unwrap(), Some(3));
    let back = Change { at_version: 3, ..change(MemberAction::Joined, Some(Role::Member)) };
    assert_eq!(sql.apply(room, &back, now).await.unwrap(), Some(4));
    sql.rename(room, 4, &RoomName::parse("Tea").unwrap(), now).await.unwrap();
    sql.hide(room, &bob).await.unwrap();
    sql.mute(room, &bob, now).await.unwrap();
    sql.membership(room).await.unwrap().unwrap();
    Rooms::room(sql, room, &ann).await.unwrap().unwrap();
    Rooms::room(sql, room, &user("eve")).await.unwrap().unwrap();
    let cursor = RoomsCursor { active_at: now.millis(), room: room.clone() };
    sql.list(&ann, None, 10).await.unwrap();
    sql.list(&ann, Some(&cursor), 10).await.unwrap();
    sql.public(&ann, "t", None, 10).await.unwrap();
    sql.members(room, None, 10).await.unwrap();
    let waiting = sql.pending(10).await.unwrap();
    sql.done(&waiting.iter().map(|row| row.id).collect::<Vec<_>>()).await.unwrap();
    sql.delete(room, 5, &ann, now).await.unwrap();
}

async fn history(sql: &Sql) {
    let room = RoomId::parse("room-1").unwrap();
    let ranges = [Range::Newest, Range::Before(9), Range::After(9), Range::Around(9)];
    for range in ranges.iter().chain([&Range::After(1000)]) {
        sql.page(&room, 0, range, 10).await.unwrap();
    }
    sql.message(&room, &MessageId::parse("m-1").unwrap()).await.unwrap();
    let after = Position { epoch: Epoch(0), offset: 5 };
    sql.changes(&room, 0, after, 10).await.unwrap();
    let known = LogCursor { partition: 7, epoch: 0, next: 90 };
    sql.begin_cursors(&[known]).await.unwrap();
    assert!(sql.count_changes(&room, 7, after, 10).await.unwrap().is_some());
}

async fn log(sql: &Sql) {
    let (room, ann) = (RoomId::parse("room-1").unwrap(), user("user-1"));
    let cursor = LogCursor { partition: 0, epoch: 1, next: 0 };
    sql.begin_cursors(&[cursor]).await.unwrap();
    sql.reset_cursors(&[cursor]).await.unwrap();
    sql.cursors().await.unwrap();
    let position = Position { epoch: Epoch(1), offset: 200 };
    let at = Timestamp::now();
    let message = Message {
        id: MessageId::parse("new").unwrap(),
        room: room.clone(),
        sender: ann.clone(),
        content: Content::default(),
        client_message_id: ClientMessageId::parse("new"),
        position: None,
        ordinal: None,
        created_at: at,
        edited_at: None,
        deleted: false,
    };
    let marker =
        Marker { user: ann, position: Some(position.to_string()), ordinal: None, private: false };
    let batch = LogBatch {
        from: vec![cursor],
        to: vec![LogCursor { next: 201, ..cursor }],
        changed: vec![ChangedMessage {
            room: room.clone(),
            id: message.id.clone(),
            position,
            at,
            change: MessageChange::Deleted(user("bob")),
        }],
        messages: vec![MessageRow { message, position, at_ms: 1, partition: 0 }],
        markers: vec![(room.clone(), marker.clone())],
        delivered: vec![(room, marker)],
        dead: vec![DeadRecord {
            partition: 0,
            position,
            route: "/topic/x".into(),
            reason: "a test",
            body: String::new(),
        }],
    };
    sql.take_over(&batch).await.unwrap();
}
