//! People in memory: every request and every login asks who somebody is.

use std::{sync::Arc, time::Duration};

use moka::future::Cache;
use stomp_server::problem::{Code, Problem};
use tokio::time::Instant;

use super::hits::Hits;
use crate::{
    domain::{User, UserId},
    ports::Accounts,
};

/// People remembered at a time.
const CAPACITY: u64 = 100_000;
/// How old a name may be, or the end of an account, where another process changed it.
const LIFE: Duration = Duration::from_secs(10);
/// Whoever was here while the database is away can go on.
const LIFE_WITHOUT_DATABASE: Duration = Duration::from_secs(3600);

/// A look-aside cache of users. Only who exists is remembered.
pub(crate) struct Users {
    accounts: Arc<dyn Accounts>,
    known: Cache<UserId, Known>,
    hits: Hits,
}

#[derive(Clone)]
struct Known {
    user: User,
    read_at: Instant,
}

impl Users {
    pub(crate) fn new(accounts: Arc<dyn Accounts>) -> Self {
        let known =
            Cache::builder().max_capacity(CAPACITY).time_to_live(LIFE_WITHOUT_DATABASE).build();
        Self { accounts, known, hits: Hits::of("users") }
    }

    /// Who this is, if anybody.
    pub(crate) async fn get(&self, id: &UserId) -> Result<Option<User>, Problem> {
        let old = self.known.get(id).await;
        if let Some(Known { user, read_at }) = &old
            && read_at.elapsed() < LIFE
        {
            self.hits.hit();
            return Ok(Some(user.clone()));
        }
        self.hits.missed();
        match self.accounts.user(id).await.map_err(Problem::from) {
            Ok(Some(user)) => {
                let known = Known { user: user.clone(), read_at: Instant::now() };
                self.known.insert(id.clone(), known).await;
                Ok(Some(user))
            }
            Ok(None) => {
                self.known.invalidate(id).await;
                Ok(None)
            }
            Err(problem) if problem.code == Code::Unavailable => {
                old.map(|known| Some(known.user)).ok_or(problem)
            }
            Err(problem) => Err(problem),
        }
    }

    /// The user has changed, or is no more.
    #[allow(dead_code, reason = "for whoever changes accounts")]
    pub(crate) async fn changed(&self, id: &UserId) {
        self.known.invalidate(id).await;
    }
}
