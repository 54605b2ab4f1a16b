//! The broker over a journal: what it has accepted survives the process.
//!
//! A publication waits in the [`Inbox`] until the [`Committer`] has it in the journal, with
//! all that waited beside it, in one transaction; then it is fanned out in log order, then its
//! reply is given.

mod committer;
mod inbox;
mod upkeep;

use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::task::JoinHandle;

use self::{committer::Committer, inbox::Inbox};
use super::{
    Accepted, Broker, BrokerConfig, Capabilities, Class, Durability, JournalError, LogInfo,
    LogReader, Outcome, Place, Publish, Reply, SubscribeRequest, Subscribed, SubscriptionKey,
    Token,
    error::BrokerError,
    hub::{Hub, only_start},
    journal::Journal,
};
use crate::session::Outbound;

/// Topics that survive, over any [`Journal`].
#[derive(Debug)]
pub struct JournalBroker {
    hub: Arc<Hub>,
    inbox: Arc<Inbox>,
    journal: Arc<dyn Journal>,
    committer: Mutex<Option<JoinHandle<()>>>,
}

impl JournalBroker {
    /// Opens the broker whose journal is the SQLite file at `path`, or makes an empty one.
    ///
    /// # Errors
    /// [`JournalError::Refused`], with what to do, where the file cannot serve.
    #[cfg(feature = "sqlite")]
    pub async fn open(
        path: impl AsRef<std::path::Path>,
        config: BrokerConfig,
    ) -> Result<Self, JournalError> {
        let journal = super::journal::SqliteJournal::open(path, config.journal_sync).await?;
        Self::over(Arc::new(journal), config).await
    }

    /// A broker over a journal, of which it becomes the only user. Its task runs on the
    /// present runtime.
    ///
    /// # Errors
    /// Where the journal cannot be read.
    pub async fn over(
        journal: Arc<dyn Journal>,
        config: BrokerConfig,
    ) -> Result<Self, JournalError> {
        let extent = journal.extent().await?;
        let inbox = Arc::new(Inbox::new(config.journal_backlog));
        let hub = Arc::new(Hub::over(config, journal.clone(), extent));
        if let Some(next) = journal.cursor(upkeep::WORKERS).await? {
            hub.hold_for_absent(next);
        }
        let dedupe = upkeep::seen_lately(&*journal, extent, &hub.config).await?;
        let committer = Committer::new(hub.clone(), inbox.clone(), journal.clone(), dedupe);
        let committer = Mutex::new(Some(tokio::spawn(committer.run(extent.newest + 1))));
        Ok(Self { hub, inbox, journal, committer })
    }
}

#[async_trait]
impl Broker for JournalBroker {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            durability: Durability::Disk,
            queues: false,
            priority: false,
            durable_subscriptions: false,
        }
    }

    fn publish(&self, publish: Publish) -> Reply<Accepted> {
        if publish.class == Class::Volatile {
            return Reply::now(self.hub.check_open().map(|()| {
                self.hub.broadcast(publish);
                Accepted { position: None, duplicate: false }
            }));
        }
        self.inbox.publish(publish)
    }

    fn has_room(&self) -> bool {
        self.inbox.has_room()
    }

    async fn room(&self) {
        self.inbox.room().await;
    }

    fn subscribe(&self, request: SubscribeRequest, outbound: Outbound) -> Reply<Subscribed> {
        self.hub.subscribe(request, outbound)
    }

    fn unsubscribe(&self, key: SubscriptionKey, _place: Place) -> Reply<()> {
        self.hub.unsubscribe(key);
        Reply::now(Ok(()))
    }

    fn settle(&self, key: SubscriptionKey, tokens: &[Token], outcome: Outcome) -> Reply<()> {
        self.hub.settle(key, tokens, outcome);
        Reply::now(Ok(()))
    }

    async fn log(&self) -> Result<LogInfo, BrokerError> {
        self.hub.check_open()?;
        Ok(LogInfo { epoch: self.hub.epoch, heads: vec![self.hub.log.lock().next] })
    }

    async fn read_log(&self, starts: &[u64]) -> Result<Box<dyn LogReader>, BrokerError> {
        let start = only_start(starts)?;
        let reader = self.hub.reader(start)?;
        self.inbox.change(upkeep::cursor(start)).await?;
        Ok(Box::new(reader))
    }

    async fn close(&self) {
        self.inbox.close();
        let committer = self.committer.lock().take();
        if let Some(committer) = committer
            && committer.await.is_err()
        {
            tracing::error!("the journal's task ended before its time");
        }
        self.hub.close().await;
        self.journal.close().await;
    }
}

/// A broker that is dropped without [`close`](Broker::close) lets its task finish alone.
impl Drop for JournalBroker {
    fn drop(&mut self) {
        self.inbox.close();
    }
}
