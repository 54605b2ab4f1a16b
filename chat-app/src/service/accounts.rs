//! Signing up, logging in and out.

use std::net::IpAddr;

use serde::Serialize;
use stomp_server::problem::{Code, Problem};

use super::{Chat, Identity, Purpose, TOKEN_LIFE, tokens::Newcomer};
use crate::domain::{Account, Password, Profile, Timestamp, User, UserId, account_name};

/// A login, as it is answered.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct Session {
    token: String,
    user: User,
    expires_at: Timestamp,
}

impl Chat {
    /// Makes an account. `from` is counted, if it is known for sure.
    pub(crate) async fn sign_up(
        &self,
        name: &str,
        password: String,
        from: Option<IpAddr>,
    ) -> Result<User, Problem> {
        self.check_own_accounts()?;
        let id = account_name(name).ok_or_else(|| {
            Problem::new(
                Code::Invalid,
                "A name has 1 to 64 letters, digits, hyphens or underscores.",
            )
        })?;
        let password = Password::parse(password)?;
        self.logins.check_address(from)?;
        if self.accounts.user(&id).await?.is_some() {
            return Err(taken());
        }
        self.logins.counts(from);
        let hash = self.passwords.hash(password).await?;
        let user = User { id, name: name.to_owned(), picture: None };
        if !self.accounts.create(&user, Some(&hash)).await? {
            return Err(taken());
        }
        Ok(user)
    }

    /// Logs in. An unknown name and a wrong password get the same answer after the same time.
    pub(crate) async fn log_in(
        &self,
        name: &str,
        password: String,
        from: Option<IpAddr>,
    ) -> Result<Session, Problem> {
        self.check_own_accounts()?;
        let refused = || Problem::new(Code::Unauthorized, "Name or password is wrong.");
        let id = account_name(name).ok_or_else(refused)?;
        let password = Password::parse(password).map_err(|_| refused())?;
        self.logins.check(&id, from)?;
        let hash = self.accounts.password_hash(&id).await?;
        let may_try = || self.logins.check(&id, from);
        if !self.passwords.matches(password, hash, may_try).await? {
            self.logins.failed(&id, from);
            return Err(refused());
        }
        self.logins.succeeded(&id);
        let user = self.accounts.user(&id).await?.ok_or_else(refused)?;
        let (token, expires_at) = self.tokens.issue(&id, TOKEN_LIFE, Purpose::Login)?;
        Ok(Session { token, user, expires_at })
    }

    /// Gives the token up that the request came with, and the devices with it.
    pub(crate) async fn log_out(&self, identity: &Identity) -> Result<(), Problem> {
        self.desk.session_over(&identity.token.id).await?;
        self.tokens.revoke(identity).await
    }

    /// Who a token is of, if there is still such a user. An existing service's user is made
    /// when it is first seen.
    pub(crate) async fn identify(&self, token: &str) -> Result<(Identity, Account), Problem> {
        let identity = self.tokens.verify(token).await?;
        let id = &identity.actor.user;
        let account = match (self.users.get(id).await?, &identity.newcomer) {
            (Some(account), _) => account,
            (None, Some(newcomer)) => self.welcome(id, newcomer).await?,
            (None, None) => return Err(nobody()),
        };
        let ends = |cutoff| cutoff_ends(cutoff, &identity);
        if account.cutoff.as_ref().is_some_and(ends) {
            return Err(Problem::new(Code::Unauthorized, "This session has been ended."));
        }
        self.privacy.learn(id, account.settings.private_receipts).await;
        Ok((identity, account))
    }

    /// Makes a user from what its token says. A claim that cannot be shown is left out.
    async fn welcome(&self, id: &UserId, newcomer: &Newcomer) -> Result<Account, Problem> {
        let name = newcomer.name.as_deref();
        let picture = newcomer.picture.as_deref();
        let name = name.and_then(|name| Profile::parse(Some(name), None).ok()?.name);
        let picture = picture.and_then(|address| Profile::parse(None, Some(Some(address))).ok());
        let user = User {
            id: id.clone(),
            name: name.unwrap_or_else(|| id.to_string()),
            picture: picture.and_then(|profile| profile.picture.flatten()),
        };
        self.accounts.create(&user, None).await?;
        // Nothing for a user that is gone: its id is not given out again.
        self.people.account(id).await?.ok_or_else(nobody)
    }

    /// Names and passwords are ours to check.
    pub(super) fn check_own_accounts(&self) -> Result<(), Problem> {
        match self.tokens.own_accounts() {
            true => Ok(()),
            false => Err(Problem::new(Code::NotFound, "Another service keeps the accounts.")),
        }
    }

    /// People whose name begins like this.
    pub(crate) async fn find_users(
        &self,
        query: &str,
        from: Option<&UserId>,
        limit: u32,
    ) -> Result<Vec<User>, Problem> {
        Ok(self.accounts.search(query.trim(), from, limit).await?)
    }

    /// Refuses ids that nobody has.
    pub(super) async fn check_known(&self, users: &[UserId], code: Code) -> Result<(), Problem> {
        match self.accounts.unknown(users).await?.first() {
            None => Ok(()),
            Some(user) => Err(Problem::new(code, format!("There is no user {user}."))),
        }
    }
}

fn cutoff_ends(cutoff: &crate::domain::Cutoff, identity: &Identity) -> bool {
    cutoff.ends(&identity.token.id, identity.token.issued)
}

fn taken() -> Problem {
    Problem::new(Code::Conflict, "This name is taken.")
}

fn nobody() -> Problem {
    Problem::new(Code::Unauthorized, "There is no such user any more.")
}
