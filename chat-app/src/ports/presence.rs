//! Who is here, across all processes.

use std::{collections::HashSet, time::Duration};

use async_trait::async_trait;

use super::StoreResult;
use crate::domain::{RoomId, UserId};

/// Leases of users who have a session somewhere, by the database's clock.
#[async_trait]
pub(crate) trait Presences: Send + Sync + 'static {
    /// This process has sessions of these users, for at least this long. Those of them who were
    /// nowhere before.
    async fn lease(
        &self,
        process: &str,
        users: &[UserId],
        life: Duration,
    ) -> StoreResult<Vec<UserId>>;
    /// Makes all leases of this process last this long from now on; how many there are.
    async fn renew(&self, process: &str, life: Duration) -> StoreResult<u64>;
    /// This process has no session of these users any more. Those of them who are nowhere now.
    async fn release(&self, process: &str, users: &[UserId]) -> StoreResult<Vec<UserId>>;
    /// Ends leases of processes that have not renewed them. Who is nowhere now.
    async fn sweep(&self) -> StoreResult<Vec<UserId>>;
    /// Which of these users are somewhere.
    async fn online(&self, users: &[UserId]) -> StoreResult<HashSet<UserId>>;
    /// The user's rooms of at most `members`, newest activity first.
    async fn small_rooms(
        &self,
        user: &UserId,
        members: usize,
        limit: u32,
    ) -> StoreResult<Vec<RoomId>>;
}
