//! Rights from before: kicks, bans and leaves at once, on two instances that share a log. Nobody
//! hears anything behind its exit, and a second later nobody is believed to be in.

mod support;

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;
use stomp_server::testing::Kafka;
use support::{Person, Server, Stomp, event, header};

const NAMES: [&str; 6] = ["bob", "cat", "dan", "eve", "fay", "gil"];

/// How long a process that has read the log trusts its memory.
const TRUSTED: Duration = Duration::from_secs(1);

/// How somebody gets out of a room.
async fn put_out(ann: &Person, member: &Person, room: &str, way: usize) {
    let name = &member.name;
    let (status, answer) = match way % 3 {
        0 => ann.call(Method::DELETE, &format!("rooms/{room}/members/{name}"), None).await,
        1 => ann.call(Method::PUT, &format!("rooms/{room}/bans/{name}"), None).await,
        _ => member.call(Method::POST, &format!("rooms/{room}/leave"), None).await,
    };
    assert!(status.is_success(), "{name}: {answer}");
}

/// Where something stands in the log, and when it was seen there or began on its way there.
struct Seen {
    place: String,
    at: Instant,
}

/// Talks until it is refused; the last word that was taken.
async fn talk(mut session: Stomp, room: String) -> Seen {
    let mut last = Seen { place: String::new(), at: Instant::now() };
    for n in 0..10_000 {
        let at = Instant::now();
        match session.say(&room, &format!("w-{n}"), "a word").await {
            Ok(receipt) => last = Seen { place: header(&receipt, "position"), at },
            Err(problem) => {
                assert_eq!(problem["code"], "not-found", "{problem}");
                return last;
            }
        }
    }
    panic!("it may still talk");
}

/// Listens until it hears that it is out. Then nothing comes any more.
async fn listen(mut session: Stomp, name: String) -> Seen {
    loop {
        let frame = session.message_on("room").await;
        let heard = event(&frame);
        let is_out = ["left", "kicked", "banned"].iter().any(|way| heard["action"] == *way);
        if heard["type"] == "member" && heard["user"] == *name && is_out {
            let exit = Seen { place: header(&frame, "position"), at: Instant::now() };
            session.silence_on("room").await;
            return exit;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_hears_anything_behind_its_exit_and_words_under_way_are_the_last() {
    let Some(url) = support::mariadb::database() else { return };
    let Some(kafka) = Kafka::start(1) else { return };
    let broker = format!("kafka://{}", kafka.bootstrap());
    let data = tempfile::tempdir().unwrap();
    let start = |role: &str| {
        let arguments = ["--role", role, "--database", &url, "--broker", &broker];
        tokio::task::block_in_place(|| Server::start_with(data.path(), &arguments))
    };
    let (front, chats) = (start("api,store"), [start("chat"), start("chat")]);
    let ann = front.person("ann").await.at(&front, &chats[0]);
    let mut people = Vec::new();
    for (n, name) in NAMES.iter().enumerate() {
        people.push(front.person(name).await.at(&front, &chats[n % 2]));
    }
    let room = ann.group("Tea", &people.iter().collect::<Vec<_>>()).await;
    let topic = format!("/topic/rooms.{room}");
    let (mut talkers, mut listeners) = (Vec::new(), Vec::new());
    for member in &people {
        let mut ears = member.stomp().await;
        ears.subscribe("room", &topic, &[]).await;
        listeners.push(tokio::spawn(listen(ears, member.name.clone())));
        // Its mouth is on its own session, so that no word of others is in its way.
        talkers.push(tokio::spawn(talk(member.stomp().await, room.clone())));
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    let exits = people.iter().enumerate().map(|(n, member)| put_out(&ann, member, &room, n));
    futures::future::join_all(exits).await;

    for ((member, talker), listener) in people.iter().zip(talkers).zip(listeners) {
        let (last, exit) = (talker.await.unwrap(), listener.await.unwrap());
        let behind = last.at.saturating_duration_since(exit.at);
        println!("{}: last word at {}, out at {}", member.name, last.place, exit.place);
        assert!(behind < TRUSTED, "{}: a word was taken {behind:?} later", member.name);
    }
    // The room goes on without them.
    let said = ann.post(&format!("rooms/{room}/messages"), json!({"text": "quiet"})).await;
    assert!(said["position"].is_string());
}
