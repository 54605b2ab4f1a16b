//! The description of the interface, as a page for people. It needs nothing from elsewhere.

use axum::{
    Router,
    http::{HeaderMap, Method},
    response::Response,
    routing::get,
};

use super::page;

pub(super) fn routes() -> Router {
    Router::new().route("/docs", get(docs))
}

async fn docs(method: Method, headers: HeaderMap) -> Response {
    page::file(&method, "docs/index.html", &headers)
}
