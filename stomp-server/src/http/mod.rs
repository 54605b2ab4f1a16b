//! HTTP: the WebSocket upgrade, and whether the server is well.

mod access;
#[cfg(feature = "admin")]
mod admin;
mod proxy;
pub(crate) mod serve;

use std::sync::Arc;

use axum::{
    Extension, Router,
    extract::{
        Request, State,
        ws::{WebSocketUpgrade, rejection::WebSocketUpgradeRejection},
    },
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{any, get},
};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tungstenite::{handshake::derive_accept_key, protocol::WebSocketConfig};

#[cfg(feature = "admin")]
pub use self::admin::{AdminPage, admin_routes, admin_routes_at};
use self::serve::{AcceptedAt, ClientCertificate};
pub use self::{
    access::{AdminAccess, admin_only},
    proxy::TrustedProxies,
};
pub use crate::transport::websocket::websocket_fault;
use crate::{arrival::Arrival, server::Shared, transport::websocket::WebSocketTransport};

/// Sub-protocols in our order of liking (decision 27).
const PROTOCOLS: [&str; 3] = ["v12.stomp", "v11.stomp", "v10.stomp"];
/// What a WebSocket reads at once. The library's default of 128 KiB would be held by every
/// idle connection.
const READ_BUFFER: usize = 4 * 1024;

pub(crate) fn websocket_routes(server: Arc<Shared>) -> Router {
    Router::new().route("/ws", any(upgrade)).with_state(server)
}

/// Routes with `/health/live` and `/health/ready`.
pub fn health_routes(is_ready: impl Fn() -> bool + Clone + Send + Sync + 'static) -> Router {
    let ready = move || {
        let is_ready = is_ready.clone();
        async move {
            if is_ready() {
                (StatusCode::OK, "ready\n")
            } else {
                (StatusCode::SERVICE_UNAVAILABLE, "going away\n")
            }
        }
    };
    Router::new()
        .route("/health/live", get(|| async { "live\n" }))
        .route("/health/ready", get(ready))
}

/// Routes with `/metrics`: what this renders, in the text format of Prometheus.
pub fn metrics_routes(render: impl Fn() -> String + Clone + Send + Sync + 'static) -> Router {
    let metrics = move || {
        let text = render();
        async move { ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text) }
    };
    Router::new().route("/metrics", get(metrics))
}

async fn upgrade(
    State(server): State<Arc<Shared>>,
    upgraded: Option<Extension<OnUpgrade>>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
    request: Request,
) -> Response {
    // The request has been checked; the socket itself is ours from here on.
    let protocol = match upgrade {
        Ok(upgrade) => upgrade.protocols(PROTOCOLS).selected_protocol().cloned(),
        Err(rejection) => return refused(rejection),
    };
    let key = request.headers().get(header::SEC_WEBSOCKET_KEY);
    let (Some(Extension(upgraded)), Some(key)) = (upgraded, key) else {
        return StatusCode::UPGRADE_REQUIRED.into_response();
    };
    if !is_welcome(request.headers(), &server.origins) {
        return (StatusCode::FORBIDDEN, "This origin is not allowed; see --allow-origin.\n")
            .into_response();
    }
    let mut response = StatusCode::SWITCHING_PROTOCOLS.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    if let Ok(accept) = HeaderValue::try_from(derive_accept_key(key.as_bytes())) {
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    }
    headers.extend(protocol.map(|protocol| (header::SEC_WEBSOCKET_PROTOCOL, protocol)));
    let arrival = arrival(&server, &request);
    server.clone().spawn(talk(server, upgraded, arrival));
    response
}

/// The life of a connection behind its handshake.
async fn talk(server: Arc<Shared>, upgraded: OnUpgrade, arrival: Arrival) {
    let Ok(io) = upgraded.await else { return }; // gone before the answer reached it
    let frame = server.around.limits.frame;
    // A message may hold any part of the byte stream; more than the largest frame is never needed.
    let largest = frame.head + frame.body + READ_BUFFER;
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .max_message_size(Some(largest))
        .max_frame_size(Some(largest));
    let transport = WebSocketTransport::new(TokioIo::new(io), config).await;
    server.session(transport, arrival).await;
}

fn arrival(server: &Shared, request: &Request) -> Arrival {
    let extensions = request.extensions();
    // What may be called by a browser's page or in CONNECT is a name of ours too.
    let is_ours = |name: &str| {
        let origins = server.origins.iter().filter_map(|origin| origin.split_once("://"));
        let hosts = server.around.limits.hosts.iter().map(String::as_str);
        hosts.chain(origins.map(|(_, host)| proxy::name_of(host))).any(|ours| ours == name)
    };
    let mut arrival = server.proxies.arrival(request.headers(), extensions, is_ours);
    if let Some(AcceptedAt(at)) = extensions.get() {
        arrival.at = *at;
    }
    arrival.certificate = extensions.get().map(|ClientCertificate(name)| name.clone());
    arrival
}

/// Decision 30: a version that is not ours is told which one is.
fn refused(rejection: WebSocketUpgradeRejection) -> Response {
    if let WebSocketUpgradeRejection::InvalidWebSocketVersionHeader(_) = rejection {
        let version = [(header::SEC_WEBSOCKET_VERSION, "13")];
        return (StatusCode::UPGRADE_REQUIRED, version, "This is WebSocket version 13.\n")
            .into_response();
    }
    rejection.into_response()
}

/// Decision 30: no origin, the same host, or one of the list, exactly.
fn is_welcome(headers: &HeaderMap, allowed: &[String]) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    let Ok(origin) = origin.to_str() else { return false };
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let same_host = origin.split_once("://").map(|(_, host)| host) == host && host.is_some();
    same_host || allowed.iter().any(|allowed| allowed == origin)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(origin: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, "chat.example:8080".parse().unwrap());
        headers.insert(header::ORIGIN, origin.parse().unwrap());
        headers
    }

    #[test]
    fn decision_30_only_the_same_host_or_a_listed_origin_is_welcome() {
        let allowed = ["https://app.example".to_owned()];
        assert!(is_welcome(&HeaderMap::new(), &[]));
        assert!(is_welcome(&headers("http://chat.example:8080"), &[]));
        assert!(is_welcome(&headers("https://app.example"), &allowed));
        for foreign in [
            "http://chat.example",
            "http://chat.example:8081",
            "http://evil.example/chat.example:8080",
            "https://app.example.evil",
            "null",
        ] {
            assert!(!is_welcome(&headers(foreign), &allowed), "{foreign}");
        }
    }
}
