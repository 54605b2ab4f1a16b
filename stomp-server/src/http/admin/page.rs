//! The page's files, part of the program, so that it works wherever the program does.

use axum::{
    Router,
    http::{HeaderName, HeaderValue, header},
    response::{IntoResponse, Response},
    routing::get,
};

/// Path, kind, text.
const FILES: [(&str, &str, &str); 7] = [
    ("/admin/style.css", "text/css; charset=utf-8", include_str!("../../../web/style.css")),
    ("/admin/app.js", SCRIPT, include_str!("../../../web/app.js")),
    ("/admin/api.js", SCRIPT, include_str!("../../../web/api.js")),
    ("/admin/board.js", SCRIPT, include_str!("../../../web/board.js")),
    ("/admin/plot.js", SCRIPT, include_str!("../../../web/plot.js")),
    ("/admin/view.js", SCRIPT, include_str!("../../../web/view.js")),
    ("/admin/icon.svg", "image/svg+xml", include_str!("../../../web/icon.svg")),
];
const PAGE: &str = include_str!("../../../web/index.html");
const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// Only what comes from here runs, is shown, or is asked; nobody may frame the page.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

pub(super) fn routes(path: &'static str) -> Router {
    let page = Router::new().route(path, get(async || file(HTML, PAGE)));
    FILES.iter().fold(page, |router, (path, kind, text)| {
        router.route(path, get(async move || file(kind, text)))
    })
}

fn file(kind: &'static str, text: &'static str) -> Response {
    let headers: [(HeaderName, HeaderValue); 5] = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::REFERRER_POLICY, HeaderValue::from_static("same-origin")),
        // Asked again each time: after an update the parts of a page must fit together.
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ];
    (headers, text).into_response()
}
