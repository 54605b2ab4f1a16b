//! Flags for who may connect, log in and administer.

use std::{fmt, net::IpAddr, num::NonZeroU32, path::PathBuf, str::FromStr};

use clap::Args;
use ipnet::IpNet;

/// A token that strangers can guess protects nothing.
const MIN_ADMIN_TOKEN: usize = 16;
/// Connections of one user once there are users, unless told otherwise.
const PER_USER: usize = 100;

#[derive(Debug, Args)]
pub(crate) struct Access {
    /// Let anybody in, also from other machines.
    #[arg(long, env = "STOMP_ALLOW_ANONYMOUS")]
    pub(crate) allow_anonymous: bool,
    /// Users: a TOML file of names, argon2id hashes and rules (see `hash-password`). Read again on SIGHUP.
    #[arg(long, env = "STOMP_USERS", value_name = "FILE")]
    pub(crate) users: Option<PathBuf>,
    /// The secret of HS256 tokens, at least 32 bytes: `@FILE`, or the value in STOMP_JWT_SECRET.
    #[arg(long, value_name = "@FILE", value_parser = secret_of_flag)]
    jwt_secret: Option<Secret>,
    /// The keys of RS256, ES256 and EdDSA tokens: a JWKS file.
    #[arg(long, env = "STOMP_JWT_JWKS", value_name = "FILE")]
    pub(crate) jwt_jwks: Option<PathBuf>,
    /// TLS on both listeners: the certificate and its chain, PEM. Read again on SIGHUP.
    #[arg(long, env = "STOMP_TLS_CERT", value_name = "FILE", requires = "tls_key")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// The private key of the certificate, PEM.
    #[arg(long, env = "STOMP_TLS_KEY", value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,
    /// Client certificates signed by these (PEM) log in: their common or alternative name is the user.
    #[arg(long, env = "STOMP_TLS_CLIENT_CA", value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_client_ca: Option<PathBuf>,
    /// The most connections of a user, or `off`. [default: 100 once there are users, else off]
    #[arg(long, env = "STOMP_MAX_CONNECTIONS_PER_USER", value_name = "N")]
    max_connections_per_user: Option<Maximum>,
    /// The most connections of an address that a trusted proxy tells, or `off`.
    #[arg(
        long,
        env = "STOMP_MAX_CONNECTIONS_PER_ADDRESS",
        value_name = "N",
        default_value = "off"
    )]
    max_connections_per_address: Maximum,
    /// A proxy whose X-Forwarded-For (or else Forwarded) is believed: address or network (repeatable).
    #[arg(long, env = "STOMP_TRUSTED_PROXY", value_name = "NET", value_delimiter = ',', value_parser = network)]
    pub(crate) trusted_proxy: Vec<IpNet>,
    /// The most messages that a user may send in a second, or `off`.
    #[arg(long, env = "STOMP_RATE_SEND", value_name = "N", default_value = "off")]
    rate_send: Maximum,
    /// Opens metrics to other machines, sent as `Authorization: Bearer`: the token, or `@FILE`.
    #[arg(long, env = "STOMP_ADMIN_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    admin_token: Option<Secret>,
}

impl Access {
    /// The secret of tokens, by flag or environment.
    pub(crate) fn jwt_secret(&self) -> Option<Secret> {
        let environment = || std::env::var("STOMP_JWT_SECRET").ok().map(Secret);
        self.jwt_secret.clone().or_else(environment)
    }

    pub(crate) fn admin_token(&self) -> Option<&Secret> {
        self.admin_token.as_ref()
    }

    /// Whether anything says who somebody is.
    pub(crate) fn knows_users(&self) -> bool {
        self.users.is_some()
            || self.jwt_secret().is_some()
            || self.jwt_jwks.is_some()
            || self.tls_client_ca.is_some()
    }

    pub(crate) fn per_user(&self) -> Option<usize> {
        match self.max_connections_per_user {
            Some(maximum) => maximum.0.map(|max| max.get() as usize),
            None => self.knows_users().then_some(PER_USER),
        }
    }

    pub(crate) fn per_address(&self) -> Option<usize> {
        self.max_connections_per_address.0.map(|max| max.get() as usize)
    }

    pub(crate) fn rate_send(&self) -> Option<NonZeroU32> {
        self.rate_send.0
    }

    /// Everything that is wrong with it, each with what mends it.
    pub(crate) fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if self.jwt_secret().is_some() && self.jwt_jwks.is_some() {
            faults.push("--jwt-secret and --jwt-jwks exclude each other; give one".to_owned());
        }
        if self.per_address().is_some() && self.trusted_proxy.is_empty() {
            faults.push(
                "--max-connections-per-address counts what a proxy tells; name it by \
                 --trusted-proxy"
                    .to_owned(),
            );
        }
        if self
            .admin_token
            .as_ref()
            .is_some_and(|Secret(token)| !token.starts_with('@') && token.len() < MIN_ADMIN_TOKEN)
        {
            faults.push(format!("--admin-token has at least {MIN_ADMIN_TOKEN} characters"));
        }
        faults
    }
}

/// Something that is never shown. `@FILE` stands for what is in the file.
#[derive(Clone)]
pub(crate) struct Secret(String);

impl Secret {
    /// The secret itself, without the line end of a file.
    pub(crate) fn read(&self) -> Result<String, String> {
        let Some(path) = self.0.strip_prefix('@') else { return Ok(self.0.clone()) };
        let text = std::fs::read_to_string(path)
            .map_err(|error| format!("the secret in {path} cannot be read: {error}"))?;
        Ok(text.trim_end_matches(['\r', '\n']).to_owned())
    }
}

impl FromStr for Secret {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.is_empty() { Err("it is empty".to_owned()) } else { Ok(Self(text.to_owned())) }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// A number from 1 on, or `off`.
#[derive(Clone, Copy, Debug)]
struct Maximum(Option<NonZeroU32>);

impl FromStr for Maximum {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "off" {
            return Ok(Self(None));
        }
        text.parse().map(|max| Self(Some(max))).map_err(|_| "a number from 1 on, or off".to_owned())
    }
}

/// Other processes see the flags of this one, so a secret is not among them.
fn secret_of_flag(text: &str) -> Result<Secret, String> {
    if !text.starts_with('@') {
        return Err("write @FILE here, or the value into STOMP_JWT_SECRET".to_owned());
    }
    text.parse()
}

fn network(text: &str) -> Result<IpNet, String> {
    let address = text.parse::<IpAddr>().map(IpNet::from);
    address.or_else(|_| text.parse()).map_err(|_| "an address or network: 10.0.0.0/8".to_owned())
}
