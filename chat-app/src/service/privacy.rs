//! Whose read markers are nobody else's affair.

use std::{sync::Arc, time::Duration};

use moka::future::Cache;
use tokio_util::sync::CancellationToken;

use crate::{
    domain::{Timestamp, UserId},
    ports::{People, StoreResult},
};

/// Users remembered at a time.
const CAPACITY: u64 = 100_000;
/// A user is asked for again after this time, whatever was missed.
const LIFE: Duration = Duration::from_secs(3600);
/// How soon a decision made at another process is known here.
const REFRESH: Duration = Duration::from_secs(5);
/// Decisions are looked for this far back: clocks differ, and a question may fail.
const OVERLAP: Duration = Duration::from_secs(120);

/// Remembers who keeps markers private. A marker costs no question to the database: whoever
/// logs in is known from then on, and what changes is asked for in one question for all.
pub(crate) struct Privacy {
    people: Arc<dyn People>,
    known: Cache<UserId, bool>,
}

impl Privacy {
    pub(crate) fn new(people: Arc<dyn People>) -> Self {
        let known = Cache::builder().max_capacity(CAPACITY).time_to_live(LIFE).build();
        Self { people, known }
    }

    /// Whether this user's markers reach only its own sessions.
    pub(super) async fn of(&self, user: &UserId) -> StoreResult<bool> {
        if let Some(private) = self.known.get(user).await {
            return Ok(private);
        }
        let account = self.people.account(user).await?;
        let private = account.is_some_and(|account| account.settings.private_receipts);
        self.learn(user, private).await;
        Ok(private)
    }

    /// The user's account says so, just now.
    pub(super) async fn learn(&self, user: &UserId, private: bool) {
        self.known.insert(user.clone(), private).await;
    }

    /// Follows what is decided elsewhere, until `stop`.
    pub(crate) async fn run(self: Arc<Self>, stop: CancellationToken) {
        while tokio::time::timeout(REFRESH, stop.cancelled()).await.is_err() {
            let now = Timestamp::now().millis();
            let since = Timestamp::from_millis(now - OVERLAP.as_millis() as i64);
            match self.people.privacy(since).await {
                Ok(decided) => {
                    for (user, private) in decided {
                        if self.known.contains_key(&user) {
                            self.learn(&user, private).await;
                        }
                    }
                }
                Err(error) => tracing::warn!(%error, "decisions about receipts were not read"),
            }
        }
    }
}
