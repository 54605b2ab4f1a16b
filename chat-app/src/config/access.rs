//! Flags for who may log in, and how much they may ask for.

use std::{net::IpAddr, num::NonZeroU32, path::PathBuf};

use ipnet::IpNet;
use stomp_server::program::knobs::{
    Settings,
    units::{self, Secret},
};

pub use crate::service::{KeySource, TrustedIssuer};

/// The shortest secret that is safe: as long as the hash that it keys.
const SECRET_MIN: usize = 32;

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
    fn read(secret: &Secret) -> Result<Self, String> {
        let token = secret.read()?.trim().to_owned();
        if token.is_empty() { Err("it is empty".to_owned()) } else { Ok(Self(token)) }
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

impl Access {
    /// Reads the settings, and notes what does not fit together.
    pub(super) fn read(settings: &mut Settings) -> Self {
        Self {
            issuer: issuer(settings),
            trusted_proxies: settings.list("trusted-proxy", network),
            admin_token: admin_token(settings),
            rate_send: settings.value("rate-send", units::maximum),
            rate_login: settings.value("rate-login", units::count),
        }
    }
}

fn admin_token(settings: &mut Settings) -> Option<AdminToken> {
    let token = AdminToken::read(&settings.optional("admin-token", units::secret)?);
    token.map_err(|fault| settings.fault(format!("--admin-token: {fault}"))).ok()
}

fn issuer(settings: &mut Settings) -> Option<TrustedIssuer> {
    let secret = settings.optional("jwt-secret", units::secret);
    let key_set = settings.optional("jwt-jwks", units::text);
    let audience = settings.optional("jwt-audience", units::text);
    let issuer = settings.optional("jwt-issuer", units::text);
    let keys = match (secret, key_set) {
        (Some(_), Some(_)) => {
            settings.fault("--jwt-secret and --jwt-jwks exclude each other: give one");
            return None;
        }
        (Some(secret), None) => match shared_secret(&secret) {
            Ok(secret) => KeySource::Secret(secret),
            Err(fault) => {
                settings.fault(fault);
                return None;
            }
        },
        (None, Some(place)) if is_address(&place) => KeySource::Url(place),
        (None, Some(place)) => KeySource::File(PathBuf::from(place)),
        (None, None) => {
            // A secret that has a fault is named all the same.
            let is_named = settings.is_set("jwt-secret") || settings.is_set("jwt-jwks");
            if !is_named && (audience.is_some() || issuer.is_some()) {
                settings.fault(
                    "--jwt-audience and --jwt-issuer are for tokens of an existing service: name \
                     its keys by --jwt-secret or --jwt-jwks",
                );
            }
            return None;
        }
    };
    Some(TrustedIssuer { keys, audience, issuer })
}

fn shared_secret(secret: &Secret) -> Result<Vec<u8>, String> {
    let secret = secret.octets().map_err(|fault| format!("--jwt-secret: {fault}"))?;
    if secret.len() < SECRET_MIN {
        return Err(format!("--jwt-secret has at least {SECRET_MIN} bytes"));
    }
    Ok(secret)
}

fn is_address(place: &str) -> bool {
    place.starts_with("https://") || place.starts_with("http://")
}

fn network(text: &str) -> Result<IpNet, String> {
    let address = text.parse::<IpAddr>().map(IpNet::from);
    address
        .or_else(|_| text.parse())
        .map_err(|_| "an address or a network like 10.0.0.0/8".to_owned())
}
