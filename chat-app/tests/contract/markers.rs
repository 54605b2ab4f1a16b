//! How far people have read, who is writing, and who is here.

use reqwest::Method;
use serde_json::{Value, json};

use super::{DONE, House, answer, eventually, refused, said, support::event};

fn names(list: &Value) -> Vec<String> {
    let readers = list["readers"].as_array().unwrap();
    readers.iter().map(|reader| reader["user"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn who_has_read_is_told_without_the_sender_and_the_private() {
    let house = House::new(&[]);
    let [ann, bob, cat, dan] = house.people(["ann", "bob", "cat", "dan"]).await;
    let room = ann.group("Tea", &[&bob, &cat]).await;
    let first = said(&ann, &room, json!({"text": "first"})).await;
    let second = said(&ann, &room, json!({"text": "second"})).await;
    let readers = |id: &str| format!("rooms/{room}/messages/{id}/readers");
    assert_eq!(names(&ann.get(&readers(&first)).await), [""; 0]);

    let read = format!("rooms/{room}/read");
    bob.put(&read, json!({"ordinal": 1})).await;
    let settings = cat.put("me/settings", json!({"private_receipts": true})).await;
    assert_eq!(settings["private_receipts"], true);
    cat.put(&read, json!({"ordinal": 2})).await;
    eventually("bob's mark", async || {
        (names(&ann.get(&readers(&first)).await) == ["bob"]).then_some(())
    })
    .await;
    assert_eq!(names(&ann.get(&readers(&second)).await), [""; 0]);
    eventually("what cat has read, for cat alone", async || {
        (cat.get(&format!("rooms/{room}")).await["unread"] == 0).then_some(())
    })
    .await;
    // A newcomer has nothing to catch up with, and has read none of it either.
    ann.put(&format!("rooms/{room}/members/dan"), json!({})).await;
    assert_eq!(names(&ann.get(&readers(&first)).await), ["bob"]);
    let paged = ann.get(&format!("{}?limit=1", readers(&first))).await;
    let cursor = paged["cursor"].as_str().unwrap();
    let more = ann.get(&format!("{}?cursor={cursor}", readers(&first))).await;
    assert_eq!(more["readers"], json!([]));
    assert_eq!(answer(&dan, Method::GET, &readers("none"), None).await, refused(404, "not-found"));
}

#[tokio::test]
async fn a_private_mark_reaches_only_ones_own_sessions() {
    let house = House::new(&[]);
    let [ann, bob] = house.people(["ann", "bob"]).await;
    let room = ann.group("Tea", &[&bob]).await;
    said(&ann, &room, json!({"text": "hello"})).await;
    bob.put("me/settings", json!({"private_receipts": true})).await;
    let (mut a, mut phone, mut laptop) = (ann.stomp().await, bob.stomp().await, bob.stomp().await);
    let topic = format!("/topic/rooms.{room}");
    a.subscribe("room", &topic, &[]).await;
    phone.subscribe("room", &topic, &[]).await;
    laptop.subscribe("rooms", "/user/queue/rooms", &[]).await;
    for verb in ["read", "delivered"] {
        let destination = format!("/app/rooms.{room}.{verb}");
        let headers = [("destination", destination.as_str())];
        phone.receipted("SEND", &headers, r#"{"ordinal":1}"#).await.unwrap();
    }
    assert_eq!(event(&laptop.message_on("rooms").await)["type"], "read");
    // What comes behind both marks is the first that ann hears.
    said(&bob, &room, json!({"text": "read, but you do not know"})).await;
    assert_eq!(event(&a.message_on("room").await)["type"], "message");
}

#[tokio::test]
async fn a_mark_is_of_this_log_and_of_no_other() {
    let house = House::new(&[]);
    let [ann] = house.people(["ann"]).await;
    let room = ann.group("Tea", &[]).await;
    said(&ann, &room, json!({"text": "hello"})).await;
    let read = format!("rooms/{room}/read");
    for wrong in [
        json!({}),
        json!({"position": "x"}),
        json!({"position": "00000000-0000000000000001"}),
        json!({"ordinal": -1}),
        json!({"ordinal": 1, "position": "00000000-0000000000000001"}),
    ] {
        let refusal = answer(&ann, Method::PUT, &read, Some(wrong.clone())).await;
        assert_eq!(refusal, refused(400, "invalid"), "{wrong}");
    }
    assert_eq!(answer(&ann, Method::PUT, &read, Some(json!({"ordinal": 99}))).await, DONE);
    let seen = ann.get(&format!("rooms/{room}")).await;
    assert_eq!(seen["read_ordinal"], 1, "never beyond the newest message");
}

#[tokio::test]
async fn writers_are_told_once_and_then_not_for_a_while() {
    let house = House::new(&[]);
    let [ann, bob] = house.people(["ann", "bob"]).await;
    let room = ann.group("Tea", &[&bob]).await;
    let (mut a, mut b) = (ann.stomp().await, bob.stomp().await);
    b.subscribe("room", &format!("/topic/rooms.{room}"), &[]).await;
    let destination = format!("/app/rooms.{room}.typing");
    for _ in 0..20 {
        let headers = [("destination", destination.as_str())];
        a.receipted("SEND", &headers, r#"{"active":true}"#).await.unwrap();
    }
    a.say(&room, "a-1", "done").await.unwrap();
    let mut heard = Vec::new();
    while heard.last().is_none_or(|kind| kind != "message") {
        heard.push(event(&b.message_on("room").await)["type"].as_str().unwrap().to_owned());
    }
    // One, and perhaps another on a machine that took two seconds for it.
    assert!((2..=6).contains(&heard.len()), "{heard:?}");
    assert_eq!(heard[0], "typing");
}

#[tokio::test]
async fn who_is_here_is_told_to_the_room_and_to_newcomers() {
    let house = House::new(&[]);
    let [ann, bob] = house.people(["ann", "bob"]).await;
    let room = ann.group("Tea", &[&bob]).await;
    let mut a = ann.stomp().await;
    a.subscribe("room", &format!("/topic/rooms.{room}"), &[]).await;
    let b = bob.stomp().await;
    let told = |told: &Value| (told["user"] == "bob").then(|| told["online"].as_bool().unwrap());
    let mut until = async |wanted: bool| {
        while told(&a.presence_on("room").await) != Some(wanted) {}
    };
    tokio::time::timeout(super::support::PATIENCE, until(true)).await.expect("bob has come");
    let online = async || {
        let members = ann.get(&format!("rooms/{room}/members")).await;
        let members = members["members"].as_array().unwrap().clone();
        members.iter().map(|member| member["online"].as_bool().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(online().await, [true, true]);
    drop(b);
    tokio::time::timeout(super::support::PATIENCE, until(false)).await.expect("bob has gone");
    assert_eq!(online().await, [true, false]);
}
