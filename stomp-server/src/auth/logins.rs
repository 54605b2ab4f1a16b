//! Several ways to log in, and where one holds.

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;

use super::{Authenticate, Credentials, Principal, refused};
use crate::problem::{Code, Problem};

/// Tries the way of logging in that fits what the client brought: its certificate, a token,
/// or a name with a passcode.
#[derive(Clone, Default)]
pub struct Logins {
    certificates: bool,
    tokens: Option<Arc<dyn Authenticate>>,
    users: Option<Arc<dyn Authenticate>>,
    nobody: bool,
}

impl Logins {
    /// Nobody gets in, until a way is added.
    pub fn new() -> Self {
        Self::default()
    }

    /// The name in a verified client certificate is the user.
    #[must_use]
    pub fn certificates(mut self) -> Self {
        self.certificates = true;
        self
    }

    /// What checks tokens.
    #[must_use]
    pub fn tokens(mut self, tokens: Arc<dyn Authenticate>) -> Self {
        self.tokens = Some(tokens);
        self
    }

    /// What checks names and passcodes.
    #[must_use]
    pub fn users(mut self, users: Arc<dyn Authenticate>) -> Self {
        self.users = Some(users);
        self
    }

    /// Who brings nothing at all gets in, as nobody in particular.
    #[must_use]
    pub fn anonymous(mut self) -> Self {
        self.nobody = true;
        self
    }

    fn ways(&self) -> impl Iterator<Item = &Arc<dyn Authenticate>> {
        self.tokens.iter().chain(&self.users)
    }

    /// By the form alone, so that a refusal tells nothing of who is known.
    fn way(&self, credentials: &Credentials) -> Option<&Arc<dyn Authenticate>> {
        let token = match (&credentials.authorization, &credentials.passcode) {
            (Some(_), _) => true,
            (None, Some(passcode)) => looks_like_a_token(passcode),
            (None, None) => false,
        };
        match (&self.tokens, &self.users) {
            (Some(tokens), Some(_)) if token => Some(tokens),
            (_, Some(users)) => Some(users),
            (tokens, None) => tokens.as_ref(),
        }
    }
}

#[async_trait]
impl Authenticate for Logins {
    async fn authenticate(&self, credentials: Credentials) -> Result<Principal, Problem> {
        if let (true, Some(name)) = (self.certificates, &credentials.certificate) {
            return Ok(Principal::user(name.clone()));
        }
        let brings_nothing = credentials.authorization.is_none()
            && credentials.passcode.is_none()
            && credentials.login.is_none();
        if brings_nothing && self.nobody {
            return Ok(Principal::anonymous());
        }
        match self.way(&credentials) {
            Some(way) => way.authenticate(credentials).await,
            None => Err(refused()),
        }
    }

    fn recheck_every(&self) -> Option<Duration> {
        self.ways().filter_map(|way| way.recheck_every()).min()
    }

    async fn still_valid(&self, who: &Principal) -> Result<(), Problem> {
        for way in self.ways() {
            way.still_valid(who).await?;
        }
        Ok(())
    }
}

impl fmt::Debug for Logins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Logins")
            .field("certificates", &self.certificates)
            .field("tokens", &self.tokens.is_some())
            .field("users", &self.users.is_some())
            .field("anonymous", &self.nobody)
            .finish()
    }
}

/// The three parts of a signed token, the first of which is a JSON object.
fn looks_like_a_token(passcode: &str) -> bool {
    passcode.starts_with("eyJ") && passcode.matches('.').count() == 2
}

/// Lets in only who comes from this machine itself, not through a proxy on it, and over
/// WebSocket only who calls it by its address, as `localhost`, or by a name of
/// [`SessionLimits::hosts`](crate::session::SessionLimits::hosts) or the allowed origins: a page
/// from elsewhere, whose name was made to lead here, is none of this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct LocalOnly<A>(pub A);

#[async_trait]
impl<A: Authenticate> Authenticate for LocalOnly<A> {
    async fn authenticate(&self, credentials: Credentials) -> Result<Principal, Problem> {
        if !credentials.is_local {
            return Err(Problem::new(
                Code::Unauthorized,
                "Without users this server takes logins from its own machine only, called by its \
                 address or as localhost.",
            ));
        }
        self.0.authenticate(credentials).await
    }

    fn recheck_every(&self) -> Option<Duration> {
        self.0.recheck_every()
    }

    async fn still_valid(&self, who: &Principal) -> Result<(), Problem> {
        self.0.still_valid(who).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::AnyLogin;

    /// Says its own name, whoever asks.
    struct Says(&'static str);

    #[async_trait]
    impl Authenticate for Says {
        async fn authenticate(&self, _credentials: Credentials) -> Result<Principal, Problem> {
            Ok(Principal::user(self.0))
        }
    }

    fn credentials(authorization: Option<&str>, passcode: Option<&str>) -> Credentials {
        Credentials {
            login: Some("ann".to_owned()),
            passcode: passcode.map(str::to_owned),
            authorization: authorization.map(str::to_owned),
            ..Credentials::default()
        }
    }

    async fn way(logins: &Logins, credentials: Credentials) -> String {
        let who = logins.authenticate(credentials).await;
        who.map_or_else(|problem| problem.code.to_string(), |who| who.name().to_owned())
    }

    #[tokio::test]
    async fn what_the_client_brings_decides_how_it_logs_in() {
        let (tokens, users) = (Arc::new(Says("token")), Arc::new(Says("user")));
        let both = Logins::new().tokens(tokens.clone()).users(users.clone());
        assert_eq!(way(&both, credentials(Some("Bearer x"), Some("y"))).await, "token");
        assert_eq!(way(&both, credentials(None, Some("eyJh.eyJz.c2ln"))).await, "token");
        assert_eq!(way(&both, credentials(None, Some("sesame"))).await, "user");
        assert_eq!(way(&both, credentials(None, None)).await, "user");
        let tokens = Logins::new().tokens(tokens);
        assert_eq!(way(&tokens, credentials(None, Some("sesame"))).await, "token");
        let users = Logins::new().users(users);
        assert_eq!(way(&users, credentials(Some("Bearer x"), Some("y"))).await, "user");
        assert_eq!(way(&Logins::new(), credentials(None, None)).await, "unauthorized");
    }

    #[tokio::test]
    async fn a_certificate_is_a_login_only_where_that_is_wanted() {
        let with = || Credentials { certificate: Some("ann".into()), ..Credentials::default() };
        assert_eq!(way(&Logins::new().certificates(), with()).await, "ann");
        assert_eq!(way(&Logins::new(), with()).await, "unauthorized");
        assert_eq!(
            way(&Logins::new().certificates(), Credentials::default()).await,
            "unauthorized"
        );
    }

    #[tokio::test]
    async fn nobody_in_particular_gets_in_only_where_that_is_wanted() {
        let users = Logins::new().users(Arc::new(Says("user")));
        assert_eq!(way(&users.clone().anonymous(), Credentials::default()).await, "");
        assert_eq!(way(&users.anonymous(), credentials(None, Some("x"))).await, "user");
    }

    #[tokio::test]
    async fn without_users_only_this_machine_itself_gets_in() {
        let local = Credentials { is_local: true, ..credentials(None, None) };
        assert!(LocalOnly(AnyLogin).authenticate(local).await.is_ok());
        let far = LocalOnly(AnyLogin).authenticate(credentials(None, None)).await;
        assert_eq!(far.unwrap_err().code, Code::Unauthorized);
    }
}
