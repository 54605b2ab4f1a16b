//! The composition root: ports are made once here, and every task has its owner here.

mod check;
mod doctor;
mod folder;
mod migrate;
mod open;
mod push;
mod tasks;

use std::{fs::File, net::SocketAddr, sync::Arc, time::Duration};

use stomp_server::{
    Server, Tls,
    broker::{Broker, LogInfo},
    http::{AdminAccess, TrustedProxies},
    session::SessionLimits,
};
use tokio::net::TcpListener;

pub(crate) use self::folder::{SECRET, occupy};
pub use self::{check::check, doctor::doctor, migrate::migrate, push::notifications};
use self::{
    folder::{lock, prepare},
    push::Push,
    tasks::Tasks,
};
use crate::{
    config::{AdminToken, Config, TokenRequest},
    domain::{User, UserId},
    http::{self, Admin, Doors, Figures, Health, Metrics, Scheme, Site},
    ports::Accounts,
    service::{
        Chat, Currency, Foreign, Log, Markers, Memberships, NewestPages, Passwords, Privacy,
        Purpose, Relay, SendRate, Throttle, Tokens, Typing, Users, Uses, own_secret,
    },
    stomp::{Exits, FanOut, Online, PresenceTask, RoomRules, Rooms, TokenLogin, Withdrawn},
    store::{Progress, Shared, StoreWriter, sql::Sql},
};

/// What cannot start, with what mends it.
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Subscriptions of one session: rooms that are open at a time, and its own queues.
const SUBSCRIPTIONS: usize = 256;
/// What is still to be written when everything else has ended may take this long.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// The running server, with all its roles.
pub struct App {
    http: SocketAddr,
    tcp: Option<SocketAddr>,
    tls: Option<Arc<Tls>>,
    log: String,
    server: Server,
    sql: Sql,
    /// Accept connections; they end with the server.
    listeners: Tasks,
    /// Tells markers; what waits there must be told before the log is closed.
    markers: Tasks,
    /// Works for requests.
    workers: Tasks,
    /// Readers of the log: they end with it.
    readers: Tasks,
    /// Held as long as the process uses the folder.
    _lock: Option<File>,
}

impl App {
    /// Opens everything and begins to serve.
    ///
    /// # Errors
    /// With a sentence that says what to change.
    pub async fn start(config: Config) -> Result<Self, Failure> {
        // Before anything counts.
        let metrics = Metrics::open();
        let tls = open::tls(&config)?;
        prepare(&config.data)?;
        // Processes that share log and database may share the folder too: it has the secret.
        let lock = if config.is_shared() { None } else { Some(lock(&config.data)?) };
        let sql = open::database(&config.database).await?;
        let withdrawn = Withdrawn::default();
        let broker = open::log(&config, &sql, withdrawn.clone()).await?;
        let secret = own_secret(&config.data.join(SECRET))?;
        let log = Log::new(broker.clone(), config.publish_timeout);

        let LogInfo { epoch, heads } = broker.log().await?;
        let currency = Arc::new(match config.roles.chat {
            true => Currency::reading_from(heads.clone()),
            false => Currency::never(),
        });
        let memberships = Arc::new(Memberships::new(Arc::new(sql.clone()), currency.clone()));
        let online = Online::default();
        let mut readers = Tasks::new();
        if config.roles.chat {
            let (log, memberships) = (log.clone(), memberships.clone());
            let (currency, online) = (currency.clone(), online.clone());
            let fan_out =
                FanOut::open(log, &heads, memberships, currency, online, withdrawn).await?;
            readers.spawn("fan-out", fan_out.run(readers.stop.clone()));
        }
        // The store comes last, so that the place which the log remembers is the store's.
        let progress = if config.roles.store {
            let shared = if config.is_shared() { Shared::Yes } else { Shared::No };
            let store = Arc::new(sql.clone());
            let (writer, progress) = StoreWriter::open(broker.clone(), store, shared).await?;
            readers.spawn("store", writer.run(readers.stop.clone()));
            progress
        } else {
            Progress::shared(Arc::new(sql.clone()))
        };
        let (relay, relay_task) = Relay::new(Arc::new(sql.clone()), log.clone());
        let (markers, marker_task) = Markers::new(log.clone());
        let foreign = match config.access.issuer.clone() {
            Some(issuer) => Some(Arc::new(Foreign::open(issuer).await?)),
            None => None,
        };
        let tokens = Tokens::new(&secret, foreign, Arc::new(sql.clone()), Arc::new(sql.clone()))?;
        let tokens = Arc::new(tokens);
        tokens.refresh().await?;
        let push = Push::open(&config.push, &sql)?;
        let privacy = Arc::new(Privacy::new(Arc::new(sql.clone())));
        let chat = Arc::new(Chat {
            desk: push.desk.clone(),
            accounts: Arc::new(sql.clone()),
            people: Arc::new(sql.clone()),
            doors: Arc::new(sql.clone()),
            presences: Arc::new(sql.clone()),
            reading: Arc::new(sql.clone()),
            rooms: Arc::new(sql.clone()),
            history: Arc::new(sql.clone()),
            newest: NewestPages::new(Arc::new(sql.clone())),
            users: Users::new(Arc::new(sql.clone())),
            memberships,
            tokens: tokens.clone(),
            passwords: Passwords::new(),
            logins: Throttle::new(config.access.rate_login),
            log: log.clone(),
            relay,
            markers,
            uses: Uses::new(),
            privacy: privacy.clone(),
            rate: SendRate::new(config.access.rate_send),
            typing: Typing::new(),
            searches: Chat::searches(),
            progress: progress.clone(),
            epoch,
        });
        let presence = PresenceTask::new(Arc::new(sql.clone()), log.clone(), online.clone());
        let server = stomp(&config, broker.clone(), &chat, online);

        let mut markers_task = Tasks::new();
        let mut workers = Tasks::new();
        if config.roles.serve_people() {
            markers_task.spawn("markers", marker_task.run(markers_task.stop.clone()));
            workers.spawn("relay", relay_task.run(workers.stop.clone()));
            workers.spawn("tokens", tokens.run(workers.stop.clone()));
            workers.spawn("privacy", privacy.run(workers.stop.clone()));
        }
        if config.roles.chat {
            workers.spawn("currency", currency.run(broker, workers.stop.clone()));
            workers.spawn("presence", presence.run(workers.stop.clone()));
        }
        if config.roles.notify {
            workers.spawn("notify", push.run(log.clone(), workers.stop.clone()));
        }

        if let Some(metrics) = metrics.clone() {
            workers.spawn("metrics", metrics.run(workers.stop.clone()));
        }

        let proxies = TrustedProxies::new(config.access.trusted_proxies.clone());
        let may_watch = AdminAccess::new(
            config.access.admin_token.as_ref().map(AdminToken::reveal),
            proxies.clone(),
        );
        let admin = metrics.clone().map(|metrics| {
            let figures = Figures::new(sql.clone(), log.clone(), progress.clone(), metrics);
            let figures = Arc::new(figures);
            workers.spawn("figures", figures.clone().run(workers.stop.clone()));
            Admin { server: server.clone(), figures, access: may_watch.clone() }
        });
        let health = Health { sql: sql.clone(), log, progress };
        let site = Site {
            max_body: config.max_body,
            origins: config.allow_origins.clone().into(),
            proxies: Arc::new(proxies),
            scheme: Scheme::of(tls.is_some()),
        };
        let doors = Doors {
            api: config.roles.api.then_some(chat),
            websocket: config.roles.chat.then(|| server.websocket_routes()),
            metrics: metrics.map(|metrics| (metrics, may_watch)),
            admin,
        };
        let routes = http::router(doors, health, site);
        let listener = bind("--http", config.http).await?;
        let http = listener.local_addr()?;
        let mut listeners = Tasks::new();
        listeners.spawn("http", serve_http(server.clone(), listener, routes, tls.clone()));
        let tcp = match config.tcp.filter(|_| config.roles.chat) {
            Some(address) => Some(serve_tcp(&server, &mut listeners, address, tls.clone()).await?),
            None => None,
        };
        let log = open::describe(&config.broker, server.broker().capabilities().durability);
        Ok(Self {
            http,
            tcp,
            tls,
            log,
            server,
            sql,
            listeners,
            markers: markers_task,
            workers,
            readers,
            _lock: lock,
        })
    }

    /// Where page and REST are.
    pub fn http(&self) -> SocketAddr {
        self.http
    }

    /// What the one who started it wants to know.
    pub fn banner(&self) -> String {
        let tcp = self.tcp.map_or_else(|| "off".to_owned(), |address| address.to_string());
        format!(
            "chat-app {version}\n  page      http{s}://{http}/\n  REST      http{s}://{http}/api/v1\n  \
             STOMP     ws{s}://{http}/ws, TCP {tcp}\n  receipts  {log}\n",
            s = if self.tls.is_some() { "s" } else { "" },
            version = env!("CARGO_PKG_VERSION"),
            http = self.http,
            log = self.log,
        )
    }

    /// Reads the certificates again; what cannot be read stays as it was.
    pub fn reload(&self) {
        match self.tls.as_ref().map(|tls| tls.reload()) {
            None => tracing::info!("there are no certificates to be read again"),
            Some(Ok(())) => tracing::info!("the certificates have been read again"),
            Some(Err(error)) => tracing::error!(%error, "the certificates stay as they were"),
        }
    }

    /// Stops in the order in which nothing is lost: markers told, requests answered and
    /// sessions drained, the log closed, its readers at its end, the database last.
    pub async fn stop(self, drain: Duration) {
        self.markers.stop(LAST_WORDS).await;
        if !self.server.shutdown(drain).await {
            tracing::warn!("some sessions were cut off: --drain was over");
        }
        self.listeners.join(LAST_WORDS).await;
        self.workers.stop(LAST_WORDS).await;
        self.readers.join(LAST_WORDS).await;
        self.sql.close().await;
    }
}

/// Makes a token for somebody; who has no account yet gets one without a password.
///
/// # Errors
/// If the folder cannot be used or the name is none.
pub async fn token(request: &TokenRequest) -> Result<String, Failure> {
    let id =
        UserId::parse(&request.user).ok_or("a user's id has 1 to 128 of A-Z, a-z, 0-9, . _ @ -")?;
    prepare(&request.data)?;
    let sql = open::database(&request.database).await?;
    let user = User { name: id.to_string(), id, picture: None };
    Accounts::create(&sql, &user, None).await?;
    let secret = own_secret(&request.data.join(SECRET))?;
    let tokens = Tokens::new(&secret, None, Arc::new(sql.clone()), Arc::new(sql.clone()))?;
    let purpose = Purpose::Printed { is_service: request.is_service };
    let (token, _) = tokens.issue(&user.id, request.ttl, purpose)?;
    sql.close().await;
    Ok(token)
}

fn stomp(config: &Config, broker: Arc<dyn Broker>, chat: &Arc<Chat>, online: Online) -> Server {
    let mut limits =
        SessionLimits { subscriptions: SUBSCRIPTIONS, transactions: 0, ..SessionLimits::default() };
    limits.frame.body = config.max_body;
    Server::builder()
        .broker(broker)
        .authenticate(Arc::new(TokenLogin(chat.clone())))
        .authorize(Arc::new(RoomRules(chat.clone())))
        .intercept(Arc::new(Exits(online.clone())))
        .handler(Arc::new(Rooms { chat: chat.clone(), online }))
        .limits(limits)
        .max_connections(config.max_connections)
        .max_connections_per_user(Some(config.max_connections_per_user))
        .trusted_proxies(TrustedProxies::new(config.access.trusted_proxies.iter().copied()))
        .allow_origins(config.allow_origins.iter().cloned())
        .name(concat!("chat-app/", env!("CARGO_PKG_VERSION")))
        .build()
}

async fn bind(flag: &str, address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address)
        .await
        .map_err(|error| format!("{flag} {address} cannot be used: {error}").into())
}

async fn serve_http(
    server: Server,
    listener: TcpListener,
    routes: axum::Router,
    tls: Option<Arc<Tls>>,
) {
    let served = match tls {
        Some(tls) => server.serve_https(listener, routes, tls).await,
        None => server.serve_http(listener, routes).await,
    };
    if let Err(error) = served {
        tracing::error!(%error, "HTTP is not served any more");
    }
}

async fn serve_tcp(
    server: &Server,
    tasks: &mut Tasks,
    address: SocketAddr,
    tls: Option<Arc<Tls>>,
) -> Result<SocketAddr, Failure> {
    let listener = bind("--tcp", address).await?;
    let address = listener.local_addr()?;
    let server = server.clone();
    tasks.spawn("tcp", async move {
        let served = match tls {
            Some(tls) => server.serve_tls(listener, tls).await,
            None => server.serve_tcp(listener).await,
        };
        if let Err(error) = served {
            tracing::error!(%error, "STOMP over TCP is not served any more");
        }
    });
    Ok(address)
}
