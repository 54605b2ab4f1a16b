//! REST as other programs meet it.

mod support;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use support::{PASSWORD, Server, texts};

#[tokio::test]
async fn every_refusal_is_a_problem_document() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let http = reqwest::Client::new();
    let url = |path: &str| format!("{}{path}", server.base);
    let json = "application/json";
    let cases = [
        (http.get(url("/nothing/here")), 404, "not-found"),
        (http.get(url("/api/v1/nothing")), 404, "not-found"),
        (http.put(url("/api/v1/sessions")), 405, "invalid"),
        (http.post(url("/")), 405, "invalid"),
        (http.post(url("/api/v1/sessions")).body("name=x"), 415, "invalid"),
        (http.post(url("/api/v1/sessions")).header("content-type", json).body("{"), 400, "invalid"),
        (
            http.post(url("/api/v1/sessions"))
                .header("content-type", json)
                .body(format!("{{\"name\":\"{}\"}}", "x".repeat(70_000))),
            413,
            "too-large",
        ),
        (http.get(url("/api/v1/rooms")), 401, "unauthorized"),
        (http.get(url("/api/v1/rooms")).bearer_auth("x.y.z"), 401, "unauthorized"),
        (http.get(url("/ws")), 400, "invalid"),
    ];
    for (request, status, code) in cases {
        let answer = request.header("x-request-id", "req-1").send().await.unwrap();
        let url = answer.url().clone();
        assert_eq!(answer.status().as_u16(), status, "{url}");
        assert_eq!(answer.headers()["content-type"], "application/problem+json", "{url}");
        assert_eq!(answer.headers()["cache-control"], "no-store");
        assert_eq!(answer.headers().contains_key("www-authenticate"), status == 401);
        let problem: Value = answer.json().await.unwrap();
        assert_eq!(problem["type"], "about:blank", "{url}");
        assert_eq!(problem["code"], code, "{url}");
        assert_eq!(problem["status"], status, "{url}");
        assert_eq!(problem["request_id"], "req-1", "{url}");
        assert!(!problem["detail"].as_str().unwrap().is_empty());
    }
}

#[tokio::test]
async fn the_page_comes_with_its_headers() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let http = reqwest::Client::new();
    let page = http.get(format!("{}/", server.base)).send().await.unwrap();
    let policy = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"), "{policy}");
    assert_eq!(page.headers()["x-content-type-options"], "nosniff");
    assert_eq!(page.headers()["referrer-policy"], "same-origin");
    assert_eq!(page.headers()["content-type"], "text/html; charset=utf-8");
    let tag = page.headers()["etag"].clone();
    let again = http.get(format!("{}/", server.base)).header("if-none-match", tag);
    assert_eq!(again.send().await.unwrap().status(), StatusCode::NOT_MODIFIED);
    let script = http.get(format!("{}/chat-client.js", server.base)).send().await.unwrap();
    assert_eq!(script.headers()["content-type"], "text/javascript; charset=utf-8");
    for path in ["health/live", "health/ready"] {
        let health = http.get(format!("{}/{path}", server.base)).send().await.unwrap();
        assert_eq!(health.status(), StatusCode::OK, "{path}");
    }
}

#[tokio::test]
async fn accounts_are_unique_without_case_and_logins_tell_nothing() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let nobody = server.anonymous();
    let account = |name: &str, password: &str| Some(json!({"name": name, "password": password}));
    let (status, user) = nobody.call(Method::POST, "accounts", account("Ann", PASSWORD)).await;
    assert_eq!((status.as_u16(), user), (201, json!({"id": "ann", "name": "Ann"})));
    let (status, _) = nobody.call(Method::POST, "accounts", account("aNN", PASSWORD)).await;
    assert_eq!(status, 409);
    for (name, password) in [("", PASSWORD), ("a.b", PASSWORD), ("a b", PASSWORD), ("cat", "short")]
    {
        let (status, _) = nobody.call(Method::POST, "accounts", account(name, password)).await;
        assert_eq!(status, 400, "{name} {password}");
    }
    let refusal = |name: &'static str| {
        let nobody = &nobody;
        async move {
            let login = account(name, "wrong password");
            let (status, mut problem) = nobody.call(Method::POST, "sessions", login).await;
            problem["request_id"] = Value::Null;
            (status, problem)
        }
    };
    assert_eq!(refusal("ann").await, refusal("nobody").await);
    let (status, session) = nobody.call(Method::POST, "sessions", account("ANN", PASSWORD)).await;
    assert_eq!(status, 201);
    assert_eq!(session["user"]["id"], "ann");
    assert!(session["expires_at"].as_str().unwrap().ends_with('Z'));
}

#[tokio::test]
async fn failed_logins_of_one_account_are_bounded() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start_with(data.path(), &["--rate-login", "2"]);
    let ann = server.person("ann").await;
    let login = |password: &str| Some(json!({"name": "ann", "password": password}));
    for _ in 0..2 {
        let (status, _) = ann.call(Method::POST, "sessions", login("wrong password")).await;
        assert_eq!(status, 401);
    }
    let (status, problem) = ann.call(Method::POST, "sessions", login(PASSWORD)).await;
    assert_eq!((status.as_u16(), problem["code"].as_str()), (429, Some("rate-limited")));
    assert!(problem["retry_after_ms"].as_u64().unwrap() > 0);
}

#[tokio::test]
async fn a_direct_room_is_one_for_the_pair() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let (ann, bob) = (server.person("ann").await, server.person("bob").await);
    let with = |name: &str| Some(json!({"kind": "direct", "members": [name]}));
    let (status, room) = ann.call(Method::POST, "rooms", with("bob")).await;
    assert_eq!(status, 201);
    assert_eq!(room["members"], json!(["ann", "bob"]));
    let (status, same) = bob.call(Method::POST, "rooms", with("ann")).await;
    assert_eq!((status.as_u16(), &same["id"]), (200, &room["id"]));
    for members in [json!(["ann"]), json!([]), json!(["bob", "ann", "cat"]), json!(["nobody"])] {
        let request = json!({"kind": "direct", "members": members});
        let (status, _) = ann.call(Method::POST, "rooms", Some(request)).await;
        assert_eq!(status, 400, "{members}");
    }
    // Leaving hides it until somebody says something.
    let id = room["id"].as_str().unwrap();
    ann.post(&format!("rooms/{id}/leave"), json!({})).await;
    assert_eq!(ann.get("rooms").await["rooms"], json!([]));
    let sent = bob.post(&format!("rooms/{id}/messages"), json!({"text": "hey"})).await;
    let at = sent["position"].as_str().unwrap();
    ann.get(&format!("rooms/{id}/messages?at_least={at}")).await;
    assert_eq!(ann.get("rooms").await["rooms"][0]["id"], id);
}

#[tokio::test]
async fn the_same_key_makes_a_room_once() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let ann = server.person("ann").await;
    let http = reqwest::Client::new();
    let make = |name: &str| {
        http.post(format!("{}/api/v1/rooms", server.base))
            .bearer_auth(&ann.token)
            .header("idempotency-key", "k-1")
            .json(&json!({"kind": "group", "name": name}))
    };
    let first = make("Tea").send().await.unwrap();
    assert_eq!(first.status(), 201);
    let again = make("Tea").send().await.unwrap();
    assert_eq!(again.status(), 200);
    let (first, again): (Value, Value) = (first.json().await.unwrap(), again.json().await.unwrap());
    assert_eq!(first["id"], again["id"]);
    assert_eq!(make("Coffee").send().await.unwrap().status(), 409);
}

#[tokio::test]
async fn history_is_paged_by_ordinals() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let ann = server.person("ann").await;
    let room = ann.group("Notes", &[]).await;
    let messages = format!("rooms/{room}/messages");
    let mut last = Value::Null;
    for n in 1..=7 {
        last = ann.post(&messages, json!({"text": n.to_string()})).await;
    }
    let at = last["position"].as_str().unwrap();
    let page = async |query: &str| {
        let page = ann.get(&format!("{messages}?at_least={at}&{query}")).await;
        (texts(&page).concat(), page["before"].as_i64(), page["after"].as_i64())
    };
    assert_eq!(page("").await, ("1234567".into(), None, None));
    assert_eq!(page("limit=3").await, ("567".into(), Some(5), None));
    assert_eq!(page("limit=3&before=5").await, ("234".into(), Some(2), Some(4)));
    assert_eq!(page("limit=3&before=2").await, ("1".into(), None, Some(1)));
    assert_eq!(page("limit=3&after=4").await, ("567".into(), Some(5), None));
    assert_eq!(page("limit=3&around=4").await, ("345".into(), Some(3), Some(5)));
    let id = last["message_id"].as_str().unwrap();
    assert_eq!(page(&format!("limit=3&around_id={id}")).await, ("67".into(), Some(6), None));
    let one = ann.get(&format!("{messages}/{id}")).await;
    assert_eq!((one["text"].as_str(), one["ordinal"].as_i64()), (Some("7"), Some(7)));
    for query in ["limit=0", "limit=201", "limit=x", "before=1&after=1", "before=x", "at_least=1"] {
        let (status, problem) = ann.call(Method::GET, &format!("{messages}?{query}"), None).await;
        assert_eq!((status.as_u16(), problem["code"].as_str()), (400, Some("invalid")), "{query}");
    }
}

#[tokio::test]
async fn roles_decide_who_may_change_a_room() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let (ann, bob, cat) =
        (server.person("ann").await, server.person("bob").await, server.person("cat").await);
    let room = ann.group("Tea", &[&bob]).await;
    let member = |name: &str| format!("rooms/{room}/members/{name}");
    let put = async |who: &support::Person, name: &str, body: Value| {
        who.call(Method::PUT, &member(name), Some(body)).await.0.as_u16()
    };
    assert_eq!(put(&bob, "cat", json!({})).await, 403);
    assert_eq!(put(&ann, "nobody", json!({})).await, 404);
    assert_eq!(put(&ann, "bob", json!({"role": "admin"})).await, 200);
    assert_eq!(put(&bob, "cat", json!({})).await, 201);
    assert_eq!(put(&bob, "cat", json!({})).await, 200, "keeps the role");
    assert_eq!(put(&bob, "ann", json!({"role": "member"})).await, 403, "only owners touch owners");
    assert_eq!(put(&bob, "cat", json!({"role": "owner"})).await, 403);
    let name = Some(json!({"name": "Cake"}));
    let (_, renamed) = bob.call(Method::PATCH, &format!("rooms/{room}"), name).await;
    assert_eq!(renamed["name"], "Cake");
    let members = cat.get(&format!("rooms/{room}/members?limit=2")).await;
    assert_eq!(
        members["members"][0],
        json!({"user": "ann", "name": "ann", "role": "owner", "online": false})
    );
    let cursor = members["cursor"].as_str().unwrap();
    let rest = cat.get(&format!("rooms/{room}/members?cursor={cursor}")).await;
    assert_eq!(rest["members"][0]["user"], "cat");

    let leave = format!("rooms/{room}/leave");
    let (status, _) = ann.call(Method::POST, &leave, Some(json!({}))).await;
    assert_eq!(status, 409, "the last owner stays");
    let (status, _) = bob.call(Method::DELETE, &format!("rooms/{room}"), None).await;
    assert_eq!(status, 403);
    let (status, _) = ann.call(Method::DELETE, &format!("rooms/{room}"), None).await;
    assert_eq!(status, 204);
    assert_eq!(cat.get("rooms").await["rooms"], json!([]));
}

#[tokio::test]
async fn public_rooms_are_found_and_joined() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let (ann, bob) = (server.person("ann").await, server.person("bob").await);
    let room =
        ann.post("rooms", json!({"kind": "group", "name": "100% tea", "public": true})).await;
    let id = room["id"].as_str().unwrap();
    ann.group("Private tea", &[]).await;
    let found = bob.get("rooms?public=true&query=0%25%20t").await;
    assert_eq!(found["rooms"].as_array().unwrap().len(), 1);
    let seen = &found["rooms"][0];
    assert_eq!(seen["id"], id);
    for hidden in ["role", "member_count", "members", "last_ordinal", "unread", "last_message"] {
        assert!(seen.get(hidden).is_none(), "{hidden}");
    }
    let (status, _) = bob.call(Method::GET, &format!("rooms/{id}/messages"), None).await;
    assert_eq!(status, 404, "until one is in");
    let joined = bob.post(&format!("rooms/{id}/join"), json!({})).await;
    assert_eq!(joined["role"], "member");
    let (status, _) = bob.call(Method::POST, &format!("rooms/{id}/join"), Some(json!({}))).await;
    assert_eq!(status, 200);
    assert_eq!(bob.get("users?query=an").await["users"][0]["id"], "ann");
}

#[tokio::test]
async fn rooms_are_listed_by_their_newest_activity() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let ann = server.person("ann").await;
    let mut rooms = Vec::new();
    for name in ["one", "two", "three"] {
        rooms.push(ann.group(name, &[]).await);
    }
    let sent = ann.post(&format!("rooms/{}/messages", rooms[0]), json!({"text": "x"})).await;
    let at = sent["position"].as_str().unwrap();
    ann.get(&format!("rooms/{}/messages?at_least={at}", rooms[0])).await;
    let mut names = Vec::new();
    let mut path = "rooms?limit=2".to_owned();
    loop {
        let list = ann.get(&path).await;
        let page = list["rooms"].as_array().unwrap();
        names.extend(page.iter().map(|room| room["name"].as_str().unwrap().to_owned()));
        let Some(cursor) = list["cursor"].as_str() else { break };
        path = format!("rooms?limit=2&cursor={cursor}");
    }
    assert_eq!(names, ["one", "three", "two"]);

    // Muting is one's own affair.
    let mute = format!("rooms/{}/mute", rooms[0]);
    ann.put(&mute, json!({})).await;
    let muted = async || ann.get(&format!("rooms/{}", rooms[0])).await["muted_until"].clone();
    assert_eq!(muted().await, "9999-12-31T23:59:59.999Z");
    ann.put(&mute, json!({"until": "2020-01-01T00:00:00Z"})).await;
    assert_eq!(muted().await, Value::Null);
}

#[tokio::test]
async fn only_named_origins_may_read_answers() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start_with(data.path(), &["--allow-origin", "https://a.example"]);
    let http = reqwest::Client::new();
    let url = format!("{}/api/v1/rooms", server.base);
    for (origin, may) in [("https://a.example", true), ("https://a.example.org", false)] {
        let question = http
            .request(Method::OPTIONS, &url)
            .header("origin", origin)
            .header("access-control-request-method", "POST");
        let answer = question.send().await.unwrap();
        assert_eq!(answer.status() == StatusCode::NO_CONTENT, may, "{origin}");
        let answer = http.get(&url).header("origin", origin).send().await.unwrap();
        assert_eq!(answer.headers().contains_key("access-control-allow-origin"), may, "{origin}");
        assert!(!answer.headers().contains_key("access-control-allow-credentials"));
    }
}
