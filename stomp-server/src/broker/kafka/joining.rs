//! Subscriptions that have to wait for Kafka before they are made: of queues that may have to
//! be made first, and of durable places that another instance may hold.

use std::sync::Arc;

use super::{
    cursors::{Claimed, Cursors},
    pending::Pending,
    queue::KafkaQueues,
};
use crate::{
    broker::{
        BrokerError, DurableKey, Epoch, Position, Reply, StartFrom, SubscribeRequest, Subscribed,
        hub::{Hub, now_ms},
        journal::PlaceEntry,
    },
    session::Outbound,
};

/// What makes them.
#[derive(Clone, Debug)]
pub(super) struct Joining {
    pub(super) hub: Arc<Hub>,
    pub(super) queues: Arc<KafkaQueues>,
    pub(super) cursors: Arc<Cursors>,
    pub(super) pending: Arc<Pending>,
}

impl Joining {
    /// Makes a consumer of a queue, when the queue is there.
    pub(super) fn join_queue(
        &self,
        request: SubscribeRequest,
        outbound: Outbound,
    ) -> Reply<Subscribed> {
        let line = match self.hub.check_open().and_then(|()| self.queues.line(&request.route)) {
            Ok(line) => line,
            Err(error) => return Reply::now(Err(error)),
        };
        if line.is_open() {
            let reply = self.hub.subscribe(request, outbound);
            self.queues.read(&line, &self.hub);
            return reply;
        }
        self.later(request.key, |joining| async move {
            line.opened().await?;
            let (hub, queues) = (&joining.hub, &joining.queues);
            let made = joining.pending.finish(request.key, || {
                let reply = hub.subscribe(request, outbound);
                queues.read(&line, hub);
                reply
            });
            match made {
                Some(reply) => reply.await,
                None => Ok(Subscribed::default()),
            }
        })
    }

    /// Makes a durable subscription, when its place is this instance's.
    pub(super) fn join_durable(
        &self,
        key: DurableKey,
        mut request: SubscribeRequest,
        outbound: Outbound,
    ) -> Reply<Subscribed> {
        if self.hub.is_pattern(&request.route) {
            return self.hub.subscribe(request, outbound); // which refuses it
        }
        self.later(request.key, |joining| async move {
            let claimed = joining.cursors.claim(&key, &request.route).await?;
            let route = request.route.clone();
            joining.hub.drop_place(&key);
            match claimed {
                Claimed::New => {}
                Claimed::At(offset) => {
                    let (route, at_ms) = (route.clone(), now_ms());
                    let key = key.clone();
                    joining.hub.restore_place(PlaceEntry { key, route, offset, at_ms });
                }
                // A place in a log that there is not: nothing of it can be had.
                Claimed::Gone => request.from = Some(StartFrom::After(nowhere(&joining.hub))),
            }
            let subscription = request.key;
            let made =
                joining.pending.finish(subscription, || joining.hub.subscribe(request, outbound));
            let Some(reply) = made else {
                joining.cursors.abandon(&key, &route);
                return Ok(Subscribed::default());
            };
            let outcome = reply.await;
            if outcome.is_err() {
                joining.cursors.abandon(&key, &route);
            }
            outcome
        })
    }

    /// Makes a subscription in a task of its own.
    fn later<Made>(
        &self,
        key: crate::broker::SubscriptionKey,
        make: impl FnOnce(Self) -> Made,
    ) -> Reply<Subscribed>
    where
        Made: Future<Output = Result<Subscribed, BrokerError>> + Send + 'static,
    {
        if let Err(error) = self.hub.check_open().and_then(|()| self.pending.begin(key)) {
            return Reply::now(Err(error));
        }
        let (replier, reply) = Reply::later();
        let making = make(self.clone());
        let joining = self.clone();
        self.hub.tasks.spawn(async move {
            let outcome = tokio::select! {
                outcome = making => outcome,
                () = joining.hub.closing.cancelled() => joining.hub.check_open().map(|()| Subscribed::default()),
            };
            let _ = joining.pending.finish(key, || ());
            replier.send(outcome);
        });
        reply
    }
}

fn nowhere(hub: &Hub) -> Position {
    Position { epoch: Epoch(!hub.epoch.0), offset: 0 }
}
