//! The interface as it describes itself.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{House, answer, refused};

#[tokio::test]
async fn what_is_described_is_there_and_nothing_else_is() {
    let house = House::new(&[]);
    let http = reqwest::Client::new();
    let base = format!("{}/api/v1", house.server.base);
    let url = format!("{base}/openapi.json");
    let described = http.get(&url).send().await.unwrap();
    let tag = described.headers()["etag"].clone();
    let known = http.get(&url).header("if-none-match", tag).send().await.unwrap();
    assert_eq!(known.status(), StatusCode::NOT_MODIFIED);
    let description: Value = described.json().await.unwrap();

    let methods = ["get", "post", "put", "patch", "delete"];
    for (path, operations) in description["paths"].as_object().unwrap() {
        let operations = operations.as_object().unwrap();
        let place = path.replace(['{', '}'], "");
        for method in methods {
            let verb = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            let answered = http.request(verb, format!("{base}{place}")).send().await.unwrap();
            let status = answered.status();
            // Nobody is logged in: what is there asks who it is, or for a body.
            let is_there = status == 401 || status == 415 || status == 200;
            assert_eq!(is_there, operations.contains_key(method), "{method} {path}: {status}");
            if !is_there {
                assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED, "{method} {path}");
            }
        }
    }
    // The contract's own list, word by word.
    let contract = [
        ("/accounts", "post"),
        ("/sessions", "post"),
        ("/sessions/current", "delete"),
        ("/me/password", "put"),
        ("/me", "delete"),
        ("/me", "get"),
        ("/me", "patch"),
        ("/me/settings", "put"),
        ("/users", "get"),
        ("/users/{user}", "put"),
        ("/rooms", "get"),
        ("/rooms", "post"),
        ("/rooms/{room}", "get"),
        ("/rooms/{room}", "patch"),
        ("/rooms/{room}", "delete"),
        ("/rooms/{room}/members", "get"),
        ("/rooms/{room}/members/{user}", "put"),
        ("/rooms/{room}/members/{user}", "delete"),
        ("/rooms/{room}/bans/{user}", "put"),
        ("/rooms/{room}/bans/{user}", "delete"),
        ("/rooms/{room}/join", "post"),
        ("/rooms/{room}/leave", "post"),
        ("/rooms/{room}/invites", "post"),
        ("/rooms/{room}/invites/{code}", "delete"),
        ("/rooms/{room}/messages", "get"),
        ("/rooms/{room}/messages", "post"),
        ("/rooms/{room}/messages/{message}", "get"),
        ("/rooms/{room}/messages/{message}", "patch"),
        ("/rooms/{room}/messages/{message}", "delete"),
        ("/rooms/{room}/messages/{message}/readers", "get"),
        ("/rooms/{room}/read", "put"),
        ("/rooms/{room}/mute", "put"),
        ("/blocks/{user}", "put"),
        ("/blocks/{user}", "delete"),
        ("/search", "get"),
        ("/openapi.json", "get"),
    ];
    for (path, method) in contract {
        assert!(description["paths"][path].get(method).is_some(), "{method} {path}");
    }
}

#[tokio::test]
async fn every_name_in_the_description_leads_somewhere() {
    let house = House::new(&[]);
    let nobody = house.server.anonymous();
    let description = nobody.get("openapi.json").await;
    let mut names = Vec::new();
    collect(&description, &mut names);
    assert!(names.len() > 50, "{}", names.len());
    for name in names {
        let place = name.trim_start_matches('#');
        assert!(description.pointer(place).is_some(), "{name}");
    }
}

/// Every `$ref` in it.
fn collect(value: &Value, names: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            names.extend(fields.get("$ref").and_then(Value::as_str).map(str::to_owned));
            fields.values().for_each(|field| collect(field, names));
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, names)),
        _ => {}
    }
}

#[tokio::test]
async fn the_page_about_it_needs_nothing_from_elsewhere() {
    let house = House::new(&[]);
    let http = reqwest::Client::new();
    let get =
        async |path: &str| http.get(format!("{}{path}", house.server.base)).send().await.unwrap();
    let page = get("/docs").await;
    assert_eq!(page.status(), StatusCode::OK);
    let policy = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    assert_eq!(page.headers()["content-type"], "text/html; charset=utf-8");
    let html = page.text().await.unwrap();
    for part in ["/docs/docs.js", "/docs/docs.css"] {
        assert!(html.contains(part), "{part}");
        assert_eq!(get(part).await.status(), StatusCode::OK, "{part}");
    }
    assert!(!html.contains("://"), "no other host");
}

#[tokio::test]
async fn bodies_are_bounded_in_size_and_depth() {
    let house = House::new(&[]);
    let [ann] = house.people(["ann"]).await;
    let room = ann.group("Tea", &[]).await;
    let messages = format!("rooms/{room}/messages");
    let big = Some(json!({"text": "x".repeat(70_000)}));
    assert_eq!(answer(&ann, Method::POST, &messages, big).await, refused(413, "too-large"));
    let nested = |depth: usize| {
        let body = format!("{{\"content\":{}1{}}}", "{\"a\":".repeat(depth), "}".repeat(depth));
        let send = reqwest::Client::new()
            .post(format!("{}/api/v1/{messages}", house.server.base))
            .bearer_auth(&ann.token)
            .header("content-type", "application/json")
            .body(body);
        async move { send.send().await.unwrap().status().as_u16() }
    };
    assert_eq!(nested(60).await, 201);
    assert_eq!(nested(10_000).await, 400);
    let mut a = ann.stomp().await;
    let deep = format!("{{\"content\":{}1{}}}", "{\"a\":".repeat(9_000), "}".repeat(9_000));
    let destination = format!("/app/rooms.{room}.send");
    let refusal = a.receipted("SEND", &[("destination", &destination)], &deep).await.unwrap_err();
    assert_eq!(refusal["code"], "invalid");
}

#[tokio::test]
async fn messages_say_what_the_contract_lets_them_say() {
    let house = House::new(&[]);
    let [ann, bob, eve] = house.people(["ann", "bob", "eve"]).await;
    let room = ann.group("Tea", &[&bob]).await;
    let other = ann.group("Other", &[]).await;
    let elsewhere = super::said(&ann, &other, json!({"text": "elsewhere"})).await;
    let messages = format!("rooms/{room}/messages");
    let forged = json!({
        "content": {"kind": "poll", "options": ["a", "b"]}, "mentions": ["bob", "eve", "bob", "no one"],
        "id": "mine", "sender": "bob", "position": "x", "ordinal": 99, "created_at": "1999-01-01T00:00:00Z",
        "deleted": true, "room": "other", "surprise": 1,
    });
    let id = super::said(&ann, &room, forged).await;
    let seen = ann.get(&format!("{messages}/{id}")).await;
    assert_eq!(seen["content"], json!({"kind": "poll", "options": ["a", "b"]}));
    assert_eq!(seen["mentions"], json!(["bob"]), "members only, each once");
    assert_eq!(
        (&seen["sender"], &seen["ordinal"], &seen["room"]),
        (&json!("ann"), &json!(1), &json!(room))
    );
    assert!(seen.get("deleted").is_none() && seen["created_at"].as_str().unwrap() > "2020");
    let reply = super::said(&bob, &room, json!({"text": "a", "reply_to": id})).await;
    assert_eq!(ann.get(&format!("{messages}/{reply}")).await["reply_to"], id);

    let refusals = [
        (json!({"text": "x", "reply_to": elsewhere}), 404, "not-found"),
        (json!({"text": "x", "reply_to": "nothing"}), 404, "not-found"),
        (json!({"text": "x", "reply_to": "no/id"}), 404, "not-found"),
        (json!({"text": ""}), 400, "invalid"),
        (json!({}), 400, "invalid"),
        (json!({"text": "x", "content": {}}), 400, "invalid"),
        (json!({"content": []}), 400, "invalid"),
        (json!({"text": "x", "mentions": vec!["bob"; 51]}), 400, "invalid"),
        (json!({"text": "x", "client_message_id": "with space"}), 400, "invalid"),
        (json!({"text": "x", "client_message_id": "x".repeat(65)}), 400, "invalid"),
    ];
    for (body, status, code) in refusals {
        let got = answer(&ann, Method::POST, &messages, Some(body.clone())).await;
        assert_eq!(got, refused(status, code), "{body}");
    }
    let around = answer(&eve, Method::GET, &format!("{messages}?around_id={id}"), None).await;
    assert_eq!(around, refused(404, "not-found"));
}

#[tokio::test]
async fn numbers_are_for_this_machine_and_for_whoever_has_the_token() {
    let house = House::new(&["--admin-token", "open sesame"]);
    let http = reqwest::Client::new();
    let url = format!("{}/metrics", house.server.base);
    let text = http.get(&url).send().await.unwrap().text().await.unwrap();
    assert!(text.contains("# HELP stomp_connections "), "{text}");

    // Through a proxy nobody is of this machine.
    let ask = async |token: &str| {
        let asked = http.get(&url).header("x-forwarded-for", "203.0.113.9");
        asked.bearer_auth(token).send().await.unwrap().status()
    };
    assert_eq!(ask("open sesame").await, StatusCode::OK);
    assert_eq!(ask("open barley").await, StatusCode::NOT_FOUND);
}
