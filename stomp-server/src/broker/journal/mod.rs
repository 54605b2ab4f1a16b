//! The journal: where a broker of one machine keeps what must survive it.
//!
//! [`Journal`] is the seam; [`MemoryJournal`] judges the broker above it in tests, and
//! `SqliteJournal` (feature `sqlite`) is what runs.

mod memory;
#[cfg(feature = "sqlite")]
mod record;
#[cfg(feature = "sqlite")]
mod sqlite;

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use compact_str::CompactString;

pub use self::memory::MemoryJournal;
#[cfg(feature = "sqlite")]
pub use self::sqlite::SqliteJournal;
use super::{DedupeKey, DurableKey, Epoch, Logged};

/// A topic message in the journal.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its place; rises from entry to entry, with gaps.
    pub offset: u64,
    /// When it was accepted, in milliseconds since 1970; decoration.
    pub at_ms: u64,
    /// What was accepted.
    pub logged: Arc<Logged>,
}

/// A queue's message in the journal, until somebody has acknowledged it.
#[derive(Clone, Debug)]
pub struct QueueEntry {
    /// The message and its place; the queue is its route.
    pub entry: Entry,
    /// 0 to 9, higher ones first.
    pub priority: u8,
    /// When it expires, in milliseconds since 1970.
    pub expires_at_ms: Option<u64>,
    /// How often it came back.
    pub returns: u32,
}

/// A durable subscription's place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlaceEntry {
    /// Whose it is.
    pub key: DurableKey,
    /// Which destination it reads.
    pub route: CompactString,
    /// Up to where it has read.
    pub offset: u64,
    /// When it was last used, in milliseconds since 1970.
    pub at_ms: u64,
}

/// An id that was published to a queue; it outlives its message, so that a retry stays one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The place that its message got.
    pub offset: u64,
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
    /// To which queue.
    pub route: CompactString,
    /// By whom, under which id.
    pub key: DedupeKey,
}

/// One change of a journal.
#[derive(Clone, Debug)]
pub enum Change {
    /// Appends a topic message. Offsets come from the broker and rise.
    Append(Entry),
    /// Adds a queue's message, and its publisher's id to those that are [`Seen`]; its offset is
    /// of the same sequence.
    Enqueue(QueueEntry),
    /// A queue's message is done with.
    Dequeue(u64),
    /// A queue's message has come back so often.
    Returned(u64, u32),
    /// A durable subscription has come this far.
    Place(PlaceEntry),
    /// A durable subscription's place is forgotten.
    Forget(DurableKey),
    /// Ids that were published to queues before this moment, in milliseconds since 1970, go.
    Unsee(u64),
    /// A worker goes on from here.
    Cursor(CompactString, u64),
    /// Topic messages up to here go.
    Trim(u64),
}

/// What a journal reaches from and to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Extent {
    /// Everything up to here has been trimmed.
    pub trimmed: u64,
    /// The highest offset ever given, to a topic's or a queue's message; never given again.
    pub newest: u64,
}

/// The offsets behind `after` up to `upto`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Exclusive.
    pub after: u64,
    /// Inclusive.
    pub upto: u64,
}

/// Why a journal did not do something.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// It cannot be opened; the sentence says what to do.
    #[error("{0}")]
    Refused(String),
    /// Nothing of the batch is in the journal. Trying again may help.
    #[error("not committed: {0}")]
    NotCommitted(Arc<str>),
    /// All of the batch is in the journal, or nothing; [`Journal::extent`] can tell.
    #[error("perhaps committed: {0}")]
    Unknown(Arc<str>),
    /// It could not be read.
    #[error("not readable: {0}")]
    Unreadable(Arc<str>),
}

/// Durable storage for one broker, which is its only user.
///
/// # What every journal promises
///
/// 1. **A batch is one transaction**: all of it or nothing, whatever happens to the process.
/// 2. **`Ok` means kept**, to the degree that the journal was opened for.
/// 3. **An offset is never given twice**: [`Extent::newest`] does not fall, also when the
///    messages are gone.
/// 4. **Reads see what was committed before they began**, and do not wait for commits.
/// 5. **Dropping a call** leaves the journal as if it had been finished, or never begun.
#[async_trait]
pub trait Journal: fmt::Debug + Send + Sync + 'static {
    /// Which log this is.
    fn epoch(&self) -> Epoch;

    /// From where to where it reaches.
    async fn extent(&self) -> Result<Extent, JournalError>;

    /// Makes all changes, in one transaction.
    async fn commit(&self, batch: &[Change]) -> Result<(), JournalError>;

    /// At most `max` topic messages of a span, in order.
    async fn read(&self, span: Span, max: usize) -> Result<Vec<Entry>, JournalError>;

    /// At most `max` messages of one topic in a span, in order.
    async fn read_route(
        &self,
        route: &str,
        span: Span,
        max: usize,
    ) -> Result<Vec<Entry>, JournalError>;

    /// How many messages of one topic are in a span; counts no further than `at_most`.
    async fn count_route(
        &self,
        route: &str,
        span: Span,
        at_most: usize,
    ) -> Result<usize, JournalError>;

    /// The offset of the first of the last `count` messages of one topic in a span.
    async fn first_of_last(
        &self,
        route: &str,
        span: Span,
        count: usize,
    ) -> Result<Option<u64>, JournalError>;

    /// Up to where the oldest `at_most` topic messages may go, by age: the offset of the last
    /// one of them that was accepted before `before_ms`.
    async fn oldest(&self, before_ms: u64, at_most: usize) -> Result<Option<u64>, JournalError>;

    /// Where a worker goes on.
    async fn cursor(&self, name: &str) -> Result<Option<u64>, JournalError>;

    /// At most `max` messages of queues behind an offset, in order.
    async fn queued(&self, after: u64, max: usize) -> Result<Vec<QueueEntry>, JournalError>;

    /// At most `max` ids that were published to queues, behind an offset, in order.
    async fn seen(&self, after: u64, max: usize) -> Result<Vec<Seen>, JournalError>;

    /// All durable subscriptions' places.
    async fn places(&self) -> Result<Vec<PlaceEntry>, JournalError>;

    /// How many bytes are in use; room that trimming freed is not.
    async fn bytes(&self) -> Result<u64, JournalError>;

    /// Lets go of the storage. Idempotent.
    async fn close(&self);
}
