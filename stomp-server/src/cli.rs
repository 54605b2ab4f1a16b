//! Flags and environment of the program. Every knob has its default and its unit in the help.

mod access;

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    str::FromStr,
    time::Duration,
};

use clap::{Parser, Subcommand, ValueEnum};
use stomp_server::{
    broker::{BrokerConfig, JournalSync, KafkaConfig},
    session::{SessionLimits, SlowConsumer},
};

pub(crate) use self::access::Access;

/// A STOMP 1.2 broker that never loses a message it has receipted.
#[derive(Debug, Parser)]
#[command(version, about, max_term_width = 100, args_conflicts_with_subcommands = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    /// STOMP over TCP (repeatable; `none` turns it off).
    #[arg(long, env = "STOMP_TCP", default_value = "127.0.0.1:61613", value_delimiter = ',')]
    tcp: Vec<Listen>,
    /// HTTP: WebSocket at /ws, health at /health/live and /health/ready (`none` turns it off).
    #[arg(long, env = "STOMP_HTTP", default_value = "127.0.0.1:15674")]
    http: Listen,
    /// What keeps the messages: `memory`, `sqlite:PATH` for a journal on disk, or
    /// `kafka://host:port[,host:port]` for a log that many instances share.
    #[arg(long, env = "STOMP_BROKER", default_value = "memory")]
    pub(crate) broker: BrokerChoice,
    /// What the names of our Kafka topics begin with; instances with the same are one broker.
    #[arg(long, env = "STOMP_KAFKA_PREFIX", default_value = "stomp")]
    kafka_prefix: String,
    /// Use Kafka topics whose settings could lose what was receipted.
    #[arg(long, env = "STOMP_ALLOW_WEAK_LOG")]
    allow_weak_log: bool,
    #[command(flatten)]
    pub(crate) access: Access,
    /// A browser origin that may connect beside this host, exact (repeatable).
    #[arg(long, env = "STOMP_ALLOW_ORIGIN", value_delimiter = ',')]
    pub(crate) allow_origin: Vec<String>,
    /// A name that CONNECT may give as `host` (repeatable; any by default).
    #[arg(long, env = "STOMP_HOST", value_delimiter = ',')]
    host: Vec<String>,
    /// What splits the words of a topic for `*`, `#` and `>`.
    #[arg(long, env = "STOMP_SEPARATOR", default_value_t = '.')]
    pub(crate) separator: char,
    /// How long connections may take to end when the server is told to stop.
    #[arg(long, env = "STOMP_DRAIN", default_value = "10s", value_parser = humantime::parse_duration)]
    pub(crate) drain: Duration,

    /// The largest body.
    #[arg(long, env = "STOMP_MAX_BODY", default_value = "4MiB", value_parser = bytes)]
    max_body: usize,
    /// The longest header line.
    #[arg(long, env = "STOMP_MAX_HEADER_LINE", default_value = "10KiB", value_parser = bytes)]
    max_header_line: usize,
    /// The most headers in a frame.
    #[arg(long, env = "STOMP_MAX_HEADERS", default_value_t = 64)]
    max_headers: usize,
    /// The largest head: command and headers together.
    #[arg(long, env = "STOMP_MAX_HEAD", default_value = "64KiB", value_parser = bytes)]
    max_head: usize,
    /// How long a connection may take until its CONNECT frame is complete.
    #[arg(long, env = "STOMP_CONNECT_TIMEOUT", default_value = "10s", value_parser = humantime::parse_duration)]
    connect_timeout: Duration,
    /// The most subscriptions in a session.
    #[arg(long, env = "STOMP_MAX_SUBSCRIPTIONS", default_value_t = 128)]
    max_subscriptions: usize,
    /// The most open transactions in a session.
    #[arg(long, env = "STOMP_MAX_TRANSACTIONS", default_value_t = 16)]
    max_transactions: usize,
    /// The most connections of this process.
    #[arg(long, env = "STOMP_MAX_CONNECTIONS", default_value_t = 15_000)]
    pub(crate) max_connections: usize,
    /// How much may wait for a connection that reads slowly.
    #[arg(long, env = "STOMP_OUTBOUND", default_value = "1MiB", value_parser = bytes)]
    outbound: usize,
    /// What happens to a subscriber of topics for whom that is not enough.
    #[arg(long, env = "STOMP_SLOW_CONSUMER", value_enum, default_value_t = Slow::Disconnect)]
    slow_consumer: Slow,
    /// The shortest heart-beat interval.
    #[arg(long, env = "STOMP_HEARTBEAT_MIN", default_value = "500ms", value_parser = humantime::parse_duration)]
    heartbeat_min: Duration,
    /// How much of the newest messages stays in memory for those who resume.
    #[arg(long, env = "STOMP_RING", default_value = "64MiB", value_parser = bytes)]
    ring: usize,
    /// The most messages in a queue.
    #[arg(long, env = "STOMP_QUEUE_MAX", default_value_t = 1_000_000)]
    queue_max: usize,
    /// How often a message is offered before it goes to the dead letters.
    #[arg(long, env = "STOMP_MAX_DELIVERIES", default_value_t = 10)]
    max_deliveries: u32,
    /// How long a publisher's message-dedup-id is remembered.
    #[arg(long, env = "STOMP_DEDUP_WINDOW", default_value = "10m", value_parser = humantime::parse_duration)]
    dedup_window: Duration,
    /// How long a SEND waits for a log that is away or full.
    #[arg(long, env = "STOMP_PUBLISH_TIMEOUT", default_value = "30s", value_parser = humantime::parse_duration)]
    publish_timeout: Duration,
    /// The most that the journal may hold on disk; SENDs wait when it is full.
    #[arg(long, env = "STOMP_JOURNAL_MAX", default_value = "10GiB", value_parser = bytes)]
    journal_max: usize,
    /// What a receipt of a journaled message survives: `full` a loss of power too, `normal` the
    /// process only.
    #[arg(long, env = "STOMP_JOURNAL_SYNC", value_enum, default_value_t = Sync::Full)]
    journal_sync: Sync,
}

/// What else the program does.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Command {
    /// Read a password from standard input and print its hash, for a file of users.
    HashPassword,
    #[command(flatten)]
    Tool(Box<crate::tools::Tool>),
}

/// An address, or none.
#[derive(Clone, Copy, Debug)]
enum Listen {
    At(SocketAddr),
    Nowhere,
}

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "none" {
            return Ok(Self::Nowhere);
        }
        let address = text.parse().map(Self::At);
        address.map_err(|_| "an address looks like 127.0.0.1:61613 (or none)".to_owned())
    }
}

/// The backend.
#[derive(Clone, Debug)]
pub(crate) enum BrokerChoice {
    Memory,
    Sqlite(PathBuf),
    /// Some nodes of a cluster, `host:port[,host:port]`.
    Kafka(String),
}

impl FromStr for BrokerChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            None if text == "memory" => Ok(Self::Memory),
            Some(("sqlite", path)) if !path.is_empty() => Ok(Self::Sqlite(path.into())),
            Some(("kafka", nodes)) => match nodes.strip_prefix("//") {
                Some(nodes) if nodes.split(',').all(is_node) => Ok(Self::Kafka(nodes.to_owned())),
                _ => Err("Kafka's nodes look like kafka://host:port,host:port".to_owned()),
            },
            _ => Err("a broker is memory, sqlite:PATH or kafka://host:port".to_owned()),
        }
    }
}

/// Whether a text is `host:port`; IPv6 addresses stand in brackets.
fn is_node(text: &str) -> bool {
    text.rsplit_once(':')
        .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Slow {
    /// The connection is closed with an ERROR; it comes back and resumes.
    Disconnect,
    /// The oldest waiting messages are dropped and counted.
    DropOldest,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Sync {
    /// Every commit is on the disk.
    Full,
    /// Commits are with the operating system.
    Normal,
}

fn bytes(text: &str) -> Result<usize, String> {
    let size: bytesize::ByteSize = text.parse()?;
    usize::try_from(size.as_u64()).map_err(|_| "larger than this machine's memory".to_owned())
}

impl Cli {
    /// Everything that is wrong with it, each with what mends it.
    pub(crate) fn faults(&self) -> Vec<String> {
        let mut faults = self.access.faults();
        let addresses = self.tcp_addresses().into_iter().chain(self.http_address());
        for address in addresses.filter(|address| !is_loopback(address.ip())) {
            if !self.access.allow_anonymous && !self.access.knows_users() {
                faults.push(format!(
                    "{address} is reached from other machines and anybody could log in: name \
                     who may by --users or --jwt-secret, listen on 127.0.0.1, or say \
                     --allow-anonymous if that is what you want"
                ));
            }
        }
        if self.tcp_addresses().is_empty() && self.http_address().is_none() {
            faults.push("--tcp none and --http none leave nothing to connect to".to_owned());
        }
        if self.max_header_line > self.max_head {
            faults.push("--max-header-line is larger than --max-head; raise --max-head".to_owned());
        }
        faults
    }

    pub(crate) fn tcp_addresses(&self) -> Vec<SocketAddr> {
        self.tcp.iter().filter_map(|listen| listen.address()).collect()
    }

    pub(crate) fn http_address(&self) -> Option<SocketAddr> {
        self.http.address()
    }

    pub(crate) fn session_limits(&self) -> SessionLimits {
        let defaults = SessionLimits::default();
        SessionLimits {
            frame: stomp_core::Limits {
                header_line: self.max_header_line,
                headers: self.max_headers,
                head: self.max_head,
                body: self.max_body,
                ..defaults.frame
            },
            connect_timeout: self.connect_timeout,
            subscriptions: self.max_subscriptions,
            transactions: self.max_transactions,
            outbound: self.outbound,
            slow_consumer: match self.slow_consumer {
                Slow::Disconnect => SlowConsumer::Disconnect,
                Slow::DropOldest => SlowConsumer::DropOldest,
            },
            heartbeat_min: self.heartbeat_min,
            hosts: self.host.clone(),
            ..defaults
        }
    }

    /// The settings of the broker on these nodes of Kafka.
    pub(crate) fn kafka_config(&self, nodes: &str) -> KafkaConfig {
        KafkaConfig {
            prefix: self.kafka_prefix.clone(),
            allow_weak_log: self.allow_weak_log,
            max_body: self.max_body,
            broker: self.broker_config(),
            ..KafkaConfig::new(nodes)
        }
    }

    pub(crate) fn broker_config(&self) -> BrokerConfig {
        BrokerConfig {
            separator: self.separator,
            ring_bytes: self.ring,
            dedupe_window: self.dedup_window,
            queue_max: self.queue_max,
            max_deliveries: self.max_deliveries,
            publish_timeout: self.publish_timeout,
            journal_max: self.journal_max as u64,
            journal_sync: match self.journal_sync {
                Sync::Full => JournalSync::Full,
                Sync::Normal => JournalSync::Normal,
            },
            ..BrokerConfig::default()
        }
    }
}

impl Listen {
    fn address(self) -> Option<SocketAddr> {
        match self {
            Self::At(address) => Some(address),
            Self::Nowhere => None,
        }
    }
}

fn is_loopback(ip: IpAddr) -> bool {
    ip.to_canonical().is_loopback()
}
