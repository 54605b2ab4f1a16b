//! A broker behind a slow line: every reply comes late, in order.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use stomp_server::{
    broker::{
        Accepted, Broker, BrokerError, Capabilities, LogInfo, LogReader, Outcome, Place, Publish,
        Reply, SubscribeRequest, Subscribed, SubscriptionKey, Token,
    },
    session::Outbound,
};
use tokio::{sync::mpsc, time::sleep};

/// A broker that another one stands behind.
pub(crate) struct Delayed {
    inner: Arc<dyn Broker>,
    accepted: mpsc::UnboundedSender<Box<dyn FnOnce() -> Waiting + Send>>,
}

type Waiting = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

impl Delayed {
    /// Puts the line in front of a broker.
    pub(crate) fn over(inner: Arc<dyn Broker>) -> Self {
        let (accepted, mut waiting) =
            mpsc::unbounded_channel::<Box<dyn FnOnce() -> Waiting + Send>>();
        tokio::spawn(async move {
            while let Some(pass) = waiting.recv().await {
                sleep(Duration::from_micros(rand::random_range(0..300))).await;
                pass().await;
            }
        });
        Self { inner, accepted }
    }

    fn late<T: Send + Unpin + 'static>(&self, reply: Reply<T>) -> Reply<T> {
        let (replier, late) = Reply::later();
        let pass = move || -> Waiting { Box::pin(async move { replier.send(reply.await) }) };
        self.accepted.send(Box::new(pass)).expect("the line is up");
        late
    }
}

#[async_trait]
impl Broker for Delayed {
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn publish(&self, publish: Publish) -> Reply<Accepted> {
        self.late(self.inner.publish(publish))
    }

    fn has_room(&self) -> bool {
        self.inner.has_room()
    }

    async fn room(&self) {
        self.inner.room().await;
    }

    fn subscribe(&self, request: SubscribeRequest, outbound: Outbound) -> Reply<Subscribed> {
        self.late(self.inner.subscribe(request, outbound))
    }

    fn unsubscribe(&self, key: SubscriptionKey, place: Place) -> Reply<()> {
        self.late(self.inner.unsubscribe(key, place))
    }

    fn settle(&self, key: SubscriptionKey, tokens: &[Token], outcome: Outcome) -> Reply<()> {
        self.late(self.inner.settle(key, tokens, outcome))
    }

    async fn log(&self) -> Result<LogInfo, BrokerError> {
        self.inner.log().await
    }

    async fn read_log(&self, starts: &[u64]) -> Result<Box<dyn LogReader>, BrokerError> {
        self.inner.read_log(starts).await
    }

    async fn close(&self) {
        self.inner.close().await;
    }
}
