//! What was receipted is in the history, once, whatever happens to the process.

mod support;

use std::{collections::HashSet, time::Duration};

use support::{Server, header, texts};

#[tokio::test]
async fn history_survives_a_restart() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let (ann, bob) = (server.person("ann").await, server.person("bob").await);
    let room = ann.group("Tea", &[&bob]).await;
    ann.stomp().await.say(&room, "m-1", "kept").await.unwrap();
    assert_eq!(server.terminate(), Some(0));

    let server = Server::start(data.path());
    let ann = server.returning(&ann).await;
    let receipt = ann.stomp().await.say(&room, "m-2", "more").await.unwrap();
    let at = header(&receipt, "position");
    let bob = server.returning(&bob).await;
    let page = bob.get(&format!("rooms/{room}/messages?at_least={at}")).await;
    assert_eq!(texts(&page), ["kept", "more"]);
    assert_eq!(bob.get("rooms").await["rooms"][0]["unread"], 2);
    // A retry of before the restart is still known.
    let again = ann.stomp().await.say(&room, "m-1", "kept").await.unwrap();
    assert_eq!(header(&again, "duplicate"), "true");
}

#[tokio::test]
async fn a_second_process_on_the_same_folder_is_refused() {
    let data = tempfile::tempdir().unwrap();
    let _first = Server::start(data.path());
    let second = std::process::Command::new(env!("CARGO_BIN_EXE_chat-app"))
        .args(["--http", "127.0.0.1:0", "--data"])
        .arg(data.path())
        .output()
        .unwrap();
    assert!(!second.status.success());
    let said = String::from_utf8_lossy(&second.stderr);
    assert!(said.contains("another chat-app uses the folder"), "{said}");
}

#[tokio::test]
async fn every_receipted_message_is_there_once_after_kill_9_on_sqlite() {
    kill_again_and_again(&[]).await;
}

#[tokio::test]
async fn every_receipted_message_is_there_once_after_kill_9_on_mariadb() {
    let Some(database) = support::mariadb::database() else { return };
    kill_again_and_again(&["--database", &database]).await;
}

/// How often; CHAT_KILLS for more of it.
fn rounds() -> u64 {
    std::env::var("CHAT_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(6)
}

/// A deployment: SIGTERM while everybody sends, and a new process.
#[tokio::test]
async fn a_restart_under_load_leaves_no_outcome_unknown() {
    let (receipted, seen) = storm(&[], 4, End::Terminate).await;
    for text in &seen {
        assert!(text == "last" || receipted.contains(text), "{text} was stored without a receipt");
    }
    assert_eq!(seen.len(), receipted.len() + 1, "everything receipted is there");
}

async fn kill_again_and_again(more: &[&str]) {
    let (receipted, seen) = storm(more, rounds(), End::Kill).await;
    for text in &receipted {
        assert!(seen.contains(text), "{text} was receipted and is lost");
    }
}

#[derive(Clone, Copy)]
enum End {
    Kill,
    Terminate,
}

/// Four people's worth of messages while the server ends, again and again: what was receipted, and
/// what is in the history afterwards, each once.
async fn storm(more: &[&str], rounds: u64, end: End) -> (HashSet<String>, HashSet<String>) {
    const SENDERS: usize = 4;
    let data = tempfile::tempdir().expect("a folder");
    let server = Server::start_with(data.path(), more);
    let ann = server.person("ann").await;
    let room = ann.group("Storm", &[]).await;
    let mut server = Some(server);
    let mut receipted = HashSet::new();
    for round in 0..rounds {
        let running = server.take().unwrap_or_else(|| Server::start_with(data.path(), more));
        let ann = running.returning(&ann).await;
        let (told, mut receipts) = tokio::sync::mpsc::unbounded_channel();
        let mut senders = tokio::task::JoinSet::new();
        for sender in 0..SENDERS {
            senders.spawn(send_until_the_end(
                ann.clone(),
                room.clone(),
                format!("{round}-{sender}"),
                told.clone(),
            ));
        }
        drop(told);
        for _ in 0..20 {
            let text = tokio::time::timeout(support::PATIENCE, receipts.recv()).await;
            receipted.insert(text.expect("receipts come").expect("somebody sends"));
        }
        // Then at any moment between two batches of the store.
        tokio::time::sleep(Duration::from_millis(37 * (round % 10))).await;
        let ended = tokio::task::spawn_blocking(move || match end {
            End::Kill => running.kill(),
            End::Terminate => assert_eq!(running.terminate(), Some(0)),
        });
        ended.await.expect("it ends");
        while let Some(text) = receipts.recv().await {
            receipted.insert(text);
        }
        while let Some(ended) = senders.join_next().await {
            assert!(ended.is_err(), "it sends for ever");
        }
    }

    let server = Server::start_with(data.path(), more);
    let ann = server.returning(&ann).await;
    let receipt = ann.stomp().await.say(&room, "last", "last").await.expect("a receipt");
    let history = whole_history(&ann, &room, &header(&receipt, "position")).await;
    let mut seen = HashSet::new();
    for (n, (text, ordinal)) in history.into_iter().enumerate() {
        assert_eq!(ordinal, n as i64 + 1, "ordinals have no holes");
        assert!(seen.insert(text), "a message is there twice");
    }
    (receipted, seen)
}

/// Sends as fast as receipts come, and tells what was receipted. It ends in a panic when its
/// connection ends with the server.
async fn send_until_the_end(
    ann: support::Person,
    room: String,
    name: String,
    told: tokio::sync::mpsc::UnboundedSender<String>,
) {
    let mut stomp = ann.stomp().await;
    for n in 0.. {
        let text = format!("{name}-{n}");
        stomp.say(&room, &text, &text).await.expect("a receipt");
        told.send(text).expect("somebody listens");
    }
}

async fn whole_history(ann: &support::Person, room: &str, at_least: &str) -> Vec<(String, i64)> {
    let mut history = Vec::new();
    let mut after = 0;
    loop {
        let path = format!("rooms/{room}/messages?limit=200&after={after}&at_least={at_least}");
        let page = ann.get(&path).await;
        for message in page["messages"].as_array().expect("messages") {
            let text = message["text"].as_str().expect("text").to_owned();
            history.push((text, message["ordinal"].as_i64().expect("ordinal")));
        }
        match page["after"].as_i64() {
            Some(next) => after = next,
            None => return history,
        }
    }
}
