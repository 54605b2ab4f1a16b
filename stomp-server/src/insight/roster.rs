//! Who is connected. A session writes its own numbers here; whoever looks reads them.

use std::{
    collections::{BTreeMap, VecDeque},
    ops::Bound,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant, SystemTime},
};

use compact_str::CompactString;
use parking_lot::Mutex;
use stomp_core::Version;

use super::{ConnectionInfo, Moment, SlowInfo, SubscriptionInfo};
use crate::{
    arrival::Arrival,
    auth::Principal,
    broker::{ConnectionId, SubscribeRequest, SubscriptionKey},
    session::Outbound,
};

/// Slow consumers that are remembered: enough to see who it was this morning.
const SLOW_ONES: usize = 100;

/// All sessions of a server.
#[derive(Debug)]
pub(crate) struct Roster {
    /// Monotonic and wall time of one moment, to turn the one into the other.
    start: (Instant, SystemTime),
    /// By number, so that pages of it have an order that stays.
    sessions: Mutex<BTreeMap<u64, Arc<Seen>>>,
    slow: Mutex<VecDeque<SlowInfo>>,
}

/// What can be seen of one session. Written by its task only, so nothing here is contended.
#[derive(Debug)]
pub(crate) struct Seen {
    connection: ConnectionId,
    arrival: Arrival,
    outbound: Outbound,
    login: OnceLock<(Option<Arc<str>>, Version)>,
    subscriptions: Mutex<Vec<Subscribed>>,
    received: AtomicU64,
    sent: AtomicU64,
    dropped: AtomicU64,
    /// In milliseconds from the start of the roster.
    last_activity: AtomicU64,
}

#[derive(Debug)]
struct Subscribed {
    number: u32,
    route: CompactString,
    acks: bool,
    durable: bool,
    prefetch: u32,
}

/// A session's place in the roster, given back however the session ends.
#[derive(Debug)]
pub(crate) struct Present {
    roster: Arc<Roster>,
    seen: Arc<Seen>,
}

impl Roster {
    pub(crate) fn new() -> Self {
        let start = (tokio::time::Instant::now().into_std(), SystemTime::now());
        Self { start, sessions: Mutex::default(), slow: Mutex::default() }
    }

    /// Puts a session into the list.
    pub(crate) fn enter(
        self: &Arc<Self>,
        connection: ConnectionId,
        arrival: Arrival,
        outbound: Outbound,
    ) -> Present {
        let at = self.millis(arrival.at);
        let seen = Arc::new(Seen {
            connection,
            arrival,
            outbound,
            login: OnceLock::new(),
            subscriptions: Mutex::default(),
            received: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            last_activity: AtomicU64::new(at),
        });
        self.sessions.lock().insert(connection.0, seen.clone());
        Present { roster: self.clone(), seen }
    }

    /// How long the server has been there.
    pub(crate) fn age(&self) -> Duration {
        tokio::time::Instant::now().into_std().saturating_duration_since(self.start.0)
    }

    /// When the server was built.
    pub(crate) fn since(&self) -> Moment {
        Moment(self.start.1)
    }

    /// Connections above a number, at most so many, of one user if that is asked for.
    pub(crate) fn connections(
        &self,
        after: u64,
        limit: usize,
        user: Option<&str>,
    ) -> Vec<ConnectionInfo> {
        let wanted = |seen: &Seen| user.is_none_or(|user| seen.user() == Some(user));
        self.page(after, limit, wanted).iter().map(|seen| self.connection(seen)).collect()
    }

    /// Subscriptions above a place (connection, number), at most so many, of one destination
    /// if that is asked for.
    pub(crate) fn subscriptions(
        &self,
        after: (u64, u32),
        limit: usize,
        destination: Option<&str>,
    ) -> Vec<SubscriptionInfo> {
        let mut found = Vec::new();
        let mut from = after.0.saturating_sub(1);
        loop {
            let page = self.page(from, limit.max(1), |_| true);
            let Some(last) = page.last() else { return found };
            from = last.connection.0;
            for seen in &page {
                let is_wanted = |one: &&Subscribed| {
                    (seen.connection.0, one.number) > after
                        && destination.is_none_or(|destination| one.route == destination)
                };
                let subscriptions = seen.subscriptions.lock();
                found.extend(subscriptions.iter().filter(is_wanted).map(|one| seen.shown(one)));
                if found.len() >= limit {
                    found.truncate(limit);
                    return found;
                }
            }
        }
    }

    /// The newest slow consumers, newest first.
    pub(crate) fn slow(&self) -> Vec<SlowInfo> {
        self.slow.lock().iter().rev().cloned().collect()
    }

    /// Bytes that wait for all connections together.
    pub(crate) fn outbound_bytes(&self) -> u64 {
        self.sessions.lock().values().map(|seen| seen.outbound.waiting() as u64).sum()
    }

    /// Subscriptions of all connections together.
    pub(crate) fn subscription_count(&self) -> usize {
        self.sessions.lock().values().map(|seen| seen.subscriptions.lock().len()).sum()
    }

    /// Sessions above a number. The lock is held for references only.
    fn page(&self, after: u64, limit: usize, wanted: impl Fn(&Seen) -> bool) -> Vec<Arc<Seen>> {
        let sessions = self.sessions.lock();
        let rest = sessions.range((Bound::Excluded(after), Bound::Unbounded));
        rest.map(|(_, seen)| seen).filter(|seen| wanted(seen)).take(limit).cloned().collect()
    }

    fn connection(&self, seen: &Seen) -> ConnectionInfo {
        let subscriptions = seen.subscriptions.lock().len();
        ConnectionInfo {
            number: seen.connection.0,
            user: seen.user().map(str::to_owned),
            address: seen.address(),
            transport: seen.arrival.carrier.as_str(),
            version: seen.login.get().map(|(_, version)| version.as_str()),
            since: self.moment(self.millis(seen.arrival.at)),
            last_activity: self.moment(seen.last_activity.load(Relaxed)),
            subscriptions,
            outbound_bytes: seen.outbound.waiting() as u64,
            bytes_received: seen.received.load(Relaxed),
            bytes_sent: seen.sent.load(Relaxed),
            dropped: seen.dropped.load(Relaxed),
        }
    }

    fn millis(&self, at: Instant) -> u64 {
        at.saturating_duration_since(self.start.0).as_millis() as u64
    }

    fn moment(&self, millis: u64) -> Moment {
        Moment(self.start.1 + Duration::from_millis(millis))
    }
}

impl Present {
    /// Somebody has logged in.
    pub(crate) fn logged_in(&self, who: &Principal, version: Version) {
        let _ = self.seen.login.set((who.user.clone(), version));
    }

    /// Says something of this session, in its span: `connection` with `number`, `transport`,
    /// `peer` and, after the login, `user` (documented in `docs/operations.md`). Nothing of what a
    /// peer sends is in it but the name that it has proved to have.
    ///
    /// The span lives as long as what is said. One that lived as long as the connection would
    /// cost more memory than the rest of an idle one, and time at every wake-up.
    pub(crate) fn tell(&self, say: impl FnOnce()) {
        let seen = &self.seen;
        let span = tracing::info_span!(
            "connection",
            number = seen.connection.0,
            transport = seen.arrival.carrier.as_str(),
            peer = seen.arrival.address.map(tracing::field::display),
            user = seen.user(),
        );
        span.in_scope(say);
    }

    pub(crate) fn subscribed(&self, request: &SubscribeRequest) {
        self.seen.subscriptions.lock().push(Subscribed {
            number: request.key.number,
            route: request.route.clone(),
            acks: request.acks,
            durable: request.durable.is_some(),
            prefetch: request.prefetch,
        });
    }

    pub(crate) fn unsubscribed(&self, key: SubscriptionKey) {
        let mut subscriptions = self.seen.subscriptions.lock();
        subscriptions.retain(|one| one.number != key.number);
        if subscriptions.is_empty() {
            *subscriptions = Vec::new(); // an idle connection keeps no buffer
        }
    }

    pub(crate) fn received(&self, octets: usize, at: Instant) {
        self.seen.received.fetch_add(octets as u64, Relaxed);
        self.active(at);
    }

    pub(crate) fn sent(&self, octets: usize, at: Instant) {
        self.seen.sent.fetch_add(octets as u64, Relaxed);
        self.active(at);
    }

    /// The slow-consumer policy has struck: messages were dropped, or the connection ends.
    pub(crate) fn too_slow(&self, dropped: Option<u64>) {
        self.seen.dropped.fetch_add(dropped.unwrap_or_default(), Relaxed);
        let mut slow = self.roster.slow.lock();
        let told = SlowInfo {
            at: Moment(SystemTime::now()),
            connection: self.seen.connection.0,
            user: self.seen.user().map(str::to_owned),
            address: self.seen.address(),
            dropped,
        };
        // One that goes on dropping is one line that goes on counting.
        if let Some(last) = slow.back_mut()
            && last.connection == told.connection
            && let (Some(before), Some(now)) = (last.dropped, told.dropped)
        {
            *last = SlowInfo { dropped: Some(before + now), ..told };
            return;
        }
        if slow.len() == SLOW_ONES {
            slow.pop_front();
        }
        slow.push_back(told);
    }

    fn active(&self, at: Instant) {
        self.seen.last_activity.store(self.roster.millis(at), Relaxed);
    }
}

impl Drop for Present {
    fn drop(&mut self) {
        self.roster.sessions.lock().remove(&self.seen.connection.0);
    }
}

impl Seen {
    fn user(&self) -> Option<&str> {
        self.login.get().and_then(|(user, _)| user.as_deref())
    }

    /// A proxy tells no port, so none is shown for those behind one.
    fn address(&self) -> Option<String> {
        let address = self.arrival.address?;
        Some(if address.port() == 0 { address.ip().to_string() } else { address.to_string() })
    }

    fn shown(&self, one: &Subscribed) -> SubscriptionInfo {
        SubscriptionInfo {
            connection: self.connection.0,
            number: one.number,
            user: self.user().map(str::to_owned),
            destination: one.route.to_string(),
            acks: one.acks,
            prefetch: one.prefetch,
            durable: one.durable,
        }
    }
}
