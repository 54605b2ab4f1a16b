//! Every broker of this machine keeps every promise of the trait.

#![cfg(feature = "testing")]
#![allow(clippy::unwrap_used, reason = "a test that cannot begin has failed")]

mod delayed;
mod flaky;

use std::{sync::Arc, time::Duration};

use stomp_server::{
    broker::{Broker, BrokerConfig, JournalBroker, MemoryBroker, journal::MemoryJournal},
    testing::conformance,
};

/// What is returned ten times must not take half a minute.
fn config() -> BrokerConfig {
    BrokerConfig { redelivery_pause: Duration::from_millis(1), ..BrokerConfig::default() }
}

#[tokio::test]
async fn the_broker_in_memory_keeps_its_promises() {
    conformance::broker(|| async { Arc::new(MemoryBroker::new(config())) as Arc<dyn Broker> })
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_broker_in_memory_keeps_its_promises_on_two_cores() {
    conformance::broker(|| async { Arc::new(MemoryBroker::new(config())) as Arc<dyn Broker> })
        .await;
}

#[tokio::test(start_paused = true)]
async fn the_broker_over_a_journal_keeps_its_promises() {
    conformance::broker(|| over_memory_journal(config())).await;
}

/// A ring of nothing: every replay has to come out of the journal.
#[tokio::test(start_paused = true)]
async fn the_broker_over_a_journal_alone_keeps_its_promises() {
    conformance::broker(|| over_memory_journal(BrokerConfig { ring_bytes: 0, ..config() })).await;
}

/// The promises hold for whoever stands in front of a broker, not for its types.
#[tokio::test(start_paused = true)]
async fn a_broker_behind_a_slow_line_keeps_its_promises() {
    conformance::broker(|| async {
        let inner = over_memory_journal(config()).await;
        Arc::new(delayed::Delayed::over(inner)) as Arc<dyn Broker>
    })
    .await;
}

/// Every third commit fails at first, one way or another.
#[tokio::test(start_paused = true)]
async fn the_broker_over_a_failing_journal_keeps_its_promises() {
    conformance::broker(|| async {
        let journal = Arc::new(flaky::Flaky::over(MemoryJournal::new()));
        journal.fail_often();
        Arc::new(JournalBroker::over(journal, config()).await.unwrap()) as Arc<dyn Broker>
    })
    .await;
}

async fn over_memory_journal(config: BrokerConfig) -> Arc<dyn Broker> {
    Arc::new(JournalBroker::over(Arc::new(MemoryJournal::new()), config).await.unwrap())
}

#[cfg(feature = "sqlite")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_broker_over_sqlite_keeps_its_promises() {
    let folder = tempfile::tempdir().unwrap();
    let count = std::sync::atomic::AtomicU32::new(0);
    conformance::broker(|| async {
        let number = count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let path = folder.path().join(format!("{number}.db"));
        let config = BrokerConfig { ring_bytes: 4096 * (number as usize % 2), ..config() };
        Arc::new(JournalBroker::open(path, config).await.unwrap()) as Arc<dyn Broker>
    })
    .await;
}
