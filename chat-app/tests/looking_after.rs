//! `migrate` and `doctor`, as somebody at a shell meets them.

mod support;

use std::{
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Output},
};

use stomp_server::testing::Kafka;
use support::Server;

/// What the program says with these words on this folder, and its exit code.
fn chat_app(words: &[&str], data: &Path) -> (String, Option<i32>) {
    let mut run = Command::new(env!("CARGO_BIN_EXE_chat-app"));
    let output: Output = run.args(words).arg("--data").arg(data).output().expect("chat-app runs");
    let text = [output.stdout, output.stderr].concat();
    (String::from_utf8_lossy(&text).into_owned(), output.status.code())
}

/// A doctor's visit on a port that is free, with few connections.
fn doctor(words: &[&str], data: &Path) -> (String, Option<i32>) {
    let usual = ["doctor", "--http", "127.0.0.1:0", "--max-connections", "50"];
    chat_app(&[&usual[..], words].concat(), data)
}

/// Asserts that there is such a line.
fn has(told: &str, begin: &str, part: &str) {
    let is_it = |line: &str| line.starts_with(begin) && line.contains(part);
    assert!(told.lines().any(is_it), "{begin} … {part}: {told}");
}

/// Says this to a SQLite file.
async fn tell(file: &Path, statement: &'static str) {
    sqlx::any::install_default_drivers();
    let url = format!("sqlite://{}", file.display());
    let pool = sqlx::AnyPool::connect(&url).await.expect("the database");
    sqlx::query(statement).execute(&pool).await.expect("a statement");
    pool.close().await;
}

fn mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("a mode");
}

#[tokio::test]
async fn migrate_does_the_steps_and_tells_how_far_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("chat");
    let (told, code) = chat_app(&["migrate", "status"], &data);
    assert_eq!(code, Some(1), "{told}");
    has(&told, "open     0001_rooms", "");
    has(&told, "chat-app: ", "`chat-app migrate up`");
    assert!(!data.exists(), "looking makes nothing");

    let (told, code) = chat_app(&["migrate", "up"], &data);
    assert_eq!(code, Some(0), "{told}");
    has(&told, "done     0001_rooms", "");
    has(&told, "", "is up to date");
    let (told, code) = chat_app(&["migrate", "up"], &data);
    assert_eq!(code, Some(0), "{told}");
    has(&told, "0 steps were done", "");
    let (told, code) = chat_app(&["migrate", "status"], &data);
    assert_eq!(code, Some(0), "{told}");
    assert!(told.lines().all(|line| line.starts_with("done     ")), "{told}");
}

#[tokio::test]
async fn a_schema_of_a_newer_version_is_refused_with_a_sentence_everywhere() {
    let folder = tempfile::tempdir().unwrap();
    chat_app(&["migrate", "up"], folder.path());
    let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, \
                 execution_time) VALUES (9001, 'later', TRUE, x'00', 1)";
    tell(&folder.path().join("chat.db"), newer).await;
    let serve = ["serve", "--http", "127.0.0.1:0"];
    for words in [&["migrate", "up"][..], &["migrate", "status"], &["token", "ann"], &serve] {
        let (told, code) = chat_app(words, folder.path());
        assert_eq!(code, Some(1), "{words:?}: {told}");
        has(&told, "chat-app: ", "has step 9001, which this version of the program does not know");
        has(&told, "chat-app: ", "restore a backup from before");
    }
    let (told, code) = doctor(&[], folder.path());
    assert_eq!(code, Some(1), "{told}");
    has(&told, "FAULT  database", "has step 9001");
}

#[tokio::test]
async fn migrate_and_doctor_know_mariadb() {
    let Some(database) = support::mariadb::database() else { return };
    let folder = tempfile::tempdir().unwrap();
    mode(folder.path(), 0o700);
    let on_it = ["--database", database.as_str()];
    let (told, code) = chat_app(&[&["migrate", "status"], &on_it[..]].concat(), folder.path());
    assert_eq!(code, Some(1), "{told}");
    has(&told, "open     0001_rooms", "");
    let (told, code) = chat_app(&[&["migrate", "up"], &on_it[..]].concat(), folder.path());
    assert_eq!(code, Some(0), "{told}");
    let (told, code) = chat_app(&[&["migrate", "status"], &on_it[..]].concat(), folder.path());
    assert_eq!(code, Some(0), "{told}");
    has(&told, "done     0001_rooms", "");
    let (told, code) = doctor(&on_it, folder.path());
    assert_eq!(code, Some(0), "{told}");
    has(&told, "ok     database", "its schema is up to date");
    has(&told, "ok     clock", "ms apart");
}

#[tokio::test]
async fn a_doctor_finds_nothing_wrong_where_nothing_is_and_makes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("chat");
    let (told, code) = doctor(&[], &data);
    assert_eq!(code, Some(0), "{told}");
    has(&told, "note   database", "a start makes it");
    has(&told, "note   log", "a start makes it");
    assert!(!data.exists(), "{told}");
    let server = Server::start(&data);
    let http = server.base.trim_start_matches("http://").to_owned();
    let (told, code) = chat_app(&["doctor", "--http", &http, "--max-connections", "50"], &data);
    assert_eq!(code, Some(0), "{told}");
    has(&told, "ok     database", "its schema is up to date");
    has(&told, "ok     log", "log.db");
    has(&told, "ok     secrets", "");
    has(&told, "ok     limits", "open files");
    has(&told, "note   files", "is running");
    has(&told, &format!("note   ports     --http {http} is taken"), "");
}

#[tokio::test]
async fn a_doctor_names_each_fault_with_what_mends_it() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("chat");
    assert_eq!(chat_app(&["token", "ann"], &data).1, Some(0));
    mode(&data, 0o750);
    mode(&data.join("token.key"), 0o644);
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "x".repeat(40)).unwrap();
    mode(&secret, 0o640);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let place = taken.local_addr().unwrap().to_string();
    let (told, code) = chat_app(
        &[
            &["doctor", "--http", &place, "--tcp", "192.0.2.1:61613"][..],
            &["--jwt-secret", &format!("@{}", secret.display())],
            &[
                "--max-connections",
                "1000000000",
                "--database",
                "mysql://chat:hunter2@127.0.0.1:1/chat",
            ],
            &["--broker", "kafka://127.0.0.1:1"],
        ]
        .concat(),
        &data,
    );
    assert_eq!(code, Some(1), "{told}");
    has(&told, "FAULT  secrets", "token.key is open to other users");
    has(&told, "", &format!("-> chmod 700 {}", data.display()));
    has(&told, "", &format!("-> chmod 600 {}", secret.display()));
    has(&told, "FAULT  ports", &place);
    has(&told, "", "-> stop what listens there");
    has(&told, "FAULT  ports", "--tcp 192.0.2.1:61613");
    has(&told, "FAULT  limits", "--max-connections 1000000000");
    has(&told, "", "LimitNOFILE=1000000200");
    has(&told, "FAULT  database", "mysql://127.0.0.1:1/chat cannot be used");
    has(&told, "FAULT  log", "kafka://127.0.0.1:1");
    has(&told, "chat-app: 8 faults were found", "");
    assert!(!told.contains("hunter2"), "{told}");

    let (told, code) = doctor(&["--drain", "soon"], &data);
    assert_eq!(code, Some(2), "wrong settings are told as check does: {told}");
}

#[tokio::test]
async fn a_doctor_sees_a_topic_that_could_lose_what_was_receipted() {
    let Some(kafka) = Kafka::start(1) else { return };
    let broker = format!("kafka://{}", kafka.bootstrap());
    let folder = tempfile::tempdir().unwrap();
    mode(folder.path(), 0o700);
    let on_it = ["--broker", broker.as_str()];
    let (told, code) = doctor(&on_it, folder.path());
    assert_eq!(code, Some(0), "{told}");
    has(&told, "note   log", "a start makes it");
    assert_eq!(Server::start_with(folder.path(), &on_it).terminate(), Some(0));
    let (told, code) = doctor(&on_it, folder.path());
    assert_eq!(code, Some(0), "{told}");
    has(&told, "ok     log", "topic chat.topic.");
    let (told, code) = doctor(&[&on_it[..], &["--max-body", "2MiB"]].concat(), folder.path());
    assert_eq!(code, Some(1), "{told}");
    has(&told, "FAULT  log", "raise its max.message.bytes");
}
