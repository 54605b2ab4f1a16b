//! A member of a queue's group: reads its share of the partitions for the consumers here.

use std::{
    collections::HashSet,
    ops::ControlFlow,
    sync::Arc,
    time::{Duration, Instant},
};

use metrics::gauge;
use rdkafka::{
    ClientContext, Message, Offset, TopicPartitionList,
    config::RDKafkaLogLevel,
    consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, Rebalance},
    error::{KafkaError, KafkaResult},
    message::BorrowedMessage,
};
use tokio::time::Instant as Moment;

use super::{
    super::{
        client,
        producer::ours,
        receipts::Numbering,
        record,
        scan::{self, Stretch},
        tail::damaged_records,
        window::Window,
    },
    KafkaQueues, LAG, is_due,
    line::Line,
    shelf::{Origin, Shelf},
};
use crate::broker::{
    dedupe::Dedupe,
    hub::{Hub, now_ms},
    queue::Item,
};
use bytes::Bytes;

/// How long to wait for a record before looking at everything else.
const POLL: Duration = Duration::from_millis(50);

/// How often what was done with is committed, and the flow is looked at.
const TICK: Duration = Duration::from_millis(100);

/// How often the group is asked who else is in it, while there is no consumer here.
const ASK: Duration = Duration::from_secs(1);

/// How often the lag is measured, and what is done with is deleted.
const MEASURE: Duration = Duration::from_secs(10);

/// How many messages wait here for a consumer before no more are fetched, and when they are
/// again: enough for a round of consumers with the usual prefetch.
const READY: (usize, usize) = (256, 64);

/// How many returned messages wait here until they are due; the bound holds back other
/// returned ones only.
const HELD: usize = 1_024;

/// How many octets wait here before no more are fetched.
const BYTES: usize = 16 << 20;

/// How many records before its place tell a new reader of a partition which ids were there;
/// they are kept in Kafka for that.
const MEMORY: u64 = 10_000;

/// No place that a window can have.
const NEVER: i64 = -1;

/// How long the group may take to answer.
const ANSWER: Duration = Duration::from_secs(1);

/// What the library calls when partitions come and go.
struct Group {
    hub: Arc<Hub>,
    queues: Arc<KafkaQueues>,
    line: Arc<Line>,
    shelf: Arc<Shelf>,
}

/// The reading of one queue by this instance.
pub(super) struct Reading {
    hub: Arc<Hub>,
    queues: Arc<KafkaQueues>,
    line: Arc<Line>,
    shelf: Arc<Shelf>,
    /// Ids of the partitions that are read here.
    ids: Window,
    is_paused: bool,
    are_retries_paused: bool,
    idle_since: Option<Instant>,
}

impl Reading {
    pub(super) fn new(queues: Arc<KafkaQueues>, hub: Arc<Hub>, line: Arc<Line>) -> Self {
        let broker = &queues.config.broker;
        let ids = Dedupe::new(broker.dedupe_window, broker.dedupe_ids);
        let origin_ms = now_ms().saturating_sub(broker.dedupe_window.as_millis() as u64);
        Self {
            ids: Window::new(ids, origin_ms),
            hub,
            queues,
            line,
            shelf: Arc::default(),
            is_paused: false,
            are_retries_paused: false,
            idle_since: None,
        }
    }

    /// Reads until nobody here needs it any more. Blocks its thread.
    pub(super) fn run(mut self) {
        gauge!(LAG, "queue" => self.line.name.route.clone()).set(0.0);
        let consumer = loop {
            match self.join() {
                Ok(consumer) => break consumer,
                Err(error) => tracing::error!(%error, "a queue cannot be read; trying again"),
            }
            std::thread::sleep(ASK);
            if self.is_over(None) {
                return;
            }
        };
        self.read(&consumer);
        self.commit(&consumer, CommitMode::Sync);
        drop(consumer); // leaves the group, and lets go of what is open
        self.hub.vacate_queue(&self.line.name.route);
        gauge!(LAG, "queue" => self.line.name.route.clone()).set(0.0);
    }

    fn join(&self) -> KafkaResult<BaseConsumer<Group>> {
        let name = &self.line.name;
        let group = Group {
            hub: self.hub.clone(),
            queues: self.queues.clone(),
            line: self.line.clone(),
            shelf: self.shelf.clone(),
        };
        let consumer = client::member(&self.queues.config, &name.topic, group)?;
        let topics: Vec<&str> = [Some(&name.topic), name.retries.as_ref()]
            .into_iter()
            .flatten()
            .map(|t| &**t)
            .collect();
        consumer.subscribe(&topics)?;
        Ok(consumer)
    }

    fn read(&mut self, consumer: &BaseConsumer<Group>) {
        let begin = Instant::now();
        let (mut looked, mut asked, mut measured) = (begin, begin, begin);
        loop {
            match consumer.poll(POLL) {
                None => {}
                Some(Ok(record)) => self.take(&record),
                Some(Err(error)) => tracing::warn!(%error, "a queue cannot be read; trying again"),
            }
            if !is_due(&mut looked, TICK) {
                continue;
            }
            self.commit(consumer, CommitMode::Async);
            self.take_back_overdue();
            self.regulate(consumer);
            let asks = self.idle_since.is_some() && is_due(&mut asked, ASK);
            if self.is_over(asks.then_some(consumer)) {
                return;
            }
            if is_due(&mut measured, MEASURE) {
                self.measure(consumer);
            }
        }
    }

    /// Offers a record to the consumers here.
    fn take(&mut self, record: &BorrowedMessage<'_>) {
        let line = self.line.clone();
        let name = &line.name;
        let is_retry = record.topic() != name.topic;
        let origin = Origin { is_retry, partition: record.partition() };
        let is_new = !self.shelf.windows.lock().contains_key(&origin);
        if is_new && !is_retry {
            self.remember(record.partition(), record.offset());
        }
        let at_ms = record.timestamp().to_millis().unwrap_or(0).max(0) as u64;
        let parts = record::parts(record).filter(|parts| parts.route == name.route);
        let Some(parts) = parts else {
            tracing::warn!(queue = name.route, "a record that makes no sense is passed over");
            damaged_records().increment(1);
            return self.pass(origin, record.offset());
        };
        let offset = ours(record.offset());
        if let Some(key) = parts.dedupe_key().filter(|_| !is_retry)
            && self.ids.meet(parts.route, &key, offset, at_ms).is_some()
        {
            return self.pass(origin, record.offset());
        }
        let marks = record::marks(record);
        let partition = record.partition().max(0) as usize;
        let partitions = self.line.partitions().max(partition + 1);
        let interleaved = || Numbering::Interleaved.place(offset, partition, partitions);
        let place = marks.place.unwrap_or_else(interleaved);
        let logged = parts.logged(self.hub.position(place), Bytes::copy_from_slice(parts.body));
        let opened = &self.queues.opened;
        let weight = logged.message.size();
        let Some(number) = opened.put(&self.shelf, origin, record.offset(), weight) else { return };
        let item = Item {
            offset: number,
            logged: Arc::new(logged),
            priority: 4,
            returns: marks.returns,
            expires: marks.expires_ms.map(moment),
        };
        let due = marks.due_ms.filter(|due| *due > now_ms()).map(moment);
        self.hub.take_in(&name.route, item, due);
    }

    fn pass(&self, origin: Origin, offset: i64) {
        let mut windows = self.shelf.windows.lock();
        let window = windows.entry(origin);
        window.or_insert_with(|| super::window::Window::new(offset)).pass(offset);
    }

    /// Learns which ids stand shortly before the place where a partition is taken over.
    fn remember(&mut self, partition: i32, place: i64) {
        let (topic, partition) = (self.line.name.topic.clone(), partition.max(0) as usize);
        let until = place.max(0) as u64;
        let ids = &mut self.ids;
        let read = self.queues.readers.with(|reader| {
            let (low, _) = client::extent(reader, &topic, partition)?;
            let from = low.max(until.saturating_sub(MEMORY));
            let stretch = Stretch { topic: &topic, partition, from, until };
            scan::read(reader, stretch, client::PATIENCE, |record| {
                let at_ms = record.timestamp().to_millis().unwrap_or(0).max(0) as u64;
                if let Some(parts) = record::parts(record)
                    && let Some(key) = parts.dedupe_key()
                {
                    ids.meet(parts.route, &key, ours(record.offset()), at_ms);
                }
                ControlFlow::Continue(())
            })
        });
        if let Err(error) = read {
            tracing::warn!(%error, "the ids of a queue's partition could not be read back");
        }
    }

    fn commit(&self, consumer: &BaseConsumer<Group>, mode: CommitMode) {
        consumer.context().commit(consumer, None, mode);
    }

    fn take_back_overdue(&self) {
        let timeout = self.queues.config.ack_timeout;
        if let Some(before) = Moment::now().checked_sub(timeout) {
            self.hub.take_back_overdue(&self.line.name.route, before);
        }
    }

    /// Fetches no more than the consumers here are about to take. A consumer of Kafka that is
    /// paused goes on polling, or it would lose its partitions.
    fn regulate(&mut self, consumer: &BaseConsumer<Group>) {
        let (ready, held) = self.hub.waiting_in_queue(&self.line.name.route);
        let bytes = self.shelf.bytes();
        let idle = self.idle_since.is_some();
        let (most, least) = READY;
        let enough = if self.is_paused { least } else { most };
        let pause = idle || ready >= enough || (bytes >= BYTES && ready > 0);
        let pause_retries = pause || held >= HELD;
        let assigned = match consumer.assignment() {
            Ok(assigned) => assigned,
            Err(error) => return tracing::warn!(%error, "no assignment can be had"),
        };
        let topic = &self.line.name.topic;
        let (main, retries): (Vec<_>, Vec<_>) = assigned
            .elements()
            .into_iter()
            .map(|one| (one.topic().to_owned(), one.partition()))
            .partition(|(one, _)| one == topic);
        flow(consumer, &main, pause, self.is_paused);
        flow(consumer, &retries, pause_retries, self.are_retries_paused);
        (self.is_paused, self.are_retries_paused) = (pause, pause_retries);
    }

    /// Whether to go: when the broker closes, or nobody here has wanted anything for a while,
    /// which is short where another instance could take over.
    fn is_over(&mut self, asked: Option<&BaseConsumer<Group>>) -> bool {
        if self.hub.closing.is_cancelled() {
            return true;
        }
        let route = &self.line.name.route;
        if self.hub.has_consumers(route) {
            self.idle_since = None;
            return false;
        }
        let idle = self.idle_since.get_or_insert_with(Instant::now).elapsed();
        let others = asked.is_some_and(|consumer| has_others(consumer, &self.line.name.topic));
        if idle < self.queues.config.queue_linger && !others {
            return false;
        }
        self.line.end_reading();
        // Whoever came just now either sees that nobody reads, or is seen here.
        !self.hub.has_consumers(route) || !self.line.begin_reading()
    }

    /// Tells how much is left, and lets Kafka delete what is done with.
    fn measure(&self, consumer: &BaseConsumer<Group>) {
        let name = &self.line.name;
        let places: Vec<_> = self
            .shelf
            .windows
            .lock()
            .iter()
            .map(|(origin, window)| (*origin, window.place()))
            .collect();
        let (mut lag, mut done) = (0, TopicPartitionList::new());
        for (origin, place) in places {
            let topic = name.retries.as_ref().filter(|_| origin.is_retry).unwrap_or(&name.topic);
            let Ok((low, high)) = consumer.fetch_watermarks(topic, origin.partition, ANSWER) else {
                continue;
            };
            lag += (high - place).max(0);
            let upto = place - MEMORY as i64;
            if upto > low + MEMORY as i64 {
                let added =
                    done.add_partition_offset(topic, origin.partition, Offset::Offset(upto));
                if let Err(error) = added {
                    tracing::warn!(%error, "what is done with stays in Kafka");
                }
            }
        }
        gauge!(LAG, "queue" => name.route.clone()).set(lag as f64);
        if done.count() > 0
            && let Err(error) = client::delete(&self.queues.config, &done)
        {
            tracing::warn!(%error, "what is done with stays in Kafka");
        }
    }
}

fn flow(
    consumer: &BaseConsumer<Group>,
    partitions: &[(String, i32)],
    pause: bool,
    is_paused: bool,
) {
    if partitions.is_empty() || (!pause && !is_paused) {
        return;
    }
    let mut list = TopicPartitionList::new();
    for (topic, partition) in partitions {
        list.add_partition(topic, *partition);
    }
    // Said again while it holds, for partitions that have come meanwhile.
    let told = if pause { consumer.pause(&list) } else { consumer.resume(&list) };
    if let Err(error) = told {
        tracing::warn!(%error, "a queue's flow could not be changed");
    }
}

fn has_others(consumer: &BaseConsumer<Group>, group: &str) -> bool {
    match consumer.fetch_group_list(Some(group), ANSWER) {
        Ok(list) => list.groups().iter().any(|group| group.members().len() > 1),
        Err(error) => {
            tracing::debug!(%error, "the group of a queue cannot be asked");
            false
        }
    }
}

fn moment(at_ms: u64) -> Moment {
    Moment::now() + Duration::from_millis(at_ms.saturating_sub(now_ms()))
}

impl Group {
    /// Commits how far everything has been done with, of all partitions or of these.
    fn commit(
        &self,
        consumer: &BaseConsumer<Self>,
        only: Option<&HashSet<Origin>>,
        mode: CommitMode,
    ) {
        let name = &self.line.name;
        let mut places = TopicPartitionList::new();
        let mut windows = self.shelf.windows.lock();
        for (origin, window) in windows.iter_mut() {
            if only.is_some_and(|only| !only.contains(origin)) {
                continue;
            }
            let Some(place) = window.to_commit() else { continue };
            let topic = name.retries.as_ref().filter(|_| origin.is_retry).unwrap_or(&name.topic);
            if places.add_partition_offset(topic, origin.partition, Offset::Offset(place)).is_ok() {
                window.committed(place);
            }
        }
        drop(windows);
        if places.count() > 0
            && let Err(error) = consumer.commit(&places, mode)
        {
            // Somebody else has the partitions by now, and reads what was done once more.
            tracing::warn!(queue = name.route, %error, "a queue's place could not be kept");
        }
    }

    fn lose(&self, consumer: &BaseConsumer<Self>, partitions: &TopicPartitionList) {
        let name = &self.line.name;
        let lost: HashSet<_> = partitions
            .elements()
            .iter()
            .map(|one| Origin { is_retry: one.topic() != name.topic, partition: one.partition() })
            .collect();
        self.commit(consumer, Some(&lost), CommitMode::Sync);
        let numbers: HashSet<u64> =
            lost.iter().flat_map(|origin| self.queues.opened.clear(&self.shelf, *origin)).collect();
        self.hub.withdraw(&name.route, &numbers);
    }
}

impl ClientContext for Group {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        client::log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, reason, "Kafka");
    }
}

impl ConsumerContext for Group {
    fn pre_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        if let Rebalance::Revoke(partitions) = rebalance {
            self.lose(consumer, partitions);
        }
    }

    fn commit_callback(&self, result: KafkaResult<()>, _places: &TopicPartitionList) {
        if let Err(error) = result {
            tracing::warn!(queue = self.line.name.route, %error, "a queue's place was not kept");
            for window in self.shelf.windows.lock().values_mut() {
                window.committed(NEVER); // so that it is committed again
            }
        }
    }
}
