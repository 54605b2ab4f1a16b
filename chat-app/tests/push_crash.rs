//! Pushes survive kill -9: whatever dies when, each that is due is sent at least once.
//!
//! `PUSH_KILLS` (12) says how often the process is killed; `PUSH_SEED` repeats a run.

mod support;

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use reqwest::Method;
use serde_json::{Value, json};
use support::{
    Person, Server,
    push::{Came, PushService, say, until},
};

const ROOMS: usize = 5;

/// What was promised before a kill.
#[derive(Default)]
struct Promised {
    /// By room, the position of the newest message that was receipted.
    said: BTreeMap<String, String>,
    receipted: usize,
    /// Read and committed (room, up to where), and the second of the kill behind it.
    read: Vec<(String, String, u64)>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_push_that_is_due_is_sent_at_least_once_after_kill_9() {
    let kills = number("PUSH_KILLS").unwrap_or(12);
    let seed = number("PUSH_SEED").unwrap_or_else(rand::random);
    println!("PUSH_SEED={seed} PUSH_KILLS={kills}");
    let mut chance = StdRng::seed_from_u64(seed);
    let service = PushService::answering(|_, before| if before % 7 == 3 { 503 } else { 204 }).await;
    let data = tempfile::tempdir().unwrap();
    let start = || Server::start_with(data.path(), &["--allow-private-push"]);

    let mut server = start();
    let (ann, bob) = (server.person("ann").await, server.person("bob").await);
    service.device(&bob, "/bob").await;
    let mut rooms = Vec::new();
    for n in 0..ROOMS {
        rooms.push(ann.group(&format!("Room {n}"), &[&bob]).await);
    }
    let quiet = ann.group("Quiet", &[&bob]).await;
    let mut promised = Promised::default();
    for _ in 0..kills {
        let (ann, bob) = (ann.at(&server, &server), bob.at(&server, &server));
        let up_to = read_in_time(&ann, &bob, &quiet).await;
        let life = Duration::from_millis(chance.random_range(50..2500));
        let sending = send_until_the_end(&ann, &rooms, &mut promised);
        let _ = tokio::time::timeout(life, sending).await;
        server.kill();
        promised.read.push((quiet.clone(), up_to, seconds()));
        server = start();
    }

    let newest = |came: &[Came], room: &str| -> Option<String> {
        let here = came.iter().filter(|one| one.status == 204 && one.body["room"] == room);
        here.map(|one| one.body["position"].as_str().unwrap().to_owned()).max()
    };
    let is_told = |came: &[Came]| {
        let told = |(room, said): (&String, &String)| newest(came, room).as_ref() >= Some(said);
        promised.said.iter().all(told)
    };
    let came = service.until("/bob", is_told).await;
    judge(&came, &promised);
    println!(
        "{kills} kills: {} messages receipted, {} pushes sent in {} requests, {} marks held",
        promised.receipted,
        came.iter().filter(|one| one.status == 204).count(),
        came.len(),
        promised.read.len(),
    );
    assert!(promised.receipted >= ROOMS, "too little was sent to prove anything");
}

/// Ann says something in the quiet room, and bob's mark behind it is committed.
async fn read_in_time(ann: &Person, bob: &Person, quiet: &str) -> String {
    let said = say(ann, quiet, json!({"text": "read at once"})).await;
    let position = said["position"].as_str().expect("a position").to_owned();
    bob.put(&format!("rooms/{quiet}/read"), json!({"position": position})).await;
    let is_read =
        |room: &Value| room["unread"] == 0 && room["last_message"]["position"] == *position;
    until(bob, &format!("rooms/{quiet}"), is_read).await;
    position
}

/// Says things in all rooms, one after the other, until the server is gone.
async fn send_until_the_end(ann: &Person, rooms: &[String], promised: &mut Promised) {
    for n in 0.. {
        let room = &rooms[n % rooms.len()];
        let text = json!({"text": format!("message {n}")});
        let path = format!("rooms/{room}/messages");
        let (status, answer) = ann.call(Method::POST, &path, Some(text)).await;
        assert!(status.is_success(), "{answer}");
        promised.receipted += 1;
        let position = answer["position"].as_str().expect("a position").to_owned();
        promised.said.insert(room.clone(), position);
    }
}

fn judge(came: &[Came], promised: &Promised) {
    let mut keys: BTreeMap<&str, &str> = BTreeMap::new();
    for one in came {
        let (room, key) = (text(&one.body, "room"), text(&one.body, "collapse_key"));
        assert_eq!(*keys.entry(room).or_insert(key), key, "a room has one key");
    }
    let mut distinct: Vec<_> = keys.values().collect();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(distinct.len(), keys.len(), "and no other has it");
    // Sent in a later second than the kill is sent by a later process, which looked after the
    // mark had been committed.
    for (room, up_to, killed) in &promised.read {
        let late = came.iter().filter(|one| {
            one.body["room"] == room.as_str()
                && text(&one.body, "position") <= up_to.as_str()
                && signed_at(one) > *killed
        });
        assert_eq!(late.count(), 0, "{up_to} was read before this was sent");
    }
}

fn text<'a>(body: &'a Value, name: &str) -> &'a str {
    body[name].as_str().unwrap_or_default()
}

/// The second in which it was signed, right before it left.
fn signed_at(one: &Came) -> u64 {
    let signature = one.headers["x-signature"].to_str().expect("text");
    let time = signature.split(',').next().expect("a time").trim_start_matches("t=");
    time.parse().expect("seconds")
}

fn seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is a number, not {text}")))
}
