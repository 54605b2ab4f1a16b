//! Flags for who may log in, and how much they may ask for.

use std::{net::IpAddr, num::NonZeroU32, path::PathBuf};

use clap::Args;
use ipnet::IpNet;

use super::Faults;
pub use crate::service::{KeySource, TrustedIssuer};

/// The shortest secret that is safe: as long as the hash that it keys.
const SECRET_MIN: usize = 32;

#[derive(Args)]
pub(super) struct AccessArgs {
    /// The secret of an existing service's tokens (HS256), at least 32 bytes: @FILE, or the value
    /// in CHAT_JWT_SECRET. Own accounts are off then
    #[arg(long, value_name = "@FILE")]
    jwt_secret: Option<String>,
    /// The keys of an existing service's tokens: a JWKS file, or its address (read again every
    /// five minutes, and when a token does not fit). Own accounts are off then
    #[arg(long, env = "CHAT_JWT_JWKS", value_name = "FILE|URL")]
    jwt_jwks: Option<String>,
    /// Take only tokens for this audience
    #[arg(long, env = "CHAT_JWT_AUDIENCE")]
    jwt_audience: Option<String>,
    /// Take only tokens of this issuer
    #[arg(long, env = "CHAT_JWT_ISSUER")]
    jwt_issuer: Option<String>,
    /// A proxy whose X-Forwarded-For (or else Forwarded) is believed: address or network
    #[arg(long, env = "CHAT_TRUSTED_PROXY", value_name = "NET", value_delimiter = ',')]
    trusted_proxy: Vec<String>,
    /// What opens /metrics to others than this machine, sent as Authorization: Bearer; @FILE reads
    /// it from a file
    #[arg(long, env = "CHAT_ADMIN_TOKEN", value_name = "TOKEN|@FILE", hide_env_values = true)]
    admin_token: Option<String>,
    /// Messages that a user may send in a second, or off
    #[arg(long, env = "CHAT_RATE_SEND", value_name = "N", default_value = "off")]
    rate_send: String,
    /// Failed logins of an account in a minute
    #[arg(long, env = "CHAT_RATE_LOGIN", default_value_t = 10)]
    rate_login: u32,
}

/// Who may log in, and how much they may ask for.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// Whose tokens are taken, instead of our own accounts'.
    pub issuer: Option<TrustedIssuer>,
    /// Proxies whose word about a client's address is taken.
    pub trusted_proxies: Vec<IpNet>,
    /// What opens the metrics to others than this machine.
    pub admin_token: Option<AdminToken>,
    /// Messages of a user in a second.
    pub rate_send: Option<NonZeroU32>,
    /// Failed logins of an account in a minute.
    pub rate_login: u32,
}

/// A token that only the operator knows. `Debug` does not show it.
#[derive(Clone)]
pub struct AdminToken(String);

impl AdminToken {
    fn read(text: &str) -> Result<Self, String> {
        let token = match text.strip_prefix('@') {
            None => text.to_owned(),
            Some(path) => std::fs::read_to_string(path)
                .map_err(|error| format!("--admin-token {text} cannot be read: {error}"))?,
        };
        let token = token.trim().to_owned();
        if token.is_empty() { Err("--admin-token is empty.".into()) } else { Ok(Self(token)) }
    }

    pub(crate) fn reveal(&self) -> String {
        self.0.clone()
    }
}

impl std::fmt::Debug for AdminToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AdminToken(…)")
    }
}

impl AccessArgs {
    pub(super) fn checked(self, faults: &mut Faults) -> Access {
        let networks = self.trusted_proxy.iter().map(|text| network(text));
        let trusted_proxies = networks.filter_map(|network| faults.take(network)).collect();
        let rate_send = faults.take(rate("--rate-send", &self.rate_send)).flatten();
        faults.check(self.rate_login > 0, || "--rate-login: at least 1.".into());
        let admin_token = self.admin_token.as_deref().map(AdminToken::read);
        let admin_token = admin_token.and_then(|token| faults.take(token));
        let rate_login = self.rate_login;
        let issuer = self.issuer(faults);
        Access { issuer, trusted_proxies, admin_token, rate_send, rate_login }
    }

    fn issuer(self, faults: &mut Faults) -> Option<TrustedIssuer> {
        let in_environment = || std::env::var("CHAT_JWT_SECRET").ok().map(String::into_bytes);
        let secret = match self.jwt_secret {
            Some(text) => faults.take(secret_in_file(&text)),
            None => in_environment(),
        };
        let (audience, issuer) = (self.jwt_audience, self.jwt_issuer);
        let keys = match (secret, self.jwt_jwks) {
            (Some(_), Some(_)) => {
                let fault = "--jwt-secret and --jwt-jwks exclude each other: give one.";
                faults.check(false, || fault.into());
                return None;
            }
            (Some(secret), None) => {
                faults.check(secret.len() >= SECRET_MIN, || {
                    format!("--jwt-secret has at least {SECRET_MIN} bytes.")
                });
                KeySource::Secret(secret)
            }
            (None, Some(place)) if is_address(&place) => KeySource::Url(place),
            (None, Some(place)) => KeySource::File(PathBuf::from(place)),
            (None, None) => {
                faults.check(audience.is_none() && issuer.is_none(), || {
                    "--jwt-audience and --jwt-issuer are for tokens of an existing service: name \
                     its keys by --jwt-secret or --jwt-jwks."
                        .into()
                });
                return None;
            }
        };
        Some(TrustedIssuer { keys, audience, issuer })
    }
}

fn is_address(place: &str) -> bool {
    place.starts_with("https://") || place.starts_with("http://")
}

/// A secret is no argument: everybody on the machine reads those.
fn secret_in_file(text: &str) -> Result<Vec<u8>, String> {
    let path = text
        .strip_prefix('@')
        .ok_or("--jwt-secret takes @FILE; the value itself goes into CHAT_JWT_SECRET.")?;
    let mut secret = std::fs::read(path)
        .map_err(|error| format!("--jwt-secret {text} cannot be read: {error}"))?;
    while secret.last().is_some_and(|last| matches!(last, b'\r' | b'\n')) {
        secret.pop();
    }
    Ok(secret)
}

fn network(text: &str) -> Result<IpNet, String> {
    let alone = text.parse::<IpAddr>().map(IpNet::from).ok();
    alone
        .or_else(|| text.parse().ok())
        .ok_or_else(|| format!("--trusted-proxy {text}: an address or a network like 10.0.0.0/8."))
}

fn rate(flag: &str, text: &str) -> Result<Option<NonZeroU32>, String> {
    match text {
        "off" => Ok(None),
        text => match text.parse() {
            Ok(rate) => Ok(Some(rate)),
            Err(_) => Err(format!("{flag} {text}: a number from 1 on, or off.")),
        },
    }
}
