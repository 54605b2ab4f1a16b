//! Out and in again, on every database.

use std::path::{Path, PathBuf};

use super::{demo, export::export_from, import::import_into};
use crate::{
    config::{BrokerChoice, DatabaseChoice},
    domain::{RoomId, Timestamp, UserId},
    ports::{Accounts as _, Rooms as _},
    store::sql::Sql,
};

/// A folder for files, and databases of one kind.
struct Bench {
    folder: tempfile::TempDir,
    choose: fn(&Path) -> Option<DatabaseChoice>,
}

fn sqlite(folder: &Path) -> Option<DatabaseChoice> {
    Some(DatabaseChoice::Sqlite(folder.join(format!("{}.db", RoomId::fresh()))))
}

fn mariadb(_: &Path) -> Option<DatabaseChoice> {
    crate::mariadb::database().map(|url| DatabaseChoice::parse(&url).unwrap())
}

macro_rules! on_every_database {
    ($($test:ident),* $(,)?) => {
        mod on_sqlite {
            $(#[tokio::test]
            async fn $test() { super::$test(super::Bench::new(super::sqlite)).await; })*
        }
        mod on_mariadb {
            $(#[tokio::test]
            async fn $test() { super::$test(super::Bench::new(super::mariadb)).await; })*
        }
    };
}

on_every_database!(
    what_goes_out_comes_in_as_it_was,
    what_is_broken_off_goes_on_and_rooms_are_closed_until_all_is_there,
    rooms_that_are_there_stay_as_they_are,
    faults_are_told_with_their_line,
    a_file_with_what_the_contract_names_comes_in,
);

impl Bench {
    fn new(choose: fn(&Path) -> Option<DatabaseChoice>) -> Self {
        Self { folder: tempfile::tempdir().unwrap(), choose }
    }

    /// An empty database; none where this kind cannot be had.
    async fn database(&self) -> Option<Sql> {
        Some(Sql::open(&(self.choose)(self.folder.path())?).await.unwrap())
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A database with the demo's year, and the lines of its export.
    async fn lived_in(&self) -> Option<(Sql, PathBuf, String)> {
        let sql = self.database().await?;
        let made = demo::fill(&sql, Timestamp::from_millis(1_790_000_000_000)).await.unwrap();
        assert_eq!((made.rooms, made.messages), (7, 5_340));
        let file = self.file("chat.jsonl");
        assert_eq!(export_from(&sql, &file, true).await.unwrap(), 5_340);
        let lines = std::fs::read_to_string(&file).unwrap();
        Some((sql, file, lines))
    }
}

fn user(name: &str) -> UserId {
    UserId::parse(name).unwrap()
}

/// All but the first line, which names the export.
fn contents(file: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(file).unwrap();
    text.lines().skip(1).map(str::to_owned).collect()
}

async fn what_goes_out_comes_in_as_it_was(bench: Bench) {
    let Some((_, file, _)) = bench.lived_in().await else { return };
    let other = bench.database().await.unwrap();
    let done = import_into(&other, &file).await.unwrap();
    assert_eq!((done.rooms, done.messages, done.passed_over), (7, 5_340, 0));
    let again = bench.file("again.jsonl");
    export_from(&other, &again, true).await.unwrap();
    assert_eq!(contents(&file), contents(&again));
    assert!(!std::fs::read_to_string(&file).unwrap().contains("\"position\""));

    let (rooms, _) = other.list(&user("mina"), None, 50).await.unwrap();
    assert_eq!(rooms.len(), 6, "all but the direct room of two others");
    let square = rooms.iter().find(|room| room.name.as_deref() == Some("Town square")).unwrap();
    assert_eq!((square.last_ordinal, square.member_count), (Some(2_600), Some(8)));
    assert!(square.last_message.is_some());
    assert!(other.password_hash(&user("mina")).await.unwrap().is_some());

    let without = bench.file("without.jsonl");
    export_from(&other, &without, false).await.unwrap();
    assert!(!std::fs::read_to_string(&without).unwrap().contains("argon2"));
    let done = import_into(&other, &file).await.unwrap();
    assert_eq!((done.rooms, done.messages), (0, 0), "a finished file is not taken twice");
}

async fn what_is_broken_off_goes_on_and_rooms_are_closed_until_all_is_there(bench: Bench) {
    let Some((_, file, text)) = bench.lived_in().await else { return };
    let other = bench.database().await.unwrap();
    // The same file with one bad line behind most of the rest: all batches before it are taken.
    let lines: Vec<_> = text.lines().collect();
    let bad = lines.len() - 100;
    let mut broken = lines.clone();
    let spoilt = format!("{}!", &broken[bad][..broken[bad].len() - 1]);
    broken[bad] = &spoilt;
    std::fs::write(&file, broken.join("\n") + "\n").unwrap();
    let fault = import_into(&other, &file).await.unwrap_err().to_string();
    assert!(fault.starts_with(&format!("line {}: ", bad + 1)), "{fault}");
    let (rooms, _) = other.list(&user("mina"), None, 50).await.unwrap();
    assert!(rooms.is_empty(), "nobody sees half a room");
    let square = RoomId::parse("demo-group-0").unwrap();
    assert!(other.room(&square, &user("mina")).await.unwrap().is_none());

    std::fs::write(&file, &text).unwrap();
    let done = import_into(&other, &file).await.unwrap();
    assert_eq!(done.rooms, 7);
    assert!(done.messages < 5_340, "what was taken before is not taken again: {done:?}");
    let again = bench.file("again.jsonl");
    std::fs::write(bench.file("again.jsonl.part"), &text.as_bytes()[..text.len() / 2]).unwrap();
    export_from(&other, &again, true).await.unwrap();
    assert_eq!(std::fs::read_to_string(&again).unwrap(), text, "an export goes on likewise");
}

async fn rooms_that_are_there_stay_as_they_are(bench: Bench) {
    let Some((sql, file, text)) = bench.lived_in().await else { return };
    // Another export with the same rooms, one of them under another id but of the same pair.
    let changed = text.replace("demo-mina-jun", "somewhere-else").replace("lunch", "dinner");
    std::fs::write(&file, changed).unwrap();
    let done = import_into(&sql, &file).await.unwrap();
    assert_eq!((done.rooms, done.messages, done.passed_over), (0, 0, 7));
    let again = bench.file("again.jsonl");
    export_from(&sql, &again, true).await.unwrap();
    let before: Vec<_> = text.lines().skip(1).map(str::to_owned).collect();
    assert_eq!(contents(&again), before);
}

async fn faults_are_told_with_their_line(bench: Bench) {
    let Some(sql) = bench.database().await else { return };
    let chat = r#"{"type":"header","version":1}"#;
    let room =
        r#"{"type":"room","id":"r","kind":"group","name":"r","created_at":"2026-01-01T00:00:00Z"}"#;
    let message = |ordinal: u32, more: &str| {
        format!(
            r#"{{"type":"message","room":"r","ordinal":{ordinal},"sender":"ann"{more},"created_at":"2026-01-01T00:00:00Z"}}"#
        )
    };
    let text = r#","text":"hi""#;
    for (number, (lines, at, says)) in [
        (vec![room.to_owned()], 1, "the first line is"),
        (vec![chat.replace(":1", ":2")], 1, "newer than this program"),
        (vec![chat.into(), "{}".into()], 2, "missing field `type`"),
        (vec![chat.into(), message(1, text)], 2, "has no line before"),
        (vec![chat.into(), room.into(), message(2, text)], 3, "next ordinal of this room is 1"),
        (vec![chat.into(), room.into(), message(1, "")], 3, "either text or content"),
        (vec![chat.into(), room.into(), room.into()], 3, "came before"),
        (vec![chat.into(), room.replace("group", "direct")], 2, "a direct room has its pair"),
        (vec![chat.into(), room.replace("\"r\",\"kind\"", "\"r.s\",\"kind\"")], 2, "RoomId"),
    ]
    .into_iter()
    .enumerate()
    {
        let file = bench.file(&format!("{number}.jsonl"));
        std::fs::write(&file, lines.join("\n")).unwrap();
        let fault = import_into(&sql, &file).await.unwrap_err().to_string();
        assert!(fault.starts_with(&format!("line {at}: ")) && fault.contains(says), "{fault}");
    }
}

/// The words of the contract: nothing of our own in it.
async fn a_file_with_what_the_contract_names_comes_in(bench: Bench) {
    let Some(sql) = bench.database().await else { return };
    let file = bench.file("plain.jsonl");
    let lines = [
        r#"{"type":"header","version":1}"#,
        r#"{"type":"user","id":"ann","name":"Ann"}"#,
        r#"{"type":"user","id":"bob","name":"Bob"}"#,
        r#"{"type":"room","id":"r","kind":"group","public":false,"name":"Tea","version":7}"#,
        r#"{"type":"member","room":"r","user":"ann","role":"owner"}"#,
        r#"{"type":"member","room":"r","user":"bob","role":"member"}"#,
        r#"{"type":"message","room":"r","id":"m1","sender":"ann","text":"hi","mentions":[],"ordinal":1,"created_at":"2026-01-01T00:00:00.000Z"}"#,
        r#"{"type":"message","room":"r","id":"m2","sender":"ann","mentions":[],"ordinal":2,"created_at":"2026-01-01T00:00:01.000Z","deleted":true}"#,
        r#"{"type":"marker","room":"r","user":"bob","ordinal":1}"#,
    ];
    std::fs::write(&file, lines.join("\n")).unwrap();
    let done = import_into(&sql, &file).await.unwrap();
    assert_eq!((done.rooms, done.messages), (1, 2));
    let (rooms, _) = sql.list(&user("bob"), None, 50).await.unwrap();
    assert_eq!((rooms[0].last_ordinal, rooms[0].read_ordinal), (Some(2), Some(1)));

    let again = bench.file("again.jsonl");
    export_from(&sql, &again, false).await.unwrap();
    let again: Vec<serde_json::Value> = std::fs::read_to_string(&again)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!((&again[0]["type"], &again[0]["version"]), (&"header".into(), &1.into()));
    let kinds: Vec<_> = again.iter().map(|line| line["type"].as_str().unwrap()).collect();
    let order =
        ["header", "user", "user", "room", "member", "member", "message", "message", "marker"];
    assert_eq!(kinds[..order.len()], order);
    assert_eq!(again[7]["deleted"], true);
    let read = again.iter().find(|line| line["type"] == "marker" && line["user"] == "bob").unwrap();
    assert_eq!(read["ordinal"], 1);
}

#[tokio::test]
async fn a_backup_is_a_data_folder_and_only_its_owner_reads_it() {
    let bench = Bench::new(sqlite);
    let data = bench.file("data");
    let choice = DatabaseChoice::Sqlite(data.join("chat.db"));
    let log = BrokerChoice::Sqlite(data.join("log.db"));
    let to = bench.file("backup.tar");
    demo::demo(&data, &choice).await.unwrap();
    let missing = super::backup(&data, &choice, &log, &to).await.unwrap_err().to_string();
    assert!(missing.contains("log.db is not there"), "{missing}");

    let config = |data: &Path| {
        let args = ["chat-app", "--http", "127.0.0.1:0", "--data", data.to_str().unwrap()];
        match crate::config::parse(args.map(Into::into)).unwrap().command {
            crate::config::Command::Serve(config) => *config,
            other => panic!("{other:?}"),
        }
    };
    let app = crate::app::App::start(config(&data)).await.unwrap();
    let octets = super::backup(&data, &choice, &log, &to).await.unwrap();
    app.stop(std::time::Duration::from_secs(10)).await;
    assert!(octets > 100_000);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(std::fs::metadata(&to).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let again = super::backup(&data, &choice, &log, &to).await.unwrap_err().to_string();
    assert!(again.contains("exists"), "{again}");

    let restored = bench.file("restored");
    std::fs::create_dir(&restored).unwrap();
    tar::Archive::new(std::fs::File::open(&to).unwrap()).unpack(&restored).unwrap();
    assert!(restored.join("token.key").exists(), "sessions go on");
    let app = crate::app::App::start(config(&restored)).await.unwrap();
    app.stop(std::time::Duration::from_secs(10)).await;
    let sql = Sql::open(&DatabaseChoice::Sqlite(restored.join("chat.db"))).await.unwrap();
    assert_eq!(sql.list(&user("mina"), None, 50).await.unwrap().0.len(), 6);
    let left: Vec<_> = std::fs::read_dir(bench.folder.path()).unwrap().collect();
    assert_eq!(left.len(), 3, "nothing is left behind: {left:?}");
}
