//! What the services need from storage, as small traits; each has one implementation a
//! database, chosen where the app is composed.

mod census;
mod doors;
mod people;
mod presence;
mod reading;

use std::collections::HashMap;

use async_trait::async_trait;
use stomp_server::{
    broker::Position,
    problem::{Code, Problem},
};

pub(crate) use self::{
    census::{BusyRoom, Census},
    doors::Doors,
    people::{People, Put},
    presence::Presences,
    reading::{Head, Reading},
};
use crate::domain::{
    Change, Content, Kind, Marker, Member, Message, MessageId, Page, Role, Room, RoomId, RoomName,
    Standing, Timestamp, User, UserId,
};

/// Why a store did not answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// The database is away, busy or broken; trying again may help.
    #[error("the database does not answer: {0}")]
    Away(#[from] sqlx::Error),
    /// A row holds what no version of this program writes.
    #[error("the database holds something unreadable: {0}")]
    Unreadable(String),
}

pub(crate) type StoreResult<T> = Result<T, StoreError>;

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        Self::from(&error)
    }
}

impl From<&StoreError> for Problem {
    /// The cause is for the operator's log, not for peers.
    fn from(error: &StoreError) -> Self {
        tracing::error!(%error, "a request could not be served");
        Self::new(Code::Unavailable, "The database does not answer at the moment.")
            .with_retry_after(std::time::Duration::from_secs(1))
    }
}

/// People, and tokens that were given up.
#[async_trait]
pub(crate) trait Accounts: Send + Sync + 'static {
    /// Makes an account; `false` if the id is taken.
    async fn create(&self, user: &User, password_hash: Option<&str>) -> StoreResult<bool>;
    async fn user(&self, id: &UserId) -> StoreResult<Option<User>>;
    async fn password_hash(&self, id: &UserId) -> StoreResult<Option<String>>;
    /// Those whose id or name starts with `query`, behind `from` in the order of ids.
    async fn search(
        &self,
        query: &str,
        from: Option<&UserId>,
        limit: u32,
    ) -> StoreResult<Vec<User>>;
    /// Which of these nobody is called.
    async fn unknown(&self, ids: &[UserId]) -> StoreResult<Vec<UserId>>;
    async fn revoke(&self, token: &str, user: &UserId, expires: Timestamp) -> StoreResult<()>;
    /// Tokens revoked and not yet expired; older rows are dropped.
    async fn revoked(&self, now: Timestamp) -> StoreResult<Vec<String>>;
}

/// A room to be made.
#[derive(Clone, Debug)]
pub(crate) struct NewRoom {
    pub(crate) id: RoomId,
    pub(crate) kind: Kind,
    pub(crate) public: bool,
    pub(crate) name: Option<RoomName>,
    pub(crate) members: Vec<(UserId, Role)>,
    pub(crate) by: UserId,
    pub(crate) at: Timestamp,
    /// The request's key and what it asked for.
    pub(crate) idempotency: Option<(String, String)>,
}

/// What became of a [`NewRoom`].
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Created {
    Fresh(RoomId),
    /// It was there already: the pair's room, or what the same key made before.
    Existing(RoomId),
    /// One of the two has blocked the other.
    Blocked,
    /// The key was used for another request.
    KeyReused,
}

/// A room as permission checks and fan-out need it: kept in memory, replaced by version.
#[derive(Clone, Debug)]
pub(crate) struct Membership {
    pub(crate) version: i64,
    pub(crate) kind: Kind,
    /// A direct room in which nothing can be sent.
    pub(crate) blocked: bool,
    pub(crate) members: HashMap<UserId, Role>,
}

/// Where a list of rooms goes on: behind this activity, then behind this id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RoomsCursor {
    pub(crate) active_at: i64,
    pub(crate) room: RoomId,
}

impl std::fmt::Display for RoomsCursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.active_at, self.room)
    }
}

impl RoomsCursor {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (active_at, room) = text.split_once('.')?;
        Some(Self { active_at: active_at.parse().ok()?, room: RoomId::parse(room)? })
    }
}

/// Rooms and who is in them. Every change is one transaction with its outbox rows.
#[async_trait]
pub(crate) trait Rooms: Send + Sync + 'static {
    async fn create(&self, room: &NewRoom) -> StoreResult<Created>;
    /// What has to be known to decide about `target`.
    async fn standing(
        &self,
        room: &RoomId,
        actor: &UserId,
        target: &UserId,
    ) -> StoreResult<Option<Standing>>;
    /// Makes a decided change and returns the new version; `None` if the room has moved on
    /// since the decision.
    async fn apply(
        &self,
        room: &RoomId,
        change: &Change,
        at: Timestamp,
    ) -> StoreResult<Option<i64>>;
    /// Gives the room another name; `None` if it has moved on.
    async fn rename(
        &self,
        room: &RoomId,
        at_version: i64,
        name: &RoomName,
        at: Timestamp,
    ) -> StoreResult<Option<i64>>;
    /// Ends the room and everything in it; `None` if it has moved on.
    async fn delete(
        &self,
        room: &RoomId,
        at_version: i64,
        by: &UserId,
        at: Timestamp,
    ) -> StoreResult<Option<i64>>;
    /// Leaves the room out of one member's list until its next message.
    async fn hide(&self, room: &RoomId, user: &UserId) -> StoreResult<()>;

    /// Keeps the room quiet for one member, until then.
    async fn mute(&self, room: &RoomId, user: &UserId, until: Timestamp) -> StoreResult<()>;

    async fn membership(&self, room: &RoomId) -> StoreResult<Option<Membership>>;
    /// The room as `viewer` may see it: not at all, from outside, or from inside.
    async fn room(&self, room: &RoomId, viewer: &UserId) -> StoreResult<Option<Room>>;
    /// The room as a service sees it: all of it but what is one member's own affair.
    async fn whole(&self, room: &RoomId) -> StoreResult<Option<Room>>;
    /// The user's rooms, newest activity first, and where to go on.
    async fn list(
        &self,
        user: &UserId,
        from: Option<&RoomsCursor>,
        limit: u32,
    ) -> StoreResult<(Vec<Room>, Option<RoomsCursor>)>;
    /// Public rooms whose name holds `query`, seen from outside unless `viewer` is inside.
    async fn public(
        &self,
        viewer: &UserId,
        query: &str,
        from: Option<&RoomId>,
        limit: u32,
    ) -> StoreResult<Vec<Room>>;
    async fn members(
        &self,
        room: &RoomId,
        from: Option<&UserId>,
        limit: u32,
    ) -> StoreResult<Vec<Member>>;
}

/// A committed change that is not yet in the log.
#[derive(Clone, Debug)]
pub(crate) struct OutboxRow {
    pub(crate) id: i64,
    pub(crate) room: RoomId,
    /// The event in JSON.
    pub(crate) event: String,
}

/// The bridge from SQL to the log.
#[async_trait]
pub(crate) trait Outbox: Send + Sync + 'static {
    /// The oldest that wait.
    async fn pending(&self, limit: u32) -> StoreResult<Vec<OutboxRow>>;
    /// The log has them.
    async fn done(&self, ids: &[i64]) -> StoreResult<()>;
}

/// Which page of a room's history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Range {
    Newest,
    /// Before this ordinal, exclusive.
    Before(i64),
    /// After this ordinal, exclusive.
    After(i64),
    /// With this ordinal in the middle.
    Around(i64),
}

/// What the log became.
#[async_trait]
pub(crate) trait History: Send + Sync + 'static {
    /// A page and the store's cursor, out of one snapshot. `partition` is the room's.
    async fn page(
        &self,
        room: &RoomId,
        partition: u32,
        range: &Range,
        limit: u32,
    ) -> StoreResult<Page>;
    async fn message(&self, room: &RoomId, id: &MessageId) -> StoreResult<Option<Message>>;
    /// Which of these messages were taken back.
    async fn deleted(&self, room: &RoomId, ids: &[MessageId]) -> StoreResult<Vec<MessageId>>;
    /// What has changed in a room behind a place of the log, in the order of the changes, at
    /// most `limit` of it; out of one snapshot.
    async fn changes(
        &self,
        room: &RoomId,
        partition: u32,
        after: Position,
        limit: u32,
    ) -> StoreResult<Changes>;
    /// How many changes that are, counted up to `limit`; none where the store has not come to
    /// that place of that log.
    async fn count_changes(
        &self,
        room: &RoomId,
        partition: u32,
        after: Position,
        limit: u32,
    ) -> StoreResult<Option<u32>>;
}

/// A part of what has changed in a room.
#[derive(Clone, Debug)]
pub(crate) struct Changes {
    /// Each message as it is now, the place of its last change, and who deleted it.
    pub(crate) messages: Vec<(Position, Message, Option<UserId>)>,
    /// Up to this offset of the room's partition nothing is left out.
    pub(crate) upto: u64,
}

/// Up to where a partition of the log has been taken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LogCursor {
    pub(crate) partition: u32,
    pub(crate) epoch: u32,
    pub(crate) next: u64,
}

/// A message that the log accepted.
#[derive(Clone, Debug)]
pub(crate) struct MessageRow {
    pub(crate) message: Message,
    pub(crate) position: Position,
    pub(crate) at_ms: i64,
    /// Where it came from, should it turn out to have no room.
    pub(crate) partition: u32,
}

/// A message that changed after it was sent, in log order.
#[derive(Clone, Debug)]
pub(crate) struct ChangedMessage {
    pub(crate) room: RoomId,
    pub(crate) id: MessageId,
    /// Where the change stands.
    pub(crate) position: Position,
    pub(crate) at: Timestamp,
    /// What becomes of it.
    pub(crate) change: MessageChange,
}

/// How a message changes.
#[derive(Clone, Debug)]
pub(crate) enum MessageChange {
    /// It says this from now on.
    Edited(Content),
    /// It says nothing any more, because of this user.
    Deleted(UserId),
}

/// A record that cannot be applied.
#[derive(Clone, Debug)]
pub(crate) struct DeadRecord {
    pub(crate) partition: u32,
    pub(crate) position: Position,
    pub(crate) route: String,
    pub(crate) reason: &'static str,
    pub(crate) body: String,
}

/// One transaction's worth of the log.
#[derive(Clone, Debug, Default)]
pub(crate) struct LogBatch {
    /// Where each partition must stand for this batch to be the next one.
    pub(crate) from: Vec<LogCursor>,
    /// Where each partition stands behind it.
    pub(crate) to: Vec<LogCursor>,
    pub(crate) messages: Vec<MessageRow>,
    pub(crate) changed: Vec<ChangedMessage>,
    pub(crate) markers: Vec<(RoomId, Marker)>,
    pub(crate) delivered: Vec<(RoomId, Marker)>,
    pub(crate) dead: Vec<DeadRecord>,
}

/// What became of a [`LogBatch`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Applied {
    Done,
    /// The cursors stand elsewhere: somebody else has been here. Nothing was written.
    Fenced,
}

/// The writing side of the history: the log, batch by batch.
#[async_trait]
pub(crate) trait LogStore: Send + Sync + 'static {
    /// In the order of their partitions.
    async fn cursors(&self) -> StoreResult<Vec<LogCursor>>;
    /// Begins with these partitions; those that have begun already stay where they are.
    async fn begin_cursors(&self, cursors: &[LogCursor]) -> StoreResult<()>;
    /// Begins again with these, after a log that ended with its process.
    async fn reset_cursors(&self, cursors: &[LogCursor]) -> StoreResult<()>;
    /// All of it or nothing. The same batch twice is fenced the second time.
    async fn take_over(&self, batch: &LogBatch) -> StoreResult<Applied>;
}
