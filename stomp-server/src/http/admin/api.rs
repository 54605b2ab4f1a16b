//! The JSON below `/admin/api`: lists in pages, totals, and their history.

use std::sync::Arc;

use axum::{
    Router,
    extract::{Query, State, rejection::QueryRejection},
    http::{StatusCode, Uri},
    response::{IntoResponse, Response},
    routing::get,
};
use serde::Deserialize;
use serde_json::json;

use super::{
    Admin,
    answers::{answer, problem},
};
use crate::insight::Moment;

/// Entries of a page, if nobody says otherwise, and at most.
const LIMIT: usize = 100;
const MOST: usize = 1_000;

pub(super) fn routes(admin: Arc<Admin>) -> Router {
    Router::new()
        .route("/admin/api/overview", get(overview))
        .route("/admin/api/history", get(history))
        .route("/admin/api/connections", get(connections))
        .route("/admin/api/subscriptions", get(subscriptions))
        .route("/admin/api/queues", get(queues))
        .route("/admin/api/slow-consumers", get(slow_consumers))
        .route("/admin/api/{*rest}", get(unknown))
        .with_state(admin)
}

/// Which part of a list.
#[derive(Debug, Default, Deserialize)]
struct Page {
    after: Option<String>,
    limit: Option<usize>,
    user: Option<String>,
    destination: Option<String>,
}

type Asked = Result<Query<Page>, QueryRejection>;

/// A question that cannot be answered, and why.
struct Invalid(String);

impl IntoResponse for Invalid {
    fn into_response(self) -> Response {
        problem(StatusCode::BAD_REQUEST, "invalid", &self.0)
    }
}

/// What was asked for, or what is wrong with it.
fn page(asked: Asked) -> Result<(Page, usize), Invalid> {
    let Query(page) = asked.map_err(|error| Invalid(error.body_text()))?;
    let limit = page.limit.unwrap_or(LIMIT);
    if !(1..=MOST).contains(&limit) {
        return Err(Invalid(format!("limit is 1 to {MOST}")));
    }
    Ok((page, limit))
}

/// Where a page begins.
fn after<T: Default>(page: &Page, read: impl Fn(&str) -> Option<T>) -> Result<T, Invalid> {
    let Some(text) = &page.after else { return Ok(T::default()) };
    read(text).ok_or_else(|| Invalid("after is what `next` of the page before said".to_owned()))
}

async fn overview(State(admin): State<Arc<Admin>>) -> Response {
    admin.watch();
    let insight = &admin.insight;
    let mut overview = json!({
        "server": insight.server(),
        "durability": insight.durability().as_str(),
        "since": insight.since(),
        "now": Moment(std::time::SystemTime::now()),
        "uptime_seconds": insight.age().as_secs(),
        "stopping": insight.is_stopping(),
        "connections": insight.connection_count(),
        "subscriptions": insight.subscription_count(),
        "outbound_bytes": insight.outbound_bytes(),
        "memory_bytes": super::history::memory(),
        "totals": insight.totals(),
        "rates": admin.history.rates(),
        "storage": insight.storage().await,
    });
    if let Some(part) = admin.part {
        overview["part"] = part.into();
    }
    answer(&overview)
}

async fn history(State(admin): State<Arc<Admin>>) -> Response {
    admin.watch();
    answer(&json!({
        "every_seconds": super::history::EVERY.as_secs(),
        "samples": admin.history.samples(),
    }))
}

async fn connections(State(admin): State<Arc<Admin>>, asked: Asked) -> Result<Response, Invalid> {
    let (page, limit) = page(asked)?;
    let after = after(&page, |text| text.parse().ok())?;
    let connections = admin.insight.connections(after, limit, page.user.as_deref());
    let next = connections.last().filter(|_| connections.len() == limit);
    let next = next.map(|last| last.number.to_string());
    Ok(answer(&with_next(json!({ "connections": connections }), next)))
}

async fn subscriptions(State(admin): State<Arc<Admin>>, asked: Asked) -> Result<Response, Invalid> {
    let (page, limit) = page(asked)?;
    let after = after(&page, |text| {
        let (connection, number) = text.split_once('.')?;
        Some((connection.parse().ok()?, number.parse().ok()?))
    })?;
    let destination = page.destination.as_deref();
    let subscriptions = admin.insight.subscriptions(after, limit, destination);
    let next = subscriptions.last().filter(|_| subscriptions.len() == limit);
    let next = next.map(|last| format!("{}.{}", last.connection, last.number));
    Ok(answer(&with_next(json!({ "subscriptions": subscriptions }), next)))
}

async fn queues(State(admin): State<Arc<Admin>>, asked: Asked) -> Result<Response, Invalid> {
    let (page, limit) = page(asked)?;
    let queues = admin.insight.queues(page.after.as_deref().unwrap_or_default(), limit);
    let next = queues.last().filter(|_| queues.len() == limit).map(|last| last.name.clone());
    Ok(answer(&with_next(json!({ "queues": queues }), next)))
}

async fn slow_consumers(State(admin): State<Arc<Admin>>) -> Response {
    answer(&json!({ "slow_consumers": admin.insight.slow_consumers() }))
}

async fn unknown(uri: Uri) -> Response {
    let detail = format!("There is no {} here.", uri.path());
    problem(StatusCode::NOT_FOUND, "not-found", &detail).into_response()
}

/// Says where the next page begins; absent at the end.
fn with_next(mut list: serde_json::Value, next: Option<String>) -> serde_json::Value {
    if let (Some(next), Some(list)) = (next, list.as_object_mut()) {
        list.insert("next".to_owned(), next.into());
    }
    list
}
