//! Passwords as argon2id hashes, with a bound on the work that strangers can make us do.

use std::{io, sync::Arc, time::Duration};

use argon2::{
    Algorithm, Argon2, PasswordHash, PasswordHasher, PasswordVerifier, password_hash::SaltString,
};
use tokio::sync::Semaphore;

use crate::problem::{Code, Problem};

/// The longest password, in bytes. Longer ones are no safer, and hashing starts by reading them.
pub const MAX_PASSWORD: usize = 1024;
/// Logins that may wait for a hashing thread; more would not be served in time anyway.
const QUEUE: usize = 1_024;
/// How long a login waits for its hash, a little below what the session waits for a login.
const PATIENCE: Duration = Duration::from_secs(29);
/// The most memory that a hash may ask for, in KiB.
const MAX_MEMORY: u32 = 1024 * 1024;
const MAX_ROUNDS: u32 = 64;

/// Hashes and verifies passwords on few threads, behind a bounded queue.
#[derive(Clone, Debug)]
pub struct Hashing {
    queue: Arc<Semaphore>,
    threads: Arc<Semaphore>,
}

impl Default for Hashing {
    /// Half of the processors: logins never take all of the machine. Each hash takes 19 MiB.
    fn default() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self::with_threads(processors.div_ceil(2))
    }
}

impl Hashing {
    /// At most this many hashes at a time.
    pub fn with_threads(threads: usize) -> Self {
        Self {
            queue: Arc::new(Semaphore::new(QUEUE)),
            threads: Arc::new(Semaphore::new(threads.max(1))),
        }
    }

    /// Whether `password` is the one behind `hash`, a PHC string of argon2id.
    ///
    /// # Errors
    /// `unavailable` if too many logins wait already, or it took too long.
    pub async fn verify(&self, hash: Arc<str>, password: String) -> Result<bool, Problem> {
        if password.len() > MAX_PASSWORD {
            return Ok(false);
        }
        self.work(move || {
            PasswordHash::new(&hash).is_ok_and(|hash| {
                Argon2::default().verify_password(password.as_bytes(), &hash).is_ok()
            })
        })
        .await
    }

    /// The hash of a new password, as a PHC string.
    ///
    /// # Errors
    /// As [`verify`](Self::verify).
    pub async fn hash(&self, password: String) -> Result<String, Problem> {
        let hashed = self.work(move || hash_password(&password)).await?;
        hashed.map_err(|error| Problem::new(Code::Invalid, error.to_string()))
    }

    /// Holds every thread, so that whoever needs a hash waits.
    #[cfg(test)]
    pub(super) async fn hold(&self) -> tokio::sync::OwnedSemaphorePermit {
        let threads = self.threads.available_permits() as u32;
        self.threads.clone().acquire_many_owned(threads).await.expect("it is never closed")
    }

    async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let _place = self.queue.try_acquire().map_err(|_| busy())?;
        let turn = async {
            let thread = self.threads.clone().acquire_owned().await.ok()?;
            // The permit goes along: a hash that nobody waits for any more still takes a thread.
            let done = tokio::task::spawn_blocking(move || {
                let done = work();
                drop(thread);
                done
            });
            done.await.ok()
        };
        tokio::time::timeout(PATIENCE, turn).await.ok().flatten().ok_or_else(busy)
    }
}

/// Hashes a password now, on this thread, with a fresh salt.
///
/// # Errors
/// If it is longer than [`MAX_PASSWORD`].
pub fn hash_password(password: &str) -> io::Result<String> {
    if password.len() > MAX_PASSWORD {
        return Err(io::Error::other("A password has at most 1,024 bytes."));
    }
    let salt = SaltString::encode_b64(&rand::random::<[u8; 16]>());
    let hash = salt.and_then(|salt| {
        let hash = Argon2::default().hash_password(password.as_bytes(), &salt)?;
        Ok(hash.to_string())
    });
    hash.map_err(|error| io::Error::other(error.to_string()))
}

/// Says what is wrong with a hash that somebody wrote into a file.
pub(super) fn check_hash(text: &str) -> Result<(), String> {
    let hash = PasswordHash::new(text).map_err(|_| "the hash is no PHC string".to_owned())?;
    if hash.algorithm != Algorithm::Argon2id.ident() || hash.hash.is_none() || hash.salt.is_none() {
        return Err("the hash is not one of argon2id with salt and output".to_owned());
    }
    let params = argon2::Params::try_from(&hash)
        .map_err(|_| "the hash has parameters that argon2 does not know".to_owned())?;
    if params.m_cost() > MAX_MEMORY || params.t_cost() > MAX_ROUNDS {
        return Err("the hash asks for more than 1 GiB or 64 rounds".to_owned());
    }
    Ok(())
}

fn busy() -> Problem {
    Problem::new(Code::Unavailable, "Too many logins wait at the moment; try again.")
        .with_retry_after(Duration::from_millis(rand::random_range(1_000..5_000)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cheap parameters, for tests that are not about their strength.
    const HASH: &str = "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$\
                        Zl2WJSm2THR4ApYLvKKyYA";

    fn cheap(password: &str) -> String {
        let params = argon2::Params::new(8, 1, 1, None).unwrap();
        let argon2 = Argon2::new(Algorithm::Argon2id, argon2::Version::V0x13, params);
        let salt = SaltString::encode_b64(b"saltsaltsalt").unwrap();
        argon2.hash_password(password.as_bytes(), &salt).unwrap().to_string()
    }

    #[tokio::test]
    async fn a_password_is_known_by_its_hash() {
        let hashing = Hashing::with_threads(1);
        let hash: Arc<str> = cheap("sesame").into();
        assert!(hashing.verify(hash.clone(), "sesame".into()).await.unwrap());
        assert!(!hashing.verify(hash.clone(), "Sesame".into()).await.unwrap());
        assert!(!hashing.verify(hash, "".into()).await.unwrap());
    }

    #[tokio::test]
    async fn limit_passcode_a_password_of_more_than_1_kib_is_not_hashed() {
        let long = "x".repeat(MAX_PASSWORD);
        let hash: Arc<str> = cheap(&long).into();
        let hashing = Hashing::with_threads(1);
        assert!(hashing.verify(hash.clone(), long.clone()).await.unwrap());
        assert!(!hashing.verify(hash, format!("{long}x")).await.unwrap());
        assert!(hash_password(&format!("{long}x")).is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn limit_hashing_a_login_that_waits_too_long_or_in_too_long_a_queue_is_refused() {
        let hashing = Hashing::with_threads(1);
        let _busy = hashing.threads.clone().acquire_owned().await.unwrap();
        let start = tokio::time::Instant::now();
        let refused = hashing.verify(cheap("x").into(), "x".into()).await.unwrap_err();
        assert_eq!(refused.code, Code::Unavailable);
        assert!(refused.retry_after.is_some());
        assert!(start.elapsed() <= Duration::from_secs(30), "{:?}", start.elapsed());
        let _full = hashing.queue.clone().acquire_many_owned(QUEUE as u32).await.unwrap();
        let start = tokio::time::Instant::now();
        assert!(hashing.verify(cheap("x").into(), "x".into()).await.is_err());
        assert_eq!(start.elapsed(), Duration::ZERO, "at once");
    }

    #[test]
    fn a_hash_in_a_file_is_argon2id_and_of_sensible_cost() {
        assert_eq!(check_hash(&cheap("x")), Ok(()));
        assert_eq!(check_hash(&hash_password("x").unwrap()), Ok(()));
        for wrong in [
            "secret",
            "",
            "$argon2i$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$Zl2WJSm2THR4ApYLvKKyYA",
            "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ",
            "$argon2id$v=19$m=4294967295,t=1,p=1$c2FsdHNhbHQ$Zl2WJSm2THR4ApYLvKKyYA",
            "$argon2id$v=19$m=8,t=100,p=1$c2FsdHNhbHQ$Zl2WJSm2THR4ApYLvKKyYA",
        ] {
            assert!(check_hash(wrong).is_err(), "{wrong}");
        }
        assert_eq!(check_hash(HASH), Ok(()));
    }
}
