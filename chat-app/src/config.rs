//! Every knob, with its default and its reason; what cannot be is refused before anything starts.

mod access;
mod choice;
mod push;
mod transfer;
mod units;

use std::{ffi::OsString, fmt, net::SocketAddr, path::PathBuf, process::ExitCode, time::Duration};

use clap::{Args, Parser, Subcommand};

use self::{
    access::AccessArgs,
    push::{NotificationsArgs, PushArgs},
    transfer::TransferCommand,
    units::{address, duration, size},
};
pub use self::{
    access::{Access, AdminToken, KeySource, TrustedIssuer},
    choice::{BrokerChoice, DatabaseChoice, DatabaseUrl},
    push::{NotificationsAction, NotificationsRequest, PushConfig},
    transfer::{Place, Transfer},
};
use crate::role::Roles;

/// What the program was asked to do.
#[derive(Debug)]
pub enum Command {
    /// Run the server.
    Serve(Box<Config>),
    /// Print a token.
    Token(TokenRequest),
    /// Move a chat in or out.
    Transfer(Transfer),
    /// Look after pushes that wait or were given up.
    Notifications(NotificationsRequest),
}

/// The server's configuration, checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// What this process does.
    pub roles: Roles,
    /// Page, REST, WebSocket, health.
    pub http: SocketAddr,
    /// STOMP over TCP, if anywhere.
    pub tcp: Option<SocketAddr>,
    /// Where the secret and the lock are.
    pub data: PathBuf,
    /// Accounts, rooms and history.
    pub database: DatabaseChoice,
    /// The log.
    pub broker: BrokerChoice,
    /// What the names of Kafka's topics begin with; processes with the same are one chat.
    pub kafka_prefix: String,
    /// Use a log whose settings could lose what was receipted.
    pub allow_weak_log: bool,
    /// The largest body of a frame or request, in bytes.
    pub max_body: usize,
    /// How long a stop may take before sessions are cut off.
    pub drain: Duration,
    /// How long an append may take before its outcome is called unknown.
    pub publish_timeout: Duration,
    /// Browser origins beside the server's own, compared exactly.
    pub allow_origins: Vec<String>,
    /// Connections of this process at a time.
    pub max_connections: usize,
    /// Connections of one user at a time.
    pub max_connections_per_user: usize,
    /// Who may log in, and how much they may ask for.
    pub access: Access,
    /// How pushes leave.
    pub push: PushConfig,
}

/// A token that somebody wants printed.
#[derive(Clone, Debug)]
pub struct TokenRequest {
    /// Whose.
    pub user: String,
    /// With the rights of a back end.
    pub is_service: bool,
    /// How long it lasts.
    pub ttl: Duration,
    /// Where the secret is.
    pub data: PathBuf,
    /// Where the accounts are.
    pub database: DatabaseChoice,
}

/// A configuration that cannot be.
#[derive(Debug)]
pub struct Fault(Refusal);

#[derive(Debug)]
enum Refusal {
    /// Of the arguments' form; it prints itself, also where only help was asked for.
    Form(clap::Error),
    /// Of their meaning: all of them at once.
    Meaning(Vec<String>),
}

impl Fault {
    /// Tells whoever started the program.
    pub fn told(self) -> ExitCode {
        match self.0 {
            Refusal::Form(error) => {
                let _ = error.print();
                ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
            }
            Refusal::Meaning(faults) => {
                faults.iter().for_each(|fault| eprintln!("chat-app: {fault}"));
                ExitCode::from(2)
            }
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Refusal::Form(error) => error.fmt(f),
            Refusal::Meaning(faults) => f.write_str(&faults.join("\n")),
        }
    }
}

impl std::error::Error for Fault {}

/// Known and on its way, but not in this version.
const NOT_YET_FLAGS: &[&str] = &["--config", "--tls-cert", "--tls-key", "--tls-client-ca"];
const NOT_YET_COMMANDS: &[&str] = &["migrate", "config", "check", "doctor"];

#[derive(Parser)]
#[command(name = "chat-app", version, about, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<SubCommand>,
    #[command(flatten)]
    serve: ServeArgs,
}

#[derive(Subcommand)]
enum SubCommand {
    /// Run the server (also without any command)
    Serve(Box<ServeArgs>),
    /// Print a token for a user, alone on the last line; an unknown user is made
    Token(TokenArgs),
    #[command(flatten)]
    Transfer(TransferCommand),
    /// Pushes that wait or were given up
    Notifications(NotificationsArgs),
}

#[derive(Args)]
struct ServeArgs {
    /// What this process does: api, chat, store, or all
    #[arg(long, env = "CHAT_ROLE", default_value = "all", value_delimiter = ',')]
    role: Vec<String>,
    /// Address of the page, REST, WebSocket /ws and health
    #[arg(long, env = "CHAT_HTTP", default_value = "127.0.0.1:8080")]
    http: String,
    /// Address of STOMP over TCP, for apps and bots
    #[arg(long, env = "CHAT_TCP", default_value = "off")]
    tcp: String,
    #[command(flatten)]
    place: PlaceArgs,
    /// sqlite:PATH, kafka://host:port[,host:port] or memory [default: sqlite:DATA/log.db]
    #[arg(long, env = "CHAT_BROKER")]
    broker: Option<String>,
    /// What the names of Kafka's topics begin with; processes with the same are one chat
    #[arg(long, env = "CHAT_KAFKA_PREFIX", default_value = "chat")]
    kafka_prefix: String,
    /// Use a log on Kafka whose settings could lose what was receipted
    #[arg(long, env = "CHAT_ALLOW_WEAK_LOG")]
    allow_weak_log: bool,
    /// Accept that a log in memory loses what it has not stored when the process ends
    #[arg(long, env = "CHAT_ALLOW_LOSS")]
    allow_loss: bool,
    /// Largest body of a frame or request
    #[arg(long, env = "CHAT_MAX_BODY", default_value = "64KiB")]
    max_body: String,
    /// How long a stop may take
    #[arg(long, env = "CHAT_DRAIN", default_value = "10s")]
    drain: String,
    /// How long an append may take before its outcome is called unknown
    #[arg(long, env = "CHAT_PUBLISH_TIMEOUT", default_value = "30s")]
    publish_timeout: String,
    /// Browser origins that may use this server from elsewhere, e.g. https://chat.example.org
    #[arg(long, env = "CHAT_ALLOW_ORIGIN", value_delimiter = ',')]
    allow_origin: Vec<String>,
    /// Connections at a time
    #[arg(long, env = "CHAT_MAX_CONNECTIONS", default_value_t = 15_000)]
    max_connections: usize,
    /// Connections of one user at a time
    #[arg(long, env = "CHAT_MAX_CONNECTIONS_PER_USER", default_value_t = 20)]
    max_connections_per_user: usize,
    #[command(flatten)]
    access: AccessArgs,
    #[command(flatten)]
    push: PushArgs,
}

#[derive(Args)]
struct PlaceArgs {
    /// Folder of everything that is kept
    #[arg(long, env = "CHAT_DATA", default_value = "chat-data")]
    data: PathBuf,
    /// sqlite:PATH or mysql://user:password@host:port/name [default: sqlite:DATA/chat.db]
    #[arg(long, env = "CHAT_DATABASE")]
    database: Option<String>,
}

#[derive(Args)]
struct TokenArgs {
    /// Whose
    user: String,
    /// service: with the rights of a back end
    #[arg(long, value_parser = ["service"])]
    scope: Option<String>,
    /// How long it lasts, e.g. 30d, 12h, 90s
    #[arg(long, default_value = "30d")]
    ttl: String,
    #[command(flatten)]
    place: PlaceArgs,
}

/// Reads the arguments.
///
/// # Errors
/// Also where only help or the version was asked for; [`Fault::told`] knows.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Command, Fault> {
    let args: Vec<_> = args.into_iter().collect();
    refuse_what_is_not_built(&args)?;
    let cli = Cli::try_parse_from(args).map_err(|error| Fault(Refusal::Form(error)))?;
    match cli.command {
        Some(SubCommand::Token(args)) => args.checked().map(Command::Token),
        Some(SubCommand::Transfer(args)) => args.checked().map(Command::Transfer),
        Some(SubCommand::Notifications(args)) => args.checked().map(Command::Notifications),
        Some(SubCommand::Serve(args)) => args.checked().map(Box::new).map(Command::Serve),
        None => cli.serve.checked().map(Box::new).map(Command::Serve),
    }
}

fn refuse_what_is_not_built(args: &[OsString]) -> Result<(), Fault> {
    let words = args.iter().skip(1).filter_map(|arg| arg.to_str());
    let mut faults = Vec::new();
    for (n, word) in words.enumerate() {
        let name = word.split('=').next().unwrap_or(word);
        if NOT_YET_FLAGS.contains(&name) || (n == 0 && NOT_YET_COMMANDS.contains(&name)) {
            faults.push(format!("{name} is not built yet in this version: leave it out."));
        }
    }
    if faults.is_empty() { Ok(()) } else { Err(Fault(Refusal::Meaning(faults))) }
}

impl Config {
    /// Whether other processes may work on the same rooms.
    pub fn is_shared(&self) -> bool {
        self.broker.is_shared() && matches!(self.database, DatabaseChoice::MySql(_))
    }
}

impl ServeArgs {
    fn checked(self) -> Result<Config, Fault> {
        let mut faults = Faults::default();
        let roles = faults.take(Roles::parse(&self.role)).unwrap_or(Roles::ALL);
        let broker = self.broker.as_deref().map(BrokerChoice::parse);
        let default_log = || Ok(BrokerChoice::Sqlite(self.place.data.join("log.db")));
        let broker = faults.take(broker.unwrap_or_else(default_log));
        faults.check(broker != Some(BrokerChoice::Memory) || self.allow_loss, || {
            "--broker memory loses messages when the process ends: add --allow-loss if that is \
             meant, or use --broker sqlite:PATH."
                .into()
        });
        let database = faults.take(self.place.database()).unwrap_or(UNREAD);
        let broker = broker.unwrap_or(BrokerChoice::Memory);
        faults.0.extend(roles.faults(&database, &broker));
        let config = Config {
            roles,
            http: faults.take(address("--http", &self.http)).unwrap_or(UNUSED),
            tcp: match self.tcp.as_str() {
                "off" | "none" => None,
                text => faults.take(address("--tcp", text)),
            },
            database,
            data: self.place.data,
            broker,
            kafka_prefix: self.kafka_prefix,
            allow_weak_log: self.allow_weak_log,
            max_body: faults.take(size("--max-body", &self.max_body)).unwrap_or_default(),
            drain: faults.take(duration("--drain", &self.drain)).unwrap_or_default(),
            publish_timeout: faults
                .take(duration("--publish-timeout", &self.publish_timeout))
                .unwrap_or_default(),
            allow_origins: self.allow_origin,
            max_connections: self.max_connections,
            max_connections_per_user: self.max_connections_per_user,
            access: self.access.checked(&mut faults),
            push: self.push.checked(&mut faults),
        };
        faults.none()?;
        Ok(config)
    }
}

/// Stands in for an address that has a fault, until all faults are told.
const UNUSED: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), 0);

/// Stands in for a database that has a fault, likewise.
const UNREAD: DatabaseChoice = DatabaseChoice::Sqlite(PathBuf::new());

impl TokenArgs {
    fn checked(self) -> Result<TokenRequest, Fault> {
        let mut faults = Faults::default();
        let request = TokenRequest {
            ttl: faults.take(duration("--ttl", &self.ttl)).unwrap_or_default(),
            database: faults.take(self.place.database()).unwrap_or(UNREAD),
            data: self.place.data,
            user: self.user,
            is_service: self.scope.is_some(),
        };
        faults.none()?;
        Ok(request)
    }
}

impl PlaceArgs {
    fn database(&self) -> Result<DatabaseChoice, String> {
        match self.database.as_deref() {
            None => Ok(DatabaseChoice::Sqlite(self.data.join("chat.db"))),
            Some(text) => DatabaseChoice::parse(text),
        }
    }
}

/// Collects what is wrong, to tell all of it at once.
#[derive(Default)]
struct Faults(Vec<String>);

impl Faults {
    fn take<T>(&mut self, read: Result<T, String>) -> Option<T> {
        read.map_err(|fault| self.0.push(fault)).ok()
    }

    fn check(&mut self, holds: bool, fault: impl FnOnce() -> String) {
        if !holds {
            self.0.push(fault());
        }
    }

    fn none(self) -> Result<(), Fault> {
        if self.0.is_empty() { Ok(()) } else { Err(Fault(Refusal::Meaning(self.0))) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(args: &[&str]) -> Result<Command, Fault> {
        parse(std::iter::once("chat-app").chain(args.iter().copied()).map(Into::into))
    }

    fn told(args: &[&str]) -> String {
        parsed(args).unwrap_err().to_string()
    }

    #[test]
    fn without_arguments_everything_runs_in_one_folder() {
        let Command::Serve(config) = parsed(&[]).unwrap() else { panic!("serve") };
        assert_eq!(config.http.to_string(), "127.0.0.1:8080");
        assert_eq!(config.tcp, None);
        assert_eq!(config.database, DatabaseChoice::Sqlite("chat-data/chat.db".into()));
        assert_eq!(config.broker, BrokerChoice::Sqlite("chat-data/log.db".into()));
        assert_eq!(config.max_body, 65_536);
    }

    #[test]
    fn the_data_folder_moves_both_defaults() {
        let Command::Serve(config) = parsed(&["serve", "--data", "/d"]).unwrap() else {
            panic!("serve")
        };
        assert_eq!(config.database, DatabaseChoice::Sqlite("/d/chat.db".into()));
        assert_eq!(config.broker, BrokerChoice::Sqlite("/d/log.db".into()));
    }

    #[test]
    fn all_faults_are_told_at_once() {
        let said = told(&["--http", "here", "--broker", "memory", "--drain", "soon"]);
        for part in ["--http here", "--allow-loss", "--drain soon"] {
            assert!(said.contains(part), "{said}");
        }
    }

    #[test]
    fn whose_tokens_are_taken_is_said_in_one_way() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secret");
        std::fs::write(&file, "0123456789abcdef0123456789abcdef\n").unwrap();
        let secret = format!("@{}", file.display());
        let issuer = |args: &[&str]| match parsed(args).unwrap() {
            Command::Serve(config) => config.access.issuer.unwrap(),
            _ => panic!("serve"),
        };
        let taken = issuer(&["--jwt-secret", &secret, "--jwt-audience", "chat"]);
        assert_eq!(taken.keys, KeySource::Secret(b"0123456789abcdef0123456789abcdef".to_vec()));
        assert_eq!(taken.audience.as_deref(), Some("chat"));
        let taken = issuer(&["--jwt-jwks", "https://id.example/keys"]).keys;
        assert_eq!(taken, KeySource::Url("https://id.example/keys".into()));
        assert_eq!(issuer(&["--jwt-jwks", "keys.json"]).keys, KeySource::File("keys.json".into()));
        std::fs::write(&file, "short").unwrap();
        assert!(told(&["--jwt-secret", &secret]).contains("at least 32"));
        assert!(told(&["--jwt-secret", "plain"]).contains("CHAT_JWT_SECRET"));
        assert!(told(&["--jwt-issuer", "x"]).contains("--jwt-jwks"));
        assert!(told(&["--rate-send", "0"]).contains("--rate-send 0"));
        assert!(told(&["--trusted-proxy", "here"]).contains("--trusted-proxy here"));
    }

    #[test]
    fn what_is_not_built_yet_says_so() {
        assert!(told(&["--tls-cert", "y"]).contains("--tls-cert is not built"));
        assert!(told(&["doctor"]).contains("not built yet"));
    }

    #[test]
    fn roles_that_cannot_work_together_are_refused_with_what_mends_it() {
        let said = told(&["--role", "api,chat"]);
        assert!(said.contains("--database mysql://") && said.contains("--broker kafka://"));
        let shared = ["--database", "mysql://c:c@db/c", "--broker", "kafka://k:9092"];
        let said = told(&[&["--role", "chat"], &shared[..2]].concat());
        assert!(said.contains("--broker kafka://") && !said.contains("SQLite"), "{said}");
        let said = told(&[&["--role", "chat"], &shared[2..]].concat());
        assert!(said.contains("--database mysql://") && !said.contains("this log"), "{said}");
        assert!(told(&["--role", "talk"]).contains("roles are api, chat, store and notify"));
        for role in ["api", "chat,store", "all"] {
            let Command::Serve(config) =
                parsed(&[&["--role", role], &shared[..]].concat()).unwrap()
            else {
                panic!("serve")
            };
            assert!(config.is_shared());
        }
        let Command::Serve(config) = parsed(&[]).unwrap() else { panic!("serve") };
        assert!(!config.is_shared());
    }
}
