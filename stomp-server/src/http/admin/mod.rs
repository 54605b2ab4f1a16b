//! The admin interface: a page that shows the server, and the JSON that the page reads.
//!
//! Read-only. Who may see it says [`AdminAccess`]: this machine, or who has the token; for
//! everybody else there is nothing.

mod answers;
mod api;
mod history;
mod page;

use std::sync::Arc;

use axum::{Router, middleware::from_fn_with_state};

use self::history::History;
use super::access::{AdminAccess, admin_only, page_only};
use crate::{Server, insight::Insight};

/// What the handlers share.
struct Admin {
    insight: Insight,
    history: History,
    server: Server,
}

/// Routes with the admin page at `/` and its JSON below `/admin/api`.
///
/// The page itself is shown to everybody who could have a token, for a browser cannot send
/// one before there is a page that asks for it; it holds nothing but the asking.
pub fn admin_routes(server: &Server, access: AdminAccess) -> Router {
    let admin = Arc::new(Admin {
        insight: server.insight(),
        history: History::default(),
        server: server.clone(),
    });
    admin.watch();
    let api = api::routes(admin).layer(from_fn_with_state(access.clone(), admin_only));
    page::routes().layer(from_fn_with_state(access, page_only)).merge(api)
}

impl Admin {
    /// Sees to it that somebody writes the history. Where there is no runtime yet, the first
    /// request does.
    fn watch(self: &Arc<Self>) {
        if tokio::runtime::Handle::try_current().is_ok() && self.history.begin() {
            let (insight, admin) = (self.insight.clone(), Arc::downgrade(self));
            self.server.spawn_until_stopped(history::write(insight, admin));
        }
    }
}
