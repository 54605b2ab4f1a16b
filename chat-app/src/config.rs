//! Every knob, with its default and its reason; what cannot be is refused before anything starts.

mod access;
mod choice;
mod command;
mod push;
mod table;
mod transfer;

use std::{ffi::OsString, fmt, net::SocketAddr, path::PathBuf, process::ExitCode, time::Duration};

use clap::{ArgMatches, FromArgMatches as _};
use stomp_server::{
    TlsFiles,
    program::{
        knobs::{Origin, Settings, units},
        log,
    },
};

pub use self::{
    access::{Access, AdminToken, KeySource, TrustedIssuer},
    choice::{BrokerChoice, DatabaseChoice, DatabaseUrl},
    command::MigrateAction,
    push::{NotificationsAction, NotificationsRequest, PushConfig},
    transfer::{Place, Transfer},
};
use self::{
    command::{NotificationsArgs, SubCommand, TokenArgs, command},
    table::PROGRAM,
};
use crate::role::Roles;

/// What the program was asked to do, and how it is to log.
#[derive(Debug)]
pub struct Wish {
    /// What.
    pub command: Command,
    /// Which events are logged.
    pub log: log::Filter,
    /// How a line of the log looks.
    pub log_format: log::Format,
}

/// What the program can be asked to do.
#[derive(Debug)]
pub enum Command {
    /// Run the server.
    Serve(Box<Config>),
    /// Print this, and no more.
    Print(String),
    /// Say what is wrong with the settings and with the files that they name.
    Check {
        /// What could be read of the settings.
        config: Box<Config>,
        /// With what is wrong so far.
        settings: Box<Settings>,
    },
    /// Say what keeps the server from working well here.
    Doctor(Box<Config>),
    /// Look after the schema.
    Migrate {
        /// Where the database is.
        place: Place,
        /// What to do.
        action: MigrateAction,
    },
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
    /// TLS on both, if it is wanted.
    pub tls: Option<TlsFiles>,
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
    /// Files that the settings name and that only their owner may read.
    pub secret_files: Vec<PathBuf>,
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
    /// Faults of the settings, all at once.
    pub fn of(faults: Vec<String>) -> Self {
        Self(Refusal::Meaning(faults))
    }

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

/// Reads the arguments, the environment and the file of settings.
///
/// # Errors
/// Also where only help or the version was asked for; [`Fault::told`] knows.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Wish, Fault> {
    let form = |error| Fault(Refusal::Form(error));
    let matches = command().try_get_matches_from(args).map_err(form)?;
    let (command, matches) = match matches.subcommand() {
        None => (SubCommand::Serve, &matches),
        Some((_, inner)) => (SubCommand::from_arg_matches(&matches).map_err(form)?, inner),
    };
    let mut settings = settings(matches);
    let formats = [("text", log::Format::Text), ("json", log::Format::Json)];
    let log = settings.value("log", log::filter);
    let log_format = settings.value("log-format", units::one_of(&formats));
    Ok(Wish { command: command.checked(settings)?, log, log_format })
}

/// The settings, with the defaults that follow from where the data is.
fn settings(matches: &ArgMatches) -> Settings {
    let mut settings = PROGRAM.settings(matches);
    let data = settings.value("data", units::path);
    for (name, scheme, file) in [
        ("database", "sqlite:", "chat.db"),
        ("broker", "sqlite:", "log.db"),
        ("vapid-key", "", "vapid.key"),
    ] {
        settings.assume(name, format!("{scheme}{}", data.join(file).display()));
    }
    settings
}

impl SubCommand {
    fn checked(self, mut settings: Settings) -> Result<Command, Fault> {
        let command = match self {
            Self::Serve => Command::Serve(Box::new(Config::read(&mut settings))),
            Self::Config => {
                Config::read(&mut settings);
                Command::Print(settings.effective())
            }
            Self::Check => {
                let config = Box::new(Config::read(&mut settings));
                return Ok(Command::Check { config, settings: Box::new(settings) });
            }
            Self::Doctor => Command::Doctor(Box::new(Config::read(&mut settings))),
            Self::Migrate { action } => {
                Command::Migrate { place: Place::read(&mut settings), action }
            }
            Self::Token(args) => Command::Token(args.request(Place::read(&mut settings))),
            Self::Export(args) => Command::Transfer(Transfer::Export {
                place: Place::read(&mut settings),
                file: args.file,
                passwords: args.passwords,
            }),
            Self::Import(args) => {
                let place = Place::read(&mut settings);
                Command::Transfer(Transfer::Import { place, file: args.file })
            }
            Self::Demo => Command::Transfer(Transfer::Demo(Place::read(&mut settings))),
            Self::Backup(args) => Command::Transfer(Transfer::Backup {
                place: Place::read(&mut settings),
                broker: settings.value("broker", BrokerChoice::parse),
                file: args.file,
            }),
            Self::Notifications(args) => {
                Command::Notifications(args.request(Place::read(&mut settings)))
            }
        };
        match settings.faults() {
            [] => Ok(command),
            _ => Err(Fault::of(settings.into_faults())),
        }
    }
}

impl TokenArgs {
    fn request(self, place: Place) -> TokenRequest {
        TokenRequest {
            user: self.user,
            is_service: self.scope.is_some(),
            ttl: self.ttl,
            data: place.data,
            database: place.database,
        }
    }
}

impl NotificationsArgs {
    fn request(self, place: Place) -> NotificationsRequest {
        NotificationsRequest { database: place.database, action: self.action, ids: self.ids }
    }
}

impl Place {
    fn read(settings: &mut Settings) -> Self {
        Self {
            data: settings.value("data", units::path),
            database: settings.value("database", DatabaseChoice::parse),
        }
    }
}

impl Config {
    /// Whether other processes may work on the same rooms.
    pub fn is_shared(&self) -> bool {
        self.broker.is_shared() && matches!(self.database, DatabaseChoice::MySql(_))
    }

    /// Reads all settings. What is wrong with them is noted there, all of it.
    fn read(settings: &mut Settings) -> Self {
        let Place { data, database } = Place::read(settings);
        let broker: BrokerChoice = settings.value("broker", BrokerChoice::parse);
        let roles = roles(settings, &database, &broker);
        let may_lose = settings.is_on("allow-loss");
        if broker == BrokerChoice::Memory && !may_lose {
            settings.fault(
                "--broker memory loses messages when the process ends: add --allow-loss if that \
                 is meant, or use --broker sqlite:PATH",
            );
        }
        Self {
            roles,
            http: settings.optional("http", address).unwrap_or(UNUSED),
            tcp: settings.value("tcp", units::listener),
            tls: tls(settings),
            data,
            database,
            broker,
            kafka_prefix: settings.value("kafka-prefix", units::text),
            allow_weak_log: settings.is_on("allow-weak-log"),
            max_body: settings.value("max-body", units::size),
            drain: settings.value("drain", units::time),
            publish_timeout: settings.value("publish-timeout", units::time),
            allow_origins: settings.list("allow-origin", units::text),
            max_connections: settings.value("max-connections", units::count),
            max_connections_per_user: settings.value("max-connections-per-user", units::count),
            access: Access::read(settings),
            push: PushConfig::read(settings),
            secret_files: secret_files(settings),
        }
    }
}

/// Stands in for an address that has a fault, until all faults are told.
const UNUSED: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), 0);

/// The files of TLS; without a login by certificates, who has none has no business here.
fn tls(settings: &mut Settings) -> Option<TlsFiles> {
    let certificate = settings.optional("tls-cert", units::path);
    let key = settings.optional("tls-key", units::path);
    let client_ca = settings.optional("tls-client-ca", units::path);
    match (certificate, key) {
        (Some(certificate), Some(key)) => {
            Some(TlsFiles { certificate, key, client_ca, client_may_have_none: false })
        }
        (None, None) => {
            if client_ca.is_some() {
                settings.fault("--tls-client-ca needs TLS: give --tls-cert and --tls-key too");
            }
            None
        }
        _ => {
            settings.fault("--tls-cert and --tls-key belong together: give both");
            None
        }
    }
}

/// Also the file of settings itself, where a secret stands in it.
fn secret_files(settings: &mut Settings) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for name in ["jwt-secret", "admin-token"] {
        let secret = settings.optional(name, units::secret);
        match (secret.as_ref().and_then(units::Secret::file), settings.origin(name)) {
            (Some(file), _) => files.push(file.to_owned()),
            (None, Origin::File(file, _)) => files.push(file),
            (None, _) => {}
        }
    }
    if let (DatabaseChoice::MySql(_), Origin::File(file, _)) =
        (settings.value("database", DatabaseChoice::parse), settings.origin("database"))
    {
        files.push(file);
    }
    files.extend(settings.optional("fcm-credentials", units::path));
    files.extend(settings.optional("tls-key", units::path));
    files.sort();
    files.dedup();
    files
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "an address is like 127.0.0.1:8080".to_owned())
}

fn roles(settings: &mut Settings, database: &DatabaseChoice, broker: &BrokerChoice) -> Roles {
    match Roles::parse(&settings.list("role", units::text)) {
        Ok(roles) => {
            roles.faults(database, broker).into_iter().for_each(|fault| settings.fault(fault));
            roles
        }
        Err(fault) => {
            settings.fault(fault);
            Roles::ALL
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(args: &[&str]) -> Result<Command, Fault> {
        let args = std::iter::once("chat-app").chain(args.iter().copied());
        parse(args.map(Into::into)).map(|wish| wish.command)
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
