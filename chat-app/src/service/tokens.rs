//! Tokens: made, checked, given up.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::{Duration, Instant},
};

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use parking_lot::RwLock;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use stomp_server::{
    auth::jwt::{self, TokensError, Verified},
    problem::{Code, Problem},
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::foreign::Foreign;
use crate::{
    domain::{Actor, Cutoff, Timestamp, UserId},
    ports::{Accounts, People, StoreResult},
};

/// How long a token lasts that says nothing else.
pub(crate) const TOKEN_LIFE: Duration = Duration::from_secs(30 * 24 * 3600);
/// How soon a token that another process revoked is noticed here.
const REFRESH: Duration = Duration::from_secs(10);
/// Cutoffs are remembered for this long, for sessions that are looked at again every few
/// seconds; whoever logs in later meets the one in its account.
const CUTOFFS_KNOWN: Duration = Duration::from_secs(10 * 60);
/// The word in `scope` that makes a token a service's.
const SERVICE: &str = "service";

/// Who a request comes from, as its token says.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) actor: Actor,
    pub(crate) token: Token,
    /// When it stops to hold, leeway included.
    pub(crate) expires: Instant,
    /// What an existing service says of its user; none for our own tokens.
    pub(crate) newcomer: Option<Newcomer>,
}

/// What a session remembers of its token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) id: Arc<str>,
    pub(crate) issued: Timestamp,
}

/// How an existing service calls its user.
#[derive(Clone, Debug, Default)]
pub(crate) struct Newcomer {
    pub(crate) name: Option<String>,
    pub(crate) picture: Option<String>,
}

/// What a token is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A login with name and password.
    Login,
    /// Printed for somebody who runs this server.
    Printed {
        /// With the rights of a back end.
        is_service: bool,
    },
}

/// Makes and checks tokens (JWT).
pub(crate) struct Tokens {
    encoding: EncodingKey,
    own: jwt::Tokens,
    foreign: Option<Arc<Foreign>>,
    accounts: Arc<dyn Accounts>,
    people: Arc<dyn People>,
    revoked: RwLock<Revoked>,
}

/// What SQL said a moment ago, and what has happened here since it was asked.
#[derive(Default)]
struct Revoked {
    known: Ended,
    here: Ended,
}

#[derive(Default)]
struct Ended {
    /// Tokens given up before their time. Bounded by the tokens that are out.
    tokens: HashSet<Arc<str>>,
    /// Users whose sessions have ended a short while ago.
    cutoffs: HashMap<UserId, Cutoff>,
}

impl Revoked {
    fn here_is_known(&mut self) {
        let Ended { tokens, cutoffs } = std::mem::take(&mut self.here);
        self.known.tokens.extend(tokens);
        self.known.cutoffs.extend(cutoffs);
    }
}

impl Ended {
    fn has(&self, user: &UserId, token: &Token) -> bool {
        let ends = |cutoff: &Cutoff| cutoff.ends(&token.id, token.issued);
        self.tokens.contains(&token.id) || self.cutoffs.get(user).is_some_and(ends)
    }
}

/// What our own tokens say beside `sub`, `exp` and `jti`.
#[derive(Debug, Serialize, Deserialize)]
struct OwnClaims {
    /// Seconds since 1970, with milliseconds: a login right after a password change counts.
    iat: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
    /// From a login with a password; no such token holds once another service has the accounts.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    login: bool,
}

#[derive(Serialize)]
struct NewToken<'a> {
    sub: &'a UserId,
    exp: i64,
    jti: String,
    #[serde(flatten)]
    more: OwnClaims,
}

/// What is read of an existing service's tokens.
#[derive(Debug, Deserialize)]
struct ForeignClaims {
    iat: Option<f64>,
    name: Option<String>,
    picture: Option<String>,
    scope: Option<String>,
}

impl Tokens {
    /// Tokens under this secret; and, if there is one, those of an existing service.
    pub(crate) fn new(
        secret: &[u8],
        foreign: Option<Arc<Foreign>>,
        accounts: Arc<dyn Accounts>,
        people: Arc<dyn People>,
    ) -> Result<Self, TokensError> {
        Ok(Self {
            encoding: EncodingKey::from_secret(secret),
            own: jwt::Tokens::from_secret(secret)?,
            foreign,
            accounts,
            people,
            revoked: RwLock::default(),
        })
    }

    /// Whether names and passwords are ours to check.
    pub(crate) fn own_accounts(&self) -> bool {
        self.foreign.is_none()
    }

    /// A new token for this user, and when it ends.
    pub(crate) fn issue(
        &self,
        user: &UserId,
        life: Duration,
        purpose: Purpose,
    ) -> Result<(String, Timestamp), Problem> {
        let now = Timestamp::now();
        let seconds = now.after(life).millis() / 1000;
        let is_service = purpose == Purpose::Printed { is_service: true };
        let claims = NewToken {
            sub: user,
            exp: seconds,
            jti: Uuid::new_v4().to_string(),
            more: OwnClaims {
                iat: now.millis() as f64 / 1000.0,
                scope: is_service.then(|| SERVICE.to_owned()),
                login: purpose == Purpose::Login,
            },
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
    pub(crate) async fn verify(&self, token: &str) -> Result<Identity, Problem> {
        let identity = match self.own.verify::<OwnClaims>(token) {
            Ok(verified) if verified.claims.login && !self.own_accounts() => Err(not_valid()),
            Ok(verified) => own(verified),
            Err(problem) => match &self.foreign {
                Some(keys) => self.verify_foreign(keys, token).await,
                None => Err(problem),
            },
        }?;
        self.still_valid(&identity.actor.user, &identity.token)?;
        Ok(identity)
    }

    async fn verify_foreign(&self, keys: &Foreign, token: &str) -> Result<Identity, Problem> {
        let verified: Verified<ForeignClaims> = keys.verify(token).await?;
        let Verified { subject, id, expires, claims } = verified;
        let user = UserId::parse(&subject).ok_or_else(not_valid)?;
        // Their ids are of any form and length; two services' may be the same.
        let id = match &id {
            Some(id) => digest(&[b"jti", user.as_str().as_bytes(), id.as_bytes()]),
            None => digest(&[b"token", token.as_bytes()]),
        };
        let issued = claims.iat.map_or(Timestamp::from_millis(0), seconds);
        Ok(Identity {
            actor: Actor { user, is_service: names_service(claims.scope.as_deref()) },
            token: Token { id, issued },
            expires,
            newcomer: Some(Newcomer { name: claims.name, picture: claims.picture }),
        })
    }

    /// Whether the token has not been given up since.
    pub(crate) fn still_valid(&self, user: &UserId, token: &Token) -> Result<(), Problem> {
        let revoked = self.revoked.read();
        let is_over = revoked.known.has(user, token) || revoked.here.has(user, token);
        if is_over { Err(not_valid()) } else { Ok(()) }
    }

    /// Gives a token up, here and everywhere.
    pub(crate) async fn revoke(&self, identity: &Identity) -> Result<(), Problem> {
        let left = identity.expires.saturating_duration_since(Instant::now());
        let end = Timestamp::now().after(left);
        self.accounts.revoke(&identity.token.id, &identity.actor.user, end).await?;
        self.revoked.write().here.tokens.insert(identity.token.id.clone());
        Ok(())
    }

    /// A user's sessions have just ended, as the account says too.
    pub(crate) fn cut_off(&self, user: &UserId, cutoff: Cutoff) {
        self.revoked.write().here.cutoffs.insert(user.clone(), cutoff);
    }

    /// Learns what has been revoked by others, and forgets what has expired.
    pub(crate) async fn refresh(&self) -> StoreResult<()> {
        self.revoked.write().here_is_known();
        // What happens here from now on stays in `here`: the answer may not have it yet.
        let now = Timestamp::now();
        let tokens = self.accounts.revoked(now).await?;
        let since = Timestamp::from_millis(now.millis() - CUTOFFS_KNOWN.as_millis() as i64);
        let cutoffs = self.people.cutoffs(since).await?;
        self.revoked.write().known = Ended {
            tokens: tokens.into_iter().map(Into::into).collect(),
            cutoffs: cutoffs.into_iter().collect(),
        };
        Ok(())
    }

    /// Refreshes until `stop`.
    pub(crate) async fn run(self: Arc<Self>, stop: CancellationToken) {
        while tokio::time::timeout(REFRESH, stop.cancelled()).await.is_err() {
            if let Err(error) = self.refresh().await {
                tracing::warn!(%error, "revoked tokens could not be read");
            }
            if let Some(foreign) = &self.foreign {
                foreign.refresh_if_due().await;
            }
        }
    }
}

fn own(verified: Verified<OwnClaims>) -> Result<Identity, Problem> {
    let Verified { subject, id, expires, claims } = verified;
    let user = UserId::parse(&subject).ok_or_else(not_valid)?;
    let is_service = names_service(claims.scope.as_deref());
    Ok(Identity {
        actor: Actor { user, is_service },
        token: Token { id: id.ok_or_else(not_valid)?, issued: seconds(claims.iat) },
        expires,
        newcomer: None,
    })
}

/// Scopes are words with spaces in between.
fn names_service(scope: Option<&str>) -> bool {
    scope.is_some_and(|scope| scope.split(' ').any(|word| word == SERVICE))
}

fn seconds(since_1970: f64) -> Timestamp {
    Timestamp::from_millis((since_1970 * 1000.0).round() as i64)
}

fn digest(parts: &[&[u8]]) -> Arc<str> {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part);
        hash.update([0]);
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect::<String>().into()
}

fn not_valid() -> Problem {
    Problem::new(Code::Unauthorized, "A valid token is needed.")
}
