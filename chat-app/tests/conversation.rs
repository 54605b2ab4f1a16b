//! Two people talk over real sockets.

mod support;

use futures::{SinkExt, StreamExt};
use serde_json::json;
use support::{Server, Stomp, event, header, texts};

async fn ann_and_bob(server: &Server) -> (support::Person, support::Person, String) {
    let (ann, bob) = (server.person("ann").await, server.person("bob").await);
    let room = ann.group("Tea", &[&bob]).await;
    (ann, bob, room)
}

#[tokio::test]
async fn what_one_says_the_other_hears_and_both_find_in_the_history() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let (ann, bob, room) = ann_and_bob(&server).await;
    let (mut a, mut b) = (ann.stomp().await, bob.stomp().await);
    let topic = format!("/topic/rooms.{room}");
    b.subscribe("room", &topic, &[]).await;

    let receipt = a.say(&room, "m-1", "hello").await.unwrap();
    let heard = b.message_on("room").await;
    assert_eq!(header(&heard, "position"), header(&receipt, "position"));
    assert_eq!(header(&heard, "message-id"), header(&receipt, "message-id"));
    assert_eq!(header(&heard, "destination"), topic);
    let event = event(&heard);
    assert_eq!(event["type"], "message");
    assert_eq!(event["room"], room);
    assert_eq!(event["message"]["text"], "hello");
    assert_eq!(event["message"]["sender"], "ann");
    assert_eq!(event["message"]["client_message_id"], "m-1");
    assert_eq!(event["message"]["id"], header(&receipt, "message-id"));

    let path = format!("rooms/{room}/messages?at_least={}", header(&receipt, "position"));
    for person in [&ann, &bob] {
        let page = person.get(&path).await;
        assert_eq!(texts(&page), ["hello"]);
        assert_eq!(page["messages"][0]["position"], header(&receipt, "position"));
        assert_eq!(page["messages"][0]["ordinal"], 1);
        assert!(page["position"].as_str().unwrap() >= header(&receipt, "position").as_str());
    }
}

#[tokio::test]
async fn a_retry_is_a_duplicate_with_the_same_id_over_stomp_and_rest() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let (ann, bob, room) = ann_and_bob(&server).await;
    let (mut a, mut b) = (ann.stomp().await, bob.stomp().await);
    b.subscribe("room", &format!("/topic/rooms.{room}"), &[]).await;

    let first = a.say(&room, "m-1", "once").await.unwrap();
    let again = a.say(&room, "m-1", "once").await.unwrap();
    assert_eq!(header(&again, "duplicate"), "true");
    assert_eq!(header(&again, "message-id"), header(&first, "message-id"));
    let body = json!({"text": "otherwise", "client_message_id": "m-1"});
    let rest = ann.post(&format!("rooms/{room}/messages"), body).await;
    assert_eq!(rest["duplicate"], true);
    assert_eq!(rest["message_id"], header(&first, "message-id"));
    // The same id of somebody else is another message.
    let other = bob.stomp().await.say(&room, "m-1", "mine").await.unwrap();
    assert_ne!(header(&other, "message-id"), header(&first, "message-id"));

    assert_eq!(event(&b.message_on("room").await)["message"]["text"], "once");
    assert_eq!(event(&b.message_on("room").await)["message"]["text"], "mine");
    let path = format!("rooms/{room}/messages?at_least={}", header(&other, "position"));
    assert_eq!(texts(&ann.get(&path).await), ["once", "mine"]);
}

#[tokio::test]
async fn everybody_in_the_room_is_told_of_activity_on_every_session() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let (ann, bob, room) = ann_and_bob(&server).await;
    let (mut a, mut phone, mut laptop) = (ann.stomp().await, bob.stomp().await, bob.stomp().await);
    for session in [&mut a, &mut phone, &mut laptop] {
        session.subscribe("rooms", "/user/queue/rooms", &[]).await;
    }
    let receipt = a.say(&room, "m-1", "hello").await.unwrap();
    for session in [&mut a, &mut phone, &mut laptop] {
        let told = event(&session.message_on("rooms").await);
        assert_eq!(told["type"], "activity");
        assert_eq!(told["room"], room);
        assert_eq!(told["position"], header(&receipt, "position"));
        assert_eq!(told["last_message"]["text"], "hello");
    }

    // Reading on one device is known on the other, in the list, and to the room.
    a.subscribe("room", &format!("/topic/rooms.{room}"), &[]).await;
    let at_least = format!("at_least={}", header(&receipt, "position"));
    bob.get(&format!("rooms/{room}/messages?{at_least}")).await;
    assert_eq!(bob.get("rooms").await["rooms"][0]["unread"], 1);
    let marker = json!({"position": header(&receipt, "position")}).to_string();
    let read = format!("/app/rooms.{room}.read");
    phone.receipted("SEND", &[("destination", &read)], &marker).await.unwrap();
    let told = event(&laptop.message_on("rooms").await);
    assert_eq!((told["type"].as_str(), told["room"].as_str()), (Some("read"), Some(room.as_str())));
    let seen = event(&a.message_on("room").await);
    assert_eq!(seen["type"], "read");
    assert_eq!(seen["markers"][0]["user"], "bob");
    bob.put(&format!("rooms/{room}/read"), json!({"ordinal": 1})).await;
    let list = bob.get("rooms").await;
    assert_eq!(list["rooms"][0]["unread"], 0, "{list}");
}

#[tokio::test]
async fn who_was_away_gets_what_was_missed_from_its_place_on() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let (ann, bob, room) = ann_and_bob(&server).await;
    let mut a = ann.stomp().await;
    a.say(&room, "m-1", "before").await.unwrap();
    let page = bob.get(&format!("rooms/{room}/messages")).await;
    a.say(&room, "m-2", "while away").await.unwrap();

    let mut b = bob.stomp().await;
    let from = page["position"].as_str().unwrap().to_owned();
    let place = b.subscribe("room", &format!("/topic/rooms.{room}"), &[("from", &from)]).await;
    assert_eq!(header(&place, "recovered"), "true");
    a.say(&room, "m-3", "live").await.unwrap();
    let mut heard = texts(&page);
    while heard.last().map(String::as_str) != Some("live") {
        let event = event(&b.message_on("room").await);
        heard.extend(event["message"]["text"].as_str().map(str::to_owned));
    }
    heard.dedup();
    assert_eq!(heard, ["before", "while away", "live"]);
}

#[tokio::test]
async fn the_questions_under_app_are_answered_once() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let (ann, _bob, room) = ann_and_bob(&server).await;
    let mut a = ann.stomp().await;
    let receipt = a.say(&room, "m-1", "hello").await.unwrap();
    ann.get(&format!("rooms/{room}/messages?at_least={}", header(&receipt, "position"))).await;

    a.subscribe("list", "/app/rooms", &[]).await;
    let list = event(&a.message_on("list").await);
    assert_eq!(list["rooms"][0]["id"], room);
    assert_eq!(list["rooms"][0]["last_message"]["text"], "hello");
    let entry = format!("/app/rooms.{room}");
    a.subscribe("entry", &entry, &[]).await;
    let entry = event(&a.message_on("entry").await);
    assert_eq!(entry["room"]["id"], room);
    assert_eq!(texts(&entry["page"]), ["hello"]);
}

#[tokio::test]
async fn membership_changes_reach_the_one_they_are_about() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let (ann, bob, room) = ann_and_bob(&server).await;
    let cat = server.person("cat").await;
    let (mut a, mut c) = (ann.stomp().await, cat.stomp().await);
    let topic = format!("/topic/rooms.{room}");
    a.subscribe("room", &topic, &[]).await;
    c.subscribe("rooms", "/user/queue/rooms", &[]).await;
    assert_eq!(c.say(&room, "c-1", "let me in").await.unwrap_err()["code"], "not-found");

    ann.put(&format!("rooms/{room}/members/cat"), json!({})).await;
    assert_eq!(event(&c.message_on("rooms").await)["type"], "added");
    let joined = event(&a.message_on("room").await);
    assert_eq!(
        (joined["type"].as_str(), joined["action"].as_str()),
        (Some("member"), Some("joined"))
    );
    assert_eq!((joined["user"].as_str(), joined["by"].as_str()), (Some("cat"), Some("ann")));
    c.subscribe("room", &topic, &[]).await;
    c.say(&room, "c-1", "thanks").await.unwrap();
    assert_eq!(event(&a.message_on("room").await)["message"]["text"], "thanks");

    let (status, _) =
        bob.call(reqwest::Method::DELETE, &format!("rooms/{room}/members/cat"), None).await;
    assert_eq!(status, 403, "bob is only a member");
    let (status, _) =
        ann.call(reqwest::Method::DELETE, &format!("rooms/{room}/members/cat"), None).await;
    assert_eq!(status, 204);
    assert_eq!(event(&c.message_on("rooms").await)["type"], "activity");
    assert_eq!(event(&c.message_on("rooms").await)["type"], "removed");
    assert_eq!(c.say(&room, "c-2", "still here?").await.unwrap_err()["code"], "not-found");

    // Its own event was the last that the subscription brought.
    a.say(&room, "a-1", "among us").await.unwrap();
    assert_eq!(event(&c.message_on("room").await)["type"], "message");
    let last = event(&c.message_on("room").await);
    assert_eq!((last["action"].as_str(), last["user"].as_str()), (Some("kicked"), Some("cat")));
    c.silence_on("room").await;
    c.receipted("UNSUBSCRIBE", &[("id", "room")], "").await.unwrap();
    assert_eq!(c.try_subscribe("again", &topic, &[]).await.unwrap_err()["code"], "not-found");
}

#[tokio::test]
async fn a_session_needs_a_token_and_ends_with_it() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let ann = server.person("ann").await;
    for passcode in ["", "x", &ann.token[..ann.token.len() - 2]] {
        let mut stomp = Stomp::open(&server.tcp).await;
        stomp.write("CONNECT", &[("accept-version", "1.2"), ("passcode", passcode)], "").await;
        let refused = stomp.frame().await;
        assert_eq!(refused.command().as_str(), "ERROR");
        assert_eq!(header(&refused, "code"), "unauthorized");
    }
    let mut a = ann.stomp().await;
    let (status, _) = ann.call(reqwest::Method::DELETE, "sessions/current", None).await;
    assert_eq!(status, 204);
    let (status, problem) = ann.call(reqwest::Method::GET, "me", None).await;
    assert_eq!((status.as_u16(), problem["code"].as_str()), (401, Some("unauthorized")));
    let ended = a.frame().await;
    assert_eq!(header(&ended, "code"), "unauthorized");
}

#[tokio::test]
async fn what_was_said_can_be_said_otherwise_and_taken_back() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let (ann, bob, room) = ann_and_bob(&server).await;
    let (mut a, mut b) = (ann.stomp().await, bob.stomp().await);
    b.subscribe("room", &format!("/topic/rooms.{room}"), &[]).await;
    let id = header(&a.say(&room, "m-1", "helo").await.unwrap(), "message-id");
    b.message_on("room").await;

    let edit = format!("/app/rooms.{room}.edit");
    let body = json!({"id": id, "text": "hello"}).to_string();
    let headers = [("destination", edit.as_str()), ("client-message-id", "e-1")];
    let receipt = a.receipted("SEND", &headers, &body).await.unwrap();
    assert_eq!(header(&receipt, "message-id"), id);
    let edited = b.message_on("room").await;
    assert_eq!(header(&edited, "position"), header(&receipt, "position"));
    let edited = event(&edited);
    assert_eq!(edited["type"], "edited");
    assert_eq!(
        (edited["message"]["id"].as_str(), edited["message"]["text"].as_str()),
        (Some(id.as_str()), Some("hello"))
    );

    let headers = [("destination", edit.as_str()), ("client-message-id", "e-2")];
    assert_eq!(b.receipted("SEND", &headers, &body).await.unwrap_err()["code"], "forbidden");
    assert_eq!(a.receipted("SEND", &headers[..1], &body).await.unwrap_err()["code"], "invalid");
    let reused = [("destination", edit.as_str()), ("client-message-id", "m-1")];
    assert_eq!(a.receipted("SEND", &reused, &body).await.unwrap_err()["code"], "conflict");
    assert_eq!(a.say(&room, "e-1", "x").await.unwrap_err()["code"], "conflict");

    let path = format!("rooms/{room}/messages/{id}");
    let (status, gone) = ann.call(reqwest::Method::DELETE, &path, None).await;
    assert_eq!(status, 200, "{gone}");
    let deleted = event(&b.message_on("room").await);
    assert_eq!(
        (deleted["type"].as_str(), deleted["id"].as_str()),
        (Some("deleted"), Some(id.as_str()))
    );
    let at = gone["position"].as_str().unwrap();
    let page = bob.get(&format!("rooms/{room}/messages?at_least={at}")).await;
    let tombstone = &page["messages"][0];
    assert_eq!(
        (tombstone["deleted"].as_bool(), tombstone["ordinal"].as_i64()),
        (Some(true), Some(1))
    );
    assert!(tombstone.get("text").is_none());
    assert!(bob.get("rooms").await["rooms"][0]["last_message"].get("text").is_none());
    let (status, _) = ann.call(reqwest::Method::PATCH, &path, Some(json!({"text": "back"}))).await;
    assert_eq!(status, 409);

    let delivered = format!("/app/rooms.{room}.delivered");
    let headers = [("destination", delivered.as_str())];
    let body = json!({"position": at}).to_string();
    assert_eq!(a.receipted("SEND", &headers, &body).await.unwrap_err()["code"], "forbidden");
    b.receipted("SEND", &headers, &body).await.unwrap();
    let told = event(&b.message_on("room").await);
    assert_eq!(told["type"], "delivered");
    assert_eq!(told["markers"], json!([{"user": "bob", "position": at}]));

    let typing = format!("/app/rooms.{room}.typing");
    a.receipted("SEND", &[("destination", &typing)], r#"{"active":true}"#).await.unwrap();
    let typing = event(&b.message_on("room").await);
    assert_eq!((typing["type"].as_str(), typing["user"].as_str()), (Some("typing"), Some("ann")));
}

#[tokio::test]
async fn a_browser_talks_over_websocket() {
    use tokio_tungstenite::tungstenite::{Message, client::IntoClientRequest};
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let (ann, bob, room) = ann_and_bob(&server).await;
    let url = format!("{}/ws", server.base.replace("http", "ws"));
    let mut request = url.into_client_request().unwrap();
    request.headers_mut().insert("sec-websocket-protocol", "v12.stomp".parse().unwrap());
    let (mut socket, answer) = tokio_tungstenite::connect_async(request).await.unwrap();
    assert_eq!(answer.headers()["sec-websocket-protocol"], "v12.stomp");
    let topic = format!("/topic/rooms.{room}");
    for frame in [
        format!("CONNECT\naccept-version:1.2\nAuthorization:Bearer {}\n\n\0", bob.token),
        format!("SUBSCRIBE\nid:0\ndestination:{topic}\nreceipt:r\n\n\0"),
    ] {
        socket.send(Message::text(frame)).await.unwrap();
        let answer = socket.next().await.unwrap().unwrap().into_text().unwrap();
        assert!(answer.starts_with("CONNECTED") || answer.starts_with("RECEIPT"), "{answer}");
    }
    ann.stomp().await.say(&room, "m-1", "hello, browser").await.unwrap();
    let mut heard = socket.next().await.unwrap().unwrap().into_text().unwrap();
    while heard.contains("\"presence\"") {
        heard = socket.next().await.unwrap().unwrap().into_text().unwrap();
    }
    assert!(heard.starts_with("MESSAGE") && heard.contains("hello, browser"), "{heard}");
}

#[tokio::test]
async fn what_was_taken_back_is_not_told_again_though_memory_has_it() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let (ann, bob) = (server.person("ann").await, server.person("bob").await);
    let room = ann.group("Tea", &[&bob]).await;
    let mut a = ann.stomp().await;
    let before = header(&a.say(&room, "m-1", "hello").await.unwrap(), "position");
    let said = a.say(&room, "m-2", "my secret").await.unwrap();
    let id = header(&said, "message-id");
    a.say(&room, "m-3", "bye").await.unwrap();
    let change = async |a: &mut support::Stomp, verb: &str, body: serde_json::Value| {
        let destination = format!("/app/rooms.{room}.{verb}");
        let headers = [("destination", destination.as_str()), ("client-message-id", verb)];
        header(&a.receipted("SEND", &headers, &body.to_string()).await.unwrap(), "position")
    };
    change(&mut a, "edit", json!({"id": id, "text": "my other secret"})).await;
    let end = change(&mut a, "delete", json!({"id": id})).await;
    // Behind the deletion: whoever reads the log has it when this is heard.
    a.subscribe("rooms", "/user/queue/rooms", &[]).await;
    let last = header(&a.say(&room, "m-4", "done").await.unwrap(), "position");
    while event(&a.message_on("rooms").await)["position"] != *last {}

    let mut b = bob.stomp().await;
    let receipt = b.subscribe("room", &format!("/topic/rooms.{room}"), &[("from", &before)]).await;
    assert_eq!(header(&receipt, "recovered"), "true");
    let mut told = Vec::new();
    while told.len() < 5 {
        let frame = b.message_on("room").await;
        let body = String::from_utf8(frame.body().to_vec()).unwrap();
        assert!(!body.contains("secret"), "{body}");
        told.push((header(&frame, "position"), event(&frame)));
    }
    let kinds: Vec<_> = told.iter().map(|(_, event)| event["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["message", "message", "edited", "deleted", "message"]);
    assert_eq!(
        (&told[0].1["message"]["id"], &told[0].1["message"]["deleted"]),
        (&json!(id), &json!(true))
    );
    assert_eq!(told[2].1["message"]["deleted"], true);
    assert_eq!(told[3].0, end);
    assert_eq!(told[1].1["message"]["text"], "bye");
}
