//! The admin interface: what it shows, and to whom.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::started::Program;

/// The body of a JSON answer.
async fn ask(program: &Program, path: &str) -> Value {
    let answer = program.get(&format!("/admin/api/{path}"), "").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.to_ascii_lowercase().contains("cache-control: no-store"), "{answer}");
    serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
}

/// Asks until the answer is as wished for.
async fn until(program: &Program, path: &str, wished: impl Fn(&Value) -> bool) -> Value {
    let start = Instant::now();
    loop {
        let answer = ask(program, path).await;
        if wished(&answer) {
            return answer;
        }
        assert!(start.elapsed() < Duration::from_secs(30), "{answer}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn connections_subscriptions_and_queues_are_shown_as_they_are() {
    let program = Program::start(&[]);
    let mut ann = program.talk().await;
    ann.login("ann").await;
    ann.play(
        "C: SUBSCRIBE⏎id:0⏎destination:/topic/a.*⏎receipt:s⏎⏎^@
         S: RECEIPT
         C: SUBSCRIBE⏎id:1⏎destination:/queue/jobs⏎ack:client⏎prefetch-count:1⏎receipt:s⏎⏎^@
         S: RECEIPT",
    )
    .await;
    let mut bob = program.talk().await;
    bob.login("bob").await;
    bob.play(
        "C: SEND⏎destination:/queue/jobs⏎receipt:1⏎⏎x^@
         S: RECEIPT
         C: SEND⏎destination:/queue/jobs⏎receipt:2⏎⏎x^@
         S: RECEIPT
         C: SEND⏎destination:/queue/idle⏎receipt:3⏎⏎x^@
         S: RECEIPT",
    )
    .await;
    ann.play("S: MESSAGE⏎destination:/queue/jobs").await;

    let connections = until(&program, "connections", |list| {
        list["connections"].as_array().is_some_and(|list| list.len() == 2)
    })
    .await;
    let first = &connections["connections"][0];
    for (field, value) in [("user", "ann"), ("transport", "tcp"), ("version", "1.2")] {
        assert_eq!(first[field], value, "{first}");
    }
    assert_eq!(first["subscriptions"], 2, "{first}");
    assert_eq!(first["number"], 1);
    assert!(first["address"].as_str().unwrap().starts_with("127.0.0.1:"), "{first}");
    assert!(first["bytes_received"].as_u64().unwrap() > 100, "{first}");
    assert!(first["last_activity"].as_str().unwrap() >= first["since"].as_str().unwrap());
    assert!(connections.get("next").is_none(), "{connections}");

    let subscriptions = ask(&program, "subscriptions").await;
    let list = subscriptions["subscriptions"].as_array().unwrap();
    assert_eq!(list.len(), 2);
    assert_eq!(list[0]["destination"], "/topic/a.*");
    assert_eq!((&list[1]["acks"], &list[1]["prefetch"]), (&Value::from(true), &Value::from(1)));

    let queues = ask(&program, "queues").await;
    let list = queues["queues"].as_array().unwrap();
    assert_eq!(list[0]["name"], "/queue/idle");
    let jobs = &list[1];
    for (field, value) in [("messages", 2), ("unacked", 1), ("consumers", 1), ("returned", 0)] {
        assert_eq!(jobs[field], value, "{field}: {jobs}");
    }

    let overview = ask(&program, "overview").await;
    assert_eq!(overview["durability"], "memory");
    for (field, value) in [("connections", 2), ("subscriptions", 2)] {
        assert_eq!(overview[field], value, "{overview}");
    }
    for (field, value) in [("accepted", 3), ("logins", 2), ("logins_refused", 0)] {
        assert_eq!(overview["totals"][field], value, "{overview}");
    }
    assert!(overview["storage"]["queue_bytes"].as_u64().unwrap() > 0, "{overview}");
    drop(ann);
    until(&program, "overview", |now| now["connections"] == 1 && now["subscriptions"] == 0).await;
}

#[tokio::test]
async fn lists_come_in_pages_and_can_be_narrowed() {
    let program = Program::start(&[]);
    let mut held = Vec::new();
    for name in ["ann", "bob", "ann"] {
        let mut talk = program.talk().await;
        talk.login(name).await;
        for id in 0..2 {
            let subscribe = format!("C: SUBSCRIBE⏎id:{id}⏎destination:/topic/{id}⏎receipt:r⏎⏎^@");
            talk.play(&format!("{subscribe}\nS: RECEIPT")).await;
        }
        held.push(talk);
    }
    for (list, field) in [("connections", "number"), ("subscriptions", "connection")] {
        let mut path = format!("{list}?limit=1");
        let mut seen = Vec::new();
        loop {
            let page = ask(&program, &path).await;
            seen.extend(page[list].as_array().unwrap().iter().map(|one| one[field].clone()));
            let Some(next) = page.get("next") else { break };
            path = format!("{list}?limit=1&after={}", next.as_str().unwrap());
        }
        let expected: &[u64] = if list == "connections" { &[1, 2, 3] } else { &[1, 1, 2, 2, 3, 3] };
        assert_eq!(seen, expected, "{list}");
    }
    let of_ann = ask(&program, "connections?user=ann").await;
    assert_eq!(of_ann["connections"].as_array().unwrap().len(), 2);
    let of_one = ask(&program, "subscriptions?destination=/topic/1").await;
    assert_eq!(of_one["subscriptions"].as_array().unwrap().len(), 3);
    for wrong in ["connections?limit=0", "connections?limit=1001", "subscriptions?after=x"] {
        let answer = program.get(&format!("/admin/api/{wrong}"), "").await;
        assert!(answer.starts_with("HTTP/1.1 400") && answer.contains("\"invalid\""), "{answer}");
    }
    let answer = program.get("/admin/api/users", "").await;
    assert!(answer.starts_with("HTTP/1.1 404") && answer.contains("\"not-found\""), "{answer}");
    let headers = format!("host: {}\r\ncontent-length: 0\r\n", program.http);
    let answer = program.request("POST", "/admin/api/overview", &headers).await;
    assert!(answer.starts_with("HTTP/1.1 405"), "it is read-only: {answer}");
}

#[tokio::test]
async fn a_slow_consumer_is_remembered() {
    let program = Program::start(&["--outbound", "64KiB"]);
    let mut slow = program.talk().await;
    slow.login("sloth").await;
    slow.play("C: SUBSCRIBE⏎id:0⏎destination:/topic/a⏎receipt:s⏎⏎^@\nS: RECEIPT").await;
    let mut fast = program.talk().await;
    fast.login("ann").await;
    let body = "x".repeat(64 * 1024);
    let start = Instant::now();
    let told = loop {
        fast.play(&format!("C: SEND⏎destination:/topic/a⏎receipt:r⏎⏎{body}^@\nS: RECEIPT")).await;
        let told = ask(&program, "slow-consumers").await;
        if told["slow_consumers"].as_array().is_some_and(|list| !list.is_empty()) {
            break told;
        }
        assert!(start.elapsed() < Duration::from_secs(60), "nobody was ever too slow");
    };
    assert_eq!(told["slow_consumers"][0]["user"], "sloth");
    assert_eq!(told["slow_consumers"][0]["connection"], 1);
    until(&program, "overview", |now| now["totals"]["slow_consumers"] == 1).await;
}

#[tokio::test]
async fn the_history_grows_and_rates_follow_it() {
    let program = Program::start(&[]);
    let mut ann = program.talk().await;
    ann.login("ann").await;
    ann.play("C: SEND⏎destination:/topic/a⏎receipt:1⏎⏎x^@\nS: RECEIPT").await;
    let history = until(&program, "history", |history| {
        let samples = history["samples"].as_array().unwrap();
        samples.len() > 1 && samples.last().unwrap()["total_accepted"] == 1
    })
    .await;
    let last = history["samples"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(last["connections"], 1, "{last}");
    #[cfg(target_os = "linux")]
    assert!(last["memory_bytes"].as_u64().unwrap() > 1 << 20, "{last}");
    assert!(ask(&program, "overview").await["rates"]["frames_received"].is_number());
}

#[tokio::test]
async fn it_is_for_this_machine_or_for_the_bearer_of_the_token() {
    let token = "0123456789abcdef-admin";
    let bearer = format!("authorization: Bearer {token}\r\n");
    let wrong = "authorization: Bearer 0123456789abcdef-Admin\r\n";
    let forwarded = "x-forwarded-for: 127.0.0.1\r\n";
    let status = async |program: &Program, path: &str, headers: &str| {
        program.get(path, headers).await[9..12].to_owned()
    };
    let (page, api) = ("/", "/admin/api/overview");
    let open = Program::start(&[]);
    for path in [page, api, "/admin/app.js"] {
        assert_eq!(status(&open, path, "").await, "200", "{path}");
        assert_eq!(status(&open, path, forwarded).await, "404", "{path}");
        assert_eq!(status(&open, path, "forwarded: for=127.0.0.1\r\n").await, "404", "{path}");
        // A name that leads here without being one of this machine: a page from elsewhere.
        let answer = open.request("GET", path, "host: rebound.example:15674\r\n").await;
        assert_eq!(&answer[9..12], "404", "{path}");
        let answer = open.request("GET", path, "host: localhost:15674\r\n").await;
        assert_eq!(&answer[9..12], "200", "{path}");
    }
    let behind = Program::start(&[
        "--trusted-proxy",
        "127.0.0.1",
        "--admin-token",
        token,
        "--allow-anonymous",
    ]);
    assert_eq!(status(&behind, page, forwarded).await, "200", "it asks for the token");
    assert_eq!(status(&behind, api, forwarded).await, "404");
    assert_eq!(status(&behind, api, wrong).await, "404");
    assert_eq!(status(&behind, api, &format!("{forwarded}{bearer}")).await, "200");
    let answer = behind.request("GET", api, &format!("host: broker.example\r\n{bearer}")).await;
    assert_eq!(&answer[9..12], "200", "with the token, any name will do");
}

#[tokio::test]
async fn the_page_runs_nothing_that_does_not_come_with_it() {
    let program = Program::start(&[]);
    let page = program.get("/", "").await.to_ascii_lowercase();
    for part in [
        "content-security-policy: default-src 'none'; script-src 'self'; style-src 'self'",
        "frame-ancestors 'none'",
        "x-content-type-options: nosniff",
        "referrer-policy: same-origin",
        "content-type: text/html; charset=utf-8",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(
        !page.contains("unsafe-inline") && !page.contains("style=") && !page.contains("onclick")
    );
    for name in ["app.js", "api.js", "plot.js", "view.js", "style.css", "icon.svg"] {
        let answer = program.get(&format!("/admin/{name}"), "").await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{name}: {answer}");
    }
}
