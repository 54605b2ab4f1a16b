//! The broker over a journal: what it has accepted survives the process.
//!
//! A publication waits in the [`Inbox`] until the [`Committer`] has it in the journal, with
//! all that waited beside it, in one transaction; then it is fanned out in log order, then its
//! reply is given.

mod committer;
mod inbox;
mod upkeep;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::task::JoinHandle;

use self::{committer::Committer, inbox::Inbox};
use super::{
    Accepted, Broker, BrokerConfig, Capabilities, Class, Durability, JournalError, LogInfo,
    LogReader, Outcome, Place, Publish, QueueInfo, Reply, StorageInfo, SubscribeRequest,
    Subscribed, SubscriptionKey, Token,
    error::BrokerError,
    hub::{Hub, only_start},
    journal::Journal,
    queues::is_queue,
};
use crate::session::Outbound;

/// Topics and queues that survive, over any [`Journal`].
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
        let hub = Arc::new(Hub::over(config, journal.clone(), extent, inbox.clone()));
        restore_queues(&hub, &*journal).await?;
        if let Some(next) = journal.cursor(upkeep::WORKERS).await? {
            hub.hold_for_absent(next);
        }
        let dedupe = upkeep::seen_lately(&*journal, extent, &hub.config).await?;
        hub.wake_queues();
        for place in journal.places().await? {
            hub.restore_place(place);
        }
        let committer = Committer::new(hub.clone(), inbox.clone(), journal.clone(), dedupe);
        let committer = Mutex::new(Some(tokio::spawn(committer.run(extent.newest + 1))));
        Ok(Self { hub, inbox, journal, committer })
    }
}

/// The answer where nothing is kept.
const HANDED_OVER: Accepted = Accepted { position: None, duplicate: false };

/// How long somebody who looks waits for the disk.
const LOOK: Duration = Duration::from_secs(1);

/// How many messages of queues are read at once when a journal is opened.
const PAGE: usize = 1_000;

/// Fills the queues with what nobody has acknowledged.
async fn restore_queues(hub: &Hub, journal: &dyn Journal) -> Result<(), JournalError> {
    let mut after = 0;
    loop {
        let page = journal.queued(after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = last.entry.offset;
        for entry in &page {
            hub.restore(entry);
        }
    }
}

#[async_trait]
impl Broker for JournalBroker {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            durability: Durability::Disk,
            queues: true,
            priority: true,
            durable_subscriptions: true,
            selectors: true,
        }
    }

    fn publish(&self, publish: Publish) -> Reply<Accepted> {
        let is_queue = is_queue(&publish.route);
        if !is_queue && publish.class == Class::Kept {
            return self.inbox.publish(publish, None);
        }
        if let Err(error) = self.hub.check_open() {
            return Reply::now(Err(error));
        }
        if !is_queue {
            self.hub.broadcast(publish);
            return Reply::now(Ok(HANDED_OVER));
        }
        match self.hub.room(&publish) {
            Err(error) => Reply::now(Err(error)),
            Ok(None) => Reply::now(Ok(HANDED_OVER)),
            Ok(Some(room)) if self.hub.is_temporary(&publish.route) => {
                self.hub.enqueue_private(publish, room);
                Reply::now(Ok(HANDED_OVER))
            }
            Ok(room) => self.inbox.publish(publish, room),
        }
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
        let start = only_start(starts)?;
        let reader = self.hub.reader(start)?;
        // The slowest reader decides, not the newest.
        let hold = self.hub.log.lock().hold();
        self.inbox.change(vec![upkeep::cursor(hold)]).await?;
        Ok(Box::new(reader))
    }

    fn queues(&self, after: &str, limit: usize) -> Vec<QueueInfo> {
        self.hub.queue_infos(after, limit)
    }

    async fn storage(&self) -> StorageInfo {
        // A disk that does not answer must not keep people from the rest.
        let asked = tokio::time::timeout(LOOK, self.journal.bytes()).await;
        StorageInfo {
            journal_bytes: asked.ok().and_then(Result::ok),
            journal_max: Some(self.hub.config.journal_max),
            backlog_bytes: self.inbox.bytes() as u64,
            ..self.hub.storage_info()
        }
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

/// A broker that is dropped without [`close`](Broker::close) lets its tasks end alone.
impl Drop for JournalBroker {
    fn drop(&mut self) {
        self.inbox.close();
        self.hub.closing.cancel();
    }
}
