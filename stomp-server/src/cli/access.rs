//! Settings of who may connect, log in and administer.

use std::{net::IpAddr, num::NonZeroU32, path::PathBuf};

use ipnet::IpNet;
use stomp_server::program::knobs::{
    Settings,
    units::{self, Secret},
};

/// A token that strangers can guess protects nothing.
const MIN_ADMIN_TOKEN: usize = 16;
/// Connections of one user once there are users, unless told otherwise.
const PER_USER: usize = 100;

#[derive(Debug)]
pub(crate) struct Access {
    pub(crate) allow_anonymous: bool,
    pub(crate) users: Option<PathBuf>,
    pub(crate) jwt_secret: Option<Secret>,
    pub(crate) jwt_jwks: Option<PathBuf>,
    pub(crate) tls_cert: Option<PathBuf>,
    pub(crate) tls_key: Option<PathBuf>,
    pub(crate) tls_client_ca: Option<PathBuf>,
    max_connections_per_user: Option<Option<NonZeroU32>>,
    max_connections_per_address: Option<NonZeroU32>,
    pub(crate) trusted_proxy: Vec<IpNet>,
    pub(crate) rate_send: Option<NonZeroU32>,
    pub(crate) admin_token: Option<Secret>,
}

impl Access {
    /// Reads the settings, and notes what does not fit together.
    pub(super) fn read(settings: &mut Settings) -> Self {
        let access = Self {
            allow_anonymous: settings.is_on("allow-anonymous"),
            users: settings.optional("users", units::path),
            jwt_secret: settings.optional("jwt-secret", units::secret),
            jwt_jwks: settings.optional("jwt-jwks", units::path),
            tls_cert: settings.optional("tls-cert", units::path),
            tls_key: settings.optional("tls-key", units::path),
            tls_client_ca: settings.optional("tls-client-ca", units::path),
            max_connections_per_user: settings.optional("max-connections-per-user", units::maximum),
            max_connections_per_address: settings
                .value("max-connections-per-address", units::maximum),
            trusted_proxy: settings.list("trusted-proxy", network),
            rate_send: settings.value("rate-send", units::maximum),
            admin_token: settings.optional("admin-token", units::secret),
        };
        access.faults().into_iter().for_each(|fault| settings.fault(fault));
        access
    }

    /// Whether anything says who somebody is.
    pub(crate) fn knows_users(&self) -> bool {
        self.users.is_some()
            || self.jwt_secret.is_some()
            || self.jwt_jwks.is_some()
            || self.tls_client_ca.is_some()
    }

    pub(crate) fn per_user(&self) -> Option<usize> {
        match self.max_connections_per_user {
            Some(maximum) => maximum.map(|max| max.get() as usize),
            None => self.knows_users().then_some(PER_USER),
        }
    }

    pub(crate) fn per_address(&self) -> Option<usize> {
        self.max_connections_per_address.map(|max| max.get() as usize)
    }

    /// The token that opens the admin interface to others.
    pub(crate) fn token(&self) -> Result<Option<String>, String> {
        self.admin_token.as_ref().map(Secret::read).transpose()
    }

    /// What does not fit together, each with what mends it.
    fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let mut check = |holds: bool, mends: &str| {
            if !holds {
                faults.push(mends.to_owned());
            }
        };
        check(
            self.jwt_secret.is_none() || self.jwt_jwks.is_none(),
            "--jwt-secret and --jwt-jwks exclude each other; give one",
        );
        check(
            self.tls_cert.is_some() == self.tls_key.is_some(),
            "--tls-cert and --tls-key belong together; give both",
        );
        check(
            self.tls_client_ca.is_none() || self.tls_cert.is_some(),
            "--tls-client-ca needs TLS; give --tls-cert and --tls-key too",
        );
        check(
            self.per_address().is_none() || !self.trusted_proxy.is_empty(),
            "--max-connections-per-address counts what a proxy tells; name it by --trusted-proxy",
        );
        match self.token() {
            Ok(token) => check(
                token.is_none_or(|token| token.len() >= MIN_ADMIN_TOKEN),
                &format!("--admin-token has at least {MIN_ADMIN_TOKEN} characters"),
            ),
            Err(error) => check(false, &format!("--admin-token: {error}")),
        }
        faults
    }
}

fn network(text: &str) -> Result<IpNet, String> {
    let address = text.parse::<IpAddr>().map(IpNet::from);
    address.or_else(|_| text.parse()).map_err(|_| "an address or network: 10.0.0.0/8".to_owned())
}
