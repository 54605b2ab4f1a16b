//! The program: its flags, signals, metrics, and what it refuses at start.
#![cfg(all(feature = "cli", feature = "testing"))]
#![allow(clippy::unwrap_used, reason = "what cannot be had fails the test")]

#[cfg(feature = "tls")]
mod doors;
mod started;

use std::time::Duration;

use crate::started::{BOUND, Program, file, hash};

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
        let came_in = async {
            loop {
                let mut talk = program.talk().await;
                talk.play(&login).await;
                if talk.frame().await.command().as_str() == "CONNECTED" {
                    break;
                }
            }
        };
        tokio::time::timeout(BOUND, came_in).await.expect("the place is free again");
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
    let sends = |count: usize| "SEND\ndestination:/topic/a\nreceipt:r\n\nx\0".repeat(count);
    ann.write(sends(5).as_bytes()).await;
    for _ in 0..5 {
        ann.play("S: RECEIPT").await;
    }
    // Far more than even a slow machine sees in the seconds that this takes.
    ann.write(sends(500).as_bytes()).await;
    let refusal = loop {
        let frame = ann.frame().await;
        if frame.command().as_str() == "ERROR" {
            break frame;
        }
    };
    assert_eq!(refusal.header("code").as_deref(), Some("rate-limited"));
    assert_eq!(refusal.header("limit").as_deref(), Some("rate-send 5"));
    assert!(refusal.header("retry-after-ms").is_some());
}

#[tokio::test]
async fn sigterm_answers_what_was_received_and_exits_with_0_within_the_drain() {
    let mut program = Program::start(&["--drain", "50s"]);
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
    let status = program.ended(BOUND).await.expect("it ends once its sessions have");
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
    program.measures("stomp_connections{transport=\"tcp\"}", |open| open == 0).await;
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

/// The answer to CONNECT over a WebSocket that says this of where it comes from.
async fn over_websocket(program: &Program, forwarded: &str) -> (WebSocket, String) {
    upgraded(program, &[("x-forwarded-for", forwarded)]).await
}

/// The answer to CONNECT over a WebSocket whose request has these headers.
async fn upgraded(program: &Program, headers: &[(&'static str, &str)]) -> (WebSocket, String) {
    use futures::{SinkExt, StreamExt};
    use tokio_tungstenite::tungstenite::{Message, client::IntoClientRequest};
    let mut request = format!("ws://{}/ws", program.http).into_client_request().unwrap();
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    let (mut socket, _) = tokio_tungstenite::connect_async(request).await.unwrap();
    let connect = "CONNECT\naccept-version:1.2\nlogin:ann\npasscode:sesame\n\n\0";
    socket.send(Message::text(connect)).await.unwrap();
    let answer = socket.next().await.unwrap().unwrap().to_string();
    (socket, answer)
}

type WebSocket =
    tokio_tungstenite::WebSocketStream<tokio_tungstenite::MaybeTlsStream<tokio::net::TcpStream>>;

#[tokio::test]
async fn a_forwarded_login_is_none_of_this_machine() {
    let program = Program::start(&[]);
    let (_socket, answer) = over_websocket(&program, "127.0.0.1").await;
    assert!(answer.contains("code:unauthorized"), "{answer}");
    let program = Program::start(&["--allow-anonymous"]);
    let (_socket, answer) = over_websocket(&program, "127.0.0.1").await;
    assert!(answer.starts_with("CONNECTED"), "{answer}");
}

/// A page of evil.example, whose name leads to 127.0.0.1 since it was loaded: for its browser,
/// and by its Origin, it is of the same host as this server.
#[tokio::test]
async fn decision_30_a_page_whose_name_was_made_to_lead_here_is_none_of_this_machine() {
    let port = |program: &Program| program.http.port();
    let page = async |program: &Program, host: &str| {
        let host = format!("{host}:{}", port(program));
        let origin = format!("http://{host}");
        upgraded(program, &[("host", &host), ("origin", &origin)]).await.1
    };
    let program = Program::start(&[]);
    for foreign in ["evil.example", "localhost.evil.example"] {
        let answer = page(&program, foreign).await;
        assert!(answer.contains("code:unauthorized"), "{answer}");
        let host = format!("{foreign}:{}", port(&program));
        assert!(program.get_from(&host, "/metrics", "").await.starts_with("HTTP/1.1 404"));
    }
    for ours in ["127.0.0.1", "localhost", "chat.localhost"] {
        let answer = page(&program, ours).await;
        assert!(answer.starts_with("CONNECTED"), "{ours}: {answer}");
        let host = format!("{ours}:{}", port(&program));
        assert!(program.get_from(&host, "/metrics", "").await.starts_with("HTTP/1.1 200"));
    }

    // Whoever owns the name says so.
    for flags in [["--host", "devbox"], ["--allow-origin", "http://devbox"]] {
        let program = Program::start(&flags);
        let answer = page(&program, "devbox").await;
        assert!(answer.starts_with("CONNECTED"), "{flags:?}: {answer}");
    }

    // A proxy on this machine that passes the public name on: its users log in as before.
    let users = file(&format!(
        "[[user]]\nname = 'ann'\nhash = '{}'\nsubscribe = ['/topic/#']\n",
        hash("sesame")
    ));
    let program = Program::start(&["--users", path(&users)]);
    let answer = page(&program, "chat.example").await;
    assert!(answer.starts_with("CONNECTED"), "{answer}");
}

#[tokio::test]
async fn limit_max_connections_per_address_counts_the_addresses_that_a_trusted_proxy_tells() {
    let limits = ["--max-connections-per-address", "2", "--allow-anonymous"];
    let program = Program::start(&[&limits[..], &["--trusted-proxy", "127.0.0.1"]].concat());
    let mut held = Vec::new();
    for _ in 0..2 {
        let (socket, answer) = over_websocket(&program, "1.1.1.1, 203.0.113.7").await;
        assert!(answer.starts_with("CONNECTED"), "{answer}");
        held.push(socket);
    }
    let (_third, answer) = over_websocket(&program, "2.2.2.2, 203.0.113.7").await;
    assert!(answer.contains("limit:max-connections-per-address 2"), "{answer}");
    let (_other, answer) = over_websocket(&program, "203.0.113.8").await;
    assert!(answer.starts_with("CONNECTED"), "{answer}");
    for _ in 0..3 {
        let mut talk = program.talk().await;
        talk.login("ann").await; // without a proxy's word, no address is counted
    }
}

const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// A token for ann that expires in so many seconds.
fn token(seconds: i64) -> String {
    use jsonwebtoken::{EncodingKey, Header, encode};
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let claims = serde_json::json!({"sub": "ann", "exp": now.as_secs() as i64 + seconds});
    encode(&Header::default(), &claims, &EncodingKey::from_secret(SECRET.as_bytes())).unwrap()
}

#[tokio::test]
async fn a_token_logs_in_and_its_session_ends_with_it() {
    let secret = file(&format!("{SECRET}\n"));
    let program = Program::start(&["--jwt-secret", &format!("@{}", path(&secret))]);
    let good = token(600);
    for connect in [
        format!("C: CONNECT⏎accept-version:1.2⏎passcode:{good}⏎⏎^@"),
        format!("C: CONNECT⏎accept-version:1.2⏎login:eve⏎Authorization:Bearer {good}⏎⏎^@"),
    ] {
        program.talk().await.play(&format!("{connect}\nS: CONNECTED⏎user-name:ann")).await;
    }
    for (token, code) in [(token(-120), "expired"), (good.replace('.', ".x"), "unauthorized")] {
        let connect = format!("C: CONNECT⏎accept-version:1.2⏎passcode:{token}⏎⏎^@");
        let mut talk = program.talk().await;
        talk.play(&format!("{connect}\nS: ERROR⏎code:{code}\nS: (closed)")).await;
    }
    let last = token(-50); // ten seconds of the leeway are left
    let mut talk = program.talk().await;
    talk.play(&format!(
        "C: CONNECT⏎accept-version:1.2⏎passcode:{last}⏎⏎^@
         S: CONNECTED⏎user-name:ann
         S: ERROR⏎code:expired
         S: (closed)"
    ))
    .await;
}

/// Some hundred strangers hold what a stranger may make us hold, and go away.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn after_a_flood_of_half_logins_memory_comes_back() {
    const STRANGERS: usize = 400;
    /// Below the 10 KiB of a header line, so that it is held and not refused.
    const EACH: usize = 9_000;
    let program = Program::start(&[]);
    program.talk().await.login("ann").await;
    let half = format!("CONNECT\nx:{}", "y".repeat(EACH - 10));
    let floods = std::cell::Cell::new(0);
    let flood = async || {
        let mut strangers = Vec::new();
        for _ in 0..STRANGERS {
            let mut talk = program.talk().await;
            talk.write(half.as_bytes()).await;
            strangers.push(talk);
        }
        floods.set(floods.get() + 1);
        let held = (floods.get() * STRANGERS * EACH) as u64;
        program.measures("stomp_bytes_received_total", |octets| octets >= held).await;
        let memory = program.memory();
        drop(strangers);
        program.measures("stomp_connections{transport=\"tcp\"}", |open| open == 0).await;
        memory
    };
    let first = flood().await; // what the allocator keeps of it, it uses again
    let mut later = Vec::new();
    for _ in 0..4 {
        later.push(flood().await);
    }
    let held = (STRANGERS * EACH / 1024) as u64;
    let grown = later.iter().all(|memory| *memory > first + held);
    assert!(!grown, "memory came back after no flood: {first} {later:?} KiB");
    program.talk().await.login("ann").await;
}

#[cfg(feature = "tls")]
#[tokio::test]
async fn tls_on_both_listeners_with_certificates_as_logins_read_again_on_hangup() {
    use stomp_server::testing::Talk;
    let authority = doors::Authority::new();
    let at = |name: &str| authority.path(name).to_str().unwrap().to_owned();
    let (certificate, key, ca) = (at("server.pem"), at("server.key"), at("ca.pem"));
    let program =
        Program::start(&["--tls-cert", &certificate, "--tls-key", &key, "--tls-client-ca", &ca]);
    assert!(program.banner.contains("tls://") && program.banner.contains("wss://"));
    assert!(program.banner.contains("client certificate"), "{}", program.banner);
    let client = || authority.client(Some(authority.issue(&["ann"], None)));
    let connect = "C: CONNECT⏎accept-version:1.2⏎⏎^@\nS: CONNECTED⏎user-name:ann";
    Talk::over(doors::secure(program.tcp, client()).await.unwrap()).play(connect).await;
    let stream = doors::secure(program.http, client()).await.unwrap();
    Talk::over(doors::websocket(stream).await).play(connect).await;

    let renewed = authority.renew();
    program.signal("HUP");
    program.logs("the certificates have been read again").await;
    let stream = doors::secure(program.tcp, client()).await.unwrap();
    assert_eq!(stream.get_ref().1.peer_certificates().unwrap()[0].to_vec(), renewed);
    std::fs::write(authority.path("server.pem"), "").unwrap();
    program.signal("HUP");
    program.logs("the certificates stay as they were").await;
    Talk::over(doors::secure(program.tcp, client()).await.unwrap()).play(connect).await;
}

#[test]
fn a_password_becomes_a_hash_by_standard_input() {
    let hash = hash("sesame");
    assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
    assert_ne!(hash, self::hash("sesame"), "each has a salt of its own");
    assert_ne!(Program::piped(&["hash-password"], "").1, Some(0));
    assert_ne!(Program::piped(&["hash-password"], &"x".repeat(1_025)).1, Some(0));
}
