//! Exact destinations: one hash look-up leads to everybody who listens there.

use std::{collections::HashMap, sync::Arc};

use compact_str::CompactString;

use super::{hub::Log, partition::Partitions, ring::SlotId, subscription::Member};
use crate::sync::{Mutex, MutexGuard, RwLock};

/// A destination that somebody listens to, or whose messages the ring has.
///
/// Its lock is held while a message is appended and fanned out, which is what keeps the order
/// of the destination; other destinations do not wait for it.
#[derive(Debug)]
pub(super) struct Channel {
    state: Mutex<ChannelState>,
}

#[derive(Debug)]
pub(super) struct ChannelState {
    pub(super) slot: SlotId,
    pub(super) members: Vec<Member>,
    /// Those whose pattern covers this destination, as of `patterns_seen`.
    pub(super) patterns: Vec<Member>,
    pub(super) patterns_seen: u64,
}

/// All of them.
#[derive(Debug)]
pub(super) struct Channels {
    by_route: RwLock<HashMap<CompactString, Arc<Channel>>>,
    partitions: Partitions,
}

impl Default for Channels {
    fn default() -> Self {
        Self { by_route: RwLock::default(), partitions: Partitions::ONE }
    }
}

impl Channel {
    pub(super) fn lock(&self) -> MutexGuard<'_, ChannelState> {
        self.state.lock()
    }
}

impl ChannelState {
    /// Puts a member in the place that it had before, or adds it.
    pub(super) fn put(&mut self, member: Member) {
        match self.members.iter_mut().find(|other| other.key == member.key) {
            Some(other) => *other = member,
            None => self.members.push(member),
        }
    }
}

impl Channels {
    /// Says that the log has many partitions; before there is any channel.
    #[cfg(feature = "kafka")]
    pub(super) fn divide(&mut self, partitions: Partitions) {
        self.partitions = partitions;
    }

    /// Which partition of the log a destination belongs to.
    pub(super) fn partition(&self, route: &str) -> usize {
        self.partitions.of(route)
    }

    /// The channel of a route, if there is one.
    pub(super) fn find(&self, route: &str) -> Option<Arc<Channel>> {
        self.by_route.read().get(route).cloned()
    }

    /// The channel of a route, made if need be.
    pub(super) fn open(&self, route: &str, log: &Mutex<Log>) -> Arc<Channel> {
        if let Some(channel) = self.find(route) {
            return channel;
        }
        let mut by_route = self.by_route.write();
        let channel = by_route.entry(route.into()).or_insert_with(|| {
            let slot = log.lock().ring.open_slot(self.partition(route));
            let members = Vec::new();
            let patterns = Vec::new();
            let state = ChannelState { slot, members, patterns, patterns_seen: 0 };
            Arc::new(Channel { state: Mutex::new(state) })
        });
        channel.clone()
    }

    /// Forgets a channel that nobody uses and of which nothing is kept.
    pub(super) fn vacate(&self, route: &str, log: &Mutex<Log>) {
        let mut by_route = self.by_route.write();
        let Some(channel) = by_route.get(route) else { return };
        // Whoever is about to use it has a reference, and new ones are only had from the map.
        if Arc::strong_count(channel) > 1 {
            return;
        }
        let slot = {
            let state = channel.lock();
            if !state.members.is_empty() {
                return;
            }
            state.slot
        };
        let mut log = log.lock();
        if log.ring.len(slot) == 0 {
            log.ring.close_slot(slot);
            by_route.remove(route);
        }
    }
}
