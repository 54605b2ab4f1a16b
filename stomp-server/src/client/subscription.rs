//! Subscriptions as streams.

use std::{
    fmt,
    future::{IntoFuture, poll_fn},
    pin::Pin,
    sync::{Arc, atomic::Ordering},
    task::{Context, Poll},
};

use futures::{Stream, future::BoxFuture};
use tokio::sync::{Notify, mpsc};

use super::{
    Client, ClientError, Message,
    command::Command,
    engine::told,
    entry::{Acks, Entry, Flow},
};
use crate::broker::{Position, StartFrom};

/// Messages that may be on their way or wait in the stream, unless asked otherwise.
const PREFETCH: u32 = 256;

/// A subscription about to be made. Await it.
///
/// ```no_run
/// # async fn example(client: stomp_server::client::Client) -> Result<(), stomp_server::client::ClientError> {
/// use stomp_server::broker::StartFrom;
///
/// let mut greetings = client.subscribe("/topic/greetings").from(StartFrom::Last(10)).await?;
/// let first = greetings.message().await?;
/// println!("{}", first.text());
/// # Ok(())
/// # }
/// ```
#[must_use = "a subscription is made when it is awaited"]
pub struct Subscribe {
    client: Client,
    destination: String,
    headers: Vec<(String, String)>,
    id: Option<String>,
    from: Option<String>,
    acks: Acks,
    prefetch: u32,
}

impl Subscribe {
    pub(super) fn new(client: Client, destination: String) -> Self {
        Self {
            client,
            destination,
            headers: Vec::new(),
            id: None,
            from: None,
            acks: Acks::Taken,
            prefetch: PREFETCH,
        }
    }

    /// Where to start; topics only. [`Subscription::started`] has the verdict.
    pub fn from(mut self, start: StartFrom) -> Self {
        self.from = Some(match start {
            StartFrom::Next => "next".to_owned(),
            StartFrom::First => "first".to_owned(),
            StartFrom::Last(count) => format!("last:{count}"),
            StartFrom::After(position) => position.to_string(),
        });
        self
    }

    /// Acknowledged one by one with [`Message::ack`]. Without this a message counts as dealt
    /// with when it is taken from the stream.
    pub fn explicit_acks(mut self) -> Self {
        self.acks = Acks::Explicit;
        self
    }

    /// How many messages may be on their way or wait in the stream: 256 by default, never
    /// less than 1. The server waits beyond that, so a slow reader costs nobody anything.
    pub fn prefetch(mut self, count: u32) -> Self {
        self.prefetch = count.max(1);
        self
    }

    /// The server keeps the place while the client is away, under the user and this id.
    pub fn durable(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
        self.header("durable", "true")
    }

    /// One more header of SUBSCRIBE.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// As a question to a handler: one answer, then it is over.
    pub(super) async fn answer(mut self) -> Result<Message, ClientError> {
        self.acks = Acks::Answer;
        self.open().await?.message().await
    }

    async fn open(self) -> Result<Subscription, ClientError> {
        let number = self.client.number();
        let (sender, arrivals) = mpsc::channel(self.prefetch as usize + 2);
        let (opened, outcome) = told();
        let flow = Arc::new(Flow::default());
        let entry = Entry {
            number,
            id: self.id.unwrap_or_else(|| number.to_string()),
            destination: self.destination,
            headers: self.headers,
            acks: self.acks,
            prefetch: self.prefetch,
            from: self.from,
            stream: sender,
            flow: flow.clone(),
            opened: Some(opened),
            asked: false,
            received: 0,
            unacked: std::collections::VecDeque::new(),
        };
        // Made first, so that dropping this future ends what it has begun.
        let mut subscription = Subscription {
            number,
            arrivals,
            flow,
            wake: self.client.wake(),
            told: 0,
            step: u64::from(self.prefetch / 4).max(1),
            started: Resumed { recovered: true, position: None },
            client: self.client,
        };
        subscription.client.command(Command::Subscribe(Box::new(entry))).await?;
        subscription.started = outcome.await.map_err(|_| ClientError::Closed)??;
        Ok(subscription)
    }
}

impl IntoFuture for Subscribe {
    type Output = Result<Subscription, ClientError>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.open())
    }
}

impl fmt::Debug for Subscribe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscribe").field("destination", &self.destination).finish_non_exhaustive()
    }
}

/// What a stream brings.
#[derive(Clone, Debug)]
#[non_exhaustive]
#[expect(clippy::large_enum_variant, reason = "nearly every arrival is a message")]
pub enum Arrival {
    /// A message.
    Message(Message),
    /// The connection was lost and made again. What follows begins here.
    Resumed(Resumed),
}

/// Where a subscription starts or goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resumed {
    /// Whether everything in between comes. False: something may have been missed, and is best
    /// fetched from wherever history is kept.
    pub recovered: bool,
    /// The place behind which it goes on, where the server tells.
    pub position: Option<Position>,
}

/// A stream of [`Arrival`]s, over all connections of its client. Dropping it unsubscribes.
///
/// It ends after an error, or when the client is closed. At least once: what was on its way
/// when a connection was lost may come again from a queue; a topic goes on behind the last
/// message that reached this stream, so nothing of it is doubled.
pub struct Subscription {
    number: u64,
    arrivals: mpsc::Receiver<Result<Arrival, ClientError>>,
    flow: Arc<Flow>,
    wake: Arc<Notify>,
    /// How many of the taken messages the task has been told of.
    told: u64,
    /// After how many it is told.
    step: u64,
    started: Resumed,
    client: Client,
}

impl Subscription {
    /// The verdict on [`Subscribe::from`], and the place where it began.
    pub fn started(&self) -> Resumed {
        self.started
    }

    /// The next message, passing over [`Arrival::Resumed`]: for those who need not know of
    /// gaps. Cancel-safe.
    ///
    /// # Errors
    /// What has ended the subscription; [`ClientError::Closed`] if the client was closed.
    pub async fn message(&mut self) -> Result<Message, ClientError> {
        loop {
            match self.arrival().await {
                Some(Ok(Arrival::Message(message))) => return Ok(message),
                Some(Ok(Arrival::Resumed(_))) => {}
                Some(Err(error)) => return Err(error),
                None => return Err(ClientError::Closed),
            }
        }
    }

    /// The next arrival; the same as the stream's `next`. Cancel-safe.
    pub async fn arrival(&mut self) -> Option<Result<Arrival, ClientError>> {
        poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// Unsubscribes, and waits until nothing comes any more.
    ///
    /// # Errors
    /// [`ClientError::Closed`].
    pub async fn unsubscribe(self) -> Result<(), ClientError> {
        self.end(false).await
    }

    /// Unsubscribes for good: the server forgets a durable place.
    ///
    /// # Errors
    /// [`ClientError::Closed`].
    pub async fn forget(self) -> Result<(), ClientError> {
        self.end(true).await
    }

    async fn end(self, forget: bool) -> Result<(), ClientError> {
        let (told, outcome) = told();
        let unsubscribe = Command::Unsubscribe { number: self.number, forget, told };
        self.client.command(unsubscribe).await?;
        outcome.await.map_err(|_| ClientError::Closed)?
    }

    fn taken(&mut self, taken: u64) {
        self.flow.taken.store(taken, Ordering::Release);
        if taken - self.told >= self.step {
            self.tell(taken);
        }
    }

    fn tell(&mut self, taken: u64) {
        if taken != self.told {
            self.told = taken;
            self.wake.notify_one();
        }
    }
}

impl Stream for Subscription {
    type Item = Result<Arrival, ClientError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let taken = self.flow.taken.load(Ordering::Acquire);
        match self.arrivals.poll_recv(cx) {
            Poll::Ready(Some(Ok(Arrival::Message(message)))) => {
                self.taken(taken + 1);
                Poll::Ready(Some(Ok(Arrival::Message(message))))
            }
            Poll::Ready(None) if self.flow.overrun.swap(false, Ordering::AcqRel) => {
                let sentence = "more messages came than the prefetch allows".to_owned();
                Poll::Ready(Some(Err(ClientError::Protocol(sentence))))
            }
            Poll::Pending => {
                self.tell(taken); // nothing more waits, so what was taken is acknowledged now
                Poll::Pending
            }
            other => other,
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.arrivals.close();
        self.wake.notify_one();
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription").field("number", &self.number).finish_non_exhaustive()
    }
}
