//! The contract, rule by rule, over real sockets against the real program.

#![allow(clippy::unwrap_used, reason = "a test that cannot begin has failed")]

mod api;
mod doors;
mod identity;
mod markers;
mod operator;
mod people;
mod races;
mod search;
#[path = "../support/mod.rs"]
mod support;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use support::{Person, Server};

/// A server on a folder of its own.
struct House {
    server: Server,
    _data: tempfile::TempDir,
}

impl House {
    fn new(flags: &[&str]) -> Self {
        let data = tempfile::tempdir().unwrap();
        Self { server: Server::start_with(data.path(), flags), _data: data }
    }

    async fn people<const N: usize>(&self, names: [&str; N]) -> [Person; N] {
        let mut people = Vec::new();
        for name in names {
            people.push(self.server.person(name).await);
        }
        people.try_into().unwrap_or_else(|_| unreachable!("as many people as names"))
    }
}

/// What somebody gets for a request: the status, and the code of a refusal.
async fn answer(
    who: &Person,
    method: Method,
    path: &str,
    body: Option<Value>,
) -> (u16, Option<String>) {
    let (status, answer) = who.call(method, path, body).await;
    (status.as_u16(), answer["code"].as_str().map(str::to_owned))
}

/// A refusal, in short.
fn refused(status: u16, code: &str) -> (u16, Option<String>) {
    (status, Some(code.to_owned()))
}

/// A success without a word.
const DONE: (u16, Option<String>) = (204, None);

/// Waits until it holds; what takes longer than half a minute never does.
async fn eventually<T>(what: &str, mut holds: impl AsyncFnMut() -> Option<T>) -> T {
    for _ in 0..300 {
        if let Some(found) = holds().await {
            return found;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("{what} does not come to be");
}

/// Says something over REST and waits until the history has it; its id.
async fn said(who: &Person, room: &str, body: Value) -> String {
    let sent = who.post(&format!("rooms/{room}/messages"), body).await;
    let at = sent["position"].as_str().expect("a position");
    eventually("a message in the history", async || {
        let page = who.get(&format!("rooms/{room}/messages?limit=1&at_least={at}")).await;
        (page["position"].as_str()? >= at).then_some(())
    })
    .await;
    sent["message_id"].as_str().expect("an id").to_owned()
}

/// The token that the program prints for somebody.
fn printed_token(server: &House, user: &str, flags: &[&str]) -> String {
    let out = std::process::Command::new(env!("CARGO_BIN_EXE_chat-app"))
        .args(["token", user, "--data"])
        .arg(server._data.path())
        .args(flags)
        .output()
        .expect("chat-app runs");
    assert!(out.status.success(), "{out:?}");
    let text = String::from_utf8(out.stdout).expect("text");
    text.lines().last().expect("a line").to_owned()
}

#[tokio::test]
async fn a_member_is_added_by_put_alone() {
    let house = House::new(&[]);
    let [ann, bob] = house.people(["ann", "bob"]).await;
    let room = ann.group("Tea", &[]).await;
    let path = format!("rooms/{room}/members/bob");
    let (status, member) = ann.call(Method::PUT, &path, None).await;
    assert_eq!(status, StatusCode::CREATED, "a body is not needed");
    assert_eq!(member["role"], "member");
    assert_eq!(
        answer(&ann, Method::PUT, &path, Some(json!({"role": "king"}))).await,
        refused(400, "invalid")
    );
    assert_eq!(answer(&bob, Method::DELETE, &path, None).await, DONE, "of oneself it is leaving");
    assert_eq!(
        answer(&bob, Method::GET, &format!("rooms/{room}"), None).await,
        refused(404, "not-found")
    );
}
