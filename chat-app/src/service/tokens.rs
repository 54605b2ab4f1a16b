//! Tokens: made, checked, given up.

use std::{collections::HashSet, io, path::Path, sync::Arc, time::Duration};

use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode, errors::ErrorKind,
};
use parking_lot::RwLock;
use serde::{Deserialize, Serialize};
use stomp_server::problem::{Code, Problem};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    domain::{Timestamp, UserId},
    ports::{Accounts, StoreResult},
};

/// How long a token lasts that says nothing else.
pub(crate) const TOKEN_LIFE: Duration = Duration::from_secs(30 * 24 * 3600);
/// Clocks of other machines may be off by this much.
const LEEWAY: Duration = Duration::from_secs(60);
/// How soon a token that another process revoked is noticed here.
const REFRESH: Duration = Duration::from_secs(10);
/// Bytes of the secret, before it is written in hex.
const SECRET: usize = 32;

/// Who a request comes from, as its token says.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) user: UserId,
    /// The token's id.
    pub(crate) token: Arc<str>,
    /// The token's end, without leeway.
    pub(crate) expires: Timestamp,
}

impl Identity {
    /// How long it lasts from now on, leeway included.
    pub(crate) fn remaining(&self) -> Duration {
        let end = self.expires.after(LEEWAY).millis();
        let now = Timestamp::now().millis();
        Duration::from_millis(end.saturating_sub(now).max(0) as u64)
    }
}

/// Makes and checks tokens (JWT, HS256).
pub(crate) struct Tokens {
    encoding: EncodingKey,
    decoding: DecodingKey,
    validation: Validation,
    accounts: Arc<dyn Accounts>,
    /// Tokens given up before their time. Bounded by the tokens that are out.
    revoked: RwLock<HashSet<Arc<str>>>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    sub: String,
    exp: i64,
    iat: i64,
    jti: String,
}

impl Tokens {
    /// Tokens under this secret.
    pub(crate) fn new(secret: &[u8], accounts: Arc<dyn Accounts>) -> Self {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.leeway = LEEWAY.as_secs();
        validation.validate_aud = false;
        validation.set_required_spec_claims(&["exp", "sub"]);
        Self {
            encoding: EncodingKey::from_secret(secret),
            decoding: DecodingKey::from_secret(secret),
            validation,
            accounts,
            revoked: RwLock::default(),
        }
    }

    /// A new token for this user, and when it ends.
    pub(crate) fn issue(
        &self,
        user: &UserId,
        life: Duration,
    ) -> Result<(String, Timestamp), Problem> {
        let now = Timestamp::now();
        let seconds = now.after(life).millis() / 1000;
        let claims = Claims {
            sub: user.to_string(),
            exp: seconds,
            iat: now.millis() / 1000,
            jti: Uuid::new_v4().to_string(),
        };
        let token =
            encode(&Header::new(Algorithm::HS256), &claims, &self.encoding).map_err(|error| {
                tracing::error!(%error, "a token could not be signed");
                Problem::new(Code::Unavailable, "No token can be made at the moment.")
            })?;
        Ok((token, Timestamp::from_millis(seconds * 1000)))
    }

    /// Who this token is of.
    ///
    /// # Errors
    /// `expired` or `unauthorized`, without saying what was wrong with it.
    pub(crate) fn verify(&self, token: &str) -> Result<Identity, Problem> {
        let claims = decode::<Claims>(token, &self.decoding, &self.validation)
            .map_err(|error| match error.kind() {
                ErrorKind::ExpiredSignature => expired(),
                _ => not_valid(),
            })?
            .claims;
        let user = UserId::parse(&claims.sub).ok_or_else(not_valid)?;
        let identity = Identity {
            user,
            token: claims.jti.into(),
            expires: Timestamp::from_millis(claims.exp.saturating_mul(1000)),
        };
        self.still_valid(&identity.token)?;
        Ok(identity)
    }

    /// Whether the token has not been given up since.
    pub(crate) fn still_valid(&self, token: &str) -> Result<(), Problem> {
        if self.revoked.read().contains(token) {
            return Err(not_valid());
        }
        Ok(())
    }

    /// Gives a token up, here and everywhere.
    pub(crate) async fn revoke(&self, identity: &Identity) -> Result<(), Problem> {
        let end = identity.expires.after(LEEWAY);
        self.accounts.revoke(&identity.token, &identity.user, end).await?;
        self.revoked.write().insert(identity.token.clone());
        Ok(())
    }

    /// Learns what has been revoked by others, and forgets what has expired.
    pub(crate) async fn refresh(&self) -> StoreResult<()> {
        let revoked = self.accounts.revoked(Timestamp::now()).await?;
        *self.revoked.write() = revoked.into_iter().map(Into::into).collect();
        Ok(())
    }

    /// Refreshes until `stop`.
    pub(crate) async fn run(self: Arc<Self>, stop: CancellationToken) {
        while tokio::time::timeout(REFRESH, stop.cancelled()).await.is_err() {
            if let Err(error) = self.refresh().await {
                tracing::warn!(%error, "revoked tokens could not be read");
            }
        }
    }
}

fn expired() -> Problem {
    Problem::new(Code::Expired, "The token's time is over: log in again.")
}

fn not_valid() -> Problem {
    Problem::new(Code::Unauthorized, "A valid token is needed.")
}

/// The secret of this installation: read, or made where there is none. Only the owner may
/// read the file.
pub(crate) fn own_secret(file: &Path) -> io::Result<Vec<u8>> {
    match std::fs::read(file) {
        Ok(secret) if secret.len() >= SECRET => Ok(secret),
        Ok(_) => Err(io::Error::other("the secret in this file is shorter than 32 bytes")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => match make_secret(file) {
            // Another process has just made it.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => std::fs::read(file),
            made => made,
        },
        Err(error) => Err(error),
    }
}

fn make_secret(file: &Path) -> io::Result<Vec<u8>> {
    use std::io::Write as _;
    let secret = rand::random::<[u8; SECRET]>();
    let hex = secret.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    // Whole or not at all, also for a process that looks at the same moment.
    let draft = file.with_extension(format!("{}.new", std::process::id()));
    let mut out = options.open(&draft)?;
    out.write_all(hex.as_bytes())?;
    out.sync_all()?;
    let placed = std::fs::hard_link(&draft, file);
    std::fs::remove_file(&draft)?;
    placed?;
    Ok(hex.into_bytes())
}
