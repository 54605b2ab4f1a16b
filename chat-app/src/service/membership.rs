//! Who is in which room, in memory: what every message and every subscription asks.

use std::{sync::Arc, time::Duration};

use moka::future::Cache;
use stomp_server::problem::{Code, Problem};
use tokio::time::Instant;

use super::{Currency, hits::Hits};
use crate::{
    domain::{Actor, Role, RoomId, UserId, no_such_room},
    ports::{Membership, Rooms},
};

/// Rooms remembered at a time.
const CAPACITY: u64 = 10_000;
/// A room is asked for again after this time, whatever was missed.
const LIFE: Duration = Duration::from_secs(300);
/// While the database is away a room that is older still serves; the log tells its changes.
const LIFE_WITHOUT_DATABASE: Duration = Duration::from_secs(3600);
/// How long the newest version seen is remembered; longer than any query takes.
const SEEN_LIFE: Duration = Duration::from_secs(3600);
/// A room that changes faster than it can be read is not cached.
const ATTEMPTS: usize = 3;

/// A look-aside cache of memberships. What is older than the newest version that this process
/// has seen is never used, and nothing is where this process does not know what is new.
pub(crate) struct Memberships {
    rooms: Arc<dyn Rooms>,
    known: Cache<RoomId, Known>,
    /// The newest version that this process knows of, also while an older one is being read.
    seen: Cache<RoomId, i64>,
    currency: Arc<Currency>,
    hits: Hits,
}

#[derive(Clone)]
struct Known {
    membership: Arc<Membership>,
    read_at: Instant,
}

impl Memberships {
    pub(crate) fn new(rooms: Arc<dyn Rooms>, currency: Arc<Currency>) -> Self {
        let life = LIFE_WITHOUT_DATABASE;
        let known = Cache::builder().max_capacity(CAPACITY).time_to_live(life).build();
        let seen = Cache::builder().max_capacity(10 * CAPACITY).time_to_live(SEEN_LIFE).build();
        Self { rooms, known, seen, currency, hits: Hits::of("memberships") }
    }

    /// The role of `actor` in `room`; a service has that of an owner everywhere.
    ///
    /// # Errors
    /// `not-found`, whether the room does not exist or may not be known of.
    pub(crate) async fn role(&self, room: &RoomId, actor: &Actor) -> Result<Role, Problem> {
        match actor.is_service {
            true => self.of(room).await.map(|_| Role::Owner),
            false => self.member(room, &actor.user).await,
        }
    }

    /// The role that `user` has in `room` as one of its members.
    ///
    /// # Errors
    /// `not-found`, whether the room does not exist or the user is not in it.
    pub(crate) async fn member(&self, room: &RoomId, user: &UserId) -> Result<Role, Problem> {
        self.of(room).await?.members.get(user).copied().ok_or_else(no_such_room)
    }

    /// Everybody in `room`.
    ///
    /// # Errors
    /// `not-found` if there is no such room.
    pub(crate) async fn of(&self, room: &RoomId) -> Result<Arc<Membership>, Problem> {
        if !self.currency.is_current() {
            self.hits.missed();
            return self.read(room).await.map(Arc::new);
        }
        let known = self.known.get(room).await;
        match known {
            Some(Known { membership, read_at }) if read_at.elapsed() < LIFE => {
                self.hits.hit();
                Ok(membership)
            }
            old => {
                self.hits.missed();
                let read = self.look_up(room).await;
                match (read, old) {
                    // The log has told of no change, and the database of nothing at all.
                    (Err(problem), Some(old)) if problem.code == Code::Unavailable => {
                        Ok(old.membership)
                    }
                    (read, _) => read,
                }
            }
        }
    }

    /// The room has changed: nothing older than this version counts any more.
    pub(crate) async fn changed(&self, room: &RoomId, version: i64) {
        let newest = self.seen.get(room).await.map_or(version, |seen| seen.max(version));
        self.seen.insert(room.clone(), newest).await;
        if self.known.get(room).await.is_some_and(|known| known.membership.version < newest) {
            self.known.invalidate(room).await;
        }
    }

    /// Changes may have been missed: nothing that is remembered counts.
    pub(crate) fn forget(&self) {
        self.known.invalidate_all();
    }

    /// Reads the room, remembers it, and makes sure that it is not older than what has been
    /// seen. Those who ask at the same time share the reading.
    async fn look_up(&self, room: &RoomId) -> Result<Arc<Membership>, Problem> {
        for _ in 0..ATTEMPTS {
            self.known.invalidate(room).await;
            let reading = async {
                let membership = Arc::new(self.read(room).await?);
                Ok::<_, Problem>(Known { membership, read_at: Instant::now() })
            };
            let known = self.known.try_get_with(room.clone(), reading).await;
            let read = known.map_err(|problem| Problem::clone(&problem))?.membership;
            // Put there before it is asked: a change that is told in between is noticed.
            if self.seen.get(room).await.is_none_or(|newest| read.version >= newest) {
                return Ok(read);
            }
        }
        self.known.invalidate(room).await;
        self.read(room).await.map(Arc::new)
    }

    async fn read(&self, room: &RoomId) -> Result<Membership, Problem> {
        self.rooms.membership(room).await?.ok_or_else(no_such_room)
    }
}
