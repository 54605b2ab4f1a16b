//! One queue's topic: making it on first use, and publishing to it.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::{
    super::{
        KafkaConfig, KafkaStartError,
        client::Reader,
        producer::{self, Asker},
        receipts::Receipts,
        topics::{self, Topics},
    },
    KafkaQueues, Name, Order, name,
};
use crate::{
    broker::{BrokerError, hub::now_ms, partition::Partitions},
    problem::{Code, Problem},
};

/// How many partitions a queue gets that is made by being used: with one its order is that of
/// its publications, and one instance at a time serves it.
const PARTITIONS: u32 = 1;

/// A queue as this instance knows it.
#[derive(Debug)]
pub(in crate::broker::kafka) struct Line {
    pub(super) name: Name,
    state: Mutex<State>,
    /// Told when it is known whether it can be used.
    decided: Notify,
    is_read: AtomicBool,
}

enum State {
    /// Its topic is looked up or made; what was published meanwhile waits.
    Opening(Vec<Order>),
    Open(Arc<Open>),
    Failed(BrokerError),
}

/// A topic that can be published to.
#[derive(Debug)]
pub(super) struct Open {
    partitions: Partitions,
    retry_partitions: Partitions,
    receipts: Arc<Receipts>,
    retry_receipts: Arc<Receipts>,
    /// Whose turn it is among partitions, where no id decides.
    turn: AtomicUsize,
}

impl Line {
    pub(super) fn new(name: Name) -> Self {
        Self {
            name,
            state: Mutex::new(State::Opening(Vec::new())),
            decided: Notify::new(),
            is_read: AtomicBool::new(false),
        }
    }

    /// Makes its topics, and lets go on who waited for them.
    pub(super) async fn open(self: Arc<Self>, queues: Arc<KafkaQueues>) {
        let (config, readers) = (queues.config.clone(), queues.readers.clone());
        let (name, handle) = (self.name.clone(), tokio::runtime::Handle::current());
        let found = tokio::task::spawn_blocking(move || {
            readers.with(|reader| Ok(handle.block_on(find(&config, reader, &name))))
        });
        let found = match found.await {
            Ok(Ok(found)) => found,
            Ok(Err(error)) => Err(unavailable(&error.to_string())),
            Err(error) => Err(unavailable(&error.to_string())),
        };
        if found.is_err() {
            queues.forget(&self); // so that the next one tries again
        }
        let mut state = self.state.lock();
        let orders = match &mut *state {
            State::Opening(orders) => std::mem::take(orders),
            State::Open(_) | State::Failed(_) => Vec::new(),
        };
        match found {
            Err(error) => {
                for order in orders {
                    queues.flight.give_back(order.publish.message.size());
                    order.refuse(error.clone());
                }
                *state = State::Failed(error);
            }
            Ok((partitions, retry_partitions)) => {
                let open = Arc::new(Open::new(&queues, partitions, retry_partitions));
                for order in orders {
                    queues.flight.give_back(order.publish.message.size());
                    open.send(&queues, &self.name, order);
                }
                *state = State::Open(open);
            }
        }
        drop(state);
        self.decided.notify_waiters();
    }

    /// Waits until it can be used. Cancel-safe.
    pub(in crate::broker::kafka) async fn opened(&self) -> Result<(), BrokerError> {
        loop {
            let decided = self.decided.notified();
            tokio::pin!(decided);
            decided.as_mut().enable();
            match &*self.state.lock() {
                State::Open(_) => return Ok(()),
                State::Failed(error) => return Err(error.clone()),
                State::Opening(_) => {}
            }
            decided.await;
        }
    }

    /// How many partitions it has; none while that is not known.
    pub(super) fn partitions(&self) -> usize {
        match &*self.state.lock() {
            State::Open(open) => open.partitions.count(),
            State::Opening(_) | State::Failed(_) => 0,
        }
    }

    pub(in crate::broker::kafka) fn is_open(&self) -> bool {
        matches!(&*self.state.lock(), State::Open(_))
    }

    /// Sends a message, or lets it wait until it can be sent; in the order of the calls.
    pub(super) fn send(&self, queues: &Arc<KafkaQueues>, order: Order) {
        let mut state = self.state.lock();
        match &mut *state {
            State::Opening(orders) => {
                queues.flight.take(order.publish.message.size());
                orders.push(order);
            }
            State::Open(open) => open.send(queues, &self.name, order),
            State::Failed(error) => order.refuse(error.clone()),
        }
    }

    /// Whether somebody has to begin to read it, which is then the caller.
    pub(super) fn begin_reading(&self) -> bool {
        !self.is_read.swap(true, Ordering::AcqRel)
    }

    /// Says that nobody reads it any more.
    pub(super) fn end_reading(&self) {
        self.is_read.store(false, Ordering::Release);
    }

    /// Waits until all that was published to it is answered, and takes no more.
    pub(super) async fn close(&self) {
        if self.opened().await.is_err() {
            return;
        }
        let open = match &*self.state.lock() {
            State::Open(open) => open.clone(),
            State::Opening(_) | State::Failed(_) => return,
        };
        open.receipts.close().await;
        open.retry_receipts.close().await;
    }
}

impl Open {
    fn new(queues: &KafkaQueues, partitions: u32, retry_partitions: u32) -> Self {
        let receipts = |count: u32| {
            Receipts::new(queues.epoch, count as usize, queues.flight.clone()).interleaved()
        };
        Self {
            partitions: Partitions::new(partitions),
            retry_partitions: Partitions::new(retry_partitions),
            receipts: Arc::new(receipts(partitions)),
            retry_receipts: Arc::new(receipts(retry_partitions)),
            turn: AtomicUsize::new(0),
        }
    }

    fn send(&self, queues: &Arc<KafkaQueues>, name: &Name, order: Order) {
        let waits = order.marks.due_ms.is_some();
        let retries = name.retries.as_ref().filter(|_| waits);
        let (topic, receipts, partitions) = match retries {
            Some(retries) => (retries, &self.retry_receipts, self.retry_partitions),
            None => (&name.topic, &self.receipts, self.partitions),
        };
        let headers = match order.headers() {
            Ok(headers) => headers,
            Err(error) => return order.refuse(error),
        };
        let partition = self.partition(partitions, &order);
        let Order { publish, replier, .. } = order;
        // A returned message carries its id still, and is no second publication of it.
        let may_be_duplicate = publish.dedupe.is_some() && retries.is_none();
        if may_be_duplicate && let Some(first) = queues.first(&publish) {
            return receipts.duplicate_to(replier, partition, first);
        }
        let seen = publish.dedupe.clone().filter(|_| may_be_duplicate);
        let (told, route, notes) = (receipts.clone(), publish.route.clone(), queues.clone());
        receipts.send_to(replier, partition, publish.message.size(), None, |ticket| {
            let asker = Asker::Other(Box::new(move |outcome| {
                if let (Ok(Some(offset)), Some(key)) = (&outcome, &seen) {
                    notes.ids.lock().meet(&route, key, *offset, now_ms());
                }
                told.delivered(ticket, outcome, |_| None);
            }));
            let producer = queues.producer.read();
            producer::send(&producer, topic, partition, &publish, headers, asker)
        });
    }

    /// An id always falls into the same partition, so that whoever reads it sees it twice.
    fn partition(&self, partitions: Partitions, order: &Order) -> usize {
        match &order.publish.dedupe {
            Some(key) => partitions.of(&format!("{} {}", key.sender, key.id)),
            None => self.turn.fetch_add(1, Ordering::Relaxed) % partitions.count(),
        }
    }
}

/// Looks up a queue's topics, or makes them; says how many partitions they have.
async fn find(
    config: &KafkaConfig,
    reader: &Reader,
    name: &Name,
) -> Result<(u32, u32), BrokerError> {
    let found = find_topics(config, reader, name).await;
    found.map_err(|error| match error {
        Fault::Limit(problem) => BrokerError::Refused(problem),
        Fault::Start(error) => {
            tracing::warn!(queue = name.route, %error, "a queue cannot be used");
            unavailable(&error.to_string())
        }
    })
}

enum Fault {
    Limit(Problem),
    Start(KafkaStartError),
}

impl From<KafkaStartError> for Fault {
    fn from(error: KafkaStartError) -> Self {
        Self::Start(error)
    }
}

async fn find_topics(
    config: &KafkaConfig,
    reader: &Reader,
    name: &Name,
) -> Result<(u32, u32), Fault> {
    let topics = Topics::of(config, reader)?;
    let declared =
        config.queues.iter().find(|queue| format!("/queue/{}", queue.name) == name.route);
    let partitions = declared.map_or(PARTITIONS, |queue| queue.partitions.max(1));
    if !topics.names().contains(&name.topic) {
        if declared.is_none() && name.retries.is_some() {
            check_count(config, &topics)?;
        }
        topics.make_queue(&name.topic, partitions).await?;
    }
    topics::layout(reader, &name.topic)?; // one that has just been made is not there at once
    let found = topics.check_log(&name.topic, reader).await?;
    let Some(retries) = &name.retries else { return Ok((found.partitions, 1)) };
    if !topics.names().contains(retries) {
        topics.make_queue(retries, found.partitions).await?;
    }
    let (retry_partitions, _) = topics::layout(reader, retries)?;
    Ok((found.partitions, retry_partitions))
}

fn check_count(config: &KafkaConfig, topics: &Topics<'_>) -> Result<(), Fault> {
    let is_queue = |topic: &&String| name::is_queue_topic(&config.prefix, topic);
    let count = topics.names().iter().filter(is_queue).count();
    if count < config.max_queues + config.queues.len() {
        return Ok(());
    }
    let problem = Problem::new(Code::Limit, "There are as many queues as there may be.");
    Err(Fault::Limit(problem.with_limit("kafka-max-queues", config.max_queues as u64)))
}

/// Nothing was handed over, for the topic was never there.
fn unavailable(why: &str) -> BrokerError {
    tracing::debug!(why, "a queue is not available");
    super::super::unavailable()
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Opening(_) => "Opening",
            Self::Open(_) => "Open",
            Self::Failed(_) => "Failed",
        })
    }
}
