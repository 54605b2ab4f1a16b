//! What people decide about themselves.

use reqwest::Method;
use serde_json::{Value, json};

use super::{
    DONE, House, answer, refused, said,
    support::{PASSWORD, event, header},
};

#[tokio::test]
async fn profiles_and_settings_are_ones_own() {
    let house = House::new(&[]);
    let [ann, bob] = house.people(["ann", "bob"]).await;
    let me = ann.get("me").await;
    let settings = json!({"private_receipts": false, "preview": true, "quiet_hours": null});
    assert_eq!(me, json!({"id": "ann", "name": "ann", "settings": settings}));
    let change = |body: Value| ann.call(Method::PATCH, "me", Some(body));
    let picture = "https://pics.example/ann.png";
    let (status, me) = change(json!({"name": "Ann 안", "picture": picture})).await;
    assert_eq!(
        (status.as_u16(), &me["name"], &me["picture"]),
        (200, &json!("Ann 안"), &json!(picture))
    );
    let (_, me) = change(json!({"picture": null})).await;
    assert_eq!((me.get("picture"), &me["name"]), (None, &json!("Ann 안")));
    for wrong in
        [json!({"name": ""}), json!({"name": "x".repeat(129)}), json!({"picture": "javascript:x"})]
    {
        assert_eq!(change(wrong.clone()).await.0, 400, "{wrong}");
    }
    let hours = json!({"from": "22:00", "to": "07:00", "zone": "Asia/Seoul"});
    let changed = ann.put("me/settings", json!({"quiet_hours": hours, "preview": false})).await;
    assert_eq!(changed, json!({"private_receipts": false, "preview": false, "quiet_hours": hours}));
    let ended = ann.put("me/settings", json!({"quiet_hours": null})).await;
    assert_eq!((&ended["quiet_hours"], &ended["preview"]), (&Value::Null, &json!(false)));
    assert_eq!(ann.get("me").await["settings"], ended);
    let wrong = json!({"quiet_hours": {"from": "25:00", "to": "07:00", "zone": "UTC"}});
    assert_eq!(
        answer(&ann, Method::PUT, "me/settings", Some(wrong)).await,
        refused(400, "invalid")
    );
    // Others find her by the new name, and see no settings.
    let found = bob.get("users?query=ann%20%EC%95%88").await;
    assert_eq!(found["users"], json!([{"id": "ann", "name": "Ann 안"}]));
    let page = bob.get("users?query=&limit=1").await;
    let rest = bob.get(&format!("users?query=&cursor={}", page["cursor"].as_str().unwrap())).await;
    assert_eq!(rest["users"][0]["id"], "bob");
}

#[tokio::test]
async fn a_new_password_ends_all_other_sessions() {
    let house = House::new(&[]);
    let [ann] = house.people(["ann"]).await;
    let mut other = ann.clone();
    other.log_in().await;
    let (mut mine, mut theirs) = (ann.stomp().await, other.stomp().await);
    let change = |old: &str, new: &str| {
        let body = json!({"old_password": old, "new_password": new});
        let ann = ann.clone();
        async move { answer(&ann, Method::PUT, "me/password", Some(body)).await }
    };
    assert_eq!(change("wrong password", "new password").await, refused(403, "forbidden"));
    assert_eq!(change(PASSWORD, "short").await, refused(400, "invalid"));
    assert_eq!(change(PASSWORD, "new password").await, DONE);
    assert_eq!(ann.get("me").await["id"], "ann", "this session goes on");
    assert_eq!(answer(&other, Method::GET, "me", None).await, refused(401, "unauthorized"));
    let ended = theirs.frame().await;
    assert_eq!(
        (ended.command().as_str(), header(&ended, "code").as_str()),
        ("ERROR", "unauthorized")
    );
    mine.subscribe("rooms", "/user/queue/rooms", &[]).await;
    let login = |password: &str| Some(json!({"name": "ann", "password": password}));
    let refusal = answer(&ann, Method::POST, "sessions", login(PASSWORD)).await;
    assert_eq!(refusal, refused(401, "unauthorized"));
    assert_eq!(answer(&ann, Method::POST, "sessions", login("new password")).await.0, 201);
}

#[tokio::test]
async fn who_goes_leaves_the_words_and_nobody_gets_the_name() {
    let house = House::new(&[]);
    let [ann, bob, cat] = house.people(["ann", "bob", "cat"]).await;
    let room = ann.group("Tea", &[&bob, &cat]).await;
    ann.put(&format!("rooms/{room}/members/cat"), json!({"role": "admin"})).await;
    said(&ann, &room, json!({"text": "remember me"})).await;
    let mut session = ann.stomp().await;
    let mut b = bob.stomp().await;
    b.subscribe("room", &format!("/topic/rooms.{room}"), &[]).await;
    assert_eq!(answer(&ann, Method::DELETE, "me", None).await, DONE);
    assert_eq!(answer(&ann, Method::GET, "me", None).await, refused(401, "unauthorized"));
    let ended = session.frame().await;
    assert_eq!(header(&ended, "code"), "unauthorized");

    let heir = event(&b.message_on("room").await);
    assert_eq!((&heir["user"], &heir["role"]), (&json!("cat"), &json!("owner")));
    assert_eq!(event(&b.message_on("room").await)["action"], "left");
    let page = bob.get(&format!("rooms/{room}/messages")).await;
    assert_eq!(page["messages"][0]["sender"], "ann");
    let account = Some(json!({"name": "Ann", "password": PASSWORD}));
    assert_eq!(
        answer(&bob, Method::POST, "accounts", account.clone()).await,
        refused(409, "conflict")
    );
    assert_eq!(answer(&bob, Method::POST, "sessions", account).await, refused(401, "unauthorized"));
    assert_eq!(bob.get("users?query=ann").await["users"], json!([]));
    let add = format!("rooms/{room}/members/ann");
    assert_eq!(answer(&cat, Method::PUT, &add, None).await, refused(404, "not-found"));
}

#[tokio::test]
async fn who_sends_too_much_waits() {
    let house = House::new(&["--rate-send", "2"]);
    let [ann] = house.people(["ann"]).await;
    let room = ann.group("Tea", &[]).await;
    let mut a = ann.stomp().await;
    let mut refusal = None;
    for n in 0..50 {
        if let Err(problem) = a.say(&room, &format!("a-{n}"), "again").await {
            refusal = Some(problem);
            break;
        }
    }
    let refusal = refusal.expect("fifty messages are more than two a second");
    assert_eq!(refusal["code"], "rate-limited");
    assert!(refusal["retry_after_ms"].as_u64().unwrap() <= 500, "{refusal}");
    let url = format!("{}/api/v1/rooms/{room}/messages", house.server.base);
    let mut limited = None;
    for _ in 0..50 {
        let send = reqwest::Client::new().post(&url).bearer_auth(&ann.token);
        let answer = send.json(&json!({"text": "and again"})).send().await.unwrap();
        if answer.status() == 429 {
            limited = Some(answer);
            break;
        }
    }
    assert_eq!(limited.expect("over REST too").headers()["retry-after"], "1");
}

#[tokio::test]
async fn an_address_that_a_proxy_tells_is_throttled_and_loopback_is_not() {
    let house = House::new(&["--rate-login", "1", "--trusted-proxy", "127.0.0.1"]);
    let http = reqwest::Client::new();
    let attempt = async |name: String, address: Option<&str>| {
        let mut login = http
            .post(format!("{}/api/v1/sessions", house.server.base))
            .json(&json!({"name": name, "password": "wrong password"}));
        if let Some(address) = address {
            login = login.header("x-forwarded-for", address);
        }
        login.send().await.unwrap().status().as_u16()
    };
    for n in 0..10 {
        assert_eq!(attempt(format!("u{n}"), Some("203.0.113.7")).await, 401);
    }
    assert_eq!(attempt("u10".into(), Some("203.0.113.7")).await, 429);
    assert_eq!(attempt("u11".into(), Some("203.0.113.8")).await, 401);
    assert_eq!(attempt("u12".into(), None).await, 401);
}
