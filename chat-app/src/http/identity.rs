//! Who a request comes from.

use std::{net::IpAddr, sync::Arc};

use axum::{
    extract::FromRequestParts,
    http::{header, request::Parts},
};
use stomp_server::{
    http::TrustedProxies,
    problem::{Code, Problem},
};

use super::problem::Failure;
use crate::{
    domain::{Account, Actor, UserId},
    service::{Chat, Identity},
};

/// A request with a valid token in `Authorization: Bearer`; nowhere else, above all not in the URL.
#[derive(Debug)]
pub(super) struct Caller {
    pub(super) identity: Identity,
    pub(super) account: Account,
}

impl Caller {
    pub(super) fn actor(&self) -> &Actor {
        &self.identity.actor
    }

    pub(super) fn id(&self) -> &UserId {
        &self.identity.actor.user
    }
}

impl FromRequestParts<Arc<Chat>> for Caller {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, chat: &Arc<Chat>) -> Result<Self, Failure> {
        let token = bearer(parts).ok_or_else(|| {
            Problem::new(Code::Unauthorized, "A token is needed in Authorization: Bearer.")
        })?;
        let (identity, account) = chat.identify(token).await?;
        Ok(Self { identity, account })
    }
}

fn bearer(parts: &Parts) -> Option<&str> {
    let value = parts.headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// The address that counts against a limit: what a trusted proxy says, else none.
#[derive(Clone, Copy, Debug)]
pub(super) struct From(pub(super) Option<IpAddr>);

impl<S: Send + Sync> FromRequestParts<S> for From {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let proxies = parts.extensions.get::<Arc<TrustedProxies>>();
        Ok(Self(proxies.and_then(|proxies| proxies.counted(&parts.headers, &parts.extensions))))
    }
}
