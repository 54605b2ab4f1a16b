//! Who somebody is, and what they may do.

use std::{
    fmt,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;

use crate::problem::{Code, Problem};

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
    /// Where the connection comes from.
    pub peer: Option<SocketAddr>,
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
    /// May `who` do this?
    async fn authorize(&self, who: &Principal, intent: Intent<'_>) -> Decision;
}

/// Takes any login, for loopback: the name that was given, or nobody.
#[derive(Clone, Copy, Debug, Default)]
pub struct AnyLogin;

#[async_trait]
impl Authenticate for AnyLogin {
    async fn authenticate(&self, credentials: Credentials) -> Result<Principal, Problem> {
        Ok(match credentials.login {
            Some(name) if !name.is_empty() => Principal::user(name),
            _ => Principal::anonymous(),
        })
    }
}

/// Allows all that a client may do on a broker of its own: everything but sending to
/// other users' destinations.
#[derive(Clone, Copy, Debug, Default)]
pub struct AllowAll;

#[async_trait]
impl Authorize for AllowAll {
    async fn authorize(&self, _who: &Principal, intent: Intent<'_>) -> Decision {
        match intent {
            Intent::Send(destination) if destination.starts_with("/user/") => Decision::Deny(
                Problem::new(Code::Forbidden, "Only a rule or a handler may send to a user."),
            ),
            _ => Decision::Allow,
        }
    }
}
