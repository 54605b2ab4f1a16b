//! The server: what all sessions share, and how connections reach it.

use std::{
    fmt,
    future::Future,
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    auth::{AllowAll, AnyLogin, Authenticate, Authorize},
    broker::{Broker, ConnectionId, MemoryBroker},
    problem::{Code, Problem},
    router::{Handler, NoHandlers},
    session::{self, Peer, SessionLimits, Surroundings},
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
    pub(crate) around: Arc<Surroundings>,
    /// Cancelled once, when the server goes away.
    pub(crate) stop: CancellationToken,
    pub(crate) origins: Vec<String>,
    max_connections: usize,
    connections: AtomicUsize,
    last_connection: AtomicU64,
    tasks: TaskTracker,
}

/// Puts a server together.
pub struct ServerBuilder {
    broker: Option<Arc<dyn Broker>>,
    authenticate: Arc<dyn Authenticate>,
    authorize: Arc<dyn Authorize>,
    handler: Arc<dyn Handler>,
    limits: SessionLimits,
    max_connections: usize,
    origins: Vec<String>,
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
            limits: SessionLimits::default(),
            max_connections: 15_000,
            origins: Vec::new(),
            separator: '.',
            name: concat!("stomp-server/", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }

    /// Accepts STOMP over TCP until the server goes away.
    ///
    /// # Errors
    /// Only if the listener itself is broken; single failed accepts are logged and tried again.
    pub async fn serve_tcp(&self, listener: TcpListener) -> io::Result<()> {
        listener.local_addr()?;
        loop {
            let accepted = tokio::select! {
                () = self.shared.stop.cancelled() => return Ok(()),
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, address)) => {
                    // A chat message must not wait for the next one to fill a segment.
                    let _ = stream.set_nodelay(true);
                    self.accept(stream, Some(address));
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    /// Serves STOMP over any byte stream, in a task that the server owns.
    pub fn accept<IO>(&self, io: IO, address: Option<SocketAddr>)
    where
        IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let session = self.shared.session(StreamTransport::new(io), address);
        self.shared.tasks.spawn(session);
    }

    /// Routes with `/ws`, to be merged into an axum router.
    ///
    /// Connections count by their peer's address where the router is served with
    /// `into_make_service_with_connect_info::<SocketAddr>()`.
    #[cfg(feature = "websocket")]
    pub fn websocket_routes(&self) -> axum::Router {
        crate::http::websocket_routes(self.shared.clone())
    }

    /// The broker, to publish from outside a session.
    pub fn broker(&self) -> &Arc<dyn Broker> {
        &self.shared.broker
    }

    /// How many connections are open.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::Relaxed)
    }

    /// Resolves when the server starts to go away.
    pub fn stopping(&self) -> impl Future<Output = ()> + Send + 'static {
        self.shared.stop.clone().cancelled_owned()
    }

    /// Whether the server is going away.
    pub fn is_stopping(&self) -> bool {
        self.shared.stop.is_cancelled()
    }

    /// Stops accepting, answers what was received, tells every client to come back elsewhere,
    /// and closes the broker. True if all sessions ended before the deadline.
    pub async fn shutdown(&self, deadline: Duration) -> bool {
        self.shared.stop.cancel();
        self.shared.tasks.close();
        let drained = tokio::time::timeout(deadline, self.shared.tasks.wait()).await.is_ok();
        self.shared.broker.close().await;
        drained
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
        address: Option<SocketAddr>,
    ) -> impl Future<Output = ()> + Send + 'static {
        let connection = ConnectionId(self.last_connection.fetch_add(1, Ordering::Relaxed) + 1);
        let open = Open::one_more(self.clone());
        let refusal = (open.count > self.max_connections).then(|| {
            Problem::new(Code::Limit, "This server holds as many connections as it may.")
                .with_limit("max-connections", self.max_connections as u64)
        });
        let server = self.clone();
        async move {
            session::run(transport, server, Peer { connection, address }, refusal).await;
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

/// One open connection; counts itself out again however its task ends.
struct Open {
    server: Arc<Shared>,
    count: usize,
}

impl Open {
    fn one_more(server: Arc<Shared>) -> Self {
        let count = server.connections.fetch_add(1, Ordering::Relaxed) + 1;
        Self { server, count }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.server.connections.fetch_sub(1, Ordering::Relaxed);
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
        self.max_connections = max;
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
        Server {
            shared: Arc::new(Shared {
                broker,
                authenticate: self.authenticate,
                authorize: self.authorize,
                handler: self.handler,
                around,
                stop: CancellationToken::new(),
                origins: self.origins,
                max_connections: self.max_connections,
                connections: AtomicUsize::new(0),
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
