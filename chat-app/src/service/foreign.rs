//! The keys of an existing service, whose tokens log its users in here.
//!
//! A key set is read again from time to time, and at once when a token does not fit the keys
//! at hand: so a service may rotate its keys at any moment.

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::http::{StatusCode, Uri};
use parking_lot::RwLock;
use rustls::RootCertStore;
use serde::de::DeserializeOwned;
use stomp_server::{
    auth::jwt::{Tokens, TokensError, Verified},
    problem::{Code, Problem},
};
use tokio::sync::Mutex;

use crate::notify::{Client, Reach};

/// A key set is read again after this time.
const FRESH: Duration = Duration::from_secs(300);
/// A token that does not fit makes it read earlier, but never more often than this: whoever
/// sends rubbish must not make this server ask all day.
const PAUSE: Duration = Duration::from_secs(5);
/// The largest key set, in bytes. Real ones have a few thousand.
const KEY_SET_MAX: usize = 256 * 1024;

/// Where the keys come from.
#[derive(Clone, PartialEq, Eq)]
pub enum KeySource {
    /// A secret that both share (HS256).
    Secret(Vec<u8>),
    /// A file with a JWKS.
    File(PathBuf),
    /// The address of a JWKS.
    Url(String),
}

impl std::fmt::Debug for KeySource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Secret(_) => f.write_str("Secret(…)"),
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Url(url) => f.debug_tuple("Url").field(url).finish(),
        }
    }
}

/// Whose tokens are taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedIssuer {
    /// The keys that it signs with.
    pub keys: KeySource,
    /// Only tokens for this audience; any by default.
    pub audience: Option<String>,
    /// Only tokens of this issuer; any by default.
    pub issuer: Option<String>,
}

/// Why keys could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeysError {
    /// They cannot be used.
    #[error(transparent)]
    Useless(#[from] TokensError),
    /// The file cannot be read.
    #[error("{0} cannot be read: {1}")]
    File(PathBuf, std::io::Error),
    /// The address does not answer as it should.
    #[error("{0} does not answer with a key set: {1}")]
    Url(String, String),
}

/// Checks an existing service's tokens.
pub(crate) struct Foreign {
    trusted: TrustedIssuer,
    http: Option<(Client, Uri)>,
    keys: RwLock<Option<Arc<Tokens>>>,
    /// When the keys were last asked for, whatever came of it. Whoever holds it is asking.
    asked: Mutex<Option<Instant>>,
}

impl Foreign {
    /// Reads the keys for the first time. An address that does not answer is asked again
    /// later; until then nobody can log in.
    ///
    /// # Errors
    /// For a secret or a file that cannot be used.
    pub(crate) async fn open(trusted: TrustedIssuer) -> Result<Self, KeysError> {
        let http = match &trusted.keys {
            KeySource::Url(url) => Some(client(url)?),
            _ => None,
        };
        let foreign = Self {
            trusted,
            http,
            keys: RwLock::new(None),
            asked: Mutex::new(Some(Instant::now())),
        };
        match foreign.read().await {
            Ok(keys) => *foreign.keys.write() = Some(Arc::new(keys)),
            Err(error @ KeysError::Url(..)) => {
                tracing::warn!(%error, "nobody can log in until it does");
            }
            Err(error) => return Err(error),
        }
        Ok(foreign)
    }

    /// Checks a token, with new keys if it does not fit those at hand.
    pub(super) async fn verify<C: DeserializeOwned>(
        &self,
        token: &str,
    ) -> Result<Verified<C>, Problem> {
        let first = self.try_keys(token);
        match first {
            Err(problem) if problem.code != Code::Expired && self.refresh(PAUSE).await => {
                self.try_keys(token)
            }
            answer => answer,
        }
    }

    /// Reads the keys again when their time has come.
    pub(super) async fn refresh_if_due(&self) {
        self.refresh(FRESH).await;
    }

    fn try_keys<C: DeserializeOwned>(&self, token: &str) -> Result<Verified<C>, Problem> {
        let keys = self.keys.read().clone().ok_or_else(|| {
            Problem::new(Code::Unavailable, "The keys that check tokens are not known yet.")
                .with_retry_after(PAUSE)
        })?;
        keys.verify(token)
    }

    /// True if there are other keys now than `age` ago.
    async fn refresh(&self, age: Duration) -> bool {
        if matches!(self.trusted.keys, KeySource::Secret(_)) {
            return false;
        }
        // Whoever waits here for somebody else's question looks at its answer.
        let waited = Instant::now();
        let mut asked = self.asked.lock().await;
        match *asked {
            Some(at) if at >= waited => return true,
            Some(at) if at.elapsed() < age => return false,
            _ => {}
        }
        let answer = self.read().await;
        *asked = Some(Instant::now());
        match answer {
            Ok(keys) => {
                *self.keys.write() = Some(Arc::new(keys));
                true
            }
            Err(error) => {
                tracing::warn!(%error, "the keys that are known go on");
                false
            }
        }
    }

    async fn read(&self) -> Result<Tokens, KeysError> {
        let tokens = match &self.trusted.keys {
            KeySource::Secret(secret) => Tokens::from_secret(secret)?,
            KeySource::File(path) => {
                let json = tokio::fs::read_to_string(path).await;
                Tokens::from_jwks(&json.map_err(|error| KeysError::File(path.clone(), error))?)?
            }
            KeySource::Url(url) => {
                let told = |error: String| KeysError::Url(url.clone(), error);
                let json = self.fetch().await.map_err(told)?;
                Tokens::from_jwks(&json).map_err(|error| told(error.to_string()))?
            }
        };
        let tokens = match &self.trusted.audience {
            Some(audience) => tokens.audience(audience),
            None => tokens,
        };
        Ok(match &self.trusted.issuer {
            Some(issuer) => tokens.issuer(issuer),
            None => tokens,
        })
    }

    async fn fetch(&self) -> Result<String, String> {
        let (client, address) = self.http.as_ref().ok_or("there is no client for it")?;
        let answer =
            client.get(address, KEY_SET_MAX).await.map_err(|silence| silence.to_string())?;
        if answer.status != StatusCode::OK {
            return Err(format!("status {}", answer.status.as_u16()));
        }
        String::from_utf8(answer.body.into()).map_err(|_| "it is not text".to_owned())
    }
}

/// The operator names the address, so it may lead anywhere; redirects are not followed.
fn client(url: &str) -> Result<(Client, Uri), KeysError> {
    let broken = |error: String| KeysError::Url(url.to_owned(), error);
    let address: Uri = url.parse().map_err(|_| broken("this is no address".into()))?;
    let client = Client::new(Reach::Anywhere, RootCertStore::empty());
    Ok((client.map_err(|error| broken(error.to_string()))?, address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_cannot_be_used_is_told_at_once_and_shows_no_secret() {
        let open = async |keys| {
            let trusted = TrustedIssuer { keys, audience: None, issuer: None };
            Foreign::open(trusted).await.map(|_| ()).map_err(|error| error.to_string())
        };
        let short = KeySource::Secret(b"short".to_vec());
        assert!(!format!("{short:?}").contains("115"), "{short:?}");
        assert!(open(short).await.unwrap_err().contains("at least 32 bytes"));
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("keys.json");
        assert!(open(KeySource::File(file.clone())).await.unwrap_err().contains("keys.json"));
        std::fs::write(&file, "{}").unwrap();
        assert!(open(KeySource::File(file)).await.unwrap_err().contains("no JWKS"));
    }
}
