//! The page: files that are part of the program.

use axum::{
    http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use rust_embed::{Embed, EmbeddedFile};
use stomp_server::problem::{Code, Problem};

use super::problem::Failure;

/// What stands in `web/`.
#[derive(Embed)]
#[folder = "web/"]
struct Web;

/// Everything from here and nothing from elsewhere; no script or style in the markup itself.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self' data: https:; font-src 'self'; connect-src 'self'; manifest-src 'self'; \
    worker-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// Serves a file of the page, or says that there is nothing.
pub(super) async fn serve(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    let path = match uri.path().trim_start_matches('/') {
        "" => "index.html",
        path => path,
    };
    file(&method, path, &headers)
}

/// Serves this file of the page.
pub(super) fn file(method: &Method, path: &str, headers: &HeaderMap) -> Response {
    let Some(file) = Web::get(path) else { return nothing().into_response() };
    if *method != Method::GET && *method != Method::HEAD {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    answer(path, file, headers)
}

fn answer(path: &str, file: EmbeddedFile, headers: &HeaderMap) -> Response {
    let etag = etag(&file);
    let mut response = if is_known(headers, &etag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        file.data.into_response()
    };
    let headers = response.headers_mut();
    let kind = content_type(path);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    if let Ok(etag) = HeaderValue::from_str(&etag) {
        headers.insert(header::ETAG, etag);
    }
    // A new version of the program is a new page at once; unchanged files cost one question.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if kind.starts_with("text/html") || kind.starts_with("image/svg") {
        let policy = HeaderValue::from_static(CONTENT_SECURITY_POLICY);
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

/// The first half of the content's hash.
fn etag(file: &EmbeddedFile) -> String {
    let hash = file.metadata.sha256_hash();
    let hex: String = hash[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("\"{hex}\"")
}

/// Whether the client has what this tag stands for.
pub(super) fn is_known(headers: &HeaderMap, etag: &str) -> bool {
    let known = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    known.is_some_and(|known| matches(known, etag))
}

fn matches(known: &str, etag: &str) -> bool {
    known
        .split(',')
        .map(|one| one.trim().trim_start_matches("W/"))
        .any(|one| one == etag || one == "*")
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, extension)| extension) {
        Some("html") => "text/html; charset=utf-8",
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("json" | "map") => "application/json",
        Some("webmanifest") => "application/manifest+json",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("ico") => "image/x-icon",
        Some("woff2") => "font/woff2",
        _ => "text/plain; charset=utf-8",
    }
}

fn nothing() -> Failure {
    Problem::new(Code::NotFound, "There is nothing at this address.").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_there_and_a_client_that_has_it_is_told_so() {
        let page = Web::get("index.html").unwrap();
        let tag = etag(&page);
        assert!(matches(&tag, &tag) && matches(&format!("\"x\", W/{tag}"), &tag));
        assert!(!matches("\"x\"", &tag));
        assert_eq!(content_type("index.html"), "text/html; charset=utf-8");
    }
}
