//! A subscriber without a session: a subscription and its end of the outbound.

use std::{sync::Arc, time::Duration};

use stomp_core::SharedMessage;
use tokio::time::{sleep, timeout};

use crate::{
    broker::{
        Broker, BrokerError, ConnectionId, Delivery, Outcome, Position, Publish, StartFrom,
        SubscribeRequest, Subscribed, SubscriptionKey, Token,
    },
    session::{OutboundQueue, SlowConsumer, outbound},
};

/// How long something that must come may take. Generous: it is only waited for in vain once.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long it must stay quiet to count as nothing.
const QUIET: Duration = Duration::from_millis(40);

/// How a [`Listener`] subscribes: plainly, until told otherwise.
#[derive(Clone, Debug)]
pub struct Listening {
    request: SubscribeRequest,
    bound: usize,
    policy: SlowConsumer,
}

/// One connection with one subscription.
#[derive(Debug)]
pub struct Listener {
    /// What its subscription is called.
    pub key: SubscriptionKey,
    /// Its connection's queue.
    pub queue: OutboundQueue,
    /// What the broker said to it.
    pub subscribed: Subscribed,
    /// Messages that the policy has dropped, as far as drained.
    pub dropped: u64,
    ready: std::collections::VecDeque<Delivery>,
}

impl Listening {
    /// To this route, as the only subscription of this connection.
    pub fn to(connection: u64, route: &str) -> Self {
        let request = SubscribeRequest {
            key: SubscriptionKey { connection: ConnectionId(connection), number: 0 },
            route: route.into(),
            from: None,
            acks: false,
            prefetch: 256,
            durable: None,
            selector: None,
        };
        Self { request, bound: 1 << 20, policy: SlowConsumer::Disconnect }
    }

    /// Starts elsewhere.
    #[must_use]
    pub fn from(mut self, from: StartFrom) -> Self {
        self.request.from = Some(from);
        self
    }

    /// Acknowledges, with at most so many open.
    #[must_use]
    pub fn acking(mut self, prefetch: u32) -> Self {
        self.request.acks = true;
        self.request.prefetch = prefetch;
        self
    }

    /// Has an outbound of so many bytes.
    #[must_use]
    pub fn within(mut self, bytes: usize) -> Self {
        self.bound = bytes;
        self
    }

    /// Has another policy for what does not fit.
    #[must_use]
    pub fn policy(mut self, policy: SlowConsumer) -> Self {
        self.policy = policy;
        self
    }

    /// Keeps its place under this name.
    #[must_use]
    pub fn durable(mut self, user: &str, id: &str) -> Self {
        self.request.durable = Some(crate::broker::DurableKey { user: user.into(), id: id.into() });
        self
    }

    /// Wants only what this selects.
    #[must_use]
    pub fn selecting(mut self, selector: &str) -> Self {
        self.request.selector = Some(Arc::new(selector.parse().expect("a selector")));
        self
    }

    /// Subscribes.
    ///
    /// # Errors
    /// Those of the broker.
    pub async fn start(self, broker: &dyn Broker) -> Result<Listener, BrokerError> {
        let key = self.request.key;
        let (outbound, queue) = outbound(key.connection, self.bound, self.policy);
        let subscribed = broker.subscribe(self.request, outbound).await?;
        Ok(Listener { key, queue, subscribed, ready: Default::default(), dropped: 0 })
    }

    /// Subscribes, which must succeed.
    pub async fn on(self, broker: &dyn Broker) -> Listener {
        self.start(broker).await.expect("the subscription is made")
    }
}

impl Listener {
    /// The next delivery, which must come.
    pub async fn next(&mut self) -> Delivery {
        if self.ready.is_empty() {
            let ready = timeout(PATIENCE, self.queue.ready()).await;
            ready.expect("a delivery comes in time");
            self.drain();
        }
        self.ready.pop_front().expect("the connection has not been ended by the policy")
    }

    /// The next deliveries, which must come.
    pub async fn take(&mut self, count: usize) -> Vec<Delivery> {
        let mut all = Vec::with_capacity(count);
        while all.len() < count {
            all.push(self.next().await);
        }
        all
    }

    /// The bodies of the next deliveries, which must come.
    pub async fn bodies(&mut self, count: usize) -> Vec<String> {
        self.take(count).await.iter().map(body).collect()
    }

    /// Whatever has come by now, and a moment later. On a busy machine that may be less than
    /// what is on its way: what must come is asked for by [`take`](Self::take).
    pub async fn rest(&mut self) -> Vec<Delivery> {
        let mut all: Vec<_> = self.ready.drain(..).collect();
        while timeout(QUIET, self.queue.ready()).await.is_ok() && !self.queue.has_overflowed() {
            self.drain();
            all.extend(self.ready.drain(..));
        }
        all
    }

    /// Nothing comes.
    pub async fn is_quiet(&mut self) {
        let rest: Vec<_> = self.rest().await.iter().map(body).collect();
        assert!(rest.is_empty(), "nothing more should have come: {rest:?}");
    }

    /// Settles deliveries.
    pub async fn settle(&self, broker: &dyn Broker, deliveries: &[Delivery], outcome: Outcome) {
        let tokens: Vec<Token> = deliveries.iter().filter_map(|one| one.token).collect();
        assert_eq!(tokens.len(), deliveries.len(), "acknowledged deliveries have tokens");
        let settled = broker.settle(self.key, &tokens, outcome).await;
        settled.expect("deliveries are settled");
    }

    fn drain(&mut self) {
        let mut some = Vec::new();
        self.dropped += self.queue.drain(usize::MAX, &mut some).dropped;
        self.queue.written(some.iter().map(Delivery::weight).sum());
        self.ready.extend(some);
    }
}

/// What a delivery says.
pub fn body(delivery: &Delivery) -> String {
    String::from_utf8_lossy(delivery.logged.message.body()).into_owned()
}

/// A message to be kept.
pub fn kept(route: &str, body: impl ToString) -> Publish {
    Publish::kept(SharedMessage::new(route, [("", ""); 0], body.to_string()))
}

/// Publishes a message, which must be accepted.
pub async fn publish(broker: &dyn Broker, route: &str, body: impl ToString) -> Position {
    let accepted = broker.publish(kept(route, body)).await.expect("the message is accepted");
    accepted.position.expect("a kept message has a position")
}

/// Publishes numbers, one after the other.
pub async fn publish_numbers(broker: &dyn Broker, route: &str, numbers: std::ops::Range<u32>) {
    for number in numbers {
        publish(broker, route, number).await;
    }
}

/// What a listener should have got of them.
pub fn numbers(range: std::ops::Range<u32>) -> Vec<String> {
    range.map(|number| number.to_string()).collect()
}

/// Lets some time pass.
pub async fn a_moment() {
    sleep(QUIET).await;
}
