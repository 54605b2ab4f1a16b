//! What lies behind the ring: replays that begin in the log itself.

use std::{collections::HashSet, ops::ControlFlow, sync::Arc};

use async_trait::async_trait;
use parking_lot::Mutex;
use rdkafka::{Message, error::KafkaResult, message::BorrowedMessage};
use tokio::{sync::Semaphore, time::timeout};

use super::{
    client,
    producer::ours,
    receipts::Receipts,
    record,
    scan::{self, End, Readers, Stretch},
    tail::{self, Progress},
    window::Window,
};
use crate::broker::{
    JournalError, StartFrom, SubscribeRequest,
    hub::{
        Hub,
        remote::{Remote, Start},
    },
    replay::Stride,
};

/// How many replays read the log at the same time; others wait for their turn.
const AT_ONCE: usize = 4;

/// How many records one stride looks at, so that it is over soon.
const LOOK_AT: u64 = 2_048;

/// The way back into the log.
#[derive(Debug)]
pub(super) struct Reach {
    pub(super) topic: Arc<str>,
    pub(super) receipts: Arc<Receipts>,
    pub(super) window: Arc<Mutex<Window>>,
    pub(super) progress: Arc<Progress>,
    pub(super) readers: Arc<Readers>,
    turns: Semaphore,
}

impl Reach {
    pub(super) fn new(
        topic: Arc<str>,
        receipts: Arc<Receipts>,
        window: Arc<Mutex<Window>>,
        progress: Arc<Progress>,
        readers: Arc<Readers>,
    ) -> Self {
        Self { topic, receipts, window, progress, readers, turns: Semaphore::new(AT_ONCE) }
    }

    /// Does something with a reader where blocking is allowed.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        work: impl FnOnce(&client::Reader) -> KafkaResult<T> + Send + 'static,
    ) -> Result<T, JournalError> {
        let unreadable = |cause: String| JournalError::Unreadable(cause.into());
        let turn = self.turns.acquire().await.map_err(|error| unreadable(error.to_string()))?;
        let readers = self.readers.clone();
        let asked = tokio::task::spawn_blocking(move || readers.with(work)).await;
        drop(turn);
        let answer = asked.map_err(|error| unreadable(error.to_string()))?;
        answer.map_err(|error| unreadable(error.to_string()))
    }

    /// From behind which place to which place a partition reaches.
    async fn extent(&self, partition: usize) -> Result<(u64, u64), JournalError> {
        let topic = self.topic.clone();
        self.ask(move |reader| client::extent(reader, &topic, partition)).await
    }

    /// Waits until the hub has read up to a place, if the log has it. Says whether it has.
    pub(super) async fn read_up_to(&self, hub: &Hub, partition: usize, place: u64) -> bool {
        let read = self.progress.come_to(partition, place, || hub.newest_in(partition) >= place);
        tokio::select! {
            () = read => true,
            () = hub.closing.cancelled() => false,
        }
    }

    /// Waits until the hub has read all that was receipted here.
    async fn read_all(&self, hub: &Hub) {
        let reading = async {
            for partition in 0..hub.partitions() {
                self.read_up_to(hub, partition, self.receipts.logged(partition)).await;
            }
        };
        let _ = timeout(hub.config.publish_timeout, reading).await;
    }

    async fn become_current(&self, hub: &Hub, partition: usize, request: &SubscribeRequest) {
        let mut place = self.receipts.logged(partition);
        if let Some(StartFrom::After(asked)) = request.from
            && asked.epoch == hub.epoch
            && asked.offset > hub.newest_in(partition).max(place)
        {
            // Receipted by another instance, or made up: the log knows.
            match self.extent(partition).await {
                Ok((_, newest)) if asked.offset <= newest => place = asked.offset,
                Ok(_) => {}
                Err(error) => tracing::warn!(%error, "a place could not be looked up"),
            }
        }
        let patience = hub.config.publish_timeout;
        let _ = timeout(patience, self.read_up_to(hub, partition, place)).await;
    }

    async fn search(
        &self,
        hub: &Hub,
        request: &SubscribeRequest,
        from: StartFrom,
    ) -> Result<Start, JournalError> {
        let partition = hub.partition(&request.route);
        let newest = hub.newest_in(partition);
        let (oldest, _) = self.extent(partition).await?;
        let most = hub.config.replay_records as u64;
        let bounded = |after: u64| {
            let is_kept = after >= oldest && newest.saturating_sub(after) <= most;
            if is_kept { Start::Behind(after) } else { Start::NotKept }
        };
        match from {
            StartFrom::Next => Ok(Start::Live),
            StartFrom::First => Ok(bounded(oldest)),
            // Whoever has a place of its own gets everything behind it, at its own pace.
            StartFrom::After(place) if request.durable.is_some() && place.offset >= oldest => {
                Ok(Start::Behind(place.offset))
            }
            StartFrom::After(place) => Ok(bounded(place.offset)),
            StartFrom::Last(count) => {
                let after = oldest.max(newest.saturating_sub(most));
                self.last(hub, request, count as usize, (oldest, after, newest)).await
            }
        }
    }

    /// Looks for the last few messages of a destination among the newest records.
    async fn last(
        &self,
        hub: &Hub,
        request: &SubscribeRequest,
        count: usize,
        (oldest, after, newest): (u64, u64, u64),
    ) -> Result<Start, JournalError> {
        let (topic, route) = (self.topic.clone(), request.route.clone());
        let partition = hub.partition(&route);
        let patience = hub.config.replay_time;
        let (end, found) = self
            .ask(move |reader| {
                let stretch = Stretch { topic: &topic, partition, from: after, until: newest };
                let mut found = Vec::new();
                let end = scan::read(reader, stretch, patience, |record| {
                    if record::is_for(record, &route) {
                        found.push(ours(record.offset()));
                    }
                    ControlFlow::Continue(())
                })?;
                Ok((end, found))
            })
            .await?;
        Ok(match found.len().checked_sub(count) {
            _ if end != End::Read => Start::NotKept,
            Some(at) if count > 0 => Start::Behind(found[at] - 1),
            Some(_) => Start::Live,
            None if after == oldest => Start::Behind(oldest),
            None => Start::NotKept,
        })
    }
}

#[async_trait]
impl Remote for Reach {
    fn is_current(&self, hub: &Hub, partition: usize) -> bool {
        hub.newest_in(partition) >= self.receipts.logged(partition)
    }

    async fn find_start(&self, hub: &Hub, request: &SubscribeRequest) -> Start {
        if hub.is_pattern(&request.route) {
            self.read_all(hub).await;
            return Start::Live;
        }
        let partition = hub.partition(&request.route);
        self.become_current(hub, partition, request).await;
        let start = hub.start(request);
        let Start::Search(from) = start else { return start };
        let search = self.search(hub, request, from).await;
        search.unwrap_or_else(|error| {
            tracing::warn!(%error, "the start of a replay could not be looked up");
            Start::NotKept
        })
    }

    async fn stride(
        &self,
        hub: &Hub,
        route: &str,
        after: u64,
        max: usize,
    ) -> Result<Option<Stride>, JournalError> {
        let partition = hub.partition(route);
        let upto = hub.newest_in(partition).min(after + LOOK_AT);
        let (topic, route) = (self.topic.clone(), compact_str::CompactString::from(route));
        let patience = hub.config.replay_time;
        let (end, contents, scanned) = self
            .ask(move |reader| {
                // Behind our place N comes Kafka's record N: one counts from 1, the other from 0.
                let stretch = Stretch { topic: &topic, partition, from: after, until: upto };
                let (mut contents, mut scanned) = (Vec::new(), after);
                let end = scan::read(reader, stretch, patience, |record| {
                    scanned = ours(record.offset());
                    contents.extend(matching(record, &route));
                    if contents.len() < max {
                        ControlFlow::Continue(())
                    } else {
                        ControlFlow::Break(())
                    }
                })?;
                let scanned = if end == End::Read && contents.len() < max { upto } else { scanned };
                Ok((end, contents, scanned))
            })
            .await?;
        if end == End::Gone {
            return Ok(None);
        }
        if end == End::Late && scanned == after {
            return Err(JournalError::Unreadable("Kafka does not answer".into()));
        }
        let messages = self.first_ones(hub, contents);
        Ok(Some(Stride { messages, scanned }))
    }
}

type Found = (u64, u64, record::Content);

fn matching(record: &BorrowedMessage<'_>, route: &str) -> Option<Found> {
    if !record::is_for(record, route) {
        return None;
    }
    let at_ms = record.timestamp().to_millis().unwrap_or(0).max(0) as u64;
    Some((ours(record.offset()), at_ms, record::read(record)?))
}

impl Reach {
    /// Leaves out what the live readers left out: second ones of an id. Ids older than the
    /// window are only compared within one stride.
    fn first_ones(&self, hub: &Hub, found: Vec<Found>) -> Vec<(u64, Arc<crate::broker::Logged>)> {
        let mut seen = HashSet::new();
        let mut window = self.window.lock();
        let mut is_first = |content: &record::Content, offset| {
            let Some(key) = &content.dedupe else { return true };
            let print = window.print(&content.route, key);
            let first = window.first(print);
            seen.insert(key.clone()) && first.is_none_or(|first| first >= offset)
        };
        found
            .into_iter()
            .filter(|(offset, _, content)| is_first(content, *offset))
            .map(|(offset, at_ms, content)| {
                (offset, tail::entry(hub, content, offset, at_ms).logged)
            })
            .collect()
    }
}
