//! Whether this process lives, and whether it can serve.

use axum::{Json, Router, extract::State, http::StatusCode, routing::get};
use serde::Serialize;

use crate::{
    service::Log,
    store::{Progress, sql::Sql},
};

/// The parts that serving needs.
#[derive(Clone)]
pub(crate) struct Health {
    pub(crate) sql: Sql,
    pub(crate) log: Log,
    pub(crate) progress: Progress,
}

#[derive(Serialize)]
struct Readiness {
    ready: bool,
    log: bool,
    database: bool,
    store: bool,
}

pub(super) fn routes(health: Health) -> Router {
    Router::new()
        .route("/health/live", get(|| async { Json(serde_json::json!({"live": true})) }))
        .route("/health/ready", get(ready))
        .with_state(health)
}

/// 503 tells a balancer to send nobody here; the body tells people which part is missing.
async fn ready(State(health): State<Health>) -> (StatusCode, Json<Readiness>) {
    let log = health.log.broker().log().await.is_ok();
    let database = health.sql.ping().await.is_ok();
    let store = health.progress.is_well();
    let ready = log && database && store;
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(Readiness { ready, log, database, store }))
}
