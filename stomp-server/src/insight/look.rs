//! The handle of those who look.

use std::{fmt, sync::Arc, time::Duration};

use super::{ConnectionInfo, Moment, QueueInfo, SlowInfo, StorageInfo, SubscriptionInfo, Totals};
use crate::{broker::Durability, server::Shared};

/// Looks at a server. Cheap to clone; what it says is true at the moment of asking.
#[derive(Clone)]
pub struct Insight {
    shared: Arc<Shared>,
}

impl Insight {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// `name/version`, as CONNECTED says it.
    pub fn server(&self) -> &str {
        &self.shared.around.server
    }

    /// What a receipt survives.
    pub fn durability(&self) -> Durability {
        self.shared.around.capabilities.durability
    }

    /// When the server was built.
    pub fn since(&self) -> Moment {
        self.shared.roster.since()
    }

    /// How long it has been there.
    pub fn age(&self) -> Duration {
        self.shared.roster.age()
    }

    /// Whether it is going away.
    pub fn is_stopping(&self) -> bool {
        self.shared.stop.is_given()
    }

    /// What has happened since it was built.
    pub fn totals(&self) -> Totals {
        self.shared.metrics.totals()
    }

    /// How many connections are open, those in a handshake not among them.
    pub fn connection_count(&self) -> usize {
        self.shared.gate.open()
    }

    /// How many subscriptions are open at the broker.
    pub fn subscription_count(&self) -> usize {
        self.shared.roster.subscription_count()
    }

    /// Bytes that wait for all connections together.
    pub fn outbound_bytes(&self) -> u64 {
        self.shared.roster.outbound_bytes()
    }

    /// Connections whose number is above `after`, by number, at most `limit`; only those of
    /// `user` where that is given.
    pub fn connections(&self, after: u64, limit: usize, user: Option<&str>) -> Vec<ConnectionInfo> {
        self.shared.roster.connections(after, limit, user)
    }

    /// Subscriptions behind a place (the number of a connection and of a subscription in it),
    /// at most `limit`; only those of `destination`, byte by byte, where that is given.
    pub fn subscriptions(
        &self,
        after: (u64, u32),
        limit: usize,
        destination: Option<&str>,
    ) -> Vec<SubscriptionInfo> {
        self.shared.roster.subscriptions(after, limit, destination)
    }

    /// Queues of this process whose name is behind `after`, by name, at most `limit`.
    pub fn queues(&self, after: &str, limit: usize) -> Vec<QueueInfo> {
        self.shared.broker.queues(after, limit)
    }

    /// What the broker keeps, and how far workers are behind.
    pub async fn storage(&self) -> StorageInfo {
        self.shared.broker.storage().await
    }

    /// The last hundred subscribers that read too slowly, newest first.
    pub fn slow_consumers(&self) -> Vec<SlowInfo> {
        self.shared.roster.slow()
    }
}

impl fmt::Debug for Insight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Insight").finish_non_exhaustive()
    }
}
