//! Login over STOMP: a token, nothing else.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use stomp_server::{
    auth::{Authenticate, Credentials, Principal},
    problem::{Code, Problem},
};

use crate::service::Chat;

/// A revoked token ends its session within 25 s: this, and as much until another process's
/// revocation is known here.
const RECHECK: Duration = Duration::from_secs(10);

/// Takes the tokens of [`Chat`]; the session of an expired or revoked one ends.
pub(crate) struct TokenLogin(pub(crate) Arc<Chat>);

#[async_trait]
impl Authenticate for TokenLogin {
    async fn authenticate(&self, credentials: Credentials) -> Result<Principal, Problem> {
        let token = credentials.token().ok_or_else(|| {
            Problem::new(Code::Unauthorized, "Log in with a token as the passcode of CONNECT.")
        })?;
        let (identity, user) = self.0.identify(token).await?;
        Ok(Principal {
            user: Some(user.id.shared()),
            expires: Instant::now().checked_add(identity.remaining()),
            ticket: Some(identity.token),
        })
    }

    fn recheck_every(&self) -> Option<Duration> {
        Some(RECHECK)
    }

    async fn still_valid(&self, who: &Principal) -> Result<(), Problem> {
        match &who.ticket {
            Some(token) => self.0.tokens.still_valid(token),
            None => Ok(()),
        }
    }
}
