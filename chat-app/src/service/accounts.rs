//! Signing up, logging in and out.

use serde::Serialize;
use stomp_server::problem::{Code, Problem};

use super::{Chat, Identity, TOKEN_LIFE};
use crate::domain::{Password, Timestamp, User, UserId, account_name};

/// A login, as it is answered.
#[derive(Debug, Serialize)]
pub(crate) struct Session {
    token: String,
    user: User,
    expires_at: Timestamp,
}

impl Chat {
    /// Makes an account.
    pub(crate) async fn sign_up(&self, name: &str, password: String) -> Result<User, Problem> {
        let id = account_name(name).ok_or_else(|| {
            Problem::new(
                Code::Invalid,
                "A name has 1 to 64 letters, digits, hyphens or underscores.",
            )
        })?;
        let password = Password::parse(password)?;
        if self.accounts.user(&id).await?.is_some() {
            return Err(taken());
        }
        let hash = self.passwords.hash(password).await?;
        let user = User { id, name: name.to_owned(), picture: None };
        if !self.accounts.create(&user, Some(&hash)).await? {
            return Err(taken());
        }
        Ok(user)
    }

    /// Logs in. An unknown name and a wrong password get the same answer after the same time.
    pub(crate) async fn log_in(&self, name: &str, password: String) -> Result<Session, Problem> {
        let refused = || Problem::new(Code::Unauthorized, "Name or password is wrong.");
        let id = account_name(name).ok_or_else(refused)?;
        let password = Password::parse(password).map_err(|_| refused())?;
        self.logins.check(&id)?;
        let hash = self.accounts.password_hash(&id).await?;
        if !self.passwords.matches(password, hash).await? {
            self.logins.failed(&id);
            return Err(refused());
        }
        self.logins.succeeded(&id);
        let user = self.accounts.user(&id).await?.ok_or_else(refused)?;
        let (token, expires_at) = self.tokens.issue(&id, TOKEN_LIFE)?;
        Ok(Session { token, user, expires_at })
    }

    /// Gives the token up that the request came with, and the devices with it.
    pub(crate) async fn log_out(&self, identity: &Identity) -> Result<(), Problem> {
        self.desk.session_over(&identity.token).await?;
        self.tokens.revoke(identity).await
    }

    /// Who a token is of, if there is still such a user.
    pub(crate) async fn identify(&self, token: &str) -> Result<(Identity, User), Problem> {
        let identity = self.tokens.verify(token)?;
        let user = self.users.get(&identity.user).await?;
        let user = user
            .ok_or_else(|| Problem::new(Code::Unauthorized, "There is no such user any more."))?;
        Ok((identity, user))
    }

    /// People whose name begins like this.
    pub(crate) async fn find_users(&self, query: &str, limit: u32) -> Result<Vec<User>, Problem> {
        Ok(self.accounts.search(query.trim(), limit).await?)
    }

    /// Refuses ids that nobody has.
    pub(super) async fn check_known(&self, users: &[UserId], code: Code) -> Result<(), Problem> {
        match self.accounts.unknown(users).await?.first() {
            None => Ok(()),
            Some(user) => Err(Problem::new(code, format!("There is no user {user}."))),
        }
    }
}

fn taken() -> Problem {
    Problem::new(Code::Conflict, "This name is taken.")
}
