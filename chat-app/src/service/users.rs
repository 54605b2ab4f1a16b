//! People in memory: every request and every login asks who somebody is.

use std::{sync::Arc, time::Duration};

use moka::future::Cache;
use stomp_server::problem::{Code, Problem};
use tokio::time::Instant;

use super::hits::Hits;
use crate::{
    domain::{Account, UserId},
    ports::People,
};

/// People remembered at a time.
const CAPACITY: u64 = 100_000;
/// How old a name may be, or the end of an account, where another process changed it.
const LIFE: Duration = Duration::from_secs(10);
/// Whoever was here while the database is away can go on.
const LIFE_WITHOUT_DATABASE: Duration = Duration::from_secs(3600);

/// A look-aside cache of users. Only who exists is remembered.
pub(crate) struct Users {
    people: Arc<dyn People>,
    known: Cache<UserId, Known>,
    hits: Hits,
}

#[derive(Clone)]
struct Known {
    account: Account,
    read_at: Instant,
}

impl Users {
    pub(crate) fn new(people: Arc<dyn People>) -> Self {
        let known =
            Cache::builder().max_capacity(CAPACITY).time_to_live(LIFE_WITHOUT_DATABASE).build();
        Self { people, known, hits: Hits::of("users") }
    }

    /// Who this is, if anybody.
    pub(crate) async fn get(&self, id: &UserId) -> Result<Option<Account>, Problem> {
        let old = self.known.get(id).await;
        if let Some(Known { account, read_at }) = &old
            && read_at.elapsed() < LIFE
        {
            self.hits.hit();
            return Ok(Some(account.clone()));
        }
        self.hits.missed();
        match self.people.account(id).await.map_err(Problem::from) {
            Ok(Some(account)) => {
                let known = Known { account: account.clone(), read_at: Instant::now() };
                self.known.insert(id.clone(), known).await;
                Ok(Some(account))
            }
            Ok(None) => {
                self.known.invalidate(id).await;
                Ok(None)
            }
            Err(problem) if problem.code == Code::Unavailable => {
                old.map(|known| Some(known.account)).ok_or(problem)
            }
            Err(problem) => Err(problem),
        }
    }

    /// The user has changed, or is no more.
    pub(crate) async fn changed(&self, id: &UserId) {
        self.known.invalidate(id).await;
    }
}
