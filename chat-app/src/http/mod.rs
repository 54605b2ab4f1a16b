//! The page, REST and health, on axum.

mod accounts;
mod body;
mod cors;
mod devices;
mod health;
mod identity;
mod messages;
mod page;
mod path;
mod problem;
mod rooms;

use std::sync::Arc;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    middleware,
    routing::{delete, get, post, put},
};

pub(crate) use self::health::Health;
use crate::service::Chat;

/// What holds for all requests.
#[derive(Clone, Debug)]
pub(crate) struct Site {
    /// The largest body, in bytes.
    pub(crate) max_body: usize,
    /// Browser origins beside our own, compared exactly.
    pub(crate) origins: Arc<[String]>,
}

/// What this process serves beside its health.
pub(crate) struct Doors {
    /// REST and the page.
    pub(crate) api: Option<Arc<Chat>>,
    /// The WebSocket's routes.
    pub(crate) websocket: Option<Router>,
}

/// All that is served over HTTP.
pub(crate) fn router(doors: Doors, health: Health, site: Site) -> Router {
    let mut router = Router::new().merge(health::routes(health));
    if let Some(websocket) = doors.websocket {
        router = router.merge(websocket);
    }
    router = match doors.api {
        Some(chat) => {
            let api = Router::new().nest("/api/v1", api()).with_state(chat);
            router.merge(api).fallback(page::serve)
        }
        None => router.fallback(|| async { axum::http::StatusCode::NOT_FOUND }),
    };
    router
        .layer(DefaultBodyLimit::max(site.max_body))
        .layer(middleware::from_fn_with_state(site.origins, cors::answer))
        .layer(middleware::from_fn(problem::finish))
}

fn api() -> Router<Arc<Chat>> {
    Router::new()
        .route("/accounts", post(accounts::create))
        .route("/sessions", post(accounts::log_in))
        .route("/sessions/current", delete(accounts::log_out))
        .route("/me", get(accounts::me))
        .route("/users", get(accounts::search))
        .route("/rooms", get(rooms::list).post(rooms::create))
        .route("/rooms/{room}", get(rooms::show).patch(rooms::rename).delete(rooms::delete))
        .route("/rooms/{room}/members", get(rooms::members))
        .route("/rooms/{room}/members/{user}", put(rooms::put_member).delete(rooms::remove_member))
        .route("/rooms/{room}/join", post(rooms::join))
        .route("/rooms/{room}/leave", post(rooms::leave))
        .route("/rooms/{room}/mute", put(rooms::mute))
        .route("/rooms/{room}/messages", get(messages::page).post(messages::send))
        .route(
            "/rooms/{room}/messages/{message}",
            get(messages::show).patch(messages::edit).delete(messages::delete),
        )
        .route("/rooms/{room}/read", put(messages::read))
        .route("/devices", get(devices::list).post(devices::register))
        .route("/devices/{device}", delete(devices::forget))
        .route("/devices/{device}/test", post(devices::try_out))
        .route("/push/vapid-key", get(devices::vapid_key))
}
