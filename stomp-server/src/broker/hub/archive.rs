//! What lies behind the ring: replays that begin in the journal.

use std::sync::{Arc, atomic::Ordering};

use super::{Hub, topics::Start};
use crate::broker::{
    History, Logged, Position, Reply, StartFrom, SubscribeRequest, Subscribed,
    journal::{Journal, JournalError, Span},
    replay::Stride,
    subscription::Subscription,
};

impl Hub {
    /// Asks the archive where a subscription begins, and makes it.
    pub(super) fn search(
        self: &Arc<Self>,
        subscription: Arc<Subscription>,
        from: StartFrom,
    ) -> Reply<Subscribed> {
        let (replier, reply) = Reply::later();
        let hub = self.clone();
        self.tasks.spawn(async move {
            #[cfg(feature = "kafka")]
            if let Some(remote) = &hub.remote {
                let start = remote.find_start(&hub, &subscription.request).await;
                let start = hub.or_in_history(&subscription.request, start).await;
                return replier.send(Ok(hub.join_anyhow(&subscription, start)));
            }
            let search = hub.find_start(&subscription.request, from);
            let start = match tokio::time::timeout(hub.config.replay_time, search).await {
                Ok(Ok(start)) => start,
                Ok(Err(error)) => {
                    tracing::warn!(%error, "the start of a replay could not be looked up");
                    Start::NotKept
                }
                Err(_) => Start::NotKept,
            };
            let start = hub.or_in_history(&subscription.request, start).await;
            replier.send(Ok(hub.join(&subscription, start)));
        });
        reply
    }

    /// What the log does not keep, the application's history may tell.
    async fn or_in_history(&self, request: &SubscribeRequest, start: Start) -> Start {
        let (Some(history), Start::NotKept) = (self.history_for(request), &start) else {
            return start;
        };
        let Some(StartFrom::After(place)) = request.from else { return start };
        let partition = self.channels.partition(&request.route);
        let is_past =
            place.epoch == self.epoch && place.offset <= self.log.lock().newest_in(partition);
        if is_past && history.reaches(&request.route, partition as u32, place).await {
            return Start::Behind(place.offset);
        }
        start
    }

    /// Messages of one destination that are not settled can come out of the history.
    fn history_for(&self, request: &SubscribeRequest) -> Option<&Arc<dyn History>> {
        let is_plain =
            !request.acks && request.durable.is_none() && !self.words.is_pattern(&request.route);
        self.config.history.as_ref().filter(|_| is_plain)
    }

    /// Some messages behind `after` as the history tells them; nothing where it is not ahead.
    async fn chapter(
        &self,
        history: &dyn History,
        route: &str,
        after: u64,
        max: usize,
    ) -> Result<Option<Stride>, JournalError> {
        let partition = self.channels.partition(route);
        let place = Position { epoch: self.epoch, offset: after };
        let chapter = history.behind(route, partition as u32, place, max).await?;
        // What this hub has not read yet it will bring itself.
        let upto = chapter.upto.min(self.log.lock().newest_in(partition));
        if upto <= after {
            return Ok(None);
        }
        let place = |logged: &Logged| logged.position.map_or(0, |position| position.offset);
        let messages = chapter.messages.into_iter();
        let messages = messages.map(|logged| (place(&logged), Arc::new(logged)));
        let messages = messages.filter(|(offset, _)| (after + 1..=upto).contains(offset)).collect();
        Ok(Some(Stride { messages, scanned: upto }))
    }

    async fn find_start(
        &self,
        request: &SubscribeRequest,
        from: StartFrom,
    ) -> Result<Start, JournalError> {
        let route = &request.route;
        let Some(archive) = &self.archive else { return Ok(Start::NotKept) };
        let trimmed = self.trimmed.load(Ordering::Acquire);
        let upto = self.log.lock().newest();
        let kept = Span { after: trimmed, upto };
        match from {
            StartFrom::Next => Ok(Start::Live),
            StartFrom::First => self.bounded(&**archive, route, kept).await,
            StartFrom::After(place) if place.offset < trimmed => Ok(Start::NotKept),
            // Whoever has a place of its own gets everything behind it, at its own pace.
            StartFrom::After(place) if request.durable.is_some() => Ok(Start::Behind(place.offset)),
            StartFrom::After(place) => {
                self.bounded(&**archive, route, Span { after: place.offset, upto }).await
            }
            StartFrom::Last(count) => {
                let first = archive.first_of_last(route, kept, count as usize).await?;
                Ok(first.map_or(Start::Live, |first| Start::Behind(first.saturating_sub(1))))
            }
        }
    }

    async fn bounded(
        &self,
        archive: &dyn Journal,
        route: &str,
        span: Span,
    ) -> Result<Start, JournalError> {
        let most = self.config.replay_records;
        let count = archive.count_route(route, span, most.saturating_add(1)).await?;
        Ok(if count > most { Start::NotKept } else { Start::Behind(span.after) })
    }

    /// Some messages behind `after` for a subscription, out of the ring or else the archive;
    /// `None` where neither has them any more.
    pub(in crate::broker) async fn stride(
        &self,
        subscription: &Subscription,
        after: u64,
        max: usize,
    ) -> Result<Option<Stride>, JournalError> {
        let route = &subscription.request.route;
        if let Some(stride) = self.recent(subscription, after, max) {
            return self.retold(route, stride).await.map(Some);
        }
        let mut away = None;
        if let Some(history) = self.history_for(&subscription.request) {
            match self.chapter(&**history, route, after, max).await {
                Ok(Some(stride)) => return Ok(Some(stride)),
                Ok(None) => {}
                Err(error) => away = Some(error),
            }
        }
        match (self.stride_of_log(route, after, max).await, away) {
            // It may be in the history, which is only away for a while.
            (Ok(None), Some(error)) => Err(error),
            (Ok(Some(stride)), _) => self.retold(route, stride).await.map(Some),
            (found, _) => found,
        }
    }

    /// The same as the application tells it now.
    async fn retold(&self, route: &str, mut stride: Stride) -> Result<Stride, JournalError> {
        let is_one = !stride.messages.is_empty() && !self.words.is_pattern(route);
        let Some(history) = self.config.history.as_ref().filter(|_| is_one) else {
            return Ok(stride);
        };
        let partition = self.channels.partition(route) as u32;
        let (places, messages): (Vec<_>, Vec<_>) = stride.messages.into_iter().unzip();
        let messages = history.retold(route, partition, messages).await?;
        stride.messages = places.into_iter().zip(messages).collect();
        Ok(stride)
    }

    async fn stride_of_log(
        &self,
        route: &str,
        after: u64,
        max: usize,
    ) -> Result<Option<Stride>, JournalError> {
        let is_pattern = self.words.is_pattern(route);
        #[cfg(feature = "kafka")]
        if let Some(remote) = self.remote.as_ref().filter(|_| !is_pattern) {
            return remote.stride(self, route, after, max).await;
        }
        let Some(archive) = &self.archive else { return Ok(None) };
        let upto = self.log.lock().newest();
        let span = Span { after, upto };
        let entries = if is_pattern {
            archive.read(span, max).await?
        } else {
            archive.read_route(route, span, max).await?
        };
        if after < self.trimmed.load(Ordering::Acquire) {
            return Ok(None); // it may have been trimmed while it was read
        }
        let scanned = entries.last().map_or(upto, |entry| entry.offset);
        let messages = entries
            .into_iter()
            .filter(|entry| !is_pattern || self.words.covers(route, &entry.logged.route))
            .map(|entry| (entry.offset, entry.logged))
            .collect();
        Ok(Some(Stride { messages, scanned }))
    }
}
