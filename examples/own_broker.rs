//! A broker of one's own: whatever keeps the promises of `Broker` serves sessions, and the
//! conformance suite says whether it does. This one keeps a ledger of all that is published
//! through it, and leaves the rest to another broker.
//!
//! `cargo run -p examples --example own_broker`

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use async_trait::async_trait;
use stomp_server::{
    Server,
    broker::{
        Accepted, Broker, BrokerConfig, BrokerError, Capabilities, LogInfo, LogReader,
        MemoryBroker, Outcome, Place, Publish, Reply, SubscribeRequest, Subscribed,
        SubscriptionKey, Token,
    },
    router::Emit,
    session::Outbound,
    testing::conformance,
};

#[derive(Default)]
struct Ledger {
    octets: AtomicU64,
}

struct WithLedger {
    ledger: Arc<Ledger>,
    broker: MemoryBroker,
}

#[async_trait]
impl Broker for WithLedger {
    fn publish(&self, publish: Publish) -> Reply<Accepted> {
        let size = publish.message.size() as u64;
        self.ledger.octets.fetch_add(size, Ordering::Relaxed);
        self.broker.publish(publish) // its place in the order is taken by the call itself
    }

    fn capabilities(&self) -> Capabilities {
        self.broker.capabilities()
    }

    fn has_room(&self) -> bool {
        self.broker.has_room()
    }

    async fn room(&self) {
        self.broker.room().await;
    }

    fn subscribe(&self, request: SubscribeRequest, outbound: Outbound) -> Reply<Subscribed> {
        self.broker.subscribe(request, outbound)
    }

    fn unsubscribe(&self, key: SubscriptionKey, place: Place) -> Reply<()> {
        self.broker.unsubscribe(key, place)
    }

    fn settle(&self, key: SubscriptionKey, tokens: &[Token], outcome: Outcome) -> Reply<()> {
        self.broker.settle(key, tokens, outcome)
    }

    async fn log(&self) -> Result<LogInfo, BrokerError> {
        self.broker.log().await
    }

    async fn read_log(&self, starts: &[u64]) -> Result<Box<dyn LogReader>, BrokerError> {
        self.broker.read_log(starts).await
    }

    async fn close(&self) {
        self.broker.close().await;
    }
}

fn broker(ledger: &Arc<Ledger>) -> Arc<dyn Broker> {
    let pause = std::time::Duration::from_millis(1); // the suite returns messages many times
    let config = BrokerConfig { redelivery_pause: pause, ..BrokerConfig::default() };
    Arc::new(WithLedger { ledger: ledger.clone(), broker: MemoryBroker::new(config) })
}

#[tokio::main]
async fn main() -> Result<(), BrokerError> {
    let ledger = Arc::new(Ledger::default());
    conformance::broker(|| async { broker(&ledger) }).await;

    let ledger = Arc::new(Ledger::default());
    let server = Server::builder().broker(broker(&ledger)).build();
    server.handle().send(Emit::to("/topic/a").text("hello")).await?;
    let octets = ledger.octets.load(Ordering::Relaxed);
    println!("conforming, and {octets} octets in the ledger");
    assert!(octets > 5);
    Ok(())
}
