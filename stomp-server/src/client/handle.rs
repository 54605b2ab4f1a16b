//! The handle of a client.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{
    sync::{Notify, OwnedSemaphorePermit, Semaphore, TryAcquireError, mpsc, oneshot, watch},
    task::JoinHandle,
};

use super::{
    ClientBuilder, ClientError, Connector, Draft, Message, Sent, Status, Subscribe, Transaction,
    command::{Command, Told},
    draft,
    engine::told,
    outbox::{Item, Tries},
};

/// A client of a STOMP server. Cheap to clone; all clones share one connection.
///
/// One task owns the connection and makes it again when it is lost, with growing pauses.
/// Subscriptions come back by themselves and say whether anything was missed; what was sent
/// and not receipted is sent again with the same id.
///
/// Dropping the last handle (streams are handles too) says DISCONNECT without waiting for
/// receipts. [`close`](Self::close) waits for them.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) commands: mpsc::Sender<Command>,
    /// The outbox's room, in octets.
    pub(super) room: Arc<Semaphore>,
    pub(super) outbox: usize,
    pub(super) numbers: AtomicU64,
    pub(super) wake: Arc<Notify>,
    pub(super) status: watch::Receiver<Status>,
    pub(super) end: Arc<OnceLock<ClientError>>,
    pub(super) task: Mutex<Option<JoinHandle<()>>>,
}

impl Client {
    pub(super) fn new(inner: Inner) -> Self {
        Self { inner: Arc::new(inner) }
    }

    /// A client of the server at this address: `tcp://127.0.0.1:61613`,
    /// `ws://127.0.0.1:15674/ws`, or with TLS `tls://…`, `wss://…`.
    pub fn builder(url: impl Into<String>) -> ClientBuilder {
        ClientBuilder::new(Some(url.into()), None)
    }

    /// A client that gets its connections from `connector`, for streams of other kinds.
    pub fn over(connector: Arc<dyn Connector>) -> ClientBuilder {
        ClientBuilder::new(None, Some(connector))
    }

    /// Connects without a login, everything else as it is by default.
    ///
    /// # Errors
    /// As for [`ClientBuilder::connect`].
    pub async fn connect(url: impl Into<String>) -> Result<Self, ClientError> {
        Self::builder(url).connect().await
    }

    /// Sends a message and waits for its receipt, over as many connections as it takes. Waits
    /// first where the outbox is full.
    ///
    /// Dropping this future does not withdraw the message.
    ///
    /// # Errors
    /// [`ClientError::Refused`] if the server refuses it for good, [`ClientError::Lost`] for
    /// messages that are sent at most once, [`ClientError::Closed`]; after the client was given
    /// up, what it was given up for.
    pub async fn send(&self, draft: Draft) -> Result<Sent, ClientError> {
        self.queue(draft).await?.await
    }

    /// Puts a message into the outbox, waiting while that is full, and returns what waits for
    /// the receipt. Messages are accepted in the order in which they were queued.
    ///
    /// # Errors
    /// [`ClientError::TooLarge`], [`ClientError::Invalid`], [`ClientError::Closed`].
    pub async fn queue(&self, draft: Draft) -> Result<Sending, ClientError> {
        draft.check()?;
        let prepared = self.prepare(draft);
        let room = self.room(prepared.weight).await?;
        let (item, sending) = prepared.item(room);
        self.command(Command::Send(item)).await?;
        Ok(sending)
    }

    /// As [`queue`](Self::queue), without waiting.
    ///
    /// # Errors
    /// [`ClientError::Full`] if the outbox is, and as for [`queue`](Self::queue).
    pub fn try_queue(&self, draft: Draft) -> Result<Sending, ClientError> {
        draft.check()?;
        let prepared = self.prepare(draft);
        self.check_size(prepared.weight)?;
        let full = ClientError::Full(self.inner.outbox - self.inner.room.available_permits());
        let share = u32::try_from(prepared.weight).unwrap_or(u32::MAX);
        let room =
            self.inner.room.clone().try_acquire_many_owned(share).map_err(|error| match error {
                TryAcquireError::NoPermits => full.clone(),
                TryAcquireError::Closed => self.ended(),
            })?;
        let (item, sending) = prepared.item(room);
        self.inner.commands.try_send(Command::Send(item)).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => full,
            mpsc::error::TrySendError::Closed(_) => self.ended(),
        })?;
        Ok(sending)
    }

    /// Subscribes; see [`Subscribe`] for what can be asked for. The subscription lives over
    /// reconnects until its stream is dropped.
    pub fn subscribe(&self, destination: impl Into<String>) -> Subscribe {
        Subscribe::new(self.clone(), destination.into())
    }

    /// Asks a handler of the application (`/app/…`) and waits for its one answer. Asked again
    /// after a lost connection.
    ///
    /// # Errors
    /// [`ClientError::Refused`] with the handler's problem.
    pub async fn ask(&self, destination: impl Into<String>) -> Result<Message, ClientError> {
        self.subscribe(destination).answer().await
    }

    /// Several messages that are accepted together.
    pub fn transaction(&self) -> Transaction {
        Transaction::new(self.clone())
    }

    /// How the connection is doing, now and from now on.
    pub fn status(&self) -> watch::Receiver<Status> {
        self.inner.status.clone()
    }

    /// Waits until everything has its receipt, but not longer than this, then says goodbye and
    /// waits for the task to end. All clones and streams end with it.
    ///
    /// # Errors
    /// [`ClientError::Closed`] if something had no receipt in time; it may have been done.
    pub async fn close(&self, within: Duration) -> Result<(), ClientError> {
        let (told, outcome) = told();
        if self.command(Command::Close { within, told }).await.is_err() {
            return Ok(()); // somebody has closed it before
        }
        let outcome = outcome.await.unwrap_or(Ok(()));
        let task = self.inner.task.lock().take();
        if let Some(task) = task {
            let _ = task.await;
        }
        outcome
    }

    pub(super) async fn command(&self, command: Command) -> Result<(), ClientError> {
        self.inner.commands.send(command).await.map_err(|_| self.ended())
    }

    /// Why nothing is taken any more: what ended the client if that was not its user, else
    /// [`ClientError::Closed`].
    fn ended(&self) -> ClientError {
        self.inner.end.get().cloned().unwrap_or(ClientError::Closed)
    }

    pub(super) fn wake(&self) -> Arc<Notify> {
        self.inner.wake.clone()
    }

    /// A number that this client never gives twice.
    pub(super) fn number(&self) -> u64 {
        self.inner.numbers.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Waits for this share of the outbox.
    pub(super) async fn room(&self, weight: usize) -> Result<OwnedSemaphorePermit, ClientError> {
        self.check_size(weight)?;
        let share = u32::try_from(weight).unwrap_or(u32::MAX);
        let room = self.inner.room.clone();
        room.acquire_many_owned(share).await.map_err(|_| self.ended())
    }

    fn check_size(&self, size: usize) -> Result<(), ClientError> {
        let outbox = self.inner.outbox;
        if size > outbox || u32::try_from(size).is_err() {
            return Err(ClientError::TooLarge { size, outbox });
        }
        Ok(())
    }

    fn prepare(&self, draft: Draft) -> Prepared {
        let number = self.number();
        let tries = if draft.is_once() { Tries::Once } else { Tries::UntilReceipted };
        let for_handlers = draft.is_for_handlers();
        let frame = draft.into_frame(|frame| frame.header("receipt", &Item::receipt(number)));
        let weight = draft::weight(&frame);
        Prepared { number, frames: vec![frame], weight, tries, for_handlers }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("status", &*self.inner.status.borrow()).finish()
    }
}

/// What becomes an item of the outbox as soon as there is room.
pub(super) struct Prepared {
    pub(super) number: u64,
    pub(super) frames: Vec<stomp_core::Frame>,
    pub(super) weight: usize,
    pub(super) tries: Tries,
    pub(super) for_handlers: bool,
}

impl Prepared {
    pub(super) fn item(self, room: OwnedSemaphorePermit) -> (Item, Sending) {
        let (told, outcome): (Told<Sent>, _) = oneshot::channel();
        let Self { number, frames, tries, for_handlers, .. } = self;
        let item = Item { number, frames, for_handlers, tries, told, room, blamed: 0 };
        (item, Sending { outcome })
    }
}

/// A message in the outbox. Awaited, it is the receipt; dropped, nobody looks at that.
#[derive(Debug)]
#[must_use = "await it for the receipt, or drop it on purpose"]
pub struct Sending {
    outcome: oneshot::Receiver<Result<Sent, ClientError>>,
}

impl Future for Sending {
    type Output = Result<Sent, ClientError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.outcome)
            .poll(cx)
            .map(|outcome| outcome.unwrap_or(Err(ClientError::Closed)))
    }
}
