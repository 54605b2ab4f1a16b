//! What the service manager is told, with a socket of our own in its place.

use std::time::Duration;

use tokio::net::UnixDatagram;

use crate::started::Program;

/// The next message that says this.
async fn told(manager: &UnixDatagram, word: &str) -> String {
    let mut buffer = [0; 4096];
    let search = async {
        loop {
            let length = manager.recv(&mut buffer).await.unwrap();
            let text = String::from_utf8(buffer[..length].to_vec()).unwrap();
            if text.lines().any(|line| line == word) {
                return text;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(30), search)
        .await
        .unwrap_or_else(|_| panic!("{word} was never said"))
}

#[tokio::test]
async fn ready_watchdog_reloading_and_stopping_are_said() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    let environment = [("NOTIFY_SOCKET", path.to_str().unwrap()), ("WATCHDOG_USEC", "200000")];
    let mut program = Program::start_with(&["--drain", "3s"], &environment);
    let ready = told(&manager, "READY=1").await;
    assert!(ready.contains("STATUS=serving; receipts survive: memory"), "{ready}");
    for _ in 0..3 {
        told(&manager, "WATCHDOG=1").await;
    }
    program.signal("HUP");
    let reloading = told(&manager, "RELOADING=1").await;
    let at = reloading.lines().find_map(|line| line.strip_prefix("MONOTONIC_USEC="));
    assert!(at.unwrap().parse::<u64>().unwrap() > 0, "{reloading}");
    told(&manager, "READY=1").await;
    program.signal("TERM");
    let stopping = told(&manager, "STOPPING=1").await;
    assert!(stopping.contains("EXTEND_TIMEOUT_USEC=4000000"), "{stopping}");
    assert_eq!(program.ended(Duration::from_secs(30)).await.unwrap().code(), Some(0));
}
