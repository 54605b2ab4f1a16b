//! The bounded queue in front of every connection.
//!
//! A broker pushes into [`Outbound`] and never waits; the session's task drains the
//! [`OutboundQueue`] and puts everything that waits into one write. What a message
//! weighs is given back only when the socket has taken it, so the bound covers the
//! queue and the unwritten bytes alike.

use std::{
    collections::VecDeque,
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll},
};

use tokio::sync::Notify;

use super::wake;
use crate::{
    broker::{ConnectionId, Delivery, SubscriptionKey},
    sync::{AtomicUsize, AtomicWaker, Mutex, Ordering},
};

/// What happens to topic messages when a subscriber does not keep up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum SlowConsumer {
    /// The connection is closed with an ERROR; it comes back and resumes with `from`.
    #[default]
    Disconnect,
    /// The oldest waiting topic message is dropped, counted, and told in the log.
    DropOldest,
}

/// Whether a delivery was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offer {
    /// It is in the queue.
    Taken,
    /// There is no room for it now.
    Full,
    /// The connection is gone.
    Closed,
}

/// A broker's handle to one connection's queue. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Outbound(Arc<Shared>);

/// The session's end of the queue.
#[derive(Debug)]
pub struct OutboundQueue(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    connection: ConnectionId,
    /// In bytes. A message of any allowed size is admitted to an empty queue.
    bound: usize,
    policy: SlowConsumer,
    /// Held for a push or a drain only, never across an await.
    queue: Mutex<Queue>,
    /// Bytes that wait in the queue or in the transport.
    waiting: AtomicUsize,
    reader: AtomicWaker,
    /// Told when the bytes that wait fall to half of the bound, and to none.
    room: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    deliveries: VecDeque<Delivery>,
    dropped: u64,
    overflowed: bool,
    closed: bool,
    /// How many waited when it was drained last: as many may come again, and room for them is
    /// better made once.
    stride: usize,
}

/// The most that room is made for at once.
const STRIDE: usize = 64;

/// What a drain has found beside the deliveries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drained {
    /// There is more.
    pub more: bool,
    /// The slow-consumer policy has ended this connection.
    pub overflowed: bool,
    /// Topic messages that were dropped since the last drain.
    pub dropped: u64,
}

/// A queue for one connection that holds at most `bound` bytes.
pub fn outbound(
    connection: ConnectionId,
    bound: usize,
    policy: SlowConsumer,
) -> (Outbound, OutboundQueue) {
    let shared = Arc::new(Shared {
        connection,
        bound,
        policy,
        queue: Mutex::default(),
        waiting: AtomicUsize::new(0),
        reader: AtomicWaker::new(),
        room: Notify::new(),
    });
    (Outbound(shared.clone()), OutboundQueue(shared))
}

impl Outbound {
    /// Whose queue it is.
    pub fn connection(&self) -> ConnectionId {
        self.0.connection
    }

    /// Offers a delivery that can also come later: queues and replays.
    ///
    /// They fill the lower half only, so that a replay at full speed never makes the
    /// connection's live subscriptions meet the slow-consumer policy.
    pub fn offer(&self, delivery: Delivery) -> Offer {
        let mut queue = self.0.queue.lock();
        if queue.closed {
            return Offer::Closed;
        }
        if queue.overflowed || !self.0.is_open_to(delivery.weight()) {
            return Offer::Full;
        }
        self.0.push(&mut queue, delivery);
        Offer::Taken
    }

    /// Says that messages for this connection have left the log before it could take them.
    ///
    /// `Full` means that the policy has ended the connection; `Taken`, that the loss was
    /// counted and it goes on behind the gap.
    pub fn lose(&self) -> Offer {
        let mut queue = self.0.queue.lock();
        if queue.closed {
            return Offer::Closed;
        }
        if self.0.policy == SlowConsumer::DropOldest {
            queue.dropped += 1;
            return Offer::Taken;
        }
        queue.overflowed = true;
        drop(queue);
        self.0.reader.wake();
        Offer::Full
    }

    /// Delivers a live topic message; a full queue meets the slow-consumer policy.
    ///
    /// `Full` means that the policy has ended the connection: it gets nothing more.
    pub fn deliver(&self, delivery: Delivery) -> Offer {
        let mut queue = self.0.queue.lock();
        if queue.closed {
            return Offer::Closed;
        }
        if queue.overflowed {
            return Offer::Full;
        }
        while !self.0.admits(delivery.weight()) {
            match self.0.policy {
                SlowConsumer::DropOldest if self.0.drop_oldest(&mut queue) => {}
                SlowConsumer::DropOldest => {
                    queue.dropped += 1;
                    return Offer::Taken; // it was the newest that had to go
                }
                SlowConsumer::Disconnect => {
                    queue.overflowed = true;
                    drop(queue);
                    self.0.reader.wake();
                    return Offer::Full;
                }
            }
        }
        self.0.push(&mut queue, delivery);
        Offer::Taken
    }

    /// Waits until an [`offer`](Self::offer) of so many bytes would be taken, or the connection
    /// is gone. Cancel-safe.
    ///
    /// Told when half of the bound is free, so that a replay goes in strides and not message by
    /// message.
    pub async fn room_for(&self, weight: usize) {
        loop {
            let told = self.0.room.notified();
            tokio::pin!(told);
            told.as_mut().enable();
            if self.0.is_open_to(weight) || self.is_closed() {
                return;
            }
            told.await;
        }
    }

    /// Whether the connection is gone.
    pub fn is_closed(&self) -> bool {
        self.0.queue.lock().closed
    }

    /// The offset of the oldest kept message that waits for a subscription here, also when the
    /// connection is gone.
    pub fn oldest_waiting(&self, subscription: SubscriptionKey) -> Option<u64> {
        let queue = self.0.queue.lock();
        let mut waiting = queue.deliveries.iter().filter(|one| one.subscription == subscription);
        waiting.find_map(|one| one.logged.position).map(|position| position.offset)
    }

    /// Bytes that wait for this connection.
    pub fn waiting(&self) -> usize {
        self.0.waiting.load(Ordering::Relaxed)
    }
}

impl OutboundQueue {
    /// A broker's handle to this queue.
    pub fn handle(&self) -> Outbound {
        Outbound(self.0.clone())
    }

    /// Waits until something can be drained or the policy has struck. Cancel-safe.
    pub async fn ready(&self) {
        poll_fn(|cx| self.poll_ready(cx)).await;
    }

    fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.poll_news(cx, true)
    }

    /// Ready if something can be drained, where that is wanted, or the policy has struck.
    pub(crate) fn poll_news(&self, cx: &mut Context<'_>, drains: bool) -> Poll<()> {
        self.0.reader.register(cx.waker());
        let queue = self.0.queue.lock();
        if queue.overflowed || (drains && !queue.deliveries.is_empty()) {
            return Poll::Ready(());
        }
        Poll::Pending
    }

    /// Moves deliveries of at most `bytes` (but at least one) into `into`, in order.
    pub fn drain(&self, bytes: usize, into: &mut Vec<Delivery>) -> Drained {
        let mut queue = self.0.queue.lock();
        if !queue.deliveries.is_empty() {
            queue.stride = queue.deliveries.len().min(STRIDE);
        }
        if self.0.waiting.load(Ordering::Acquire) <= bytes {
            into.extend(queue.deliveries.drain(..));
        } else {
            drain_some(&mut queue.deliveries, bytes, into);
        }
        if queue.deliveries.is_empty() {
            queue.deliveries = VecDeque::new(); // an idle connection keeps no buffer
        }
        queue.told()
    }

    /// What a drain would tell, without one.
    pub fn look(&self) -> Drained {
        self.0.queue.lock().told()
    }

    /// Whether the slow-consumer policy has ended this connection.
    pub fn has_overflowed(&self) -> bool {
        self.0.queue.lock().overflowed
    }

    /// Gives back the room of bytes that the socket has taken, or that were not written at all.
    pub fn written(&self, bytes: usize) {
        // Replies and problems that the session itself makes never waited in the queue: the
        // count must not fall below nothing for them.
        let (set, fetch) = (Ordering::AcqRel, Ordering::Acquire);
        let less = |waiting: usize| Some(waiting.saturating_sub(bytes));
        let before = self.0.waiting.fetch_update(set, fetch, less).unwrap_or_default();
        let half = self.0.bound / 2;
        let after = before.saturating_sub(bytes);
        // Half is enough for most; what is larger waits until nothing else does.
        if after <= half && (before > half || after == 0) {
            self.0.room.notify_waiters();
        }
    }
}

impl Queue {
    fn told(&mut self) -> Drained {
        Drained {
            more: !self.deliveries.is_empty(),
            overflowed: self.overflowed,
            dropped: std::mem::take(&mut self.dropped),
        }
    }
}

impl Drop for OutboundQueue {
    fn drop(&mut self) {
        // What waits stays until the broker lets go: a durable place must not pass over it.
        self.0.queue.lock().closed = true;
        self.0.room.notify_waiters();
    }
}

impl wake::Reader for Shared {
    fn waker(&self) -> &AtomicWaker {
        &self.reader
    }
}

impl Shared {
    fn admits(&self, weight: usize) -> bool {
        let waiting = self.waiting.load(Ordering::Acquire);
        waiting == 0 || waiting + weight <= self.bound
    }

    /// Whether what can also come later is admitted.
    fn is_open_to(&self, weight: usize) -> bool {
        self.waiting.load(Ordering::Acquire) <= self.bound / 2 && self.admits(weight)
    }

    fn push(self: &Arc<Self>, queue: &mut Queue, delivery: Delivery) {
        self.waiting.fetch_add(delivery.weight(), Ordering::AcqRel);
        if queue.deliveries.capacity() == 0 {
            queue.deliveries.reserve_exact(queue.stride);
        }
        queue.deliveries.push_back(delivery);
        wake::pushed(self, queue.deliveries.len() == 1);
    }

    /// Only what nobody has to settle may be dropped.
    fn drop_oldest(&self, queue: &mut Queue) -> bool {
        let Some(at) = queue.deliveries.iter().position(|delivery| delivery.token.is_none()) else {
            return false;
        };
        if let Some(gone) = queue.deliveries.remove(at) {
            self.waiting.fetch_sub(gone.weight(), Ordering::AcqRel);
            queue.dropped += 1;
        }
        true
    }
}

fn drain_some(from: &mut VecDeque<Delivery>, bytes: usize, into: &mut Vec<Delivery>) {
    let mut taken = 0;
    while let Some(next) = from.front() {
        let weight = next.weight();
        if taken > 0 && taken + weight > bytes {
            return;
        }
        taken += weight;
        into.extend(from.pop_front());
    }
}
