//! The operator's page: the broker's own, at `/admin`, with what the chat adds to it.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::State,
    http::{HeaderMap, Method},
    middleware::from_fn_with_state,
    routing::get,
};
use serde::Serialize;
use stomp_server::{
    Server,
    http::{AdminAccess, AdminPage, admin_only, admin_routes_at},
    problem::{Code, Problem},
};

use super::{
    figures::{EVERY, Figures, Sample, Tally},
    page,
    problem::Answer,
};
use crate::ports::Census;

/// Below `/admin` on the wire, and in `web/admin/`.
const SCRIPT: &str = "chat.js";

/// What the operator sees, and who is one.
pub(crate) struct Admin {
    pub(crate) server: Server,
    pub(crate) figures: Arc<Figures>,
    pub(crate) access: AdminAccess,
}

impl Admin {
    /// The page, its files and its JSON. The script holds no number and is for everybody, as
    /// the chat's own page is.
    pub(super) fn routes(self) -> Router {
        let page = AdminPage::beside().with_part(SCRIPT);
        let script = async |method: Method, headers: HeaderMap| {
            page::file(&method, "admin/chat.js", &headers)
        };
        let figures = Router::new()
            .route("/admin/api/chat", get(chat))
            .with_state(self.figures)
            .layer(from_fn_with_state(self.access.clone(), admin_only));
        admin_routes_at(page, &self.server, self.access)
            .merge(figures)
            .route("/admin/chat.js", get(script))
    }
}

/// The chat at this moment, and in the last quarter of an hour.
#[derive(Serialize)]
struct Seen {
    #[serde(flatten)]
    census: Census,
    #[serde(flatten)]
    tally: Tally,
    every_seconds: u64,
    samples: Vec<Sample>,
}

async fn chat(State(figures): State<Arc<Figures>>) -> Answer<Json<Seen>> {
    let census = figures.census().await.map_err(|error| {
        tracing::warn!(%error, "the operator's numbers cannot be read");
        Problem::new(Code::Unavailable, "The database does not answer at the moment.")
    })?;
    Ok(Json(Seen {
        census: (*census).clone(),
        tally: figures.tally().await,
        every_seconds: EVERY.as_secs(),
        samples: figures.samples(),
    }))
}
