//! Queues: each is a Kafka topic, read by the group of the instances that have consumers.
//!
//! | file | knows |
//! |---|---|
//! | `name.rs` | what a queue is called on Kafka |
//! | `line.rs` | one queue's topic: making it, publishing to it |
//! | `reader.rs` | a member of the group: from records to consumers |
//! | `window.rs`, `shelf.rs` | what is open, and how far a partition may be committed |
//!
//! Who gets which message, when it comes back and when it dies is decided by the queue that
//! all brokers have (`broker/queue`). This one holds only what its consumers are about to
//! take; the rest stays in Kafka.

mod line;
mod name;
mod reader;
mod shelf;
mod window;

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use metrics::{Counter, counter, describe_counter, describe_gauge};
use parking_lot::Mutex;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub(super) use self::name::Name;
use self::{line::Line, shelf::Opened};
use super::{
    KafkaConfig, KafkaStartError, invalid, receipts::Flight, record::Marks, scan::Readers,
    upkeep::Current, window::Window,
};
use crate::{
    broker::{
        Accepted, BrokerError, Class, Epoch, Publish, Replier, Reply,
        dedupe::Dedupe,
        hub::{Hub, now_ms},
        queue::Item,
    },
    problem::Code,
};

/// Pauses from here on are waited out in Kafka, so that they hold nothing up here.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// How long to wait before a message is handed on again, where Kafka did not take it.
const AGAIN: Duration = Duration::from_secs(1);

const RETRIES: &str = "stomp_kafka_queue_retries_total";
const DEAD_LETTERS: &str = "stomp_kafka_queue_dead_letters_total";
const LAG: &str = "stomp_kafka_queue_lag_records";

/// All queues of a broker.
pub(super) struct KafkaQueues {
    config: KafkaConfig,
    epoch: Epoch,
    flight: Arc<Flight>,
    producer: Current,
    readers: Arc<Readers>,
    opened: Opened,
    lines: Mutex<HashMap<String, Arc<Line>>>,
    /// Ids that were published here, so that a retry is answered as one.
    ids: Mutex<Window>,
    retries: Counter,
    dead_letters: Counter,
    closing: CancellationToken,
    tasks: TaskTracker,
}

/// A publication, and who waits for it.
pub(super) struct Order {
    publish: Publish,
    marks: Marks,
    replier: Replier<Accepted>,
}

impl KafkaQueues {
    pub(super) fn new(
        config: KafkaConfig,
        epoch: Epoch,
        flight: Arc<Flight>,
        producer: Current,
        readers: Arc<Readers>,
    ) -> Self {
        describe();
        let ids = Dedupe::new(config.broker.dedupe_window, config.broker.dedupe_ids);
        Self {
            config,
            epoch,
            flight,
            producer,
            readers,
            opened: Opened::default(),
            lines: Mutex::default(),
            ids: Mutex::new(Window::new(ids, now_ms())),
            retries: counter!(RETRIES),
            dead_letters: counter!(DEAD_LETTERS),
            closing: CancellationToken::new(),
            tasks: TaskTracker::new(),
        }
    }

    /// Makes the queues that are to be there from the start.
    pub(super) async fn declare(self: &Arc<Self>) -> Result<(), KafkaStartError> {
        for queue in &self.config.queues {
            let line = self.line(&format!("/queue/{}", queue.name));
            let opened = match line {
                Ok(line) => line.opened().await,
                Err(error) => Err(error),
            };
            opened.map_err(|error| {
                KafkaStartError::Refused(format!("the queue {:?}: {error}", queue.name))
            })?;
        }
        Ok(())
    }

    /// Takes one message for a queue.
    pub(super) fn publish(self: &Arc<Self>, publish: Publish) -> Reply<Accepted> {
        if publish.class == Class::Volatile {
            return Reply::now(Err(BrokerError::refused(
                Code::Invalid,
                "persistent:false is for topics; a queue keeps its messages.",
            )));
        }
        let ttl = publish.ttl.map(|ttl| ttl.as_millis() as u64);
        let expires_ms = ttl.map(|ttl| now_ms().saturating_add(ttl));
        self.send(publish, Marks { expires_ms, ..Marks::default() })
    }

    fn send(self: &Arc<Self>, publish: Publish, marks: Marks) -> Reply<Accepted> {
        let size = publish.message.size();
        if size > self.config.max_record() {
            return Reply::now(Err(super::producer::too_large()));
        }
        let admitted = self.flight.admit(size).and_then(|()| self.line(&publish.route));
        match admitted {
            Err(error) => Reply::now(Err(error)),
            Ok(line) => {
                let (replier, reply) = Reply::later();
                line.send(self, Order { publish, marks, replier });
                reply
            }
        }
    }

    /// The queue of a route, which begins to be opened if it is new here.
    pub(super) fn line(self: &Arc<Self>, route: &str) -> Result<Arc<Line>, BrokerError> {
        let mut lines = self.lines.lock();
        if let Some(line) = lines.get(route) {
            return Ok(line.clone());
        }
        let name = Name::of(&self.config.prefix, route)?;
        let line = Arc::new(Line::new(name));
        lines.insert(route.to_owned(), line.clone());
        self.tasks.spawn(line.clone().open(self.clone()));
        Ok(line)
    }

    /// Sees to it that somebody here reads a queue that has consumers.
    pub(super) fn read(self: &Arc<Self>, line: &Arc<Line>, hub: &Arc<Hub>) {
        if line.begin_reading() {
            let reading = reader::Reading::new(self.clone(), hub.clone(), line.clone());
            hub.tasks.spawn_blocking(move || reading.run());
        }
    }

    /// A message is done with.
    pub(super) fn done(&self, number: u64) {
        self.opened.done(number);
    }

    /// Puts a dead letter where it belongs, and then lets go of the message that it was.
    pub(super) fn bury(self: &Arc<Self>, number: u64, mut letter: Publish) {
        // If it was buried before an instance died that had not said so, it is not buried twice.
        if let Some(origin) = self.opened.origin(number) {
            letter = letter.deduplicated("", format!("dead-{origin}"));
        }
        self.tasks.spawn(self.clone().hand_on(number, letter, Marks::default()));
    }

    /// Lets a returned message wait in Kafka until its pause is over.
    pub(super) fn send_away(self: &Arc<Self>, item: Item, pause: Duration) {
        let logged = &item.logged;
        let left = item.expires.map(|at| at.saturating_duration_since(tokio::time::Instant::now()));
        let marks = Marks {
            expires_ms: left.map(|left| now_ms() + left.as_millis() as u64),
            returns: item.returns,
            due_ms: Some(now_ms() + pause.as_millis() as u64),
            place: logged.position.map(|position| position.offset),
        };
        let publish = Publish {
            dedupe: logged.dedupe.clone(),
            ..Publish::kept(logged.message.clone())
                .routed(logged.route.clone())
                .with_id(logged.id.to_string())
        };
        self.tasks.spawn(self.clone().hand_on(item.offset, publish, marks));
    }

    async fn hand_on(self: Arc<Self>, number: u64, publish: Publish, marks: Marks) {
        let kind = if marks.due_ms.is_some() { &self.retries } else { &self.dead_letters };
        loop {
            match self.send(publish.clone(), marks).await {
                Ok(_) => {
                    kind.increment(1);
                    self.opened.done(number);
                    return;
                }
                // It stays open, and is read again by whoever comes next.
                Err(BrokerError::Refused(problem)) if is_final(problem.code) => {
                    tracing::error!(%problem, "a message of a queue cannot be handed on");
                    return;
                }
                Err(error) => tracing::warn!(%error, "a message of a queue is handed on again"),
            }
            tokio::select! {
                () = self.closing.cancelled() => return,
                () = tokio::time::sleep(AGAIN) => {}
            }
        }
    }

    /// Answers what was taken; the readers end with the hub.
    pub(super) async fn close(&self) {
        let lines: Vec<_> = self.lines.lock().values().cloned().collect();
        for line in lines {
            line.close().await;
        }
        self.closing.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }

    fn forget(&self, line: &Line) {
        self.lines.lock().remove(&line.name.route);
    }

    /// Where an id was published first, as Kafka's partition counts.
    fn first(&self, publish: &Publish) -> Option<u64> {
        let key = publish.dedupe.as_ref()?;
        let mut ids = self.ids.lock();
        let print = ids.print(&publish.route, key);
        ids.first(print)
    }
}

impl Order {
    fn refuse(self, error: BrokerError) {
        self.replier.send(Err(error));
    }

    fn headers(&self) -> Result<rdkafka::message::OwnedHeaders, BrokerError> {
        super::record::marked_headers(&self.publish, self.marks).ok_or_else(invalid)
    }
}

fn is_final(code: Code) -> bool {
    matches!(code, Code::Shutdown | Code::Invalid | Code::TooLarge)
}

/// Whether something is due again, if it is done every so often.
fn is_due(last: &mut Instant, every: Duration) -> bool {
    let is_due = last.elapsed() >= every;
    if is_due {
        *last = Instant::now();
    }
    is_due
}

fn describe() {
    describe_counter!(RETRIES, "Returned messages of queues that waited in Kafka for their retry.");
    describe_counter!(DEAD_LETTERS, "Messages of queues that went to their dead letters.");
    describe_gauge!(
        LAG,
        "Records of a queue's partitions at this instance that are not done with, by queue."
    );
}

impl std::fmt::Debug for KafkaQueues {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KafkaQueues")
            .field("lines", &self.lines.lock().len())
            .finish_non_exhaustive()
    }
}
