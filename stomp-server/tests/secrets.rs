//! Nothing of a passcode, a token or a body is in any log or error, whatever the level.
#![cfg(all(feature = "cli", feature = "testing"))]
#![allow(clippy::unwrap_used, reason = "what cannot be had fails the test")]

mod started;

use std::time::Duration;

use futures::{SinkExt, StreamExt};
use tokio_tungstenite::tungstenite::Message;

use crate::started::{Program, file, hash};

/// In every secret, so that no part of one can hide.
const MARK: &str = "Xyzzy";

#[tokio::test]
async fn nothing_of_a_passcode_a_token_or_a_body_is_logged_or_told() {
    let right = format!("{MARK}-right");
    let users = file(&format!(
        "[[user]]\nname = 'ann'\nhash = '{}'\nsend = ['/topic/#']\nsubscribe = ['/topic/#']\n",
        hash(&right)
    ));
    let environment = [
        ("RUST_LOG", "trace"),
        ("STOMP_JWT_SECRET", "Xyzzy-0123456789abcdef0123456789"),
        ("STOMP_ADMIN_TOKEN", "Xyzzy-0123456789abcdef"),
    ];
    let arguments = ["--users", users.path().to_str().unwrap()];
    let program = Program::start_with(&arguments, &environment);
    let token = format!("eyJ{MARK}.eyJ{MARK}.{MARK}");
    let long = format!("{MARK}{}", "x".repeat(2_000));
    let frames = [
        format!(
            "CONNECT\naccept-version:1.2\nlogin:ann\npasscode:{right}\n\n\0SEND\ndestination:/topic/a\n\n{MARK}\0SEND\ndestination:nowhere\n\n{MARK}\0"
        ),
        format!(
            "CONNECT\naccept-version:1.2\nlogin:ann\npasscode:{right}\n\n\0SEND\ndestination:/topic/a\ncontent-length:1\n\n{MARK}\0"
        ),
        format!("CONNECT\naccept-version:1.2\nlogin:ann\npasscode:{MARK}-wrong\n\n\0"),
        format!("CONNECT\naccept-version:1.2\nlogin:ann\npasscode:{long}\n\n\0"),
        format!("CONNECT\naccept-version:1.2\nlogin:nobody\npasscode:{MARK}\n\n\0"),
        format!("CONNECT\naccept-version:1.2\npasscode:{token}\n\n\0"),
        format!("CONNECT\naccept-version:1.2\nAuthorization:Bearer {token}\n\n\0"),
        format!("CONNECT\naccept-version:1.2\nAuthorization:Basic {MARK}\n\n\0"),
        format!("CONNECT\naccept-version:9.9\nlogin:ann\npasscode:{MARK}\n\n\0"),
        format!("CONNECT\npasscode:{MARK}\nno colon here {MARK}\n\n\0"),
        format!("CONNECT\npasscode:{}\n\n\0", format!("{MARK}-").repeat(3_000)),
        format!("CONNECT\npasscode:{MARK}\n\n{MARK} in a body\0"),
        format!("SEND\npasscode:{MARK}\ndestination:/topic/a\n\n{MARK}\0"),
        format!("STOMP\naccept-version:1.2\npasscode:{MARK}\\x\n\n\0"),
    ];
    let mut told = String::new();
    for frame in &frames {
        let mut talk = program.talk().await;
        talk.write(frame.as_bytes()).await;
        while let Ok(Some(frame)) = tokio::time::timeout(Duration::from_secs(60), talk.next()).await
        {
            told.push_str(&format!("{frame:?}{}\n", String::from_utf8_lossy(frame.body())));
            if frame.command().as_str() == "ERROR" {
                break;
            }
        }
        let url = format!("ws://{}/ws", program.http);
        let (mut socket, _) = tokio_tungstenite::connect_async(url).await.unwrap();
        socket.send(Message::text(frame.as_str())).await.unwrap();
        while let Ok(Some(Ok(message))) =
            tokio::time::timeout(Duration::from_secs(60), socket.next()).await
        {
            told.push_str(&message.to_string());
        }
    }
    let request = format!("authorization: Bearer {MARK}-0123456789abcdef\r\ncookie: {MARK}\r\n");
    program.get("/metrics", &request).await;
    program.signal("HUP");
    program.logs("read again").await;
    let log = program.log();
    assert!(log.contains("TRACE") || log.contains("DEBUG"), "the level is as asked for: {log}");
    for (what, text) in [("log", &log), ("answers", &told), ("banner", &program.banner)] {
        let line = text.lines().find(|line| line.contains(MARK));
        assert_eq!(line, None, "a secret is in the {what}");
    }
}

#[tokio::test]
async fn what_a_client_says_cannot_forge_a_line_of_the_log() {
    let program = Program::start_with(&[], &[("RUST_LOG", "trace")]);
    for frame in [
        r"SEND⏎destination:/nowhere\nFORGED line⏎⏎x^@",
        r"SUBSCRIBE⏎id:\nFORGED⏎destination:/topic/\r\nFORGED line⏎receipt:\nFORGED⏎⏎^@",
        "FORGED␍⏎⏎^@",
    ] {
        let mut talk = program.talk().await;
        talk.login("ann").await;
        talk.play(&format!("C: {frame}")).await;
        let _ = tokio::time::timeout(Duration::from_secs(60), talk.next()).await;
    }
    let mut talk = program.talk().await;
    talk.write(b"CONNECT\naccept-version:1.2\nlogin:\x1b[31mFORGED\n\n\0").await;
    let _ = tokio::time::timeout(Duration::from_secs(60), talk.next()).await;
    let log = program.log();
    assert!(!log.lines().any(|line| line.starts_with("FORGED")), "{log}");
    assert!(!log.contains("\x1b[31mFORGED"), "no terminal is told what to do");
}
