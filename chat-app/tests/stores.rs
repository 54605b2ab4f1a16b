//! The whole program on MySQL's protocol, and what it does while the database is away.

mod support;

use std::time::Duration;

use reqwest::{Method, StatusCode};
use support::{Server, event, header, mariadb::MariaDb, texts};

/// Waits for a condition as long as a slow machine may need.
async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    for _ in 0..600 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{what}");
}

#[tokio::test]
async fn rooms_messages_and_markers_live_in_mariadb() {
    let Some(database) = support::mariadb::database() else { return };
    let data = tempfile::tempdir().unwrap();
    let server = Server::start_with(data.path(), &["--database", &database]);
    let (ann, bob, eve) =
        (server.person("ann").await, server.person("bob").await, server.person("eve").await);
    let room = ann.group("Tea & \\cake_100%", &[&bob]).await;
    let direct = serde_json::json!({"kind": "direct", "members": ["bob"]});
    let (one, two) = tokio::join!(ann.post("rooms", direct.clone()), ann.post("rooms", direct));
    assert_eq!(one["id"], two["id"], "one direct room a pair, also at the same time");

    let (mut a, mut b) = (ann.stomp().await, bob.stomp().await);
    b.subscribe("room", &format!("/topic/rooms.{room}"), &[]).await;
    let receipt = a.say(&room, "m-1", "grüß 🫖").await.unwrap();
    assert_eq!(event(&b.message_on("room").await)["message"]["text"], "grüß 🫖");
    let at = header(&receipt, "position");
    assert_eq!(header(&a.say(&room, "m-1", "again").await.unwrap(), "duplicate"), "true");
    let page = bob.get(&format!("rooms/{room}/messages?at_least={at}")).await;
    assert_eq!(texts(&page), ["grüß 🫖"]);

    let unread = async || bob.get(&format!("rooms/{room}")).await["unread"].clone();
    assert_eq!(unread().await, 1);
    bob.put(&format!("rooms/{room}/read"), serde_json::json!({"position": at})).await;
    until("the marker arrives", async || unread().await == 0).await;

    let id = header(&receipt, "message-id");
    let body = serde_json::json!({"text": "grüß dich"});
    let path = format!("rooms/{room}/messages/{id}");
    assert_eq!(ann.call(Method::PATCH, &path, Some(body)).await.0, StatusCode::OK);
    until("the edit arrives", async || bob.get(&path).await["text"] == "grüß dich").await;
    let (status, _) = eve.call(Method::GET, &path, None).await;
    assert_eq!(status, StatusCode::NOT_FOUND);

    let kick = format!("rooms/{room}/members/bob");
    assert!(ann.call(Method::DELETE, &kick, None).await.0.is_success());
    let (status, _) = bob.call(Method::GET, &format!("rooms/{room}/messages"), None).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert_eq!(ann.get("users?query=AN").await["users"].as_array().map(Vec::len), Some(1));
    assert!(ann.call(Method::DELETE, &format!("rooms/{room}"), None).await.0.is_success());
}

#[tokio::test]
async fn a_schema_from_the_future_is_refused_with_what_mends_it() {
    use sqlx::Connection as _;
    let Some(database) = support::mariadb::database() else { return };
    let data = tempfile::tempdir().unwrap();
    drop(Server::start_with(data.path(), &["--database", &database]));
    let mut connection = sqlx::MySqlConnection::connect(&database).await.unwrap();
    sqlx::query(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES (9999, 'later', 1, '', 0)",
    )
    .execute(&mut connection)
    .await
    .unwrap();
    let refused = std::process::Command::new(env!("CARGO_BIN_EXE_chat-app"))
        .args(["--http", "127.0.0.1:0", "--database", &database, "--data"])
        .arg(data.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success());
    assert!(said.contains("step 9999") && said.contains("a newer one has used it"), "{said}");
    assert!(!said.contains("chat:chat@"), "the password is not told: {said}");
}

#[tokio::test]
async fn while_the_database_is_away_sends_go_on_and_everything_is_there_afterwards() {
    let Some(mariadb) = MariaDb::start("") else { return };
    let database = mariadb.database();
    let data = tempfile::tempdir().unwrap();
    let server = Server::start_with(data.path(), &["--database", &database]);
    let (ann, bob) = (server.person("ann").await, server.person("bob").await);
    let room = ann.group("Storm", &[&bob]).await;
    let (mut a, mut b) = (ann.stomp().await, bob.stomp().await);
    b.subscribe("room", &format!("/topic/rooms.{room}"), &[]).await;
    a.say(&room, "m-0", "0").await.unwrap();
    assert_eq!(event(&b.message_on("room").await)["message"]["text"], "0");

    mariadb.kill();
    let mut last = String::new();
    for n in 1..=40 {
        let receipt = a.say(&room, &format!("m-{n}"), &n.to_string()).await.expect("a receipt");
        last = header(&receipt, "position");
        assert_eq!(event(&b.message_on("room").await)["message"]["text"], n.to_string());
    }
    let path = format!("rooms/{room}/messages?limit=200");
    let (status, problem) = bob.call(Method::GET, &path, None).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{problem}");
    assert!(problem["retry_after_ms"].as_u64().is_some(), "{problem}");
    let ready = reqwest::get(format!("{}/health/ready", server.base)).await.unwrap();
    assert_eq!(ready.status(), StatusCode::SERVICE_UNAVAILABLE);

    mariadb.resume();
    let expected: Vec<_> = (0..=40).map(|n| n.to_string()).collect();
    until("everything arrives", async || {
        let path = format!("{path}&at_least={last}");
        let (status, page) = bob.call(Method::GET, &path, None).await;
        status.is_success() && texts(&page) == expected
    })
    .await;
    until("it is ready again", async || {
        let ready = reqwest::get(format!("{}/health/ready", server.base)).await.unwrap();
        ready.status().is_success()
    })
    .await;
}

#[tokio::test]
async fn a_replay_after_a_restart_tells_the_present_on_sqlite() {
    a_replay_after_a_restart_tells_the_present(&[]).await;
}

#[tokio::test]
async fn a_replay_after_a_restart_tells_the_present_on_mariadb() {
    let Some(database) = support::mariadb::database() else { return };
    a_replay_after_a_restart_tells_the_present(&["--database", &database]).await;
}

/// What was deleted or replaced since is told to nobody who comes back.
async fn a_replay_after_a_restart_tells_the_present(more: &[&str]) {
    let data = tempfile::tempdir().expect("a folder");
    let server = Server::start_with(data.path(), more);
    let (ann, bob) = (server.person("ann").await, server.person("bob").await);
    let room = ann.group("Tea", &[&bob]).await;
    let mut a = ann.stomp().await;
    let mut sent = Vec::new();
    for (n, text) in ["one", "two", "three", "four"].into_iter().enumerate() {
        sent.push(a.say(&room, &format!("m-{n}"), text).await.expect("a receipt"));
    }
    let path = |n: usize| format!("rooms/{room}/messages/{}", header(&sent[n], "message-id"));
    let edit = serde_json::json!({"text": "one!"});
    assert_eq!(ann.call(Method::PATCH, &path(0), Some(edit)).await.0, StatusCode::OK);
    assert!(ann.call(Method::DELETE, &path(2), None).await.0.is_success());
    until("all of it is in SQL", async || bob.get(&path(2)).await["deleted"] == true).await;
    assert_eq!(server.terminate(), Some(0));

    let server = Server::start_with(data.path(), more);
    let (ann, bob) = (server.returning(&ann).await, server.returning(&bob).await);
    let mut b = bob.stomp().await;
    let topic = format!("/topic/rooms.{room}");
    let from = header(&sent[0], "position");
    let receipt = b.subscribe("room", &topic, &[("from", &from)]).await;
    assert_eq!(header(&receipt, "recovered"), "true");
    let mut told = Vec::new();
    for _ in 0..4 {
        let frame = b.message_on("room").await;
        assert!(!String::from_utf8_lossy(frame.body()).contains("three"), "{frame:?}");
        told.push((header(&frame, "position"), event(&frame)));
    }
    assert!(told.is_sorted_by_key(|(position, _)| position.clone()), "{told:?}");
    let words = |at: usize| (told[at].1["type"].clone(), told[at].1["message"]["text"].clone());
    assert_eq!(words(0), ("message".into(), "two".into()));
    assert_eq!(words(1), ("message".into(), "four".into()));
    assert_eq!(words(2), ("edited".into(), "one!".into()));
    assert_eq!(told[3].1["message"]["deleted"], true);
    ann.stomp().await.say(&room, "m-4", "live").await.expect("a receipt");
    assert_eq!(event(&b.message_on("room").await)["message"]["text"], "live");
    let after_deletion = told[3].0.clone();
    let mut late = bob.stomp().await;
    late.subscribe("room", &topic, &[("from", &after_deletion)]).await;
    assert_eq!(event(&late.message_on("room").await)["message"]["text"], "live");
}
