//! The page, REST and health, on axum.

mod accounts;
mod body;
mod cors;
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

/// All that is served over HTTP but the WebSocket, which `websocket` brings along.
pub(crate) fn router(chat: Arc<Chat>, health: Health, websocket: Router, site: Site) -> Router {
    Router::new()
        .nest("/api/v1", api())
        .with_state(chat)
        .merge(health::routes(health))
        .merge(websocket)
        .fallback(page::serve)
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
}
