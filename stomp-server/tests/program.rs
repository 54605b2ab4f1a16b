//! The program: its flags, signals, metrics, and what it refuses at start.
#![cfg(all(feature = "cli", feature = "testing"))]
#![allow(clippy::unwrap_used, reason = "what cannot be had fails the test")]

mod started;

use std::time::Duration;

use crate::started::{Program, file, hash};

fn path(file: &tempfile::NamedTempFile) -> &str {
    file.path().to_str().unwrap()
}

fn connect(login: &str, passcode: &str) -> String {
    format!("C: CONNECT⏎accept-version:1.2⏎login:{login}⏎passcode:{passcode}⏎⏎^@")
}

#[tokio::test]
async fn without_users_anybody_on_this_machine_gets_in() {
    let program = Program::start(&[]);
    assert!(program.banner.contains("anybody on this machine"), "{}", program.banner);
    program.talk().await.login("ann").await;
    let told = "S: CONNECTED⏎user-name:!";
    program.talk().await.play(&format!("C: CONNECT⏎accept-version:1.2⏎⏎^@\n{told}")).await;
}

#[test]
fn a_listener_for_other_machines_without_users_is_refused_with_what_mends_it() {
    for listener in ["--tcp", "--http"] {
        let (said, code) = Program::refused(&[listener, "0.0.0.0:0"]);
        assert_eq!(code, Some(2), "{said}");
        for mends in ["--users", "--jwt-secret", "127.0.0.1", "--allow-anonymous"] {
            assert!(said.contains(mends), "{said}");
        }
    }
}

#[tokio::test]
async fn a_listener_for_other_machines_opens_with_users_tokens_or_by_express_wish() {
    let users = file("");
    for arguments in [&["--users", path(&users)][..], &["--allow-anonymous"]] {
        Program::start(&[&["--tcp", "0.0.0.0:0"], arguments].concat());
    }
    let secret = [("STOMP_JWT_SECRET", "0123456789abcdef0123456789abcdef")];
    Program::start_with(&["--tcp", "0.0.0.0:0"], &secret);
}

#[test]
fn faults_at_start_are_told_all_at_once_and_show_no_secret() {
    let short = file("short");
    let bad_users = file("[[user]]\nname = 'ann'\nhash = 'hunter2'\n");
    let at_short = format!("@{}", path(&short));
    for (arguments, mends) in [
        (&["--jwt-secret", "plain-text-secret-0123456789abcdef"][..], "@FILE"),
        (&["--jwt-secret", &at_short], "32 bytes"),
        (&["--users", path(&bad_users)], "hash-password"),
        (&["--users", "/nowhere.toml"], "/nowhere.toml"),
        (&["--tls-cert", "/nowhere.pem"], "--tls-key"),
        (&["--tls-client-ca", "/nowhere.pem"], "--tls-cert"),
        (&["--tls-cert", "/nowhere.pem", "--tls-key", "/nowhere.pem"], "/nowhere.pem"),
        (&["--max-connections-per-address", "5"], "--trusted-proxy"),
        (&["--admin-token", "short"], "16 characters"),
        (&["--trusted-proxy", "nonsense"], "10.0.0.0/8"),
        (&["--max-connections-per-user", "0"], "off"),
    ] {
        let (said, code) =
            Program::refused(&[&["--tcp", "127.0.0.1:0", "--http", "none"], arguments].concat());
        assert_ne!(code, Some(0), "{arguments:?}");
        assert!(said.contains(mends), "{arguments:?}: {said}");
        assert!(!said.contains("hunter2"), "{said}");
    }
    let (said, code) = Program::refused(&["--tcp", "0.0.0.0:0", "--admin-token", "short"]);
    assert_eq!(code, Some(2));
    assert!(said.contains("16 characters") && said.contains("--users"), "{said}");
    let secret =
        [("STOMP_ADMIN_TOKEN", "a-token-that-nobody-sees"), ("STOMP_JWT_SECRET", "nor-this")];
    let (help, _) = Program::refused_with(&["--help"], &secret);
    assert!(!help.contains("nobody-sees") && !help.contains("nor-this"), "{help}");
}

#[tokio::test]
async fn users_log_in_do_what_their_rules_say_and_are_read_again_on_hangup() {
    let text = |hash: &str| {
        format!(
            "[[user]]\nname = 'ann'\nhash = '{hash}'\nsend = ['/topic/a']\nsubscribe = ['/topic/#']\n"
        )
    };
    let users = file(&text(&hash("sesame")));
    let mut program = Program::start(&["--users", path(&users)]);
    let refused = "S: ERROR⏎code:unauthorized\nS: (closed)";
    for wrong in [connect("ann", "Sesame"), connect("bob", "sesame"), "C: CONNECT⏎⏎^@".to_owned()]
    {
        program.talk().await.play(&format!("{wrong}\n{refused}")).await;
    }
    let mut ann = program.talk().await;
    ann.play(&format!("{}\nS: CONNECTED⏎user-name:ann", connect("ann", "sesame"))).await;
    ann.play("C: SEND⏎destination:/topic/a⏎receipt:1⏎⏎x^@\nS: RECEIPT").await;
    ann.play("C: SEND⏎destination:/topic/b⏎receipt:2⏎⏎x^@\nS: ERROR⏎code:forbidden⏎receipt-id:2\nS: (closed)")
        .await;

    std::fs::write(users.path(), "not a users file").unwrap();
    program.signal("HUP");
    program.logs("the users stay as they were").await;
    program.talk().await.play(&format!("{}\nS: CONNECTED", connect("ann", "sesame"))).await;

    std::fs::write(users.path(), text(&hash("open"))).unwrap();
    program.signal("HUP");
    program.logs("the users have been read again").await;
    program.talk().await.play(&format!("{}\n{refused}", connect("ann", "sesame"))).await;
    program.talk().await.play(&format!("{}\nS: CONNECTED", connect("ann", "open"))).await;
    assert!(program.ended(Duration::ZERO).await.is_none(), "it goes on");
}

#[tokio::test]
async fn limit_max_connections_per_user_is_100_once_users_are_configured_and_can_be_set() {
    let users = file(&format!("[[user]]\nname = 'ann'\nhash = '{}'\n", hash("x")));
    let login = connect("ann", "x");
    for (flag, limit) in [(&["--max-connections-per-user", "2"][..], 2), (&[], 100)] {
        let program = Program::start(&[&["--users", path(&users)], flag].concat());
        let mut held = Vec::new();
        for _ in 0..limit {
            let mut talk = program.talk().await;
            talk.play(&format!("{login}\nS: CONNECTED")).await;
            held.push(talk);
        }
        let answer =
            format!("S: ERROR⏎code:limit⏎limit:max-connections-per-user {limit}\nS: (closed)");
        program.talk().await.play(&format!("{login}\n{answer}")).await;
        held.pop();
        tokio::time::sleep(Duration::from_millis(300)).await;
        program.talk().await.play(&format!("{login}\nS: CONNECTED")).await;
    }
    let program = Program::start(&["--users", path(&users), "--max-connections-per-user", "off"]);
    let mut held = Vec::new();
    for _ in 0..101 {
        let mut talk = program.talk().await;
        talk.play(&format!("{login}\nS: CONNECTED")).await;
        held.push(talk);
    }
}

#[tokio::test]
async fn limit_rate_send_refuses_what_comes_beyond_it() {
    let program = Program::start(&["--rate-send", "5"]);
    let mut ann = program.talk().await;
    ann.login("ann").await;
    for n in 0..5 {
        ann.play(&format!("C: SEND⏎destination:/topic/a⏎receipt:{n}⏎⏎x^@\nS: RECEIPT")).await;
    }
    ann.play(
        "C: SEND⏎destination:/topic/a⏎⏎x^@
         C: SEND⏎destination:/topic/a⏎⏎x^@
         S: ERROR⏎code:rate-limited⏎limit:rate-send 5⏎retry-after-ms:*
         S: (closed)",
    )
    .await;
}

#[tokio::test]
async fn sigterm_answers_what_was_received_and_exits_with_0_within_the_drain() {
    let mut program = Program::start(&["--drain", "5s"]);
    let mut ann = program.talk().await;
    ann.login("ann").await;
    let sends: String =
        (0..500).map(|n| format!("SEND\ndestination:/topic/a\nreceipt:{n}\n\nx\0")).collect();
    ann.write(sends.as_bytes()).await;
    ann.play("S: RECEIPT⏎receipt-id:0").await;
    program.signal("TERM");
    let mut answered = 1;
    loop {
        let frame = ann.frame().await;
        if frame.command().as_str() == "ERROR" {
            assert_eq!(frame.header("code").as_deref(), Some("shutdown"));
            break;
        }
        assert_eq!(frame.header("receipt-id").as_deref(), Some(answered.to_string().as_str()));
        answered += 1;
    }
    drop(ann);
    let status = program.ended(Duration::from_secs(6)).await.expect("it ends within the drain");
    assert_eq!(status.code(), Some(0), "{}", program.log());
}

#[tokio::test]
async fn metrics_count_what_happens() {
    let program = Program::start(&["--max-subscriptions", "1"]);
    let mut ann = program.talk().await;
    ann.login("ann").await;
    ann.play(
        "C: SUBSCRIBE⏎id:0⏎destination:/topic/a⏎receipt:s⏎⏎^@
         S: RECEIPT
         C: SEND⏎destination:/topic/a⏎message-dedup-id:d⏎⏎x^@
         S: MESSAGE
         C: SEND⏎destination:/topic/a⏎message-dedup-id:d⏎receipt:2⏎⏎x^@
         S: RECEIPT⏎duplicate:true",
    )
    .await;
    let answer = program.get("/metrics", "").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    for line in [
        "# HELP stomp_connections Connections that are open, by transport.",
        "# TYPE stomp_publishes_total counter",
        "stomp_connections{transport=\"tcp\"} 1",
        "stomp_logins_total 1",
        "stomp_frames_received_total 4",
        "stomp_subscriptions 1",
        "stomp_publishes_total{outcome=\"accepted\"} 1",
        "stomp_publishes_total{outcome=\"duplicate\"} 1",
        "stomp_limit_refusals_total{limit=\"max-subscriptions\"} 0",
    ] {
        assert!(answer.contains(line), "{line}: {answer}");
    }
    ann.play("C: SUBSCRIBE⏎id:1⏎destination:/topic/b⏎⏎^@\nS: ERROR⏎code:limit\nS: (closed)").await;
    drop(ann);
    tokio::time::sleep(Duration::from_millis(300)).await;
    let answer = program.get("/metrics", "").await;
    for line in [
        "stomp_connections{transport=\"tcp\"} 0",
        "stomp_subscriptions 0",
        "stomp_limit_refusals_total{limit=\"max-subscriptions\"} 1",
        "stomp_sessions_closed_total{reason=\"fault\"} 1",
    ] {
        assert!(answer.contains(line), "{line}: {answer}");
    }
}

#[tokio::test]
async fn metrics_are_for_this_machine_or_for_the_bearer_of_the_token() {
    let token = "0123456789abcdef-admin";
    let bearer = format!("authorization: Bearer {token}\r\n");
    let wrong = "authorization: Bearer 0123456789abcdef-Admin\r\n";
    let forwarded = "x-forwarded-for: 127.0.0.1\r\n";
    let status = async |program: &Program, headers: &str| {
        program.get("/metrics", headers).await[9..12].to_owned()
    };
    let open = Program::start(&[]);
    assert_eq!(status(&open, "").await, "200");
    assert_eq!(status(&open, forwarded).await, "404");
    assert_eq!(status(&open, "forwarded: for=127.0.0.1\r\n").await, "404");
    let behind = Program::start(&[
        "--trusted-proxy",
        "127.0.0.1",
        "--admin-token",
        token,
        "--allow-anonymous",
    ]);
    assert_eq!(status(&behind, "").await, "404", "with a proxy, loopback counts as elsewhere");
    assert_eq!(status(&behind, wrong).await, "404");
    assert_eq!(status(&behind, &bearer).await, "200");
    assert_eq!(status(&behind, &format!("{forwarded}{bearer}")).await, "200");
    assert!(open.get("/health/live", forwarded).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn behind_a_proxy_loopback_is_no_login() {
    let program = Program::start(&["--trusted-proxy", "127.0.0.1"]);
    program
        .talk()
        .await
        .play("C: CONNECT⏎accept-version:1.2⏎login:ann⏎⏎^@\nS: ERROR⏎code:unauthorized")
        .await;
}

#[test]
fn a_password_becomes_a_hash_by_standard_input() {
    let hash = hash("sesame");
    assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
    assert_ne!(hash, self::hash("sesame"), "each has a salt of its own");
    assert_ne!(Program::piped(&["hash-password"], "").1, Some(0));
    assert_ne!(Program::piped(&["hash-password"], &"x".repeat(1_025)).1, Some(0));
}
