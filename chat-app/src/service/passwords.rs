//! Passwords, hashed on threads of their own and never on too many of them.

use std::{sync::Arc, time::Duration};

use argon2::{Argon2, PasswordHash, PasswordHasher, PasswordVerifier, password_hash::SaltString};
use stomp_server::problem::{Code, Problem};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::domain::Password;

/// Each costs a core and 19 MiB while it runs.
const AT_A_TIME: usize = 2;
/// Whoever waits longer than this for its turn is told to come back.
const PATIENCE: Duration = Duration::from_secs(30);
/// What the password of nobody is compared with, at the same cost as anybody's.
const NOBODYS: &str = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$\
     AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Hashes and compares with argon2id.
#[derive(Clone, Debug)]
pub(crate) struct Passwords {
    turns: Arc<Semaphore>,
}

impl Passwords {
    pub(crate) fn new() -> Self {
        Self { turns: Arc::new(Semaphore::new(AT_A_TIME)) }
    }

    pub(crate) async fn hash(&self, password: Password) -> Result<String, Problem> {
        let turn = self.turn().await?;
        Self::work(turn, move || {
            let salt = SaltString::encode_b64(&rand::random::<[u8; 16]>()).map_err(broken)?;
            let hash =
                Argon2::default().hash_password(password.as_bytes(), &salt).map_err(broken)?;
            Ok(hash.to_string())
        })
        .await
    }

    /// Whether the password is the one of this hash. Without a hash it never is, and takes as long.
    /// `may_try` is asked again once its turn has come: many who try at once are not let
    /// through by a bound that none of them had passed when they came.
    pub(crate) async fn matches(
        &self,
        password: Password,
        hash: Option<String>,
        may_try: impl FnOnce() -> Result<(), Problem>,
    ) -> Result<bool, Problem> {
        let turn = self.turn().await?;
        may_try()?;
        Self::work(turn, move || {
            let parsed = PasswordHash::new(hash.as_deref().unwrap_or(NOBODYS)).map_err(broken)?;
            let same = Argon2::default().verify_password(password.as_bytes(), &parsed).is_ok();
            Ok(same && hash.is_some())
        })
        .await
    }

    async fn turn(&self) -> Result<OwnedSemaphorePermit, Problem> {
        let busy = || {
            Problem::new(Code::Unavailable, "Too many people log in at the moment.")
                .with_retry_after(Duration::from_secs(5))
        };
        let turn = tokio::time::timeout(PATIENCE, self.turns.clone().acquire_owned());
        turn.await.map_err(|_| busy())?.map_err(|_| busy())
    }

    async fn work<T: Send + 'static>(
        turn: OwnedSemaphorePermit,
        work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let done = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            work()
        });
        done.await.map_err(|_| Problem::new(Code::Unavailable, "The password was not checked."))?
    }
}

fn broken(error: argon2::password_hash::Error) -> Problem {
    tracing::error!(%error, "a password could not be hashed or compared");
    Problem::new(Code::Unavailable, "The password was not checked.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_right_password_matches_and_nobodys_never_does() {
        let passwords = Passwords::new();
        let password = |text: &str| Password::parse(text.into()).unwrap();
        let hash = passwords.hash(password("correct horse")).await.unwrap();
        let matches = async |text: &str, hash: Option<&String>| {
            passwords.matches(password(text), hash.cloned(), || Ok(())).await.unwrap()
        };
        assert!(matches("correct horse", Some(&hash)).await);
        assert!(!matches("wrong horse!", Some(&hash)).await);
        assert!(!matches("correct horse", None).await);
        let refused = || Err(Problem::new(Code::RateLimited, "too often"));
        assert!(passwords.matches(password("correct horse"), Some(hash), refused).await.is_err());
    }
}
