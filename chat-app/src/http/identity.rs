//! Who a request comes from.

use std::sync::Arc;

use axum::{
    extract::FromRequestParts,
    http::{header, request::Parts},
};
use stomp_server::problem::{Code, Problem};

use super::problem::Failure;
use crate::{
    domain::User,
    service::{Chat, Identity},
};

/// A request with a valid token in `Authorization: Bearer`; nowhere else, above all not in the URL.
#[derive(Debug)]
pub(super) struct Caller {
    pub(super) identity: Identity,
    pub(super) user: User,
}

impl FromRequestParts<Arc<Chat>> for Caller {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, chat: &Arc<Chat>) -> Result<Self, Failure> {
        let token = bearer(parts).ok_or_else(|| {
            Problem::new(Code::Unauthorized, "A token is needed in Authorization: Bearer.")
        })?;
        let (identity, user) = chat.identify(token).await?;
        Ok(Self { identity, user })
    }
}

fn bearer(parts: &Parts) -> Option<&str> {
    let value = parts.headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
