//! Who is in which room, in memory: what every message and every subscription asks.

use std::{sync::Arc, time::Duration};

use moka::future::Cache;
use stomp_server::problem::Problem;

use crate::{
    domain::{Role, RoomId, UserId, no_such_room},
    ports::{Membership, Rooms},
};

/// Rooms remembered at a time.
const CAPACITY: u64 = 10_000;
/// A room is asked for again after this time, whatever was missed.
const LIFE: Duration = Duration::from_secs(300);
/// How long the newest version seen is remembered; longer than any query takes.
const SEEN_LIFE: Duration = Duration::from_secs(60);
/// A room that changes faster than it can be read is not cached.
const ATTEMPTS: usize = 3;

/// A look-aside cache of memberships. What is older than the newest version that this process
/// has seen is never used.
pub(crate) struct Memberships {
    rooms: Arc<dyn Rooms>,
    known: Cache<RoomId, Arc<Membership>>,
    /// The newest version that this process knows of, also while an older one is being read.
    seen: Cache<RoomId, i64>,
}

impl Memberships {
    pub(crate) fn new(rooms: Arc<dyn Rooms>) -> Self {
        let known = Cache::builder().max_capacity(CAPACITY).time_to_live(LIFE).build();
        let seen = Cache::builder().max_capacity(10 * CAPACITY).time_to_live(SEEN_LIFE).build();
        Self { rooms, known, seen }
    }

    /// The role of `user` in `room`.
    ///
    /// # Errors
    /// `not-found`, whether the room does not exist or the user is not in it.
    pub(crate) async fn role(&self, room: &RoomId, user: &UserId) -> Result<Role, Problem> {
        self.of(room).await?.members.get(user).copied().ok_or_else(no_such_room)
    }

    /// Everybody in `room`.
    ///
    /// # Errors
    /// `not-found` if there is no such room.
    pub(crate) async fn of(&self, room: &RoomId) -> Result<Arc<Membership>, Problem> {
        for _ in 0..ATTEMPTS {
            if let Some(known) = self.known.get(room).await {
                return Ok(known);
            }
            let read = Arc::new(self.read(room).await?);
            // Told before it is asked: a change that is made known in between is noticed.
            self.known.insert(room.clone(), read.clone()).await;
            if self.seen.get(room).await.is_none_or(|newest| read.version >= newest) {
                return Ok(read);
            }
            self.known.invalidate(room).await;
        }
        self.read(room).await.map(Arc::new)
    }

    /// The room has changed: nothing older than this version counts any more.
    pub(crate) async fn changed(&self, room: &RoomId, version: i64) {
        let newest = self.seen.get(room).await.map_or(version, |seen| seen.max(version));
        self.seen.insert(room.clone(), newest).await;
        if self.known.get(room).await.is_some_and(|known| known.version < newest) {
            self.known.invalidate(room).await;
        }
    }

    async fn read(&self, room: &RoomId) -> Result<Membership, Problem> {
        self.rooms.membership(room).await?.ok_or_else(no_such_room)
    }
}
