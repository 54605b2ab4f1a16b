//! What lies behind the ring: replays that begin in the journal.

use std::sync::{Arc, atomic::Ordering};

use super::{Hub, topics::Start};
use crate::broker::{
    Reply, StartFrom, SubscribeRequest, Subscribed,
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
            replier.send(Ok(hub.join(&subscription, start)));
        });
        reply
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
        if let Some(stride) = self.recent(subscription, after, max) {
            return Ok(Some(stride));
        }
        let route = &subscription.request.route;
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
