//! The broker in memory: what it has accepted ends with the process.

use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::{
    Accepted, Broker, BrokerConfig, BrokerError, Capabilities, Class, Durability, LogInfo,
    LogReader, Outcome, Place, Publish, QueueInfo, Reply, StorageInfo, SubscribeRequest,
    Subscribed, SubscriptionKey, Token,
    dedupe::Dedupe,
    hub::{Hub, only_start},
    queues::is_queue,
};
use crate::{
    problem::{Code, Problem},
    session::Outbound,
};

/// Topics and queues in one process. A publication is accepted, and on its way to everybody who
/// listens, before [`publish`](Broker::publish) returns.
///
/// What a replay can reach is what the tail ring holds. A worker that does not take over what
/// it reads holds the ring back; at twice its bound, publications have to wait.
#[derive(Debug)]
pub struct MemoryBroker {
    hub: Arc<Hub>,
    dedupe: Mutex<Dedupe>,
}

impl MemoryBroker {
    /// An empty broker.
    pub fn new(config: BrokerConfig) -> Self {
        let dedupe = Mutex::new(Dedupe::new(config.dedupe_window, config.dedupe_ids));
        Self { hub: Arc::new(Hub::in_memory(config)), dedupe }
    }

    fn accept(&self, publish: Publish) -> Result<Accepted, BrokerError> {
        self.hub.check_open()?;
        if self.hub.is_overfull() {
            let problem = Problem::new(Code::Unavailable, "The log is full of unread messages.");
            return Err(problem.into());
        }
        if is_queue(&publish.route) {
            return self.enqueue(publish);
        }
        if publish.class == Class::Volatile {
            self.hub.broadcast(publish);
            return Ok(Accepted { position: None, duplicate: false });
        }
        Ok(self.append(publish))
    }

    fn enqueue(&self, publish: Publish) -> Result<Accepted, BrokerError> {
        let Some(room) = self.hub.room(&publish)? else {
            return Ok(Accepted { position: None, duplicate: false });
        };
        if self.hub.is_temporary(&publish.route) {
            self.hub.enqueue_private(publish, room);
            return Ok(Accepted { position: None, duplicate: false });
        }
        let mut dedupe = self.dedupe.lock();
        let print = publish.dedupe.as_ref().map(|key| dedupe.print(&publish.route, key));
        let now = Instant::now();
        if let Some(first) = print.and_then(|print| dedupe.first(print, now)) {
            return Ok(Accepted { position: Some(self.hub.position(first)), duplicate: true });
        }
        let position = self.hub.next_position();
        if let Some(print) = print {
            dedupe.remember(print, position.offset, now);
        }
        drop(dedupe);
        self.hub.enqueue(publish, position.offset, room);
        Ok(Accepted { position: Some(position), duplicate: false })
    }

    fn append(&self, publish: Publish) -> Accepted {
        let channel = self.hub.channel(&publish);
        let mut state = channel.lock();
        let print = publish.dedupe.as_ref().map(|key| {
            let print = self.dedupe.lock().print(&publish.route, key);
            (print, Instant::now())
        });
        if let Some((print, now)) = print
            && let Some(first) = self.dedupe.lock().first(print, now)
        {
            return Accepted { position: Some(self.hub.position(first)), duplicate: true };
        }
        let (position, aftermath) = self.hub.append(&mut state, publish);
        if let Some((print, now)) = print {
            self.dedupe.lock().remember(print, position.offset, now);
        }
        drop(state);
        drop(channel);
        self.hub.clean_up(aftermath);
        Accepted { position: Some(position), duplicate: false }
    }
}

impl Default for MemoryBroker {
    fn default() -> Self {
        Self::new(BrokerConfig::default())
    }
}

/// A broker that is dropped without [`close`](Broker::close) lets its tasks end alone.
impl Drop for MemoryBroker {
    fn drop(&mut self) {
        self.hub.closing.cancel();
    }
}

#[async_trait]
impl Broker for MemoryBroker {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            durability: Durability::Memory,
            queues: true,
            priority: true,
            durable_subscriptions: true,
            selectors: true,
        }
    }

    fn publish(&self, publish: Publish) -> Reply<Accepted> {
        Reply::now(self.accept(publish))
    }

    fn has_room(&self) -> bool {
        !self.hub.is_overfull()
    }

    async fn room(&self) {
        self.hub.until_released().await;
    }

    fn subscribe(&self, request: SubscribeRequest, outbound: Outbound) -> Reply<Subscribed> {
        self.hub.subscribe(request, outbound)
    }

    fn unsubscribe(&self, key: SubscriptionKey, place: Place) -> Reply<()> {
        self.hub.leave(key, place)
    }

    fn settle(&self, key: SubscriptionKey, tokens: &[Token], outcome: Outcome) -> Reply<()> {
        self.hub.settle(key, tokens, outcome)
    }

    async fn log(&self) -> Result<LogInfo, BrokerError> {
        self.hub.check_open()?;
        Ok(LogInfo { epoch: self.hub.epoch, heads: vec![self.hub.log.lock().next] })
    }

    async fn read_log(&self, starts: &[u64]) -> Result<Box<dyn LogReader>, BrokerError> {
        Ok(Box::new(self.hub.reader(only_start(starts)?)?))
    }

    fn queues(&self, after: &str, limit: usize) -> Vec<QueueInfo> {
        self.hub.queue_infos(after, limit)
    }

    async fn storage(&self) -> StorageInfo {
        self.hub.storage_info()
    }

    async fn close(&self) {
        self.hub.close().await;
    }
}
