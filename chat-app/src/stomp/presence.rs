//! Who is here: told to the small rooms of whoever comes or goes.
//!
//! A lease in SQL says so to all processes. It outlives a session by a moment, so that a page
//! that is loaded anew, or a phone between two cells, is not told as going and coming.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use stomp_server::broker::Publish;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::Online;
use crate::{
    domain::{Event, Room, Timestamp, UserId, room_topic},
    ports::{Presences, StoreResult},
    service::{Log, json_message},
};

/// How long a lease lasts without being renewed: as long as a process may be silent.
const LEASE: Duration = Duration::from_secs(30);
const RENEW: Duration = Duration::from_secs(10);
const SWEEP: Duration = Duration::from_secs(5);
const TICK: Duration = Duration::from_millis(500);
/// How long after its last session somebody is still here.
const GRACE: Duration = Duration::from_secs(3);
/// Users written or told at a time; in a storm the rest waits for the next tick.
const STRIDE: usize = 200;
/// Rooms that are told of one user, those with the newest activity.
const ROOMS_MAX: u32 = 200;

/// The task that keeps this process's leases.
pub(crate) struct PresenceTask {
    presences: Arc<dyn Presences>,
    log: Log,
    online: Online,
    /// This process, in SQL.
    process: String,
    leased: HashSet<UserId>,
    /// Since when those have no session here any more.
    gone: HashMap<UserId, Instant>,
    /// Users to be told of, by what is to be told. The last word counts.
    news: HashMap<UserId, bool>,
    renewed: Instant,
    swept: Instant,
}

impl PresenceTask {
    pub(crate) fn new(presences: Arc<dyn Presences>, log: Log, online: Online) -> Self {
        let now = Instant::now();
        Self {
            presences,
            log,
            online,
            process: Uuid::new_v4().to_string(),
            leased: HashSet::new(),
            gone: HashMap::new(),
            news: HashMap::new(),
            renewed: now,
            swept: now,
        }
    }

    /// Works until `stop`. Leases are left to run out: whoever comes back in time, at this
    /// process's successor or elsewhere, has never been away.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = tick.tick() => {}
            }
            if let Err(error) = self.step(Instant::now()).await {
                tracing::warn!(%error, "who is here could not be written; it is tried again");
            }
        }
    }

    async fn step(&mut self, now: Instant) -> StoreResult<()> {
        self.renew(now).await?;
        let arrived = self.look(now);
        self.lease(&arrived).await?;
        self.release(now).await?;
        self.sweep(now).await?;
        self.tell().await
    }

    /// Who has come, of those whose sessions have changed.
    fn look(&mut self, now: Instant) -> Vec<UserId> {
        let mut arrived = Vec::new();
        for user in self.online.changed(STRIDE) {
            match (self.online.is_here(&user), self.leased.contains(&user)) {
                (true, true) => drop(self.gone.remove(&user)),
                (true, false) => arrived.push(user),
                (false, true) => drop(self.gone.entry(user).or_insert(now)),
                (false, false) => {}
            }
        }
        arrived
    }

    async fn lease(&mut self, arrived: &[UserId]) -> StoreResult<()> {
        match self.presences.lease(&self.process, arrived, LEASE).await {
            Ok(came) => {
                self.leased.extend(arrived.iter().cloned());
                self.news.extend(came.into_iter().map(|user| (user, true)));
                Ok(())
            }
            Err(error) => {
                arrived.iter().for_each(|user| self.online.look_again(user.clone()));
                Err(error)
            }
        }
    }

    async fn release(&mut self, now: Instant) -> StoreResult<()> {
        let is_over = |(_, since): &(&UserId, &Instant)| now.duration_since(**since) >= GRACE;
        let over = self.gone.iter().filter(is_over).map(|(user, _)| user.clone());
        let over: Vec<_> = over.take(STRIDE).collect();
        let went = self.presences.release(&self.process, &over).await?;
        for user in &over {
            self.gone.remove(user);
            self.leased.remove(user);
            // Somebody who came back meanwhile has just lost the lease again.
            if self.online.is_here(user) {
                self.online.look_again(user.clone());
            }
        }
        self.news.extend(went.into_iter().map(|user| (user, false)));
        Ok(())
    }

    async fn renew(&mut self, now: Instant) -> StoreResult<()> {
        if now.duration_since(self.renewed) < RENEW {
            return Ok(());
        }
        let renewed = self.presences.renew(&self.process, LEASE).await?;
        self.renewed = now;
        if renewed < self.leased.len() as u64 {
            // Some have run out while the database was away, and others have swept them.
            self.leased.drain().for_each(|user| self.online.look_again(user));
        }
        Ok(())
    }

    async fn sweep(&mut self, now: Instant) -> StoreResult<()> {
        if now.duration_since(self.swept) < SWEEP {
            return Ok(());
        }
        let went = self.presences.sweep().await?;
        self.swept = now;
        self.news.extend(went.into_iter().map(|user| (user, false)));
        Ok(())
    }

    async fn tell(&mut self) -> StoreResult<()> {
        let users: Vec<_> = self.news.keys().take(STRIDE).cloned().collect();
        for user in users {
            let rooms = self.presences.small_rooms(&user, Room::MEMBERS_SHOWN, ROOMS_MAX).await?;
            let Some(online) = self.news.remove(&user) else { continue };
            for room in rooms {
                let topic = room_topic(&room);
                let event =
                    Event::Presence { room, at: Timestamp::now(), user: user.clone(), online };
                if let Ok(json) = serde_json::to_string(&event) {
                    self.log.tell(Publish::volatile(json_message(&topic, json)));
                }
            }
        }
        Ok(())
    }
}
