//! The operator's page: for this machine and for whoever has the token, and its numbers move.

use reqwest::{Client, StatusCode};
use serde_json::{Value, json};

use super::{House, eventually, said};

const TOKEN: &str = "open sesame";
/// What the page asks for, and all that is behind the token.
const ANSWERS: [&str; 3] = ["/admin/api/chat", "/admin/api/overview", "/admin/api/history"];

#[tokio::test]
async fn the_page_is_strict_and_its_numbers_are_for_whoever_has_the_token() {
    let house = House::new(&["--admin-token", TOKEN]);
    let http = Client::new();
    let ask = async |path: &str, token: Option<&str>| {
        // Through a proxy nobody is of this machine.
        let asked = http.get(format!("{}{path}", house.server.base));
        let asked = asked.header("x-forwarded-for", "203.0.113.9");
        let asked = match token {
            Some(token) => asked.bearer_auth(token),
            None => asked,
        };
        asked.send().await.unwrap()
    };
    for path in ANSWERS {
        assert_eq!(ask(path, None).await.status(), StatusCode::NOT_FOUND, "{path}");
        assert_eq!(ask(path, Some("open barley")).await.status(), StatusCode::NOT_FOUND, "{path}");
        assert_eq!(ask(path, Some(TOKEN)).await.status(), StatusCode::OK, "{path}");
    }
    // The page itself must be there to ask for the token.
    let page = ask("/admin", None).await;
    assert_eq!(page.status(), StatusCode::OK);
    let policy = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
    let html = page.text().await.unwrap();
    for part in ["admin/app.js", "admin/style.css"] {
        assert!(html.contains(part), "{part}");
        assert_eq!(ask(&format!("/{part}"), None).await.status(), StatusCode::OK, "{part}");
    }
    assert_eq!(ask("/admin/chat.js", None).await.status(), StatusCode::OK);
    // The chat's own page stays where it was.
    assert!(ask("/", None).await.text().await.unwrap().contains("<title>"));
}

#[tokio::test]
async fn without_a_token_there_is_nothing_for_others() {
    let house = House::new(&[]);
    let ask = async |path: &str, forwarded: bool| {
        let asked = Client::new().get(format!("{}{path}", house.server.base));
        let asked = if forwarded { asked.header("x-forwarded-for", "203.0.113.9") } else { asked };
        asked.send().await.unwrap().status()
    };
    for path in ANSWERS.into_iter().chain(["/admin"]) {
        assert_eq!(ask(path, true).await, StatusCode::NOT_FOUND, "{path}");
        assert_eq!(ask(path, false).await, StatusCode::OK, "{path}");
    }
}

#[tokio::test]
async fn numbers_move_with_what_happens() {
    let house = House::new(&[]);
    let look = async || -> Value {
        let url = format!("{}/admin/api/chat", house.server.base);
        Client::new().get(url).send().await.unwrap().json().await.unwrap()
    };
    let before = look().await;
    assert_eq!((&before["rooms"], &before["messages"]), (&json!(0), &json!(0)));
    assert_eq!(
        (&before["notifications"]["open"], &before["notifications"]["dead"]),
        (&json!(0), &json!(0))
    );

    let [ann, bob] = house.people(["ann", "bob"]).await;
    let room = ann.group("Tea", &[&bob]).await;
    for text in ["one", "two"] {
        said(&ann, &room, json!({"text": text})).await;
    }
    let after = eventually("counts that know of the messages", async || {
        let now = look().await;
        let is_counted = now["messages"] == 2 && now["store"]["lag"] == 0;
        let has_samples = now["samples"].as_array().is_some_and(|all| all.len() > 1);
        (is_counted && has_samples).then_some(now)
    })
    .await;
    assert_eq!((&after["users"], &after["rooms"]), (&json!(2), &json!(1)));
    assert_eq!(after["store"]["well"], true);
    let records = |seen: &Value| seen["log"]["records"].as_u64().unwrap();
    assert!(records(&after) >= records(&before) + 2, "{before} {after}");
    let newest = &after["newest_rooms"][0];
    assert_eq!((&newest["id"], &newest["name"]), (&json!(room), &json!("Tea")));
    assert_eq!((&newest["members"], &newest["messages"]), (&json!(2), &json!(2)));
    let asked = &after["caches"]["memberships"];
    assert!(asked["hits"].as_u64().unwrap() + asked["misses"].as_u64().unwrap() > 0, "{asked}");
}
