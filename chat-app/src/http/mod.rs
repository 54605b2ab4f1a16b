//! The page, REST and health, on axum.

mod accounts;
mod admin;
mod api;
mod body;
mod cors;
mod devices;
mod docs;
mod figures;
mod health;
mod identity;
mod me;
mod members;
mod messages;
mod metrics;
mod page;
mod path;
mod problem;
mod rooms;
mod users;

use std::sync::Arc;

use axum::{Extension, Router, extract::DefaultBodyLimit, middleware};
use stomp_server::http::{AdminAccess, TrustedProxies};

pub(crate) use self::{admin::Admin, figures::Figures, health::Health, metrics::Metrics};
use crate::service::Chat;

/// What holds for all requests.
#[derive(Clone, Debug)]
pub(crate) struct Site {
    /// The largest body, in bytes.
    pub(crate) max_body: usize,
    /// Browser origins beside our own, compared exactly.
    pub(crate) origins: Arc<[String]>,
    /// Whose word about a client's address is taken.
    pub(crate) proxies: Arc<TrustedProxies>,
    /// What browsers write in front of our address.
    pub(crate) scheme: Scheme,
}

/// `http` or `https`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scheme(&'static str);

impl Scheme {
    pub(crate) const fn of(is_secure: bool) -> Self {
        Self(if is_secure { "https" } else { "http" })
    }
}

/// What this process serves beside its health.
pub(crate) struct Doors {
    /// REST and the page.
    pub(crate) api: Option<Arc<Chat>>,
    /// The WebSocket's routes.
    pub(crate) websocket: Option<Router>,
    /// Numbers, and who may see them.
    pub(crate) metrics: Option<(Metrics, AdminAccess)>,
    /// The operator's page.
    pub(crate) admin: Option<Admin>,
}

/// All that is served over HTTP.
pub(crate) fn router(doors: Doors, health: Health, site: Site) -> Router {
    let mut router = Router::new().merge(health::routes(health));
    if let Some(websocket) = doors.websocket {
        router = router.merge(websocket);
    }
    if let Some((metrics, access)) = doors.metrics {
        router = router.merge(metrics.routes(access));
    }
    if let Some(admin) = doors.admin {
        router = router.merge(admin.routes());
    }
    router = match doors.api {
        Some(chat) => {
            let api = Router::new().nest(api::PREFIX, api::routes()).with_state(chat);
            router.merge(api).merge(docs::routes()).fallback(page::serve)
        }
        None => router.fallback(|| async { axum::http::StatusCode::NOT_FOUND }),
    };
    router
        .layer(Extension(site.proxies))
        .layer(Extension(site.scheme))
        .layer(DefaultBodyLimit::max(site.max_body))
        .layer(middleware::from_fn_with_state(site.origins, cors::answer))
        .layer(middleware::from_fn(problem::finish))
}
