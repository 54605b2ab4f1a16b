//! Logins of users from a file.

use argon2::{Argon2, PasswordHasher, password_hash::SaltString};
use futures::FutureExt;
use tempfile::NamedTempFile;

use super::*;

/// A hash of this cost in KiB: 8 is as good as free.
fn hash(password: &str, memory: u32) -> String {
    let params = argon2::Params::new(memory, 1, 1, None).unwrap();
    let argon2 = Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params);
    let salt = SaltString::encode_b64(&rand::random::<[u8; 16]>()).unwrap();
    argon2.hash_password(password.as_bytes(), &salt).unwrap().to_string()
}

fn write(file: &NamedTempFile, users: &[(&str, &str)]) {
    let text: String = users
        .iter()
        .map(|(name, hash)| {
            format!("[[user]]\nname = '{name}'\nhash = '{hash}'\nsend = ['/topic/{name}']\n")
        })
        .collect();
    std::fs::write(file.path(), text).unwrap();
}

fn users(list: &[(&str, &str)]) -> (NamedTempFile, Users) {
    let file = NamedTempFile::new().unwrap();
    write(&file, list);
    let users = Users::load(file.path(), '.').unwrap();
    (file, users)
}

fn login(name: &str, passcode: &str) -> Credentials {
    Credentials {
        login: Some(name.to_owned()),
        passcode: Some(passcode.to_owned()),
        ..Credentials::default()
    }
}

#[tokio::test]
async fn a_user_logs_in_and_may_do_what_the_rules_say() {
    let (_file, users) = users(&[("ann", &hash("sesame", 8))]);
    let ann = users.authenticate(login("ann", "sesame")).await.unwrap();
    assert_eq!(ann.name(), "ann");
    assert_eq!(users.authorize(&ann, Intent::Send("/topic/ann")).await, Decision::Allow);
    let other = users.authorize(&ann, Intent::Send("/topic/bob")).await;
    assert!(matches!(other, Decision::Deny(problem) if problem.code == Code::Forbidden));
}

#[tokio::test]
async fn unknown_users_and_wrong_passcodes_get_the_same_answer() {
    let (_file, users) = users(&[("ann", &hash("sesame", 8))]);
    let wrong = users.authenticate(login("ann", "wrong")).await.unwrap_err();
    assert_eq!(wrong.code, Code::Unauthorized);
    let long = "x".repeat(2_000);
    for credentials in [
        login("bob", "sesame"),
        login("", ""),
        login("Ann", "sesame"),
        login("ann\0", "sesame"),
        login("ann", &long),
        Credentials { login: Some("ann".into()), ..Credentials::default() },
        Credentials { passcode: Some("sesame".into()), ..Credentials::default() },
        Credentials::default(),
    ] {
        assert_eq!(users.authenticate(credentials).await.unwrap_err(), wrong);
    }
}

/// Whether a login needs a hash to be answered.
async fn is_hashed(users: &Users, name: &str, passcode: &str) -> bool {
    let _threads = users.hashing.hold().await;
    users.authenticate(login(name, passcode)).now_or_never().is_none()
}

#[tokio::test]
async fn an_unknown_user_costs_as_much_as_a_wrong_passcode() {
    let (_file, users) = users(&[("ann", &hash("sesame", 2048))]);
    assert!(is_hashed(&users, "ann", "wrong").await);
    assert!(is_hashed(&users, "nobody", "wrong").await);
    let cost = |hash: &str| {
        let hash = argon2::PasswordHash::new(hash).unwrap();
        argon2::Params::try_from(&hash).unwrap()
    };
    let book = users.book.load();
    let known = book.entry("ann").and_then(|entry| entry.hash.clone()).unwrap();
    assert_eq!(cost(&known), cost(&book.decoy().unwrap()));
}

#[tokio::test]
async fn a_reconnect_does_not_hash_again() {
    let (_file, users) = users(&[("ann", &hash("sesame", 8))]);
    assert!(is_hashed(&users, "ann", "sesame").await);
    users.authenticate(login("ann", "sesame")).await.unwrap();
    assert!(!is_hashed(&users, "ann", "sesame").await);
    assert!(is_hashed(&users, "ann", "Sesame").await, "only the very same passcode is remembered");
}

#[tokio::test]
async fn a_verified_passcode_is_remembered_for_a_time_only() {
    let proven = Proven::new(REMEMBERED);
    let proof = proven.proof(&["ann", "hash", "sesame"]);
    proven.remember(proof);
    assert!(proven.holds(&proof));
    assert_ne!(proven.proof(&["ann", "x"]), proven.proof(&["an", "nx"]));
    assert_ne!(Proven::new(REMEMBERED).proof(&["ann"]), proven.proof(&["ann"]));
    let short = Proven::new(Duration::from_millis(1));
    short.remember(proof);
    std::thread::sleep(Duration::from_millis(20));
    assert!(!short.holds(&proof));
}

#[tokio::test]
async fn a_reload_holds_for_logins_and_for_open_sessions() {
    let (file, users) = users(&[("ann", &hash("one", 8)), ("bob", &hash("x", 8))]);
    let ann = users.authenticate(login("ann", "one")).await.unwrap();
    let bob = users.authenticate(login("bob", "x")).await.unwrap();
    assert_eq!(users.still_valid(&ann).await, Ok(()));
    write(&file, &[("ann", &hash("two", 8))]);
    assert_eq!(users.reload().unwrap(), 1);
    for gone in [&ann, &bob] {
        assert_eq!(users.still_valid(gone).await.unwrap_err().code, Code::Unauthorized);
    }
    assert!(users.authenticate(login("ann", "one")).await.is_err(), "remembered or not");
    assert!(users.authenticate(login("ann", "two")).await.is_ok());
    assert_ne!(users.authorize(&bob, Intent::Send("/topic/bob")).await, Decision::Allow);
    assert_eq!(users.still_valid(&Principal::user("by-token")).await, Ok(()));
}

#[tokio::test]
async fn a_bad_file_on_reload_keeps_the_old_one() {
    let (file, users) = users(&[("ann", &hash("one", 8))]);
    for bad in ["[[user]]\nname = 'ann'\nhash = 'hunter2'\n", "not toml at all"] {
        std::fs::write(file.path(), bad).unwrap();
        let error = users.reload().unwrap_err().to_string();
        assert!(!error.contains("hunter2"), "{error}");
        assert!(users.authenticate(login("ann", "one")).await.is_ok());
    }
    drop(file);
    assert!(matches!(users.reload(), Err(UsersError::Read(..))));
    assert!(users.authenticate(login("ann", "one")).await.is_ok());
}
