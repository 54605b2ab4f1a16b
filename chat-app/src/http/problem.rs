//! Every refusal over HTTP is a problem document with the request's id, whoever refused.

use axum::{
    body::{Body, to_bytes},
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use stomp_server::problem::{Code, Problem};
use uuid::Uuid;

/// What the router and its parts say in plain text is taken into the document up to this size.
const DETAIL_MAX: usize = 1024;
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// A refusal on its way out. The document is written by [`finish`], which knows the request.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    problem: Problem,
    /// Differs from the code's own for 405 and 415.
    status: StatusCode,
}

/// What handlers answer.
pub(super) type Answer<T> = Result<T, Failure>;

impl Failure {
    pub(super) fn with_status(problem: Problem, status: StatusCode) -> Self {
        Self { problem, status }
    }

    pub(super) fn invalid(detail: impl Into<std::borrow::Cow<'static, str>>) -> Self {
        Problem::new(Code::Invalid, detail).into()
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        let status = StatusCode::from_u16(problem.code.status());
        Self { status: status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), problem }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// Gives every request an id, every refusal its document, and every answer the headers that
/// it must have.
pub(super) async fn finish(request: Request, next: Next) -> Response {
    let id = request_id(request.headers());
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let mut response = next.run(request).await;
    tracing::debug!(%method, path, status = response.status().as_u16(), id, "answered");
    if response.status().is_client_error() || response.status().is_server_error() {
        response = document(response, &id).await;
    }
    let headers = response.headers_mut();
    let mut set = |name, value| {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    };
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::REFERRER_POLICY, "same-origin");
    set(header::CACHE_CONTROL, "no-store");
    if let Ok(id) = HeaderValue::from_str(&id) {
        headers.insert(REQUEST_ID, id);
    }
    response
}

/// The caller's own id, if it has the form of one.
fn request_id(headers: &HeaderMap) -> String {
    let given = headers.get(REQUEST_ID).and_then(|value| value.to_str().ok());
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    match given {
        Some(id) if matches!(id.len(), 1..=64) && id.bytes().all(plain) => id.to_owned(),
        _ => Uuid::new_v4().to_string(),
    }
}

/// What every operation may be refused with, for the description of the interface.
#[derive(utoipa::IntoResponses)]
#[allow(dead_code, reason = "it describes what `finish` writes")]
pub(super) enum Refusals {
    /// It cannot be read or done as it is said.
    #[response(status = 400, content_type = "application/problem+json")]
    Invalid(Refusal),
    /// A token is missing, or holds no more.
    #[response(status = 401, content_type = "application/problem+json")]
    Unauthorized(Refusal),
    /// Not with these rights.
    #[response(status = 403, content_type = "application/problem+json")]
    Forbidden(Refusal),
    /// There is no such thing, or none that the caller may know of.
    #[response(status = 404, content_type = "application/problem+json")]
    NotFound(Refusal),
    /// It contradicts what is there.
    #[response(status = 409, content_type = "application/problem+json")]
    Conflict(Refusal),
    /// The body is larger than this server takes.
    #[response(status = 413, content_type = "application/problem+json")]
    TooLarge(Refusal),
    /// The body is not JSON.
    #[response(status = 415, content_type = "application/problem+json")]
    NotJson(Refusal),
    /// Too much in too short a time; `Retry-After` says when.
    #[response(status = 429, content_type = "application/problem+json")]
    TooMany(Refusal),
    /// A part that is needed is away; `Retry-After` says when to come back.
    #[response(status = 503, content_type = "application/problem+json")]
    Unavailable(Refusal),
}

/// A refusal (RFC 9457).
#[derive(utoipa::ToSchema)]
#[schema(as = Problem)]
#[allow(dead_code, reason = "it describes what `finish` writes")]
pub(super) struct Refusal {
    #[schema(rename = "type", example = "about:blank")]
    kind: String,
    title: String,
    status: u16,
    /// What is wrong, and what mends it, for people.
    detail: String,
    /// The reason, for programs.
    #[schema(example = "not-found")]
    code: String,
    /// The limit that was passed, with its value.
    limit: Option<String>,
    retry_after_ms: Option<u64>,
    /// As in the header `X-Request-Id`.
    request_id: String,
}

#[derive(Serialize)]
struct Document<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'a str,
    status: u16,
    detail: &'a str,
    code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_ms: Option<u64>,
    request_id: &'a str,
}

async fn document(response: Response, id: &str) -> Response {
    let (mut parts, body) = response.into_parts();
    let failure = match parts.extensions.remove::<Failure>() {
        Some(failure) => failure,
        None => from_plain(parts.status, body).await,
    };
    let Failure { problem, status } = failure;
    let document = Document {
        kind: "about:blank",
        title: title(&problem, status),
        status: status.as_u16(),
        detail: &problem.detail,
        code: problem.code.as_str(),
        limit: problem.limit.as_deref(),
        retry_after_ms: problem.retry_after.map(|wait| wait.as_millis() as u64),
        request_id: id,
    };
    // Strings and numbers always serialise.
    let json = serde_json::to_string(&document).unwrap_or_default();
    let headers = &mut parts.headers;
    headers.remove(header::CONTENT_LENGTH);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    if let Some(wait) = problem.retry_after {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(wait.as_secs().max(1)));
    }
    Response::from_parts(parts, Body::from(json))
}

fn title(problem: &Problem, status: StatusCode) -> &'static str {
    match status {
        StatusCode::METHOD_NOT_ALLOWED | StatusCode::UNSUPPORTED_MEDIA_TYPE => {
            status.canonical_reason().unwrap_or_default()
        }
        _ => problem.code.title(),
    }
}

/// A refusal by the router or by one of its parts.
async fn from_plain(status: StatusCode, body: Body) -> Failure {
    let text = to_bytes(body, DETAIL_MAX).await.unwrap_or_default();
    let said = String::from_utf8(text.to_vec()).unwrap_or_default();
    let (code, detail) = match status {
        StatusCode::NOT_FOUND => (Code::NotFound, "There is nothing at this address."),
        StatusCode::METHOD_NOT_ALLOWED => (Code::Invalid, "This method is not for this address."),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => (Code::Invalid, "The body must be application/json."),
        StatusCode::PAYLOAD_TOO_LARGE => {
            (Code::TooLarge, "The body is larger than this server takes.")
        }
        StatusCode::FORBIDDEN => (Code::Forbidden, "This is not allowed."),
        StatusCode::UPGRADE_REQUIRED => (Code::Protocol, "This address speaks WebSocket."),
        status if status.is_server_error() => {
            (Code::Unavailable, "The request could not be served.")
        }
        _ => (Code::Invalid, "The request could not be read."),
    };
    let problem = match said.trim() {
        "" => Problem::new(code, detail),
        said => Problem::new(code, said.to_owned()),
    };
    Failure { problem, status }
}
