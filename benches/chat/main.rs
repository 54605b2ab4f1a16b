//! What does the chat cost, and how does its write-behind compare with writing row by row?
//!
//! ```text
//! cargo build --release -p chat-app
//! scripts/mariadb.sh start                 # MARIADB_OPTIONS=--innodb-flush-log-at-trx-commit=1
//! CHAT_DATABASE_URL=mysql://… cargo bench -p benches --bench chat [QUESTION…]
//! ```
//!
//! | question | asks |
//! |---|---|
//! | `write-behind` | messages a second until they are rows, against a loop of single-row INSERTs on the same server |
//! | `room-of-10` | server CPU for 1,000 messages in a room of ten, deliveries included |
//! | `room-of-100` | server CPU for one delivery in a room of a hundred |
//! | `statements` | SQL statements for a message at 1,000 a second over 100 rooms |
//! | `markers` | SQL statements for 1,000 read markers at 1,000 a second |
//! | `history` | a page of 50 in a room of 10,000: out of SQL against the bare SELECT, and out of memory |
//! | `idle` | memory of an idle session, logged in, in one room |
//! | `latency` | from send to delivered at 50 messages a second, over what an fdatasync takes at the same time |
//!
//! `write-behind`, `statements`, `markers` and `history` need a MariaDB; without one they say so.

#![allow(clippy::unwrap_used, reason = "a bench that cannot go on ends")]

mod database;
mod latency;
mod people;
mod rates;

use std::time::{Duration, Instant};

use benches::process::ServerProcess;
use tokio::time::sleep;

use self::{
    database::Database,
    people::{Session, group, token},
    rates::{Pace, flood},
};

/// A chat-app in an empty folder.
pub(crate) struct Chat {
    pub(crate) server: ServerProcess,
    pub(crate) data: tempfile::TempDir,
}

impl Chat {
    fn start(database: Option<&str>) -> Self {
        let data = tempfile::tempdir().unwrap();
        let folder = data.path().to_str().unwrap();
        let mut flags = vec!["--data", folder, "--max-connections-per-user", "15000"];
        if let Some(url) = database {
            flags.extend(["--database", url]);
        }
        Self { server: ServerProcess::chat(&flags), data }
    }
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let wanted: Vec<_> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let asked = |question: &str| wanted.is_empty() || wanted.iter().any(|word| word == question);
    let database = Database::of_environment();
    if asked("room-of-10") {
        room_of_10().await;
    }
    if asked("room-of-100") {
        room_of_100().await;
    }
    if asked("latency") {
        latency::latency().await;
    }
    if asked("idle") {
        idle().await;
    }
    let Some(database) = database else {
        println!("CHAT_DATABASE_URL is not set: what needs a MariaDB is left out");
        return;
    };
    if asked("write-behind") {
        write_behind(&database).await;
    }
    if asked("statements") {
        rates::statements(&database).await;
    }
    if asked("markers") {
        rates::markers(&database).await;
    }
    if asked("history") {
        database::history(&database).await;
    }
}

async fn write_behind(database: &Database) {
    const MESSAGES: usize = 20_000;
    println!("\nHow many messages a second become rows, in a room of 10?");
    let url = database.fresh().await;
    let chat = Chat::start(Some(&url));
    let (room, sessions) = room_with_sessions(&chat, 10).await;
    let flushes = database.flushes().await;
    let mut ratios = Vec::new();
    let mut stored = 0;
    for _ in 0..3 {
        let single = database.single_inserts(&url, Duration::from_secs(2)).await;
        let (cpu, begin) = (chat.server.cpu(), Instant::now());
        flood(&chat, &room, 10, MESSAGES).await;
        stored += MESSAGES as i64;
        database.until_stored(&url, stored).await;
        let rate = MESSAGES as f64 / begin.elapsed().as_secs_f64();
        let cpu = chat.server.cpu() - cpu;
        ratios.push(rate / single);
        println!(
            "    {rate:8.0} messages/s in SQL, {single:6.0} single INSERTs/s, ratio {:.2}, \
             {:.3} CPU-s for 1,000",
            rate / single,
            cpu.as_secs_f64() * 1e3 / MESSAGES as f64
        );
    }
    drop(sessions);
    let ratio = benches::process::median(ratios);
    println!("    median ratio {ratio:.2} (goal 2), innodb_flush_log_at_trx_commit={flushes}");
}

async fn room_of_10() {
    const MESSAGES: usize = 20_000;
    println!("\nWhat do 1,000 messages cost in a room of 10, deliveries included (SQLite)?");
    let chat = Chat::start(None);
    let (room, sessions) = room_with_sessions(&chat, 10).await;
    for (name, pace) in [("flood", Pace::Full), ("500/s", Pace::Rate(500.0))] {
        let messages = if pace == Pace::Full { MESSAGES } else { 2_500 };
        let heard: usize = sessions.iter().map(Session::heard).sum();
        let (cpu, begin) = (chat.server.cpu(), Instant::now());
        rates::send(&chat, std::slice::from_ref(&room), 4, messages, pace).await;
        people::until_heard(&sessions, heard + 10 * messages).await;
        sleep(Duration::from_millis(500)).await; // what is behind in SQL belongs to it
        let cpu = (chat.server.cpu() - cpu).as_secs_f64();
        println!(
            "    {name:>6}: {:.3} CPU-s for 1,000 (goal 0.16), {:.0} messages/s",
            cpu * 1e3 / messages as f64,
            messages as f64 / begin.elapsed().as_secs_f64()
        );
    }
}

async fn room_of_100() {
    const MESSAGES: usize = 3_000;
    println!("\nWhat does a delivery cost in a room of 100 (SQLite)?");
    let chat = Chat::start(None);
    let (room, sessions) = room_with_sessions(&chat, 100).await;
    for _ in 0..3 {
        let heard: usize = sessions.iter().map(Session::heard).sum();
        let cpu = chat.server.cpu();
        flood(&chat, &room, 4, MESSAGES).await;
        people::until_heard(&sessions, heard + 100 * MESSAGES).await;
        let cpu = (chat.server.cpu() - cpu).as_secs_f64();
        println!("    {:.2} µs a delivery (goal 3)", cpu * 1e6 / (100 * MESSAGES) as f64);
    }
}

async fn idle() {
    const SESSIONS: usize = 4_000;
    println!("\nWhat does an idle session hold, logged in, in one room?");
    let chat = Chat::start(None);
    let owner = token(&chat, "ann");
    let room = group(&chat, &owner, &[]).await;
    let warm = Session::open(&chat, &owner, &room).await;
    sleep(Duration::from_secs(2)).await;
    let before = chat.server.rss();
    let mut sessions = Vec::with_capacity(SESSIONS);
    for _ in 0..SESSIONS {
        sessions.push(Session::open(&chat, &owner, &room).await);
    }
    sleep(Duration::from_secs(5)).await;
    let each = (chat.server.rss() - before) as f64 / SESSIONS as f64 / 1024.0;
    println!("    {each:.1} KiB over {SESSIONS} sessions (goal 16)");
    drop(warm);
}

/// A group of so many, each with a session in it.
pub(crate) async fn room_with_sessions(chat: &Chat, members: usize) -> (String, Vec<Session>) {
    let names: Vec<_> = (0..members).map(|number| format!("u{number}")).collect();
    let tokens: Vec<_> = names.iter().map(|name| token(chat, name)).collect();
    let room = group(chat, &tokens[0], &names[1..]).await;
    let mut sessions = Vec::new();
    for token in &tokens {
        sessions.push(Session::open(chat, token, &room).await);
    }
    (room, sessions)
}
