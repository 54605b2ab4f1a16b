//! Who may see metrics and administration.

use axum::{
    extract::{Request, State},
    http::{StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use subtle::ConstantTimeEq;

use super::proxy::TrustedProxies;

/// On this machine everybody who calls it by its address or as `localhost`; from elsewhere, or
/// through a proxy, who has the token. To others there is nothing.
#[derive(Clone, Default)]
pub struct AdminAccess {
    token: Option<String>,
    proxies: TrustedProxies,
}

impl AdminAccess {
    /// With this token, sent as `Authorization: Bearer`; without one nobody from elsewhere.
    pub fn new(token: Option<String>, proxies: TrustedProxies) -> Self {
        Self { token, proxies }
    }

    fn allows(&self, request: &Request) -> bool {
        let brought = request.headers().get(header::AUTHORIZATION);
        let brought = brought.and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
        match (&self.token, brought) {
            (Some(token), Some(brought)) => {
                token.as_bytes().ct_eq(brought.trim().as_bytes()).into()
            }
            _ => self.is_local(request),
        }
    }

    /// Whether the page that asks for the token is worth showing.
    #[cfg(feature = "admin")]
    fn could_allow(&self, request: &Request) -> bool {
        self.token.is_some() || self.is_local(request)
    }

    /// From this machine, and by a name that nobody else can own.
    fn is_local(&self, request: &Request) -> bool {
        let nothing_more = |_: &str| false;
        self.proxies.arrival(request.headers(), request.extensions(), nothing_more).is_local
    }
}

impl std::fmt::Debug for AdminAccess {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AdminAccess").field("token", &self.token.is_some()).finish_non_exhaustive()
    }
}

/// A middleware: 404 for those who could not see the admin interface even with a token.
#[cfg(feature = "admin")]
pub(super) async fn page_only(
    State(access): State<AdminAccess>,
    request: Request,
    next: Next,
) -> Response {
    if access.could_allow(&request) {
        next.run(request).await
    } else {
        StatusCode::NOT_FOUND.into_response()
    }
}

/// A middleware: 404 for those who may not.
pub async fn admin_only(
    State(access): State<AdminAccess>,
    request: Request,
    next: Next,
) -> Response {
    if access.allows(&request) {
        next.run(request).await
    } else {
        StatusCode::NOT_FOUND.into_response()
    }
}
