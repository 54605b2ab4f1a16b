//! Kicks, edits and deletions that meet what goes on at the same moment.

use reqwest::Method;
use serde_json::json;

use super::{
    House, answer, eventually,
    support::{event, header},
};

#[tokio::test]
async fn nothing_is_heard_behind_ones_own_kick_however_busy_the_room() {
    let house = House::new(&[]);
    let [ann, bob] = house.people(["ann", "bob"]).await;
    let room = ann.group("Tea", &[&bob]).await;
    let (mut a, mut b) = (ann.stomp().await, bob.stomp().await);
    b.subscribe("room", &format!("/topic/rooms.{room}"), &[]).await;
    let talk = async {
        for n in 0..100 {
            a.say(&room, &format!("a-{n}"), "on and on").await.unwrap();
        }
        a.say(&room, "a-last", "the last word").await.unwrap();
    };
    let kick = async {
        let member = format!("rooms/{room}/members/bob");
        ann.call(Method::DELETE, &member, None).await;
    };
    tokio::join!(talk, kick);
    let kicked = loop {
        let heard = b.message_on("room").await;
        if event(&heard)["type"] == "member" {
            break header(&heard, "position");
        }
    };
    b.silence_on("room").await;
    // Everything that was said behind it is in the history, where ann finds it.
    let page = eventually("the last word", async || {
        let page = ann.get(&format!("rooms/{room}/messages?limit=200")).await;
        let last = page["messages"].as_array()?.last()?.clone();
        (last["text"] == "the last word").then_some(page)
    })
    .await;
    let messages = page["messages"].as_array().unwrap();
    assert_eq!(messages.len(), 101);
    assert!(messages.iter().any(|message| message["position"].as_str().unwrap() > &*kicked));
}

#[tokio::test]
async fn of_an_edit_and_a_deletion_at_once_the_deletion_stays() {
    let house = House::new(&[]);
    let [ann, bob] = house.people(["ann", "bob"]).await;
    let room = ann.group("Tea", &[&bob]).await;
    for n in 0..10 {
        let sent =
            bob.post(&format!("rooms/{room}/messages"), json!({"text": n.to_string()})).await;
        let path = format!("rooms/{room}/messages/{}", sent["message_id"].as_str().unwrap());
        let edit = answer(&bob, Method::PATCH, &path, Some(json!({"text": "otherwise"})));
        let delete = answer(&ann, Method::DELETE, &path, None);
        let (edited, deleted) = tokio::join!(edit, delete);
        assert_eq!(deleted.0, 200);
        assert!(matches!(edited.0, 200 | 409), "{edited:?}");
        let seen = eventually("the tombstone", async || {
            let (_, seen) = ann.call(Method::GET, &path, None).await;
            (seen["deleted"] == true).then_some(seen)
        })
        .await;
        assert!(seen.get("text").is_none(), "{seen}");
    }
}

#[tokio::test]
async fn a_retry_of_a_change_is_a_duplicate_also_after_the_message_is_gone() {
    let house = House::new(&[]);
    let [ann] = house.people(["ann"]).await;
    let room = ann.group("Tea", &[]).await;
    let messages = format!("rooms/{room}/messages");
    let send = json!({"text": "helo", "client_message_id": "s-1"});
    let sent = ann.post(&messages, send.clone()).await;
    let path = format!("{messages}/{}", sent["message_id"].as_str().unwrap());
    let edit = json!({"text": "hello", "client_message_id": "e-1"});
    let change = async |method: Method, path: &str, body: Option<serde_json::Value>| {
        let (status, done) = ann.call(method, path, body).await;
        assert_eq!(status, 200, "{done}");
        (done["duplicate"] == true, done["position"].as_str().unwrap().to_owned())
    };
    let (again, first) = change(Method::PATCH, &path, Some(edit.clone())).await;
    assert!(!again);
    let delete = format!("{path}?client_message_id=d-1");
    let (again, gone) = change(Method::DELETE, &delete, None).await;
    assert!(!again);
    assert_eq!(change(Method::PATCH, &path, Some(edit)).await, (true, first));
    assert_eq!(change(Method::DELETE, &delete, None).await, (true, gone));
    let again = ann.post(&messages, send).await;
    assert_eq!((&again["duplicate"], &again["position"]), (&json!(true), &sent["position"]));
    // One namespace: an id that was used for one thing is for no other.
    for (method, path, body) in [
        (Method::POST, messages.clone(), Some(json!({"text": "x", "client_message_id": "e-1"}))),
        (Method::POST, messages.clone(), Some(json!({"text": "x", "client_message_id": "d-1"}))),
        (Method::PATCH, path.clone(), Some(json!({"text": "x", "client_message_id": "s-1"}))),
        (Method::DELETE, format!("{path}?client_message_id=e-1"), None),
    ] {
        assert_eq!(
            answer(&ann, method, &path, body).await,
            super::refused(409, "conflict"),
            "{path}"
        );
    }
}

#[tokio::test]
async fn an_id_of_something_that_was_refused_is_free_again() {
    let house = House::new(&[]);
    let [ann, bob] = house.people(["ann", "bob"]).await;
    let room = ann.group("Tea", &[&bob]).await;
    let sent = ann.post(&format!("rooms/{room}/messages"), json!({"text": "mine"})).await;
    let path = format!("rooms/{room}/messages/{}", sent["message_id"].as_str().unwrap());
    let edit = json!({"text": "no, mine", "client_message_id": "b-1"});
    assert_eq!(
        answer(&bob, Method::PATCH, &path, Some(edit)).await,
        super::refused(403, "forbidden")
    );
    let send = json!({"text": "then this", "client_message_id": "b-1"});
    assert_eq!(
        answer(&bob, Method::POST, &format!("rooms/{room}/messages"), Some(send)).await.0,
        201
    );
}

#[tokio::test]
async fn many_joiners_and_a_ban_leave_the_count_right() {
    let house = House::new(&[]);
    let [ann, bob, cat, dan] = house.people(["ann", "bob", "cat", "dan"]).await;
    let room = ann.post("rooms", json!({"kind": "group", "public": true})).await;
    let room = room["id"].as_str().unwrap();
    let join = format!("rooms/{room}/join");
    let ban = format!("rooms/{room}/bans/dan");
    let (b, c, d, banned) = tokio::join!(
        answer(&bob, Method::POST, &join, None),
        answer(&cat, Method::POST, &join, None),
        answer(&dan, Method::POST, &join, None),
        answer(&ann, Method::PUT, &ban, None),
    );
    assert_eq!((b.0, c.0, banned.0), (200, 200, 204));
    // In before the ban, or out behind it, or out of it at once: in any case out.
    assert!(matches!(d.0, 200 | 403 | 404), "{d:?}");
    let seen = ann.get(&format!("rooms/{room}")).await;
    assert_eq!(seen["members"], json!(["ann", "bob", "cat"]));
    assert_eq!(seen["member_count"], 3);
}
