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
    part: Option<&'static str>,
}

/// Where the page is, and what the program around shows on it.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct AdminPage {
    /// The page's path: `/` or `/admin`, whose links below `/admin` lead to the same files.
    pub path: &'static str,
    /// A script of the program's own, below `/admin`, that brings more numbers, plots and lists.
    pub part: Option<&'static str>,
}

impl Default for AdminPage {
    /// At `/`, with the broker alone.
    fn default() -> Self {
        Self { path: "/", part: None }
    }
}

impl AdminPage {
    /// At `/admin`, for a program whose own page is at `/`.
    pub fn beside() -> Self {
        Self { path: "/admin", part: None }
    }

    /// With the numbers that `/admin/{script}` brings, a module whose default export is
    /// `{ title, path, numbers, plots, lists, take? }`; `path` is what it asks for below `/admin/api`.
    /// The program serves both, and sees to it that the latter is for administrators only.
    #[must_use]
    pub fn with_part(mut self, script: &'static str) -> Self {
        self.part = Some(script);
        self
    }
}

/// Routes with the admin page at `/` and its JSON below `/admin/api`.
///
/// The page itself is shown to everybody who could have a token, for a browser cannot send
/// one before there is a page that asks for it; it holds nothing but the asking.
pub fn admin_routes(server: &Server, access: AdminAccess) -> Router {
    admin_routes_at(AdminPage::default(), server, access)
}

/// The same with the page elsewhere, or with more on it.
pub fn admin_routes_at(page: AdminPage, server: &Server, access: AdminAccess) -> Router {
    let admin = Arc::new(Admin {
        insight: server.insight(),
        history: History::default(),
        server: server.clone(),
        part: page.part,
    });
    admin.watch();
    let api = api::routes(admin).layer(from_fn_with_state(access.clone(), admin_only));
    page::routes(page.path).layer(from_fn_with_state(access, page_only)).merge(api)
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
