//! A disk that is really full: publications wait, then are refused for certain; everything else
//! goes on; and when there is room again, so do they, in order.
//!
//! The disk is a small file system in memory of this test's own, which takes root to mount. Where
//! that is not permitted the test says so and is skipped; root with `CI=1` must be able to.

#![cfg(all(feature = "testing", feature = "sqlite", target_os = "linux"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot begin has failed")]

use std::{
    fs::File,
    io::Write,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use stomp_core::SharedMessage;
use stomp_server::{
    broker::{Accepted, Broker, BrokerConfig, BrokerError, JournalBroker, Publish, StartFrom},
    problem::Code,
    testing::listener::{Listening, publish},
};
use tempfile::TempDir;
use tokio::time::{Instant, timeout};

const PATIENCE: Duration = Duration::from_secs(60);
/// How long a publication waits for room here.
const WAITS: Duration = Duration::from_secs(2);
/// A message that takes more than what a nearly full disk has left over.
const LARGE: usize = 64 * 1024;

/// A file system of four megabytes, gone with this value.
struct SmallDisk(TempDir);

impl SmallDisk {
    /// None where this user may not mount one.
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=4m", "tmpfs"])
            .arg(folder.path())
            .output();
        match mounted {
            Ok(output) if output.status.success() => Some(Self(folder)),
            other => {
                let is_root = Path::new("/proc/self").metadata().is_ok_and(|of| {
                    use std::os::unix::fs::MetadataExt;
                    of.uid() == 0
                });
                assert!(!is_root || std::env::var_os("CI").is_none(), "no mount: {other:?}");
                eprintln!("SKIPPED: a small file system cannot be mounted here: {other:?}");
                None
            }
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Takes all the room that is left.
    fn fill(&self) {
        let mut ballast = File::create(self.path("ballast")).unwrap();
        for size in [LARGE, 4096, 1] {
            while ballast.write_all(&vec![b'x'; size]).is_ok() {}
        }
    }

    fn make_room(&self) {
        std::fs::remove_file(self.path("ballast")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.0.path()).status();
    }
}

fn large(number: usize) -> Publish {
    let body = format!("{number} {}", "x".repeat(LARGE));
    Publish::kept(SharedMessage::new("/topic/a", [("number", number.to_string())], body))
}

/// Publishes until one is refused; returns how many were taken, and how long the last waited.
async fn until_refused(broker: &JournalBroker, from: usize) -> (usize, Duration) {
    for number in from..from + 100 {
        let asked = Instant::now();
        match timeout(PATIENCE, broker.publish(large(number))).await.expect("an answer") {
            Ok(Accepted { position, .. }) => assert!(position.is_some()),
            Err(BrokerError::Refused(problem)) => {
                assert_eq!(problem.code, Code::Unavailable);
                return (number, asked.elapsed());
            }
            Err(error) => panic!("the outcome is certain: {error}"),
        }
    }
    panic!("a hundred large messages do not fit on a full disk");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_makes_publications_wait_and_nothing_else() {
    let Some(disk) = SmallDisk::mount() else { return };
    let config = BrokerConfig { publish_timeout: WAITS, ..BrokerConfig::default() };
    let broker = JournalBroker::open(disk.path("log.db"), config.clone()).await.unwrap();
    let mut live = Listening::to(1, "/topic/a").within(64 << 20).on(&broker).await;
    publish(&broker, "/topic/a", "before").await;
    assert_eq!(live.bodies(1).await, ["before"]);

    disk.fill();
    let (refused, waited) = until_refused(&broker, 0).await;
    assert!(waited >= WAITS, "it was refused after {waited:?}");

    // Whoever needs no disk does not wait for one.
    let waits = broker.publish(large(refused));
    let mut other = Listening::to(2, "/topic/live").on(&broker).await;
    let word = SharedMessage::new("/topic/live", [("", ""); 0], "volatile");
    timeout(PATIENCE, broker.publish(Publish::volatile(word))).await.unwrap().unwrap();
    assert_eq!(other.bodies(1).await, ["volatile"]);
    let mut replay = Listening::to(3, "/topic/a").from(StartFrom::First).on(&broker).await;
    assert_eq!(replay.bodies(1).await, ["before"]);

    disk.make_room();
    let waited = timeout(PATIENCE, waits).await.expect("an answer");
    let goes_on = match waited {
        Ok(_) => refused + 1,
        // The disk may have been slow to be freed: refused is certain, and comes no more.
        Err(BrokerError::Refused(problem)) if problem.code == Code::Unavailable => refused,
        Err(error) => panic!("{error}"),
    };
    let was_taken = goes_on > refused;
    for number in refused + 1..refused + 4 {
        timeout(PATIENCE, broker.publish(large(number))).await.unwrap().unwrap();
    }
    let expected: Vec<usize> =
        (0..refused + 4).filter(|number| *number != refused || was_taken).collect();
    assert_eq!(numbers(&mut live, expected.len()).await, expected);
    live.is_quiet().await;
    broker.close().await;
    drop(broker);

    let broker = JournalBroker::open(disk.path("log.db"), config).await.unwrap();
    let mut all =
        Listening::to(4, "/topic/a").within(64 << 20).from(StartFrom::First).on(&broker).await;
    assert_eq!(all.bodies(1).await, ["before"]);
    assert_eq!(numbers(&mut all, expected.len()).await, expected);
    all.is_quiet().await;
    broker.close().await;
}

/// The numbers of the next large messages.
async fn numbers(
    listener: &mut stomp_server::testing::listener::Listener,
    count: usize,
) -> Vec<usize> {
    let mut numbers = Vec::new();
    while numbers.len() < count {
        let delivery = listener.next().await;
        numbers.push(delivery.logged.message.header("number").unwrap().parse().unwrap());
    }
    numbers
}
