//! Flags, environment, files; `config` and `check`.

use crate::started::{Program, file};

fn path(file: &tempfile::NamedTempFile) -> &str {
    file.path().to_str().unwrap()
}

#[tokio::test]
async fn a_flag_goes_before_the_environment_and_that_before_the_file() {
    let config = file("max_subscriptions = 1\nmax_connections = 1\nmax_headers = 5\n");
    let arguments = ["--config", path(&config), "--max-connections", "9"];
    let environment = [("STOMP_MAX_SUBSCRIPTIONS", "2"), ("STOMP_MAX_CONNECTIONS", "1")];
    let program = Program::start_with(&arguments, &environment);
    let mut ann = program.talk().await;
    ann.login("ann").await;
    program.talk().await.login("bob").await; // the flag's 9 connections
    for id in ["0", "1"] {
        ann.play(&format!("C: SUBSCRIBE⏎id:{id}⏎destination:/topic/a⏎receipt:r⏎⏎^@\nS: RECEIPT"))
            .await;
    }
    ann.play("C: SUBSCRIBE⏎id:2⏎destination:/topic/a⏎⏎^@\nS: ERROR⏎limit:max-subscriptions 2")
        .await;
    let mut eve = program.talk().await;
    eve.login("eve").await;
    let headers = "C: SEND⏎destination:/topic/a⏎a:1⏎b:2⏎c:3⏎d:4⏎e:5⏎⏎^@";
    eve.play(&format!("{headers}\nS: ERROR⏎limit:max-headers 5")).await;
}

#[test]
fn every_fault_is_told_at_once_with_its_place_and_exit_code_2() {
    let config = file(
        "tcp = [\"127.0.0.1:0\", \"here\"]\n\nmax_bodi = 3\njournal_sync = \"often\"\n\
         [[kafka.queue]]\nname = \"orders\"\npartition = 8\n",
    );
    let arguments = ["--config", path(&config), "--drain", "soon", "--users", "/nowhere.toml"];
    let environment = [("STOMP_RING", "huge")];
    for command in [&[][..], &["check"]] {
        let arguments = [command, &arguments].concat();
        let (said, code) = Program::refused_with(&arguments, &environment);
        assert_eq!(code, Some(2), "{said}");
        for part in [
            "line 1: tcp = here: an address is like 127.0.0.1:61613",
            "line 3: there is no setting max_bodi; did you mean max_body?",
            "line 4: journal_sync = often: one of full, normal",
            "line 7: [[kafka.queue]] has no partition; did you mean partitions?",
            "--drain soon: a time is like",
            "STOMP_RING=huge: a size is like",
            "/nowhere.toml",
        ] {
            assert!(said.contains(part), "{part}: {said}");
        }
    }
}

#[test]
fn what_config_prints_is_what_holds_and_check_says_so() {
    let (printed, code) = Program::refused(&["config"]);
    assert_eq!(code, Some(0));
    let is_entry = |line: &&str| line.starts_with('#') && !line.starts_with("# ");
    // Those without a default name what kind of thing they want instead.
    let has_default = |line: &&str| {
        let value = line.split_once(" = ").map_or("", |(_, value)| value);
        !value.trim_matches(['"', '[', ']']).starts_with(|c: char| c.is_ascii_uppercase())
            && !line.contains("N|off")
    };
    let entries = printed.lines().filter(is_entry).map(|line| &line[1..]).filter(has_default);
    let text: Vec<&str> = entries.collect();
    assert!(text.len() > 35, "{printed}");
    let config = file(&text.join("\n"));
    let (said, code) = Program::refused(&["check", "--config", path(&config)]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("max_body = 4MiB") && said.contains("[[kafka.queue]]"), "{said}");
    for knob in ["max_body", "tcp", "users", "admin_token", "log_format"] {
        assert!(printed.contains(&format!("#{knob} = ")), "{knob}: {printed}");
    }
}

#[test]
fn the_help_names_the_program_every_knob_and_where_else_it_can_be_set() {
    let (help, code) = Program::refused(&["--help"]);
    assert_eq!(code, Some(0));
    for part in ["A STOMP 1.2 broker", "check", "config", "--max-body <SIZE>", "STOMP_MAX_BODY"] {
        assert!(help.contains(part), "{part}: {help}");
    }
    assert!(Program::refused(&["check", "--help"]).0.contains("--journal-max"));
}

#[test]
fn check_looks_at_the_files_that_are_named_and_starts_nothing() {
    let users = file("[[user]]\nname = 'ann'\nhash = 'rubbish'\n");
    let (said, code) = Program::refused(&[
        "check",
        "--users",
        path(&users),
        "--tls-cert",
        "/nowhere.pem",
        "--tls-key",
        "/nowhere.key",
        "--broker",
        "sqlite:/nowhere/at/all/log.db",
    ]);
    assert_eq!(code, Some(2), "{said}");
    for part in ["hash-password", "/nowhere.pem", "/nowhere/at/all"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let folder = tempfile::tempdir().unwrap();
    let journal = folder.path().join("log.db");
    let broker = format!("sqlite:{}", journal.display());
    let (said, code) = Program::refused_with(
        &["check", "--broker", &broker],
        &[("STOMP_ADMIN_TOKEN", "a-token-that-nobody-sees")],
    );
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("broker = sqlite:") && said.contains("(flag)"), "{said}");
    assert!(said.contains("admin_token = …") && !said.contains("nobody-sees"), "{said}");
    assert!(!journal.exists(), "nothing was started");
}
