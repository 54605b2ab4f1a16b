//! Queues as the brokers use them: messages in, consumers in and out, effects carried out.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::time::Instant;

use super::{Hub, Registered, logged, now_ms};
use crate::{
    broker::{
        BrokerError, Class, Position, Publish, Reply, SubscribeRequest, Subscribed,
        SubscriptionKey,
        journal::{Entry, QueueEntry},
        queue::{Death, Effects, Item, Queue, Room},
        queues::{self, TEMPORARY},
    },
    problem::Code,
    session::Outbound,
};

impl Hub {
    pub(in crate::broker) fn is_temporary(&self, route: &str) -> bool {
        route.starts_with(TEMPORARY)
    }

    /// Room for a message in its queue; none where it is private to a connection that is gone.
    pub(in crate::broker) fn room(&self, publish: &Publish) -> Result<Option<Room>, BrokerError> {
        let is_temporary = self.is_temporary(&publish.route);
        if publish.class == Class::Volatile && !is_temporary {
            return Err(BrokerError::refused(
                Code::Invalid,
                "persistent:false is for topics; a queue keeps its messages.",
            ));
        }
        if is_temporary {
            let queue = self.queues.find(&publish.route).filter(|queue| queue.has_consumers());
            return queue.map(|queue| queue.reserve(&publish.message)).transpose();
        }
        self.open_queue(&publish.route).reserve(&publish.message).map(Some)
    }

    /// Puts a message into its room, at its place.
    pub(in crate::broker) fn enqueue(self: &Arc<Self>, publish: Publish, offset: u64, room: Room) {
        let expires = publish.ttl.map(|ttl| Instant::now() + ttl);
        let priority = publish.priority;
        let logged = Arc::new(logged(publish, self.position(offset)));
        self.fill(room, Item { offset, logged, priority, returns: 0, expires });
    }

    /// Puts a message into the room of a connection's own queue, where nothing has a place.
    pub(in crate::broker) fn enqueue_private(self: &Arc<Self>, publish: Publish, room: Room) {
        let expires = publish.ttl.map(|ttl| Instant::now() + ttl);
        let priority = publish.priority;
        let (offset, logged) = self.volatile(publish);
        let logged = Arc::new(logged);
        self.fill(room, Item { offset, logged, priority, returns: 0, expires });
    }

    /// Puts a message that a journal has into its room.
    pub(in crate::broker) fn fan_in(self: &Arc<Self>, entry: &QueueEntry, room: Room) {
        self.log.lock().next = entry.entry.offset + 1;
        self.fill(room, item(entry));
    }

    /// Puts a message that a journal had at the start into its queue.
    pub(in crate::broker) fn restore(&self, entry: &QueueEntry) {
        self.open_queue(&entry.entry.logged.route).restore(item(entry));
    }

    /// Looks at the times of queues that have been restored.
    pub(in crate::broker) fn wake_queues(self: &Arc<Self>) {
        for queue in self.queues.all() {
            drop(self.apply(&queue, queue.tick()));
        }
    }

    /// What a message for a queue is in a journal.
    pub(in crate::broker) fn queue_entry(
        &self,
        publish: Publish,
        offset: u64,
        at_ms: u64,
    ) -> QueueEntry {
        let priority = publish.priority;
        let ttl = publish.ttl.map(|ttl| ttl.as_millis() as u64);
        let expires_at_ms = ttl.map(|ttl| at_ms.saturating_add(ttl));
        let entry: Entry = self.entry(publish, offset, at_ms);
        QueueEntry { entry, priority, expires_at_ms, returns: 0 }
    }

    /// A place for a message of a queue in memory.
    pub(in crate::broker) fn next_position(&self) -> Position {
        let mut log = self.log.lock();
        log.next += 1;
        self.position(log.next - 1)
    }

    pub(super) fn join_queue(
        self: &Arc<Self>,
        request: &SubscribeRequest,
        outbound: Outbound,
    ) -> Result<Subscribed, BrokerError> {
        if request.from.is_some() || request.durable.is_some() {
            return Err(BrokerError::refused(
                Code::Invalid,
                "A queue has no places: from and durable are for topics.",
            ));
        }
        let queue = self.open_queue(&request.route);
        self.register(request.key, Registered::Queue(queue.clone()))?;
        drop(self.apply(&queue, queue.join(request, outbound)));
        Ok(Subscribed::default())
    }

    pub(super) fn leave_queue(
        self: &Arc<Self>,
        queue: Arc<Queue>,
        key: SubscriptionKey,
    ) -> Reply<()> {
        let reply = self.apply(&queue, queue.leave(key));
        self.queues.vacate(queue);
        reply
    }

    fn open_queue(&self, name: &str) -> Arc<Queue> {
        let longest_pause = self.ledger.as_ref().and_then(|ledger| ledger.longest_pause());
        self.queues.open(name, &self.config, longest_pause)
    }

    fn fill(self: &Arc<Self>, room: Room, item: Item) {
        if let Some((queue, effects)) = room.fill(item) {
            drop(self.apply(&queue, effects));
        }
    }

    /// Carries out what a step of a queue has left to do. The reply comes when its changes are
    /// kept.
    pub(super) fn apply(self: &Arc<Self>, queue: &Arc<Queue>, effects: Effects) -> Reply<()> {
        for (item, death) in effects.dead {
            self.bury(queue, item, death);
        }
        for (item, pause) in effects.away {
            if let Some(ledger) = &self.ledger {
                ledger.send_away(item, pause);
            }
        }
        for (key, outbound, weight) in effects.full {
            self.tasks.spawn(when_there_is_room(
                self.clone(),
                queue.clone(),
                key,
                outbound,
                weight,
            ));
        }
        for key in effects.gone {
            drop(self.unsubscribe(key));
        }
        if let Some(at) = effects.wake_at {
            self.queues.arm(at, queue.name.clone());
            self.start_keeper();
        }
        match &self.ledger {
            Some(ledger) if !effects.changes.is_empty() => ledger.keep(effects.changes),
            _ => Reply::now(Ok(())),
        }
    }

    fn bury(self: &Arc<Self>, queue: &Queue, item: Item, death: Death) {
        let Some(letter) = queues::dead_letter(queue, &item, death) else { return };
        let graves = self.open_queue(&letter.route);
        let (room, effects) = graves.make_room(&letter.message);
        drop(self.apply(&graves, effects));
        match &self.ledger {
            Some(ledger) => ledger.replace(item.offset, letter, room),
            None => {
                let position = self.next_position();
                self.enqueue(letter, position.offset, room);
            }
        }
    }

    /// Lets a task of this broker look after the queues' times.
    fn start_keeper(self: &Arc<Self>) {
        if tokio::runtime::Handle::try_current().is_ok()
            && !self.has_keeper.swap(true, Ordering::AcqRel)
        {
            self.tasks.spawn(keep_time(self.clone()));
        }
    }
}

/// Wakes queues when something in them is due.
async fn keep_time(hub: Arc<Hub>) {
    loop {
        let due = tokio::select! {
            () = hub.closing.cancelled() => return,
            due = hub.queues.next_due() => due,
        };
        if let Some(queue) = due {
            drop(hub.apply(&queue, queue.tick()));
            hub.queues.vacate(queue);
        }
    }
}

/// Lets a consumer go on when its connection has drained.
async fn when_there_is_room(
    hub: Arc<Hub>,
    queue: Arc<Queue>,
    key: SubscriptionKey,
    outbound: Outbound,
    weight: usize,
) {
    tokio::select! {
        () = hub.closing.cancelled() => return,
        () = outbound.room_for(weight) => {}
    }
    drop(hub.apply(&queue, queue.has_room(key)));
    hub.queues.vacate(queue);
}

fn item(entry: &QueueEntry) -> Item {
    let now_ms = now_ms();
    let expires = entry
        .expires_at_ms
        .map(|expires| Instant::now() + Duration::from_millis(expires.saturating_sub(now_ms)));
    Item {
        offset: entry.entry.offset,
        logged: entry.entry.logged.clone(),
        priority: entry.priority,
        returns: entry.returns,
        expires,
    }
}

/// Queues whose messages are kept elsewhere, and come here for the consumers of this hub.
#[cfg(feature = "kafka")]
impl Hub {
    /// Takes in a message, which nobody gets before it is due.
    pub(in crate::broker) fn take_in(
        self: &Arc<Self>,
        route: &str,
        item: Item,
        due: Option<Instant>,
    ) {
        let queue = self.open_queue(route);
        drop(self.apply(&queue, queue.take_in(item, due)));
    }

    /// Forgets messages that somebody else has now.
    pub(in crate::broker) fn withdraw(
        self: &Arc<Self>,
        route: &str,
        numbers: &std::collections::HashSet<u64>,
    ) {
        let Some(queue) = self.queues.find(route) else { return };
        drop(self.apply(&queue, queue.withdraw(&|number| numbers.contains(&number))));
    }

    /// Takes back what consumers have had open since before a moment.
    pub(in crate::broker) fn take_back_overdue(self: &Arc<Self>, route: &str, before: Instant) {
        let Some(queue) = self.queues.find(route) else { return };
        drop(self.apply(&queue, queue.take_back_overdue(before)));
    }

    /// How many messages wait for a consumer, and how many for their pause to be over.
    pub(in crate::broker) fn waiting_in_queue(&self, route: &str) -> (usize, usize) {
        self.queues.find(route).map_or((0, 0), |queue| queue.waiting())
    }

    pub(in crate::broker) fn has_consumers(&self, route: &str) -> bool {
        self.queues.find(route).is_some_and(|queue| queue.has_consumers())
    }

    /// Forgets a queue that nobody uses here.
    pub(in crate::broker) fn vacate_queue(&self, route: &str) {
        if let Some(queue) = self.queues.find(route) {
            self.queues.vacate(queue);
        }
    }
}
