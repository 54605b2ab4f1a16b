//! What the log says, and what it never does.

use serde_json::Value;

use crate::started::{Program, file, hash};

#[tokio::test]
async fn logins_refusals_and_ends_are_told_in_the_span_of_their_connection() {
    let users = file(&format!("[[user]]\nname = 'ann'\nhash = '{}'\n", hash("open-sesame")));
    let users = users.path().to_str().unwrap();
    let program = Program::start(&["--users", users, "--log", "trace", "--log-format", "json"]);
    let connect =
        |passcode: &str| format!("C: CONNECT⏎accept-version:1.2⏎login:ann⏎passcode:{passcode}⏎⏎^@");
    let wrong = connect("shut-sesame");
    program.talk().await.play(&format!("{wrong}\nS: ERROR\nS: (closed)")).await;
    let mut ann = program.talk().await;
    ann.play(&format!("{}\nS: CONNECTED", connect("open-sesame"))).await;
    let body = "the-body-of-a-message";
    ann.play(&format!("C: SEND⏎destination:/topic/a⏎receipt:1⏎⏎{body}^@\nS: ERROR⏎code:forbidden"))
        .await;
    drop(ann);
    program.logs("logged out").await;

    let log = program.log();
    for secret in ["open-sesame", "shut-sesame", body] {
        assert!(!log.contains(secret), "{secret}: {log}");
    }
    let lines: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    let line = |message: &str| {
        let found = lines.iter().find(|line| line["message"] == message);
        found.unwrap_or_else(|| panic!("{message}: {log}"))
    };
    let refused = line("login refused");
    assert_eq!(refused["level"], "WARN", "{refused}");
    assert_eq!(refused["code"], "unauthorized", "{refused}");
    assert_eq!(refused["span"]["name"], "connection", "{refused}");
    assert_eq!((&refused["span"]["number"], refused["span"].get("user")), (&Value::from(1), None));
    assert!(refused["span"]["peer"].as_str().unwrap().starts_with("127.0.0.1:"), "{refused}");
    let login = line("logged in");
    assert_eq!(login["level"], "INFO");
    assert_eq!(login["version"], "1.2");
    assert_eq!(login["span"]["user"], "ann", "{login}");
    assert_eq!(login["span"]["transport"], "tcp", "{login}");
    assert_eq!(line("logged out")["span"]["user"], "ann");
    assert_eq!(line("logged out")["reason"], "refused");
}

#[tokio::test]
async fn rust_log_holds_where_nobody_says_anything() {
    let told = async |arguments: &[&str], environment: &[(&str, &str)]| {
        let program = Program::start_with(arguments, environment);
        program.talk().await.login("ann").await;
        program.signal("HUP"); // told at no level
        let mut program = program;
        program.signal("TERM");
        assert!(program.ended(std::time::Duration::from_secs(30)).await.is_some());
        program.log()
    };
    assert!(told(&[], &[]).await.contains("logged in"));
    assert!(!told(&[], &[("RUST_LOG", "warn")]).await.contains("logged in"));
    assert!(!told(&["--log", "warn"], &[("RUST_LOG", "info")]).await.contains("logged in"));
    assert!(told(&[], &[("STOMP_LOG", "info"), ("RUST_LOG", "warn")]).await.contains("logged in"));
    let (said, code) = Program::refused(&["--log", "inof"]);
    assert!(code == Some(2) && said.contains("--log inof: a filter is like"), "{said}");
}
