//! A room that one is not in looks exactly like one that does not exist, however one asks.

mod support;

use reqwest::Method;
use serde_json::{Value, json};
use support::Server;

const NOWHERE: &str = "01890000-0000-7000-8000-000000000000";

#[tokio::test]
async fn over_rest() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let (ann, eve) = (server.person("ann").await, server.person("eve").await);
    let room = ann.group("Secret", &[]).await;
    let sent = ann.post(&format!("rooms/{room}/messages"), json!({"text": "psst"})).await;
    let message = sent["message_id"].as_str().unwrap();
    let probes = [
        (Method::GET, String::new(), None),
        (Method::PATCH, String::new(), Some(json!({"name": "Mine"}))),
        (Method::DELETE, String::new(), None),
        (Method::GET, "/members".into(), None),
        (Method::PUT, "/members/eve".into(), Some(json!({}))),
        (Method::PUT, "/members/nobody".into(), Some(json!({}))),
        (Method::DELETE, "/members/ann".into(), None),
        (Method::DELETE, "/members/eve".into(), None),
        (Method::POST, "/join".into(), Some(json!({}))),
        (Method::POST, "/leave".into(), Some(json!({}))),
        (Method::GET, "/messages".into(), None),
        (Method::GET, "/messages?around_id=x".into(), None),
        (Method::GET, format!("/messages/{message}"), None),
        (Method::PATCH, format!("/messages/{message}"), Some(json!({"text": "x"}))),
        (Method::DELETE, format!("/messages/{message}"), None),
        (Method::POST, "/messages".into(), Some(json!({"text": "x"}))),
        (Method::POST, "/messages".into(), Some(json!({"text": ""}))),
        (Method::POST, "/join".into(), Some(json!({"invite": "0123456789abcdef0123"}))),
        (Method::PUT, "/bans/ann".into(), None),
        (Method::PUT, "/bans/eve".into(), None),
        (Method::PUT, "/bans/nobody".into(), None),
        (Method::DELETE, "/bans/ann".into(), None),
        (Method::POST, "/invites".into(), None),
        (Method::DELETE, "/invites/0123456789abcdef0123".into(), None),
        (Method::GET, "/members?limit=1&cursor=ann".into(), None),
        (Method::GET, "/messages?at_least=00000000-0000000000000000".into(), None),
        (Method::GET, format!("/messages/{message}/readers"), None),
        (Method::PATCH, String::new(), Some(json!({"name": ""}))),
        (Method::PUT, "/mute".into(), Some(json!({}))),
        (Method::PUT, "/read".into(), Some(json!({"ordinal": 1}))),
        (Method::PUT, "/read".into(), Some(json!({"ordinal": "x"}))),
    ];
    for (method, path, body) in probes {
        let ask = async |room: &str| {
            let path = format!("rooms/{room}{path}");
            let (status, mut answer) = eve.call(method.clone(), &path, body.clone()).await;
            answer["request_id"] = Value::Null;
            (status, answer)
        };
        let (foreign, missing) = (ask(&room).await, ask(NOWHERE).await);
        assert_eq!(foreign.1["code"], "not-found", "{method} {path}");
        assert_eq!(foreign, missing, "{method} {path}");
        assert_eq!(foreign, ask("no.such").await, "{method} {path}");
    }
}

#[tokio::test]
async fn over_stomp() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let (ann, eve) = (server.person("ann").await, server.person("eve").await);
    let room = ann.group("Secret", &[]).await;
    let mut e = eve.stomp().await;
    let without_id = |mut problem: Value| {
        problem["request_id"] = Value::Null;
        problem
    };
    let probes = [
        ("send", r#"{"text":"x"}"#),
        ("send", "{}"),
        ("read", r#"{"ordinal":1}"#),
        ("read", "x"),
        ("delivered", r#"{"ordinal":1}"#),
        ("edit", r#"{"id":"m","text":"x"}"#),
        ("delete", r#"{"id":"m"}"#),
        ("typing", r#"{"active":true}"#),
        ("typing", "x"),
        ("delete", "x"),
    ];
    for (verb, body) in probes {
        let mut answers = Vec::new();
        for room in [room.as_str(), NOWHERE] {
            let destination = format!("/app/rooms.{room}.{verb}");
            let refused = e.receipted("SEND", &[("destination", &destination)], body).await;
            answers.push(without_id(refused.unwrap_err()));
        }
        assert_eq!(answers[0]["code"], "not-found", "{verb}");
        assert_eq!(answers[0], answers[1], "{verb}");
    }
    for prefix in ["/topic/rooms.", "/app/rooms."] {
        let mut answers = Vec::new();
        for (n, room) in [room.as_str(), NOWHERE, "*", "#", ">", "a.b"].iter().enumerate() {
            let id = format!("{prefix}{n}");
            let refused = e.try_subscribe(&id, &format!("{prefix}{room}"), &[]).await;
            answers.push(without_id(refused.unwrap_err()));
        }
        assert_eq!(answers[0]["code"], "not-found", "{prefix}");
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{prefix} {answers:?}");
    }
    // The session has outlived all of it.
    e.subscribe("rooms", "/user/queue/rooms", &[]).await;
}

#[tokio::test]
async fn other_destinations_are_nobodys() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let eve = server.person("eve").await;
    let frames = [
        ("SUBSCRIBE", "/topic/markers.x"),
        ("SUBSCRIBE", "/topic/#"),
        ("SUBSCRIBE", "/topic/>"),
        ("SUBSCRIBE", "/topic/*.x"),
        ("SUBSCRIBE", "/queue/x"),
        ("SUBSCRIBE", "/user/ann/queue/rooms"),
        ("SUBSCRIBE", "/user/queue/other"),
        ("SEND", "/topic/rooms.x"),
        ("SEND", "/queue/x"),
        ("SEND", "/user/ann/queue/rooms"),
        ("SEND", "/user/queue/rooms"),
    ];
    for (command, destination) in frames {
        let mut e = eve.stomp().await;
        e.write(command, &[("id", "x"), ("destination", destination), ("receipt", "r")], "").await;
        let refused = e.frame().await;
        assert_eq!(refused.command().as_str(), "ERROR", "{command} {destination}: {refused:?}");
    }
}
