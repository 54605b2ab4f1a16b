//! The server: what all sessions share, and how connections reach it.

use std::{
    fmt,
    future::Future,
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
};
use tokio_util::task::TaskTracker;

#[cfg(feature = "websocket")]
use crate::http::serve::{Accepted, serve};
use crate::{
    arrival::{Arrival, Carrier},
    auth::{AllowAll, AnyLogin, Authenticate, Authorize},
    broker::{Broker, ConnectionId, MemoryBroker},
    gate::{ConnectionLimits, Gate},
    insight::{Insight, Roster},
    metrics::Metrics,
    router::{Handle, Handler, Intercept, NoHandlers},
    session::{self, Peer, SessionLimits, Surroundings},
    stop::Stop,
    transport::{StreamTransport, Transport},
};

/// After a failed accept (mostly: no file descriptor left) the next try waits this long,
/// so that a full process does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A STOMP server in this process. Cheap to clone.
#[derive(Clone)]
pub struct Server {
    shared: Arc<Shared>,
}

/// What all sessions of a server share.
pub(crate) struct Shared {
    pub(crate) broker: Arc<dyn Broker>,
    pub(crate) authenticate: Arc<dyn Authenticate>,
    pub(crate) authorize: Arc<dyn Authorize>,
    pub(crate) handler: Arc<dyn Handler>,
    pub(crate) intercepts: Arc<[Arc<dyn Intercept>]>,
    pub(crate) around: Arc<Surroundings>,
    /// Given once, when the server goes away.
    pub(crate) stop: Stop,
    #[cfg_attr(not(feature = "websocket"), allow(dead_code, reason = "browsers use WebSocket"))]
    pub(crate) origins: Vec<String>,
    pub(crate) gate: Gate,
    pub(crate) metrics: Metrics,
    /// Who is connected, for those who look.
    pub(crate) roster: Arc<Roster>,
    #[cfg(feature = "websocket")]
    pub(crate) proxies: crate::http::TrustedProxies,
    last_connection: AtomicU64,
    tasks: TaskTracker,
}

/// Puts a server together.
pub struct ServerBuilder {
    broker: Option<Arc<dyn Broker>>,
    authenticate: Arc<dyn Authenticate>,
    authorize: Arc<dyn Authorize>,
    handler: Arc<dyn Handler>,
    intercepts: Vec<Arc<dyn Intercept>>,
    limits: SessionLimits,
    connections: ConnectionLimits,
    origins: Vec<String>,
    #[cfg(feature = "websocket")]
    proxies: crate::http::TrustedProxies,
    separator: char,
    name: String,
}

impl Server {
    /// A server with a broker in memory that takes any login, until told otherwise.
    pub fn builder() -> ServerBuilder {
        ServerBuilder {
            broker: None,
            authenticate: Arc::new(AnyLogin),
            authorize: Arc::new(AllowAll),
            handler: Arc::new(NoHandlers),
            intercepts: Vec::new(),
            limits: SessionLimits::default(),
            connections: ConnectionLimits { process: 15_000, user: None, address: None },
            origins: Vec::new(),
            #[cfg(feature = "websocket")]
            proxies: crate::http::TrustedProxies::default(),
            separator: '.',
            name: concat!("stomp-server/", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }

    /// Accepts STOMP over TCP until the server goes away.
    ///
    /// # Errors
    /// Only if the listener itself is broken; single failed accepts are logged and tried again.
    pub async fn serve_tcp(&self, listener: TcpListener) -> io::Result<()> {
        self.each_connection(listener, |server, stream, address| {
            server.accept_as(stream, Arrival::now(Carrier::Tcp, Some(address)));
        })
        .await
    }

    /// Accepts STOMP over TLS until the server goes away. A handshake takes no longer than
    /// a login may.
    ///
    /// # Errors
    /// As [`serve_tcp`](Self::serve_tcp).
    #[cfg(feature = "tls")]
    pub async fn serve_tls(&self, listener: TcpListener, tls: Arc<crate::Tls>) -> io::Result<()> {
        self.each_connection(listener, move |server, stream, address| {
            let Some(waiting) = server.shared.gate.wait() else { return };
            let (server, tls) = (server.clone(), tls.clone());
            server.shared.tasks.clone().spawn(async move {
                let mut arrival = Arrival::now(Carrier::Tls, Some(address));
                let within = server.shared.around.limits.connect_timeout;
                let accepted = tokio::select! {
                    () = server.shared.stop.given() => None,
                    accepted = tls.accept(stream, crate::transport::tls::Speaks::Stomp, within) => accepted,
                };
                drop(waiting);
                if let Some((stream, certificate)) = accepted {
                    arrival.certificate = certificate;
                    server.accept_as(stream, arrival);
                }
            });
        })
        .await
    }

    /// Serves STOMP over any byte stream, in a task that the server owns.
    pub fn accept<IO>(&self, io: IO, address: Option<SocketAddr>)
    where
        IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        self.accept_as(io, Arrival::now(Carrier::Stream, address));
    }

    fn accept_as<IO>(&self, io: IO, arrival: Arrival)
    where
        IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        // With a proxy on this machine, anybody may be behind a local address.
        #[cfg(feature = "websocket")]
        let arrival = Arrival {
            is_local: arrival.is_local
                && (self.shared.proxies.is_empty() || arrival.address.is_none()),
            ..arrival
        };
        let session = self.shared.session(StreamTransport::new(io), arrival);
        self.shared.tasks.spawn(session);
    }

    async fn each_connection(
        &self,
        listener: TcpListener,
        mut serve: impl FnMut(&Self, TcpStream, SocketAddr) + Send,
    ) -> io::Result<()> {
        listener.local_addr()?;
        loop {
            let accepted = tokio::select! {
                () = self.shared.stop.given() => return Ok(()),
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok(_) if self.shared.gate.is_flooded() => {}
                Ok((stream, address)) => {
                    // A chat message must not wait for the next one to fill a segment.
                    let _ = stream.set_nodelay(true);
                    serve(self, stream, address);
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    /// Serves these routes over HTTP until the server goes away; with TLS where it is given.
    ///
    /// Unlike a plain `axum::serve`, it ends connections that are slow with a request's head,
    /// or idle between requests, after the time that a login may take.
    ///
    /// # Errors
    /// As [`serve_tcp`](Self::serve_tcp).
    #[cfg(feature = "websocket")]
    pub async fn serve_http(&self, listener: TcpListener, routes: axum::Router) -> io::Result<()> {
        self.each_connection(listener, move |server, stream, address| {
            let Some(waiting) = server.shared.gate.wait() else { return };
            let accepted = Accepted::now(address);
            let serving = serve(stream, accepted, routes.clone(), server.shared.clone());
            server.shared.tasks.spawn(async move {
                serving.await;
                drop(waiting);
            });
        })
        .await
    }

    /// Serves these routes over HTTPS until the server goes away; else as
    /// [`serve_http`](Self::serve_http).
    ///
    /// # Errors
    /// As [`serve_tcp`](Self::serve_tcp).
    #[cfg(all(feature = "websocket", feature = "tls"))]
    pub async fn serve_https(
        &self,
        listener: TcpListener,
        routes: axum::Router,
        tls: Arc<crate::Tls>,
    ) -> io::Result<()> {
        self.each_connection(listener, move |server, stream, address| {
            let Some(waiting) = server.shared.gate.wait() else { return };
            let (shared, routes, tls) = (server.shared.clone(), routes.clone(), tls.clone());
            server.shared.tasks.spawn(async move {
                let mut accepted = Accepted::now(address);
                let within = shared.around.limits.connect_timeout;
                let handshake = tokio::select! {
                    () = shared.stop.given() => None,
                    done = tls.accept(stream, crate::transport::tls::Speaks::Http, within) => done,
                };
                if let Some((stream, certificate)) = handshake {
                    accepted.certificate = certificate;
                    serve(stream, accepted, routes, shared).await;
                }
                drop(waiting);
            });
        })
        .await
    }

    /// Routes with `/ws`, to be merged into an axum router.
    ///
    /// Serve them with [`serve_http`](Self::serve_http), or at least with
    /// `into_make_service_with_connect_info::<SocketAddr>()`, or no connection counts as local.
    #[cfg(feature = "websocket")]
    pub fn websocket_routes(&self) -> axum::Router {
        crate::http::websocket_routes(self.shared.clone())
    }

    /// The broker, to publish from outside a session.
    pub fn broker(&self) -> &Arc<dyn Broker> {
        &self.shared.broker
    }

    /// Sends messages of the program, from outside a session.
    pub fn handle(&self) -> Handle {
        Handle::new(self.shared.broker.clone())
    }

    /// Looks at the server: who is connected, what is kept, what has happened.
    pub fn insight(&self) -> Insight {
        Insight::new(self.shared.clone())
    }

    /// How many connections are open.
    pub fn connections(&self) -> usize {
        self.shared.gate.open()
    }

    /// Resolves when the server starts to go away.
    pub fn stopping(&self) -> impl Future<Output = ()> + Send + 'static {
        self.shared.stop.given_owned()
    }

    /// Whether the server is going away.
    pub fn is_stopping(&self) -> bool {
        self.shared.stop.is_given()
    }

    /// Stops accepting, answers what was received, tells every client to come back elsewhere,
    /// and closes the broker. True if all sessions ended before the deadline.
    pub async fn shutdown(&self, deadline: Duration) -> bool {
        self.shared.stop.give();
        self.shared.tasks.close();
        let drained = tokio::time::timeout(deadline, self.shared.tasks.wait()).await.is_ok();
        self.shared.broker.close().await;
        drained
    }
}

#[cfg(feature = "admin")]
impl Server {
    /// Runs something beside the sessions, no longer than the server does.
    pub(crate) fn spawn_until_stopped(&self, work: impl Future<Output = ()> + Send + 'static) {
        let stop = self.shared.stop.clone();
        self.shared.tasks.spawn(async move {
            tokio::select! {
                () = stop.given() => {}
                () = work => {}
            }
        });
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("connections", &self.connections()).finish_non_exhaustive()
    }
}

impl Shared {
    /// The life of one connection.
    pub(crate) fn session(
        self: &Arc<Self>,
        transport: impl Transport,
        arrival: Arrival,
    ) -> impl Future<Output = ()> + Send + 'static {
        let connection = ConnectionId(self.last_connection.fetch_add(1, Ordering::Relaxed) + 1);
        let (open, refusal) = self.gate.enter(arrival.behind_proxy);
        let server = self.clone();
        async move {
            session::run(transport, server, Peer { connection, arrival }, refusal).await;
            drop(open);
        }
    }

    #[cfg(feature = "websocket")]
    pub(crate) fn spawn(&self, session: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(session);
    }

    /// A word that nobody can guess: 128 random bits.
    pub(crate) fn secret(&self) -> String {
        format!("{:032x}", rand::random::<u128>())
    }
}

impl ServerBuilder {
    /// What keeps and brings the messages. In memory by default.
    #[must_use]
    pub fn broker(mut self, broker: Arc<dyn Broker>) -> Self {
        self.broker = Some(broker);
        self
    }

    /// Who may log in. Anybody by default, so listen on loopback only.
    #[must_use]
    pub fn authenticate(mut self, authenticate: Arc<dyn Authenticate>) -> Self {
        self.authenticate = authenticate;
        self
    }

    /// Who may send and subscribe where.
    #[must_use]
    pub fn authorize(mut self, authorize: Arc<dyn Authorize>) -> Self {
        self.authorize = authorize;
        self
    }

    /// What serves `/app/**`.
    #[must_use]
    pub fn handler(mut self, handler: Arc<dyn Handler>) -> Self {
        self.handler = handler;
        self
    }

    /// Looks in on what passes through sessions. Several are called in the order in which they
    /// were added.
    #[must_use]
    pub fn intercept(mut self, intercept: Arc<dyn Intercept>) -> Self {
        self.intercepts.push(intercept);
        self
    }

    /// What one session may ask for.
    #[must_use]
    pub fn limits(mut self, limits: SessionLimits) -> Self {
        self.limits = limits;
        self
    }

    /// How many connections are served at a time; the newest beyond that is refused.
    /// 15,000 by default: a process may have 20,000 files, and needs some of its own.
    #[must_use]
    pub fn max_connections(mut self, max: usize) -> Self {
        self.connections.process = max;
        self
    }

    /// How many connections one user may have; the newest beyond that is refused. No limit
    /// by default.
    #[must_use]
    pub fn max_connections_per_user(mut self, max: Option<usize>) -> Self {
        self.connections.user = max;
        self
    }

    /// How many connections one address may have, as told by a trusted proxy; other addresses
    /// are not counted, for many people may share one. No limit by default.
    #[must_use]
    pub fn max_connections_per_address(mut self, max: Option<usize>) -> Self {
        self.connections.address = max;
        self
    }

    /// Proxies whose word on a client's address is taken. With any, nobody counts as local.
    #[cfg(feature = "websocket")]
    #[must_use]
    pub fn trusted_proxies(mut self, proxies: crate::http::TrustedProxies) -> Self {
        self.proxies = proxies;
        self
    }

    /// Browser origins that may open a WebSocket beside the server's own host, exactly as
    /// browsers send them: `https://chat.example.com`.
    #[must_use]
    pub fn allow_origins(mut self, origins: impl IntoIterator<Item = String>) -> Self {
        self.origins.extend(origins);
        self
    }

    /// What splits the words of a topic for `*`, `#` and `>`. `.` by default.
    #[must_use]
    pub fn separator(mut self, separator: char) -> Self {
        self.separator = separator;
        self
    }

    /// `name/version` in CONNECTED.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// The server. It serves nothing until a listener or a stream is given to it.
    pub fn build(self) -> Server {
        let broker = self.broker.unwrap_or_else(|| Arc::new(MemoryBroker::default()));
        let around = Arc::new(Surroundings {
            limits: self.limits,
            capabilities: broker.capabilities(),
            separator: self.separator,
            server: self.name,
        });
        self.handler.attach(&Handle::new(broker.clone()));
        Server {
            shared: Arc::new(Shared {
                broker,
                authenticate: self.authenticate,
                authorize: self.authorize,
                handler: self.handler,
                intercepts: self.intercepts.into(),
                around,
                stop: Stop::default(),
                origins: self.origins,
                gate: Gate::new(self.connections),
                metrics: Metrics::new(),
                roster: Arc::new(Roster::new()),
                #[cfg(feature = "websocket")]
                proxies: self.proxies,
                last_connection: AtomicU64::new(0),
                tasks: TaskTracker::new(),
            }),
        }
    }
}

impl fmt::Debug for ServerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerBuilder").field("name", &self.name).finish_non_exhaustive()
    }
}
