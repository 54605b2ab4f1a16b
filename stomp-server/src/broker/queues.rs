//! All queues of a broker: finding them, burying their dead, and waking them in time.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
    fmt,
    sync::Arc,
    time::Duration,
};

use compact_str::CompactString;
use parking_lot::{Mutex, RwLock};
use stomp_core::SharedMessage;
use tokio::{sync::Notify, time::Instant};

use super::{
    BrokerConfig, Publish, Reply,
    journal::{Change, PlaceEntry},
    queue::{Death, Item, Memory, Queue, Room},
};

/// Private queues begin with this.
pub(super) const TEMPORARY: &str = "/temp-queue/";

/// What is put behind a queue's name for its dead letters.
pub(super) const DEAD_LETTERS: &str = ".dlq";

/// Whether a route is a queue's.
pub(super) fn is_queue(route: &str) -> bool {
    route.starts_with("/queue/") || route.starts_with(TEMPORARY)
}

/// Where queues' changes are kept.
pub(super) trait Ledger: fmt::Debug + Send + Sync {
    /// Keeps changes, in order, and says so.
    fn keep(&self, changes: Vec<Change>) -> Reply<()>;

    /// Keeps that one message has gone and this one has come for it, into this room.
    fn replace(&self, offset: u64, publish: Publish, room: Room);

    /// From which pause on a returned message waits elsewhere; `None` where all wait here.
    fn longest_pause(&self) -> Option<Duration> {
        None
    }

    /// Keeps a message elsewhere until its pause is over. Called for pauses as long as
    /// [`longest_pause`](Self::longest_pause).
    fn send_away(&self, _item: Item, _pause: Duration) {}

    /// Keeps the place of a durable subscription that has ended.
    fn leave(&self, place: PlaceEntry) -> Reply<()> {
        self.keep(vec![Change::Place(place)])
    }
}

/// The queues and their clock.
#[derive(Debug, Default)]
pub(super) struct Queues {
    memory: Arc<Memory>,
    by_name: RwLock<HashMap<CompactString, Arc<Queue>>>,
    /// When queues want to be looked at, the soonest first.
    alarms: Mutex<BinaryHeap<Reverse<(Instant, CompactString)>>>,
    rearmed: Notify,
}

impl Queues {
    pub(super) fn find(&self, name: &str) -> Option<Arc<Queue>> {
        self.by_name.read().get(name).cloned()
    }

    pub(super) fn all(&self) -> Vec<Arc<Queue>> {
        self.by_name.read().values().cloned().collect()
    }

    /// How many there are, and what their messages weigh.
    pub(super) fn size(&self) -> (usize, u64) {
        (self.by_name.read().len(), self.memory.used() as u64)
    }

    /// The queue of this name, made if need be.
    pub(super) fn open(
        &self,
        name: &str,
        config: &BrokerConfig,
        longest_pause: Option<Duration>,
    ) -> Arc<Queue> {
        if let Some(queue) = self.find(name) {
            return queue;
        }
        let mut by_name = self.by_name.write();
        let name = CompactString::from(name);
        let queue = by_name.entry(name.clone());
        let made = || Arc::new(Queue::new(name, config, longest_pause, self.memory.clone()));
        queue.or_insert_with(made).clone()
    }

    /// Forgets a queue that is empty and that nobody uses.
    pub(super) fn vacate(&self, queue: Arc<Queue>) {
        if !queue.is_idle() {
            return;
        }
        let name = queue.name.clone();
        drop(queue);
        let mut by_name = self.by_name.write();
        let Some(queue) = by_name.get(&name) else { return };
        // Whoever is about to use it has a reference, and new ones are only had from the map.
        if Arc::strong_count(queue) == 1 && queue.is_idle() {
            by_name.remove(&name);
        }
    }

    /// Wakes a queue at a moment.
    pub(super) fn arm(&self, at: Instant, name: CompactString) {
        let mut alarms = self.alarms.lock();
        let is_soonest = alarms.peek().is_none_or(|Reverse((soonest, _))| at < *soonest);
        alarms.push(Reverse((at, name)));
        drop(alarms);
        if is_soonest {
            self.rearmed.notify_one();
        }
    }

    /// The next queue that is due; waits for it. Cancel-safe.
    pub(super) async fn next_due(&self) -> Option<Arc<Queue>> {
        loop {
            let soonest = self.alarms.lock().peek().map(|Reverse((at, _))| *at);
            let Some(at) = soonest else {
                self.rearmed.notified().await;
                continue;
            };
            tokio::select! {
                () = tokio::time::sleep_until(at) => {}
                () = self.rearmed.notified() => continue,
            }
            let Some(Reverse((_, name))) = self.alarms.lock().pop() else { continue };
            return self.find(&name);
        }
    }
}

/// The letter that takes a dead message's place; none where nobody could ever read it.
pub(super) fn dead_letter(queue: &Queue, item: &Item, death: Death) -> Option<Publish> {
    if queue.is_temporary() {
        return None;
    }
    let name = queue.name.strip_suffix(DEAD_LETTERS).unwrap_or(&queue.name);
    let route = format!("{name}{DEAD_LETTERS}");
    let message = &item.logged.message;
    let count = item.returns.to_string();
    let told = [
        ("x-death-reason", death.as_str()),
        ("x-death-count", &count),
        ("x-death-queue", &queue.name),
    ];
    let told = told.into_iter().map(|(name, value)| (name.into(), value.into()));
    let message = SharedMessage::new(&route, told.chain(message.headers()), message.body().clone());
    Some(Publish { priority: item.priority, ..Publish::kept(message) })
}
