//! Users from a file: names with argon2id hashes, and what each may do.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use arc_swap::ArcSwap;
use async_trait::async_trait;
use hmac::{Hmac, Mac};
use moka::sync::Cache;
use sha2::Sha256;

use super::{
    Authenticate, Authorize, Credentials, Decision, Intent, Principal, book::Book,
    hashing::Hashing, refused,
};
use crate::problem::{Code, Problem};

/// How long a verified passcode is remembered, so that a reconnect storm does not hash again.
const REMEMBERED: Duration = Duration::from_secs(5 * 60);
/// How many are. 32 bytes each, and the cache's own.
const MANY: u64 = 100_000;
/// How often a session asks whether its user is still there with the same hash.
const RECHECK: Duration = Duration::from_secs(20);
/// What the ticket of a login with a passcode starts with.
const TICKET: &str = "passcode:";

/// Logs users in, and says what they may do, by a file that can be read again at any time.
pub struct Users {
    path: PathBuf,
    separator: char,
    book: ArcSwap<Book>,
    hashing: Hashing,
    proven: Proven,
}

/// What is wrong with a file of users. It shows no hash.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UsersError {
    /// It cannot be read.
    #[error("the users file {0} cannot be read: {1}")]
    Read(PathBuf, #[source] std::io::Error),
    /// It says something that makes no sense.
    #[error("the users file {path}: {}", faults.join("; "))]
    Faults {
        /// Which file.
        path: PathBuf,
        /// All that is wrong with it.
        faults: Vec<String>,
    },
}

impl Users {
    /// Reads the file. Words of topics in its rules are split by `separator`.
    ///
    /// # Errors
    /// If it cannot be read, or says something that makes no sense.
    pub fn load(path: impl Into<PathBuf>, separator: char) -> Result<Self, UsersError> {
        let path = path.into();
        let book = read(&path, separator)?;
        Ok(Self {
            path,
            separator,
            book: ArcSwap::from_pointee(book),
            hashing: Hashing::default(),
            proven: Proven::new(REMEMBERED),
        })
    }

    /// Reads the file again. From then on it holds for logins, for every SEND and SUBSCRIBE,
    /// and within some seconds for open sessions; how many users there are.
    ///
    /// # Errors
    /// As [`load`](Self::load); what was read before goes on to hold.
    pub fn reload(&self) -> Result<usize, UsersError> {
        let book = read(&self.path, self.separator)?;
        let users = book.len();
        self.book.store(Arc::new(book));
        Ok(users)
    }

    async fn check(&self, name: &str, passcode: &str) -> Result<Principal, Problem> {
        let (known, hash) = {
            let book = self.book.load();
            match book.entry(name).and_then(|entry| entry.hash.clone()) {
                Some(hash) => (true, Some(hash)),
                None => (false, book.decoy()),
            }
        };
        let Some(hash) = hash else { return Err(refused()) };
        let proof = self.proven.proof(&[name, &hash, passcode]);
        if known && self.proven.holds(&proof) {
            return Ok(self.principal(name, &hash));
        }
        let right = self.hashing.verify(hash.clone(), passcode.to_owned()).await?;
        if !(known && right) {
            return Err(refused());
        }
        self.proven.remember(proof);
        Ok(self.principal(name, &hash))
    }

    fn principal(&self, name: &str, hash: &str) -> Principal {
        Principal { ticket: Some(self.ticket(hash)), ..Principal::user(name) }
    }

    /// Changes with the hash, and tells nothing of it.
    fn ticket(&self, hash: &str) -> Arc<str> {
        let proof = self.proven.proof(&[hash]);
        let word = u128::from_le_bytes(std::array::from_fn(|at| proof[at]));
        format!("{TICKET}{word:032x}").into()
    }
}

fn read(path: &Path, separator: char) -> Result<Book, UsersError> {
    let text =
        std::fs::read_to_string(path).map_err(|error| UsersError::Read(path.to_owned(), error))?;
    Book::parse(&text, separator)
        .map_err(|faults| UsersError::Faults { path: path.to_owned(), faults })
}

#[async_trait]
impl Authenticate for Users {
    async fn authenticate(&self, credentials: Credentials) -> Result<Principal, Problem> {
        match (&credentials.login, &credentials.passcode) {
            (Some(name), Some(passcode)) => self.check(name, passcode).await,
            _ => Err(refused()),
        }
    }

    fn recheck_every(&self) -> Option<Duration> {
        Some(RECHECK)
    }

    async fn still_valid(&self, who: &Principal) -> Result<(), Problem> {
        let Some(ticket) = who.ticket.as_deref().filter(|ticket| ticket.starts_with(TICKET)) else {
            return Ok(()); // logged in by something else
        };
        let hash = self.book.load().entry(who.name()).and_then(|entry| entry.hash.clone());
        match hash {
            Some(hash) if *self.ticket(&hash) == *ticket => Ok(()),
            _ => Err(Problem::new(Code::Unauthorized, "This login does not hold any more.")),
        }
    }
}

#[async_trait]
impl Authorize for Users {
    fn decide(&self, who: &Principal, intent: Intent<'_>) -> Option<Decision> {
        Some(self.judge(who, intent))
    }

    async fn authorize(&self, who: &Principal, intent: Intent<'_>) -> Decision {
        self.judge(who, intent)
    }
}

impl Users {
    fn judge(&self, who: &Principal, intent: Intent<'_>) -> Decision {
        if self.book.load().rights(who.name()).allow(intent, self.separator) {
            return Decision::Allow;
        }
        Decision::Deny(Problem::new(Code::Forbidden, "No rule of this user allows that."))
    }
}

impl fmt::Debug for Users {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Users").field("path", &self.path).finish_non_exhaustive()
    }
}

/// Remembers what has been verified, as keyed hashes: the process's memory holds no passcode.
struct Proven {
    key: [u8; 32],
    cache: Cache<[u8; 32], ()>,
}

impl Proven {
    fn new(time: Duration) -> Self {
        let cache = Cache::builder().max_capacity(MANY).time_to_live(time).build();
        Self { key: rand::random(), cache }
    }

    /// The parts with their lengths, so that no two lists give the same octets.
    fn proof(&self, parts: &[&str]) -> [u8; 32] {
        // HMAC takes keys of any length, so this never fails.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.key) else { return rand::random() };
        for part in parts {
            mac.update(&(part.len() as u64).to_le_bytes());
            mac.update(part.as_bytes());
        }
        mac.finalize().into_bytes().into()
    }

    fn holds(&self, proof: &[u8; 32]) -> bool {
        self.cache.contains_key(proof)
    }

    fn remember(&self, proof: [u8; 32]) {
        self.cache.insert(proof, ());
    }
}

#[cfg(test)]
#[path = "users_tests.rs"]
mod tests;
