//! What the notify role needs from SQL.

use std::time::Duration;

use async_trait::async_trait;

use super::{
    content::{Language, RoomFacts},
    gateway::Address,
    rule::{Blocks, Candidate, Window},
};
use crate::{
    domain::{RoomId, Timestamp, UserId},
    ports::StoreResult,
};

/// A registered device.
#[derive(Clone, Debug)]
pub(crate) struct Device {
    pub(crate) id: String,
    pub(crate) user: UserId,
    pub(crate) address: Address,
    pub(crate) language: Language,
    /// The session that registered it: when its token is given up, the device goes with it.
    pub(crate) token: String,
    pub(crate) created_at: Timestamp,
}

/// What became of a [`Device`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Bound {
    Fresh,
    /// The user had it already, under this id and since then; keys, language and session are
    /// the new ones.
    Again {
        id: String,
        created_at: Timestamp,
    },
    /// The user has as many others as it may.
    TooMany,
}

/// Who wants pushes where.
#[async_trait]
pub(crate) trait Devices: Send + Sync + 'static {
    /// Binds a place to a user. Whoever had it before has it no more: a browser's
    /// subscription or a phone's token is one person's at a time.
    async fn bind(&self, device: &Device, most: u32) -> StoreResult<Bound>;
    async fn device(&self, user: &UserId, id: &str) -> StoreResult<Option<Device>>;
    /// A user's devices, by id.
    async fn devices(
        &self,
        user: &UserId,
        after: Option<&str>,
        limit: u32,
    ) -> StoreResult<Vec<Device>>;
    /// Forgets a device with all that it is due; `false` if there is none.
    async fn unbind(&self, user: &UserId, id: &str) -> StoreResult<bool>;
    /// Forgets what this session registered.
    async fn unbind_session(&self, token: &str) -> StoreResult<()>;
    /// Forgets all devices of a user, but those of this session.
    async fn unbind_user(&self, user: &UserId, except: Option<&str>) -> StoreResult<()>;
}

/// One push that is due: a room's news for a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NewJob {
    pub(crate) device: String,
    pub(crate) user: UserId,
}

/// A room with messages that are due, taken by one worker. Dropped without
/// [`done`](DueRoom::done), it is due as before.
#[async_trait]
pub(crate) trait DueRoom: Send {
    fn facts(&self) -> &RoomFacts;
    /// The room's newest ordinal.
    fn last_ordinal(&self) -> i64;
    /// The database's clock.
    fn now(&self) -> Timestamp;
    /// What was said.
    fn window(&self) -> &Window;
    /// Members behind `after` by id who have not read all of it, at most `limit` of them.
    async fn candidates(
        &mut self,
        after: Option<&UserId>,
        limit: u32,
    ) -> StoreResult<Vec<Candidate>>;
    /// Which of these have blocked whom of the senders.
    async fn blocks(&mut self, of: &[Candidate]) -> StoreResult<Blocks>;
    /// The devices of these.
    async fn devices(&mut self, of: &[UserId]) -> StoreResult<Vec<NewJob>>;
    /// Opens jobs, or raises those that are open.
    async fn open(&mut self, jobs: &[NewJob]) -> StoreResult<()>;
    /// All of it is decided; only now the jobs are there.
    async fn done(self: Box<Self>) -> StoreResult<()>;
}

/// A push that a worker has taken, until its lease is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Job {
    pub(crate) id: i64,
    pub(crate) room: RoomId,
    pub(crate) device: String,
    pub(crate) user: UserId,
    pub(crate) since_ordinal: i64,
    pub(crate) upto_ordinal: i64,
    /// This attempt, from one.
    pub(crate) attempt: u32,
    /// How long ago the message was stored that it is due for.
    pub(crate) age: Duration,
}

/// The last look before sending.
#[derive(Clone, Debug)]
pub(crate) struct Look {
    pub(crate) room: RoomFacts,
    pub(crate) who: Candidate,
    pub(crate) unread: i64,
    pub(crate) address: Address,
    pub(crate) language: Language,
    pub(crate) window: Window,
    pub(crate) blocks: Blocks,
    pub(crate) now: Timestamp,
}

/// What becomes of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Nothing is left to do: sent, or not wanted any more.
    Over,
    /// Again, later; with why, if it was tried.
    Again {
        wait: Duration,
        cause: Option<String>,
    },
    Dead {
        cause: String,
    },
    /// The device is not there any more, and nothing of it stays.
    Gone,
}

/// How much waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Backlog {
    pub(crate) open: i64,
    pub(crate) dead: i64,
    /// Of the open ones.
    pub(crate) oldest: Duration,
}

/// A job, for the operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ListedJob {
    pub(crate) id: i64,
    pub(crate) user: UserId,
    pub(crate) room: RoomId,
    pub(crate) kind: String,
    pub(crate) dead: bool,
    pub(crate) attempts: i64,
    pub(crate) age: Duration,
    pub(crate) cause: Option<String>,
}

/// Which jobs an operator means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    Dead,
    These(Vec<i64>),
}

/// Due rooms and open jobs.
#[async_trait]
pub(crate) trait PushStore: Send + Sync + 'static {
    /// A room whose time has come and that no other worker has taken.
    async fn take_due(&self) -> StoreResult<Option<Box<dyn DueRoom>>>;
    /// Jobs whose time has come, for as long as the lease.
    async fn claim(&self, limit: u32, lease: Duration) -> StoreResult<Vec<Job>>;
    /// What there is to say now; nothing if device, member or room are gone.
    async fn look(&self, job: &Job) -> StoreResult<Option<Look>>;
    /// All of these at once. A job that was raised meanwhile stays open for the rest.
    async fn settle(&self, fates: &[(Job, Fate)]) -> StoreResult<()>;
    async fn backlog(&self) -> StoreResult<Backlog>;
    /// Jobs behind this id; dead ones first are not promised, order is by id.
    async fn jobs(&self, after: i64, limit: u32) -> StoreResult<Vec<ListedJob>>;
    /// Opens dead jobs again, as if they had never been tried; how many.
    async fn revive(&self, which: &Which) -> StoreResult<u64>;
    /// Forgets jobs; how many.
    async fn discard(&self, which: &Which) -> StoreResult<u64>;
}
