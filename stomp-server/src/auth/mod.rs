//! Who somebody is, and what they may do.

#[cfg(feature = "users")]
mod book;
#[cfg(feature = "users")]
mod hashing;
#[cfg(feature = "jwt")]
pub mod jwt;
mod logins;
#[cfg(feature = "rate")]
mod rate;
mod rules;
#[cfg(feature = "users")]
mod users;

use std::{
    fmt,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;

#[cfg(feature = "rate")]
pub use self::rate::RateLimited;
#[cfg(feature = "users")]
pub use self::{
    hashing::{Hashing, MAX_PASSWORD, hash_password},
    users::{Users, UsersError},
};
pub use self::{
    logins::{LocalOnly, Logins},
    rules::{Rights, Rule},
};
use crate::{
    problem::{Code, Problem},
    router::Destination,
};

/// What a CONNECT frame brings along to log in with.
///
/// `Debug` shows no secret.
#[derive(Clone, Default)]
pub struct Credentials {
    /// The `login` header.
    pub login: Option<String>,
    /// The `passcode` header.
    pub passcode: Option<String>,
    /// The `Authorization` header of CONNECT, as it came.
    pub authorization: Option<String>,
    /// The name in the client's certificate, which TLS has verified.
    pub certificate: Option<Arc<str>>,
    /// Where the connection comes from.
    pub peer: Option<SocketAddr>,
    /// Whether it comes from this machine, and not through a proxy on it.
    pub is_local: bool,
}

impl Credentials {
    /// The token: the bearer of `Authorization`, else the passcode.
    pub fn token(&self) -> Option<&str> {
        let bearer = self.authorization.as_deref().and_then(|value| {
            let (scheme, token) = value.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
        });
        bearer.or(self.passcode.as_deref())
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("login", &self.login)
            .field("certificate", &self.certificate)
            .field("peer", &self.peer)
            .finish_non_exhaustive()
    }
}

/// Somebody who has logged in.
#[derive(Clone, Debug)]
pub struct Principal {
    /// The name; none for an anonymous session.
    pub user: Option<Arc<str>>,
    /// When the login ends by itself (leeway included).
    pub expires: Option<Instant>,
    /// What the authenticator wants to find again, such as the token's id.
    pub ticket: Option<Arc<str>>,
}

impl Principal {
    /// A user with this name.
    pub fn user(name: impl Into<Arc<str>>) -> Self {
        Self { user: Some(name.into()), expires: None, ticket: None }
    }

    /// Nobody in particular.
    pub fn anonymous() -> Self {
        Self { user: None, expires: None, ticket: None }
    }

    /// The name, or nothing.
    pub fn name(&self) -> &str {
        self.user.as_deref().unwrap_or_default()
    }
}

/// Decides who somebody is.
#[async_trait]
pub trait Authenticate: Send + Sync + 'static {
    /// Checks credentials. The problem that refuses them must not say which part was wrong.
    async fn authenticate(&self, credentials: Credentials) -> Result<Principal, Problem>;

    /// How often [`still_valid`](Self::still_valid) is asked for each session. Never by
    /// default: an idle connection should cost nothing.
    fn recheck_every(&self) -> Option<Duration> {
        None
    }

    /// Whether a session that logged in earlier may go on.
    ///
    /// The time of [`Principal::expires`] is watched by the session itself.
    async fn still_valid(&self, _who: &Principal) -> Result<(), Problem> {
        Ok(())
    }
}

/// What somebody is about to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intent<'a> {
    /// SEND to this destination.
    Send(&'a str),
    /// SUBSCRIBE to this destination or pattern.
    Subscribe(&'a str),
}

/// Whether they may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Go on.
    Allow,
    /// ERROR and close.
    Deny(Problem),
    /// The problem goes to the session's `/user/queue/errors`; the session lives on.
    Refuse(Problem),
}

/// Decides what somebody may do. Asked for every SEND and SUBSCRIBE outside `/app`,
/// one after the other.
#[async_trait]
pub trait Authorize: Send + Sync + 'static {
    /// The answer, if it is known without waiting for anything; else `None`, and
    /// [`authorize`](Self::authorize) is asked. Must not block.
    ///
    /// By default nothing is known at once. Whoever can tell saves every SEND a task's
    /// round: a publisher's frames are then dealt with in one go.
    fn decide(&self, _who: &Principal, _intent: Intent<'_>) -> Option<Decision> {
        None
    }

    /// May `who` do this? Not asked where [`decide`](Self::decide) has answered.
    async fn authorize(&self, who: &Principal, intent: Intent<'_>) -> Decision;
}

/// The one answer to every login that does not hold: it tells nobody which part was wrong.
pub(crate) fn refused() -> Problem {
    Problem::new(Code::Unauthorized, "The login is unknown, or what came with it is wrong.")
}

/// Whether this can name a user: 1 to 128 letters, digits, `.`, `_`, `@` or `-`. So a name
/// never holds what splits destinations or lines.
pub fn is_user_name(name: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'@' | b'-');
    (1..=128).contains(&name.len()) && name.bytes().all(allowed)
}

#[async_trait]
impl Authorize for Arc<dyn Authorize> {
    fn decide(&self, who: &Principal, intent: Intent<'_>) -> Option<Decision> {
        self.as_ref().decide(who, intent)
    }

    async fn authorize(&self, who: &Principal, intent: Intent<'_>) -> Decision {
        self.as_ref().authorize(who, intent).await
    }
}

/// Takes any login, for loopback: the name that was given, or nobody.
#[derive(Clone, Copy, Debug, Default)]
pub struct AnyLogin;

#[async_trait]
impl Authenticate for AnyLogin {
    async fn authenticate(&self, credentials: Credentials) -> Result<Principal, Problem> {
        match credentials.login {
            // With a slash it could pass for another user's name and destination.
            Some(name) if name.contains('/') => {
                Err(Problem::new(Code::Unauthorized, "A login name has no slash."))
            }
            Some(name) if !name.is_empty() => Ok(Principal::user(name)),
            _ => Ok(Principal::anonymous()),
        }
    }
}

/// Allows all that a client may do on a broker of its own: everything but sending to
/// other users' destinations.
#[derive(Clone, Copy, Debug, Default)]
pub struct AllowAll;

#[async_trait]
impl Authorize for AllowAll {
    fn decide(&self, _who: &Principal, intent: Intent<'_>) -> Option<Decision> {
        Some(Self::judge(intent))
    }

    async fn authorize(&self, _who: &Principal, intent: Intent<'_>) -> Decision {
        Self::judge(intent)
    }
}

impl AllowAll {
    fn judge(intent: Intent<'_>) -> Decision {
        match intent {
            Intent::Send(text)
                if matches!(Destination::parse(text), Ok(Destination::User { .. })) =>
            {
                let detail = "Only a rule or a handler may send to a user.";
                Decision::Deny(Problem::new(Code::Forbidden, detail))
            }
            _ => Decision::Allow,
        }
    }
}
