//! Serves HTTP with a bound on what a slow or idle client can hold.

use std::{
    convert::Infallible,
    net::SocketAddr,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{Router, body::Body, extract::ConnectInfo, response::Response};
use hyper::{Request, body::Incoming, server::conn::http1, service::Service};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::{TowerToHyperService, TowerToHyperServiceFuture},
};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::server::Shared;

/// The largest request head. Those of a WebSocket, cookies and all, have some kilobytes.
const HEAD: usize = 32 * 1024;
/// How long requests under way may take when the server goes away.
const LAST_REQUESTS: Duration = Duration::from_secs(2);

/// When the connection of a request was accepted; only the first request of it has one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AcceptedAt(pub(crate) Instant);

/// The name in the certificate of the client of a request.
#[derive(Clone, Debug)]
pub(crate) struct ClientCertificate(pub(crate) Arc<str>);

/// A connection that has been accepted.
pub(crate) struct Accepted {
    pub(crate) address: SocketAddr,
    pub(crate) at: Instant,
    pub(crate) certificate: Option<Arc<str>>,
}

impl Accepted {
    pub(crate) fn now(address: SocketAddr) -> Self {
        Self { address, at: tokio::time::Instant::now().into_std(), certificate: None }
    }
}

/// Serves the requests of one connection, until it is upgraded or ends.
///
/// A head must be complete within the connect time-out, which also ends idle connections.
pub(crate) async fn serve<IO>(io: IO, accepted: Accepted, routes: Router, server: Arc<Shared>)
where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = Requests {
        routes: TowerToHyperService::new(routes),
        accepted,
        had_one: AtomicBool::new(false),
    };
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(server.around.limits.connect_timeout)
        .max_buf_size(HEAD)
        .serve_connection(TokioIo::new(io), service)
        .with_upgrades();
    let mut connection = pin!(connection);
    tokio::select! {
        _ = connection.as_mut() => return,
        () = server.stop.given() => connection.as_mut().graceful_shutdown(),
    }
    let _ = tokio::time::timeout(LAST_REQUESTS, connection).await;
}

/// Tells each request what is known of its connection.
struct Requests {
    routes: TowerToHyperService<Router>,
    accepted: Accepted,
    had_one: AtomicBool,
}

impl Service<Request<Incoming>> for Requests {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = TowerToHyperServiceFuture<Router, Request<Incoming>>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        let extensions = request.extensions_mut();
        extensions.insert(ConnectInfo(self.accepted.address));
        if !self.had_one.swap(true, Ordering::Relaxed) {
            extensions.insert(AcceptedAt(self.accepted.at));
        }
        if let Some(name) = &self.accepted.certificate {
            extensions.insert(ClientCertificate(name.clone()));
        }
        self.routes.call(request)
    }
}
