//! What is kept of people beside their names.

use async_trait::async_trait;

use super::StoreResult;
use crate::domain::{Account, Cutoff, Profile, Settings, Timestamp, User, UserId};

/// What became of a user that a service wants to be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Put {
    Created,
    Updated,
    /// The id was somebody's who is gone; it is not given out again.
    Gone,
}

/// People, as they and their sessions see them. Whoever is deleted is not among them.
#[async_trait]
pub(crate) trait People: Send + Sync + 'static {
    async fn account(&self, id: &UserId) -> StoreResult<Option<Account>>;
    /// Makes a user, or gives one this name and picture.
    async fn put_user(&self, user: &User) -> StoreResult<Put>;
    async fn set_profile(&self, id: &UserId, profile: &Profile) -> StoreResult<()>;
    async fn set_settings(&self, id: &UserId, settings: &Settings) -> StoreResult<()>;
    /// Who has decided since then whether others learn what it has read, and how.
    async fn privacy(&self, since: Timestamp) -> StoreResult<Vec<(UserId, bool)>>;
    /// A new password, and the end of the sessions that the cutoff ends.
    async fn set_password(&self, id: &UserId, hash: &str, cutoff: &Cutoff) -> StoreResult<()>;
    /// Only the id stays, so that nobody else gets it.
    async fn delete_user(&self, id: &UserId, at: Timestamp) -> StoreResult<()>;
    /// Whose sessions were ended since then.
    async fn cutoffs(&self, since: Timestamp) -> StoreResult<Vec<(UserId, Cutoff)>>;
}
