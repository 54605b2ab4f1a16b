//! The MariaDB beside the chat: what it was asked, and how it fares without the chat.

use std::{
    sync::atomic::{AtomicI64, AtomicU32, Ordering},
    time::{Duration, Instant},
};

use sqlx::{AssertSqlSafe, Connection as _, Executor as _, MySqlConnection, Row as _};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    Chat,
    latency::quantile,
    people::{group, token},
    rates::flood,
};

/// A server that the bench may make databases on.
pub(crate) struct Database {
    url: String,
    made: AtomicU32,
    /// Statements of the bench itself since they were last forgotten.
    own: AtomicI64,
}

impl Database {
    pub(crate) fn of_environment() -> Option<Self> {
        let url = std::env::var("CHAT_DATABASE_URL").ok()?;
        Some(Self { url, made: AtomicU32::new(0), own: AtomicI64::new(0) })
    }

    /// The URL of an empty database.
    pub(crate) async fn fresh(&self) -> String {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        let name = format!("bench_{}_{number}", std::process::id());
        let mut connection = self.connect(&self.url).await;
        connection.execute(AssertSqlSafe(format!("CREATE DATABASE {name}"))).await.unwrap();
        let (server, _) = self.url.rsplit_once('/').expect("mysql://…/name");
        format!("{server}/{name}")
    }

    async fn connect(&self, url: &str) -> MySqlConnection {
        MySqlConnection::connect(url).await.expect("MariaDB")
    }

    pub(crate) async fn flushes(&self) -> i64 {
        let mut connection = self.connect(&self.url).await;
        let sql = "SELECT CAST(@@innodb_flush_log_at_trx_commit AS SIGNED)";
        sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap()
    }

    /// SELECTs, INSERTs, UPDATEs and DELETEs that the server has run.
    pub(crate) async fn statements(&self) -> i64 {
        let mut connection = self.connect(&self.url).await;
        let sql = "SHOW GLOBAL STATUS WHERE Variable_name IN ('Com_select', 'Com_insert', \
                   'Com_insert_select', 'Com_update', 'Com_update_multi', 'Com_delete')";
        let rows = connection.fetch_all(sql).await.unwrap();
        self.own.store(0, Ordering::Relaxed);
        rows.iter().map(|row| row.get::<String, _>(1).parse::<i64>().unwrap()).sum()
    }

    pub(crate) fn own_questions(&self) -> i64 {
        self.own.load(Ordering::Relaxed)
    }

    pub(crate) fn forget_own_questions(&self) {
        self.own.store(0, Ordering::Relaxed);
    }

    /// Waits until there are so many messages.
    pub(crate) async fn until_stored(&self, url: &str, wanted: i64) {
        self.until(
            url,
            "SELECT CAST(coalesce(sum(last_ordinal), 0) AS SIGNED) FROM room_heads",
            wanted,
        )
        .await;
    }

    /// Waits until it has been decided about every message who gets a push.
    pub(crate) async fn until_decided(&self, url: &str) {
        let none = "SELECT CAST(1 - LEAST(count(*), 1) AS SIGNED) FROM push_due";
        self.until(url, none, 1).await;
    }

    /// Waits until somebody has read everywhere up to this ordinal.
    pub(crate) async fn until_read(&self, url: &str, user: &str, ordinal: i64) {
        let sql = format!("SELECT min(read_ordinal) FROM members WHERE user_id = '{user}'");
        self.until(url, &sql, ordinal).await;
    }

    async fn until(&self, url: &str, sql: &str, wanted: i64) {
        let mut connection = self.connect(url).await;
        let begin = Instant::now();
        loop {
            let found: i64 =
                sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&mut connection).await.unwrap();
            self.own.fetch_add(1, Ordering::Relaxed);
            if found >= wanted {
                return;
            }
            assert!(begin.elapsed() < Duration::from_secs(120), "{found} of {wanted}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Single-row INSERTs a second, each a commit, by one connection after the other.
    pub(crate) async fn single_inserts(&self, url: &str, time: Duration) -> f64 {
        let mut connection = self.connect(url).await;
        connection.execute("CREATE TABLE IF NOT EXISTS single LIKE messages").await.unwrap();
        let salt = rand_word();
        let (begin, mut count) = (Instant::now(), 0_i64);
        while begin.elapsed() < time {
            count += 1;
            sqlx::query(
                "INSERT INTO single (room_id, ordinal, id, sender, client_message_id, position, \
                 changed_position, body, created_at) VALUES (?, ?, ?, 'u0', ?, ?, ?, ?, 1)",
            )
            .bind(&salt)
            .bind(count)
            .bind(format!("message-{count}"))
            .bind(format!("client-{count}"))
            .bind(format!("00000001-{count:016x}"))
            .bind(format!("00000001-{count:016x}"))
            .bind("{\"text\":\"message number 1 says something of usual length\"}")
            .execute(&mut connection)
            .await
            .unwrap();
        }
        count as f64 / begin.elapsed().as_secs_f64()
    }
}

/// A room's id that no round before had.
fn rand_word() -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    format!("single-{}", now.as_nanos())
}

pub(crate) async fn history(database: &Database) {
    const MESSAGES: usize = 10_000;
    const PAGES: usize = 2_000;
    println!("\nWhat does a page of 50 take in a room of 10,000?");
    let url = database.fresh().await;
    let chat = Chat::start(Some(&url));
    let owner = token(&chat, "u0");
    let room = group(&chat, &owner, &[]).await;
    flood(&chat, &room, 4, MESSAGES).await;
    database.until_stored(&url, MESSAGES as i64).await;
    let mut connection = database.connect(&url).await;
    let mut http = Http::open(&chat, &owner).await;
    let (mut bare, mut sql, mut memory) = (Vec::new(), Vec::new(), Vec::new());
    for page in 0..PAGES {
        let before = (page * 37 % (MESSAGES - 100) + 60) as i64;
        let begin = Instant::now();
        let rows = sqlx::query(
            "SELECT room_id, ordinal, id, sender, client_message_id, position, body, created_at, \
             edited_at, deleted_at FROM messages WHERE room_id = ? AND ordinal < ? \
             ORDER BY ordinal DESC LIMIT 50",
        )
        .bind(&room)
        .bind(before)
        .fetch_all(&mut connection)
        .await
        .unwrap();
        bare.push(begin.elapsed());
        assert_eq!(rows.len(), 50);
        sql.push(http.get(&format!("rooms/{room}/messages?before={before}")).await);
        memory.push(http.get(&format!("rooms/{room}/messages")).await);
    }
    let [bare, sql, memory] = [&mut bare, &mut sql, &mut memory].map(|waits| quantile(waits, 0.5));
    println!(
        "    p50: bare SELECT {bare:.3} ms, page out of SQL {sql:.3} ms, ratio {:.2} (goal 2, and \
         1.3 ms), out of memory {memory:.3} ms (goal 0.3)",
        sql / bare
    );
}

/// A connection that stays open.
struct Http {
    stream: TcpStream,
    token: String,
    buffer: Vec<u8>,
}

impl Http {
    async fn open(chat: &Chat, token: &str) -> Self {
        let stream = TcpStream::connect(chat.server.http.expect("HTTP")).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, token: token.to_owned(), buffer: vec![0; 256 * 1024] }
    }

    /// How long a page of 50 takes.
    async fn get(&mut self, path: &str) -> Duration {
        let request = format!(
            "GET /api/v1/{path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {}\r\n\r\n",
            self.token
        );
        let begin = Instant::now();
        self.stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        loop {
            let read = self.stream.read(&mut self.buffer).await.unwrap();
            assert!(read > 0, "the connection has ended");
            answer.extend_from_slice(&self.buffer[..read]);
            if is_whole(&answer) {
                break;
            }
        }
        let took = begin.elapsed();
        assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
        assert_eq!(memchr::memmem::find_iter(&answer, b"\"ordinal\":").count(), 50);
        took
    }
}

fn is_whole(answer: &[u8]) -> bool {
    let Some(head) = memchr::memmem::find(answer, b"\r\n\r\n") else { return false };
    let lower = String::from_utf8_lossy(&answer[..head]).to_lowercase();
    let length = lower.split("content-length: ").nth(1).expect("a length");
    let length: usize = length.split("\r\n").next().unwrap().trim().parse().unwrap();
    answer.len() >= head + 4 + length
}
