//! Login over STOMP: a token, nothing else.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use stomp_server::{
    auth::{Authenticate, Credentials, Principal},
    problem::{Code, Problem},
};

use crate::{
    domain::{Actor, Timestamp, UserId},
    service::{Chat, Identity, Token},
};

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
        let (identity, _) = self.0.identify(token).await?;
        Ok(Principal {
            user: Some(identity.actor.user.shared()),
            expires: Some(identity.expires),
            ticket: Some(Ticket::of(&identity).write()),
        })
    }

    fn recheck_every(&self) -> Option<Duration> {
        Some(RECHECK)
    }

    async fn still_valid(&self, who: &Principal) -> Result<(), Problem> {
        let ticket = Ticket::read(who).ok_or_else(lost)?;
        let user = UserId::parse(who.name()).ok_or_else(lost)?;
        self.0.tokens.still_valid(&user, &ticket.token)
    }
}

/// How the ticket of a service begins, and that of everybody else.
const SERVICE: &str = "service ";
const PERSON: &str = "person ";

/// What a session keeps of its token: in words, as [`Principal`] has room for no more.
struct Ticket {
    is_service: bool,
    token: Token,
}

impl Ticket {
    fn of(identity: &Identity) -> Self {
        Self { is_service: identity.actor.is_service, token: identity.token.clone() }
    }

    fn write(&self) -> Arc<str> {
        let right = if self.is_service { SERVICE } else { PERSON };
        format!("{right}{} {}", self.token.issued.millis(), self.token.id).into()
    }

    fn read(who: &Principal) -> Option<Self> {
        let ticket = who.ticket.as_deref()?;
        let is_service = ticket.starts_with(SERVICE);
        let token = ticket.strip_prefix(if is_service { SERVICE } else { PERSON })?;
        let (issued, id) = token.split_once(' ')?;
        let issued = Timestamp::from_millis(issued.parse().ok()?);
        Some(Self { is_service, token: Token { id: id.into(), issued } })
    }
}

/// Who acts in a session.
pub(super) fn actor(who: &Principal) -> Result<Actor, Problem> {
    let user = UserId::parse(who.name()).ok_or_else(lost)?;
    let is_service = who.ticket.as_deref().is_some_and(|ticket| ticket.starts_with(SERVICE));
    Ok(Actor { user, is_service })
}

fn lost() -> Problem {
    Problem::new(Code::Unauthorized, "A valid token is needed.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_reads_as_it_was_written() {
        let token = Token { id: "a b".into(), issued: Timestamp::from_millis(17) };
        for is_service in [true, false] {
            let ticket = Ticket { is_service, token: token.clone() }.write();
            let who = Principal { ticket: Some(ticket), ..Principal::user("ann") };
            let read = Ticket::read(&who).unwrap();
            assert_eq!((read.is_service, &read.token), (is_service, &token));
            assert_eq!(actor(&who).unwrap().is_service, is_service);
        }
    }
}
