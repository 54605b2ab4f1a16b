//! Who may come in, and who may not.

use reqwest::Method;
use serde_json::json;

use super::{DONE, House, answer, eventually, refused, support::event};

#[tokio::test]
async fn an_invitation_opens_a_private_room_until_it_is_taken_back() {
    let house = House::new(&[]);
    let [ann, bob, cat] = house.people(["ann", "bob", "cat"]).await;
    let room = ann.group("Secret tea", &[&cat]).await;
    let invites = format!("rooms/{room}/invites");
    let join = format!("rooms/{room}/join");

    let (status, invite) = ann.call(Method::POST, &invites, None).await;
    assert_eq!(status, 201);
    let code = invite["code"].as_str().unwrap();
    assert!(code.len() >= 16, "{code}");
    assert!(invite["url"].as_str().unwrap().contains(code));
    assert!(invite["expires_at"].as_str().unwrap().ends_with('Z'));
    assert_eq!(answer(&cat, Method::POST, &invites, None).await, refused(403, "forbidden"));
    assert_eq!(answer(&bob, Method::POST, &invites, None).await, refused(404, "not-found"));

    for wrong in [json!({}), json!({"invite": "x"}), json!({"invite": "0123456789abcdef0123"})] {
        assert_eq!(answer(&bob, Method::POST, &join, Some(wrong)).await, refused(404, "not-found"));
    }
    let joined = bob.post(&join, json!({"invite": code})).await;
    assert_eq!((joined["role"].as_str(), joined["id"].as_str()), (Some("member"), Some(&*room)));
    assert_eq!(
        answer(&bob, Method::POST, &join, Some(json!({"invite": "x"}))).await.0,
        200,
        "a member"
    );

    let taken_back = format!("{invites}/{code}");
    assert_eq!(answer(&bob, Method::DELETE, &taken_back, None).await, refused(403, "forbidden"));
    assert_eq!(answer(&ann, Method::DELETE, &taken_back, None).await, DONE);
    assert_eq!(answer(&ann, Method::DELETE, &taken_back, None).await, DONE);
    bob.post(&format!("rooms/{room}/leave"), json!({})).await;
    let again = answer(&bob, Method::POST, &join, Some(json!({"invite": code}))).await;
    assert_eq!(again, refused(404, "not-found"));
    // The code of one room opens no other.
    let other = ann.group("Other", &[]).await;
    let invite = ann.post(&format!("rooms/{other}/invites"), json!({})).await;
    let crossed = json!({"invite": invite["code"]});
    assert_eq!(answer(&bob, Method::POST, &join, Some(crossed)).await, refused(404, "not-found"));
}

#[tokio::test]
async fn a_ban_ends_the_membership_and_keeps_out() {
    let house = House::new(&[]);
    let [ann, bob, cat] = house.people(["ann", "bob", "cat"]).await;
    let room = ann.post("rooms", json!({"kind": "group", "public": true, "name": "Open"})).await;
    let room = room["id"].as_str().unwrap().to_owned();
    let join = format!("rooms/{room}/join");
    for person in [&bob, &cat] {
        person.post(&join, json!({})).await;
    }
    let ban = |name: &str| format!("rooms/{room}/bans/{name}");
    assert_eq!(answer(&bob, Method::PUT, &ban("cat"), None).await, refused(403, "forbidden"));
    ann.put(&format!("rooms/{room}/members/cat"), json!({"role": "admin"})).await;
    assert_eq!(answer(&cat, Method::PUT, &ban("ann"), None).await, refused(403, "forbidden"));
    assert_eq!(answer(&ann, Method::PUT, &ban("ann"), None).await, refused(400, "invalid"));
    assert_eq!(answer(&ann, Method::PUT, &ban("nobody"), None).await, refused(404, "not-found"));

    let (mut a, mut b) = (ann.stomp().await, bob.stomp().await);
    let topic = format!("/topic/rooms.{room}");
    a.subscribe("room", &topic, &[]).await;
    b.subscribe("room", &topic, &[]).await;
    b.subscribe("rooms", "/user/queue/rooms", &[]).await;
    assert_eq!(answer(&cat, Method::PUT, &ban("bob"), None).await, DONE);
    for session in [&mut a, &mut b] {
        let told = event(&session.message_on("room").await);
        assert_eq!(told["action"], "banned");
        assert_eq!((&told["user"], &told["by"]), (&json!("bob"), &json!("cat")));
        assert!(told.get("role").is_none() && told["version"].is_i64());
    }
    assert_eq!(event(&b.message_on("rooms").await)["type"], "removed");
    assert_eq!(b.say(&room, "b-1", "still here?").await.unwrap_err()["code"], "not-found");

    let invite = ann.post(&format!("rooms/{room}/invites"), json!({})).await;
    for body in [json!({}), json!({"invite": invite["code"]})] {
        assert_eq!(answer(&bob, Method::POST, &join, Some(body)).await, refused(403, "forbidden"));
    }
    let add = format!("rooms/{room}/members/bob");
    assert_eq!(answer(&ann, Method::PUT, &add, None).await, refused(409, "conflict"));
    assert_eq!(answer(&cat, Method::PUT, &ban("bob"), None).await, DONE, "once more is the same");
    assert_eq!(answer(&cat, Method::DELETE, &ban("bob"), None).await, DONE);
    assert_eq!(answer(&bob, Method::POST, &join, Some(json!({}))).await.0, 200);
}

#[tokio::test]
async fn somebody_who_never_was_there_can_be_kept_out_beforehand() {
    let house = House::new(&[]);
    let [ann, eve] = house.people(["ann", "eve"]).await;
    let room = ann.post("rooms", json!({"kind": "group", "public": true})).await;
    let room = room["id"].as_str().unwrap();
    let path = format!("rooms/{room}/bans/eve");
    assert_eq!(answer(&ann, Method::PUT, &path, None).await, DONE);
    let join = format!("rooms/{room}/join");
    assert_eq!(answer(&eve, Method::POST, &join, None).await, refused(403, "forbidden"));
    assert_eq!(ann.get(&format!("rooms/{room}")).await["member_count"], 1);
}

#[tokio::test]
async fn who_blocks_ends_the_talk_of_two_and_says_no_word_about_it() {
    let house = House::new(&[]);
    let [ann, bob, cat] = house.people(["ann", "bob", "cat"]).await;
    let direct = json!({"kind": "direct", "members": ["bob"]});
    let room = ann.post("rooms", direct.clone()).await["id"].as_str().unwrap().to_owned();
    let messages = format!("rooms/{room}/messages");
    let mut a = ann.stomp().await;
    a.subscribe("room", &format!("/topic/rooms.{room}"), &[]).await;
    a.say(&room, "a-1", "before").await.unwrap();
    assert_eq!(event(&a.message_on("room").await)["message"]["text"], "before");

    assert_eq!(answer(&bob, Method::PUT, "blocks/ann", None).await, DONE);
    assert_eq!(answer(&bob, Method::PUT, "blocks/ann", None).await, DONE);
    assert_eq!(bob.get("blocks").await["users"][0]["id"], "ann");
    assert_eq!(a.say(&room, "a-2", "hello?").await.unwrap_err()["code"], "forbidden");
    let text = |text: &str| Some(json!({"text": text}));
    assert_eq!(answer(&bob, Method::POST, &messages, text("x")).await, refused(403, "forbidden"));
    assert_eq!(answer(&ann, Method::POST, &messages, text("x")).await, refused(403, "forbidden"));
    // A retry of what was sent before is still the same message.
    let again = a.say(&room, "a-1", "before").await.unwrap();
    assert_eq!(again.header("duplicate").as_deref(), Some("true"));
    a.silence_on("room").await;
    // Groups go on, and the room that is there is found again.
    let group = cat.group("Both", &[&ann, &bob]).await;
    ann.post(&format!("rooms/{group}/messages"), json!({"text": "in company"})).await;
    assert_eq!(ann.post("rooms", direct).await["id"], room);
    // A room that is not there yet is not made.
    assert_eq!(answer(&ann, Method::PUT, "blocks/cat", None).await, DONE);
    let other = json!({"kind": "direct", "members": ["ann"]});
    assert_eq!(answer(&cat, Method::POST, "rooms", Some(other)).await, refused(403, "forbidden"));

    assert_eq!(answer(&bob, Method::DELETE, "blocks/ann", None).await, DONE);
    assert_eq!(bob.get("blocks").await["users"], json!([]));
    a.say(&room, "a-3", "there you are").await.unwrap();
    for wrong in ["blocks/ann", "blocks/nobody"] {
        assert!(answer(&ann, Method::PUT, wrong, None).await.0 >= 400, "{wrong}");
    }
}

#[tokio::test]
async fn the_last_owner_stays_and_the_last_one_out_ends_the_room() {
    let house = House::new(&[]);
    let [ann, bob] = house.people(["ann", "bob"]).await;
    let room = ann.group("Tea", &[&bob]).await;
    let leave = format!("rooms/{room}/leave");
    assert_eq!(answer(&ann, Method::POST, &leave, None).await, refused(409, "conflict"));
    let itself = format!("rooms/{room}/members/ann");
    assert_eq!(answer(&ann, Method::DELETE, &itself, None).await, refused(409, "conflict"));
    ann.put(&format!("rooms/{room}/members/bob"), json!({"role": "owner"})).await;
    assert_eq!(answer(&ann, Method::POST, &leave, None).await, DONE);
    assert_eq!(answer(&bob, Method::POST, &leave, None).await, DONE);
    let gone = answer(&bob, Method::GET, &format!("rooms/{room}"), None).await;
    assert_eq!(gone, refused(404, "not-found"));
}

#[tokio::test]
async fn a_newcomer_sees_the_past_and_has_nothing_to_catch_up_with() {
    let house = House::new(&[]);
    let [ann, bob] = house.people(["ann", "bob"]).await;
    let room = ann.group("Tea", &[]).await;
    for n in 0..3 {
        super::said(&ann, &room, json!({"text": format!("m{n}")})).await;
    }
    ann.put(&format!("rooms/{room}/members/bob"), json!({})).await;
    let seen = bob.get(&format!("rooms/{room}")).await;
    assert_eq!((&seen["unread"], &seen["read_ordinal"]), (&json!(0), &json!(3)));
    let page = bob.get(&format!("rooms/{room}/messages")).await;
    assert_eq!(page["messages"].as_array().unwrap().len(), 3);
    super::said(&ann, &room, json!({"text": "for you"})).await;
    eventually("one unread message", async || {
        (bob.get(&format!("rooms/{room}")).await["unread"] == 1).then_some(())
    })
    .await;
}
