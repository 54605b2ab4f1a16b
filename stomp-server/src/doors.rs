//! From settings to who may come in: logins, rights, TLS; and reading them again.

use std::sync::Arc;

use stomp_server::{
    Tls, TlsFiles,
    auth::{
        AllowAll, AnyLogin, Authenticate, Authorize, LocalOnly, Logins, RateLimited, Users,
        jwt::Tokens,
    },
    http::TrustedProxies,
};

use crate::cli::{Access, Options};

/// Who may come in.
pub(crate) struct Doors {
    pub(crate) authenticate: Arc<dyn Authenticate>,
    pub(crate) authorize: Arc<dyn Authorize>,
    pub(crate) tls: Option<Arc<Tls>>,
    users: Option<Arc<Users>>,
    /// For the banner.
    pub(crate) who: String,
}

impl Doors {
    /// Reads every file that the settings name.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub(crate) fn open(options: &Options) -> Result<Self, Vec<String>> {
        let access = &options.access;
        let mut faults = Vec::new();
        let users = access.users.as_ref().map(|path| Users::load(path, options.separator));
        let users = noted(users.transpose(), &mut faults).flatten().map(Arc::new);
        let tokens = noted(tokens(access), &mut faults).flatten().map(Arc::new);
        let tls = noted(tls(access), &mut faults).flatten();
        if !faults.is_empty() {
            return Err(faults);
        }
        let rights: Arc<dyn Authorize> = match &users {
            Some(users) => users.clone(),
            None => Arc::new(AllowAll),
        };
        Ok(Self {
            authenticate: authenticate(access, users.as_ref(), tokens),
            authorize: match access.rate_send {
                Some(rate) => Arc::new(RateLimited::new(rights, rate)),
                None => rights,
            },
            tls,
            who: who(access),
            users,
        })
    }

    /// Reads users and certificates again; what cannot be read stays as it was.
    pub(crate) fn reload(&self) {
        if let Some(users) = &self.users {
            match users.reload() {
                Ok(count) => tracing::info!(count, "the users have been read again"),
                Err(error) => tracing::error!(%error, "the users stay as they were"),
            }
        }
        if let Some(tls) = &self.tls {
            match tls.reload() {
                Ok(()) => tracing::info!("the certificates have been read again"),
                Err(error) => tracing::error!(%error, "the certificates stay as they were"),
            }
        }
    }
}

pub(crate) fn proxies(access: &Access) -> TrustedProxies {
    TrustedProxies::new(access.trusted_proxy.iter().copied())
}

/// What came of it, or nothing and a fault more.
fn noted<T, E: ToString>(outcome: Result<T, E>, faults: &mut Vec<String>) -> Option<T> {
    outcome.map_err(|error| faults.push(error.to_string())).ok()
}

fn authenticate(
    access: &Access,
    users: Option<&Arc<Users>>,
    tokens: Option<Arc<Tokens>>,
) -> Arc<dyn Authenticate> {
    if !access.knows_users() {
        return if access.allow_anonymous {
            Arc::new(AnyLogin)
        } else {
            Arc::new(LocalOnly(AnyLogin))
        };
    }
    let mut logins = Logins::new();
    if let Some(users) = users {
        logins = logins.users(users.clone());
    }
    if let Some(tokens) = tokens {
        logins = logins.tokens(tokens);
    }
    if access.tls_client_ca.is_some() {
        logins = logins.certificates();
    }
    if access.allow_anonymous {
        logins = logins.anonymous();
    }
    Arc::new(logins)
}

fn tokens(access: &Access) -> Result<Option<Tokens>, String> {
    let tokens = match (&access.jwt_secret, &access.jwt_jwks) {
        (Some(secret), _) => Tokens::from_secret(secret.read()?.as_bytes()),
        (None, Some(path)) => {
            let text = std::fs::read_to_string(path)
                .map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
            Tokens::from_jwks(&text)
        }
        (None, None) => return Ok(None),
    };
    tokens.map(Some).map_err(|error| error.to_string())
}

fn tls(access: &Access) -> Result<Option<Arc<Tls>>, String> {
    let (Some(certificate), Some(key)) = (&access.tls_cert, &access.tls_key) else {
        return Ok(None);
    };
    let otherwise = access.users.is_some()
        || access.jwt_secret.is_some()
        || access.jwt_jwks.is_some()
        || access.allow_anonymous;
    let files = TlsFiles {
        certificate: certificate.clone(),
        key: key.clone(),
        client_ca: access.tls_client_ca.clone(),
        client_may_have_none: otherwise,
    };
    Tls::load(files).map(|tls| Some(Arc::new(tls))).map_err(|error| error.to_string())
}

fn who(access: &Access) -> String {
    let mut ways = Vec::new();
    if let Some(path) = &access.users {
        ways.push(format!("the users in {}", path.display()));
    }
    if access.jwt_secret.is_some() || access.jwt_jwks.is_some() {
        ways.push("bearers of a signed token".to_owned());
    }
    if access.tls_client_ca.is_some() {
        ways.push("holders of a client certificate".to_owned());
    }
    match (access.allow_anonymous, ways.is_empty()) {
        (true, _) => "anybody who reaches it".to_owned(),
        (false, true) => "anybody on this machine".to_owned(),
        (false, false) => ways.join(", "),
    }
}
