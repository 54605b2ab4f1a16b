//! How a client is made, and every knob that it has.

use std::{
    sync::{Arc, OnceLock, atomic::AtomicU64},
    time::Duration,
};

use futures::future::BoxFuture;
use stomp_core::{Command as Verb, Frame, HeartBeat};
use tokio::sync::{Notify, Semaphore, mpsc, watch};

use super::{
    Client, ClientError, Status,
    address::{Address, Connector, Reach, Secure},
    engine::{Engine, told},
    handle::Inner,
};

/// Requests that wait for the task: enough that callers seldom wait for each other.
const COMMANDS: usize = 64;

/// Puts a client together.
///
/// ```no_run
/// # async fn example() -> Result<(), stomp_server::client::ClientError> {
/// use std::time::Duration;
/// use stomp_server::client::Client;
///
/// let client = Client::builder("ws://127.0.0.1:15674/ws")
///     .login("ann", "secret")
///     .heart_beat(Duration::from_secs(5))
///     .connect()
///     .await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use = "a builder does nothing until it connects"]
pub struct ClientBuilder {
    url: Option<String>,
    connector: Option<Arc<dyn Connector>>,
    secure: Secure,
    login: Login,
    headers: Vec<(String, String)>,
    heart_beat: Duration,
    connect_timeout: Duration,
    first_pause: Duration,
    longest_pause: Duration,
    outbox: usize,
    max_body: usize,
    errors_queue: bool,
}

/// Name and password or token, in this order.
type Pair = (String, String);

/// Where the login comes from.
#[derive(Clone)]
enum Login {
    Nobody,
    Always(Pair),
    /// Asked for before each connection.
    Asked(Arc<dyn Fn() -> BoxFuture<'static, Result<Pair, ClientError>> + Send + Sync>),
}

/// What the task needs of it.
pub(super) struct Settings {
    pub(super) reach: Reach,
    login: Login,
    headers: Vec<(String, String)>,
    pub(super) heart_beat: HeartBeat,
    pub(super) connect_timeout: Duration,
    pub(super) first_pause: Duration,
    pub(super) longest_pause: Duration,
    pub(super) max_body: usize,
    pub(super) errors_queue: bool,
}

impl ClientBuilder {
    pub(super) fn new(url: Option<String>, connector: Option<Arc<dyn Connector>>) -> Self {
        Self {
            url,
            connector,
            secure: Secure::default(),
            login: Login::Nobody,
            headers: Vec::new(),
            heart_beat: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(10),
            first_pause: Duration::from_millis(100),
            longest_pause: Duration::from_secs(20),
            outbox: 8 << 20,
            max_body: 64 << 20,
            errors_queue: false,
        }
    }

    /// Name and password, or any name and a token.
    pub fn login(mut self, login: impl Into<String>, passcode: impl Into<String>) -> Self {
        self.login = Login::Always((login.into(), passcode.into()));
        self
    }

    /// Asks for name and password (or any name and a token) before each try to connect, for
    /// logins that do not last: a token is fetched anew when the server has ended a session
    /// whose token was over.
    ///
    /// An error that may pass, such as [`ClientError::Unreachable`], is tried again after a
    /// pause; others end the client. What is asked takes part in
    /// [`connect_timeout`](Self::connect_timeout). A server that finds the login `expired` is
    /// asked again too; with a fixed [`login`](Self::login) that is the end.
    ///
    /// ```no_run
    /// # async fn fetch_token() -> std::io::Result<String> { Ok(String::new()) }
    /// use stomp_server::client::{Client, ClientError};
    ///
    /// let builder = Client::builder("wss://chat.example.com/ws").login_with(|| async {
    ///     let token = fetch_token().await?;
    ///     Ok((String::new(), token))
    /// });
    /// ```
    pub fn login_with<F, Asked>(mut self, ask: F) -> Self
    where
        F: Fn() -> Asked + Send + Sync + 'static,
        Asked: Future<Output = Result<(String, String), ClientError>> + Send + 'static,
    {
        self.login = Login::Asked(Arc::new(move || Box::pin(ask())));
        self
    }

    /// One more header of CONNECT, such as `Authorization`.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// How often both sides say that they are there, if nothing else is said. 10 s by default;
    /// a server that is silent for twice this is given up. Zero turns heart-beats off.
    pub fn heart_beat(mut self, every: Duration) -> Self {
        self.heart_beat = every;
        self
    }

    /// How long one try to connect and log in may take. 10 s by default.
    pub fn connect_timeout(mut self, patience: Duration) -> Self {
        self.connect_timeout = patience;
        self
    }

    /// The pauses between tries: doubled from `first` up to `longest`, each shortened by
    /// chance to half at most. 100 ms and 20 s by default.
    pub fn pauses(mut self, first: Duration, longest: Duration) -> Self {
        (self.first_pause, self.longest_pause) = (first, longest);
        self
    }

    /// How many octets may wait for their receipts. 8 MiB by default. When it is full,
    /// [`Client::send`] waits, and [`Client::try_queue`] fails with [`ClientError::Full`].
    pub fn outbox(mut self, octets: usize) -> Self {
        self.outbox = octets;
        self
    }

    /// The largest body that is taken from the server. 64 MiB by default.
    pub fn max_body(mut self, octets: usize) -> Self {
        self.max_body = octets;
        self
    }

    /// Subscribes to `/user/queue/errors` from the start, for servers that refuse single
    /// frames outside `/app` by way of it. Without this it is subscribed to when the first
    /// frame for `/app` goes out.
    pub fn errors_queue(mut self) -> Self {
        self.errors_queue = true;
        self
    }

    /// How TLS is spoken to `tls:` and `wss:` addresses, with client certificates for example;
    /// mostly [`trust`](Self::trust) is enough.
    #[cfg(feature = "tls")]
    pub fn tls(mut self, config: Arc<rustls::ClientConfig>) -> Self {
        self.secure.config = Some(config);
        self
    }

    /// Connects. From then on the client reconnects by itself.
    ///
    /// # Errors
    /// If this first try fails: [`ClientError::Unreachable`], or [`ClientError::Refused`]
    /// where the login was.
    pub async fn connect(self) -> Result<Client, ClientError> {
        let (told, outcome) = told();
        let client = self.spawn(Some(told))?;
        outcome.await.map_err(|_| ClientError::Closed)??;
        Ok(client)
    }

    /// Returns at once and connects in the background, for as long as it takes; what is
    /// sent meanwhile waits in the outbox.
    ///
    /// # Errors
    /// [`ClientError::Invalid`] if the address cannot be one.
    pub fn start(self) -> Result<Client, ClientError> {
        self.spawn(None)
    }

    fn spawn(self, first: Option<super::command::Told<()>>) -> Result<Client, ClientError> {
        let outbox = self.outbox;
        let settings = Arc::new(self.settings()?);
        let (sender, commands) = mpsc::channel(COMMANDS);
        let (status, watched) = watch::channel(Status::Connecting);
        let wake = Arc::new(Notify::new());
        let end = Arc::new(OnceLock::new());
        let back = sender.downgrade();
        let engine = Engine::new(settings, commands, back, wake.clone(), status, end.clone());
        let task = tokio::spawn(engine.run(first));
        Ok(Client::new(Inner {
            commands: sender,
            room: Arc::new(Semaphore::new(outbox)),
            outbox,
            numbers: AtomicU64::new(0),
            wake,
            status: watched,
            end,
            task: parking_lot::Mutex::new(Some(task)),
        }))
    }

    fn settings(self) -> Result<Settings, ClientError> {
        let reach = match (self.connector, &self.url) {
            (Some(connector), _) => Reach::Connector(connector),
            (None, url) => {
                let address = Address::parse(url.as_deref().unwrap_or_default())?;
                self.secure.check(&address)?;
                Reach::Address(address, self.secure)
            }
        };
        let every = u32::try_from(self.heart_beat.as_millis()).unwrap_or(u32::MAX);
        Ok(Settings {
            reach,
            login: self.login,
            headers: self.headers,
            heart_beat: HeartBeat::new(every, every),
            connect_timeout: self.connect_timeout,
            first_pause: self.first_pause,
            longest_pause: self.longest_pause,
            max_body: self.max_body,
            errors_queue: self.errors_queue,
        })
    }
}

impl Settings {
    /// Whether somebody can be asked for another login.
    pub(super) fn renews_login(&self) -> bool {
        matches!(self.login, Login::Asked(_))
    }

    /// The frame to log in with, of this moment.
    pub(super) async fn connect_frame(&self) -> Result<Frame, ClientError> {
        let pair = match &self.login {
            Login::Nobody => None,
            Login::Always(pair) => Some(pair.clone()),
            Login::Asked(ask) => Some(ask().await?),
        };
        let mut frame = Frame::builder(Verb::Connect)
            .header("accept-version", "1.2")
            .header("host", self.reach.host())
            .header("heart-beat", &self.heart_beat.to_string());
        if let Some((login, passcode)) = &pair {
            frame = frame.header("login", login).header("passcode", passcode);
        }
        for (name, value) in &self.headers {
            frame = frame.header(name, value);
        }
        Ok(frame.build())
    }
}

impl std::fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // No login, and no headers: they may hold secrets.
        f.debug_struct("ClientBuilder").field("url", &self.url).finish_non_exhaustive()
    }
}
