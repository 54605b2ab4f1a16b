//! Settings from flags, environment and file: as the started program reads, shows and checks them.

use std::{
    path::Path,
    process::{Command, Output},
};

/// The program with these words and variables; it ends by itself.
fn chat_app(words: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut run = Command::new(env!("CARGO_BIN_EXE_chat-app"));
    run.args(words).envs(variables.iter().copied()).output().expect("chat-app runs")
}

fn out(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What it says where settings are wrong.
fn refused(words: &[&str], variables: &[(&str, &str)]) -> String {
    let output = chat_app(words, variables);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn written(folder: &Path, name: &str, text: &str) -> String {
    let file = folder.join(name);
    std::fs::write(&file, text).expect("a file");
    file.to_str().expect("a path").to_owned()
}

#[test]
fn a_flag_goes_before_the_environment_and_that_before_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = written(
        folder.path(),
        "chat.toml",
        "http = \"127.0.0.1:1\"\ntcp = \"127.0.0.1:2\"\nmax_body = \"1MiB\"\n",
    );
    let variables = [("CHAT_CONFIG", file.as_str()), ("CHAT_TCP", "127.0.0.1:3")];
    let variables = [&variables[..], &[("CHAT_HTTP", "127.0.0.1:4")]].concat();
    let told = out(&chat_app(&["config", "--http", "127.0.0.1:5"], &variables));
    for line in [
        "http = \"127.0.0.1:5\"  # flag",
        "tcp = \"127.0.0.1:3\"  # CHAT_TCP",
        &format!("max_body = \"1MiB\"  # {file} line 3"),
        "#drain = \"10s\"  # default",
        "#jwt_jwks = \"FILE|URL\"  # not set",
    ] {
        assert!(told.lines().any(|told| told == line), "{line}: {told}");
    }
}

#[test]
fn what_config_prints_is_a_file_that_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let settings = ["--data", "/somewhere/else", "--role", "api,chat", "--rate-login=3"];
    let shared = ["--database", "mysql://db/chat", "--broker", "kafka://k:9092"];
    let first = out(&chat_app(&[&["config"], &settings[..], &shared[..]].concat(), &[]));
    assert!(first.contains("role = [\"api\", \"chat\"]  # flag"), "{first}");
    let file = written(folder.path(), "chat.toml", &first);
    let again = out(&chat_app(&["config", "--config", &file], &[]));
    let values = |text: &str| -> Vec<String> {
        let values = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
        values.map(|line| line.split("  # ").next().unwrap().to_owned()).collect()
    };
    assert_eq!(values(&first), values(&again));
    assert_eq!(values(&first).len(), 5, "{first}");
}

#[test]
fn the_defaults_of_database_and_log_follow_the_data_folder() {
    let told = out(&chat_app(&["config"], &[("CHAT_DATA", "/d")]));
    for line in [
        "#database = \"sqlite:/d/chat.db\"  # default",
        "#broker = \"sqlite:/d/log.db\"  # default",
        "#vapid_key = \"/d/vapid.key\"  # default",
    ] {
        assert!(told.lines().any(|told| told == line), "{line}: {told}");
    }
}

#[test]
fn secrets_are_not_shown_by_config_check_or_faults() {
    let variables = [
        ("CHAT_JWT_SECRET", "hunter2-hunter2-hunter2-hunter2-hunter2"),
        ("CHAT_ADMIN_TOKEN", "hunter2"),
        ("CHAT_DATABASE", "mysql://chat:hunter2@db:3306/chat"),
    ];
    for words in [&["config"][..], &["check"]] {
        let told = out(&chat_app(words, &variables));
        assert!(!told.contains("hunter2"), "{told}");
        assert!(told.contains("mysql://…@db:3306/chat"), "{told}");
    }
    let told = refused(&["check", "--jwt-secret", "hunter2"], &[]);
    assert!(told.contains("CHAT_JWT_SECRET") && !told.contains("hunter2"), "{told}");
    let told = refused(&["check"], &[("CHAT_DATABASE", "postgres://chat:hunter2@db/chat")]);
    assert!(told.contains("mysql://user:password@host") && !told.contains("hunter2"), "{told}");
}

#[test]
fn check_is_content_with_the_defaults_and_makes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("not/yet/there");
    let told = out(&chat_app(&["check", "--data", data.to_str().unwrap()], &[]));
    assert!(told.contains("The settings are good"), "{told}");
    assert!(told.contains("  data = ") && told.contains("(flag)"), "{told}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn check_tells_all_faults_at_once_with_line_and_nearest_key() {
    let folder = tempfile::tempdir().unwrap();
    let file = written(folder.path(), "chat.toml", "rate_sned = 5\n[kafka]\nmax_body = 3\n");
    let rubbish = written(folder.path(), "rubbish", "rubbish");
    let nowhere = folder.path().join("nowhere/chat.db");
    let told = refused(
        &[
            &["check", "--config", &file, "--drain", "soon", "--jwt-jwks", &rubbish][..],
            &["--fcm-credentials", &rubbish, "--push-ca", &rubbish, "--vapid-key", &rubbish],
            &["--database", &format!("sqlite:{}", nowhere.display()), "--role", "chat"],
            &["--data", &rubbish],
        ]
        .concat(),
        &[("CHAT_HTTP", "here"), ("CHAT_MAX_CONNECTIONS", "0")],
    );
    for part in [
        "chat.toml line 1: there is no setting rate_sned; did you mean rate_send?",
        "chat.toml line 2: there is no setting kafka",
        "--drain soon: a time is like",
        "CHAT_HTTP=here: an address is like",
        "CHAT_MAX_CONNECTIONS=0: a whole number from 1 on",
        "--jwt-jwks ",
        "--push-ca ",
        "rubbish holds no VAPID key",
        "--role: a SQLite database belongs to one process",
        "--database: the folder ",
        "--data: ",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert!(told.lines().all(|line| line.starts_with("chat-app: ")), "{told}");
}

#[test]
fn a_start_with_a_fault_in_the_file_tells_it_as_check_does() {
    let folder = tempfile::tempdir().unwrap();
    let file = written(folder.path(), "chat.toml", "htpp = \"127.0.0.1:0\"\n");
    for words in [&["serve"][..], &[], &["token", "ann"], &["config"], &["check"]] {
        let told = refused(&[words, &["--config", &file]].concat(), &[]);
        assert!(told.contains("line 1: there is no setting htpp; did you mean http?"), "{told}");
    }
    let told = refused(&["--config", "/nowhere.toml"], &[]);
    assert!(told.contains("/nowhere.toml cannot be read"), "{told}");
}
