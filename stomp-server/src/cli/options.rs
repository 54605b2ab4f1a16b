//! The settings as the server's parts want them.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use stomp_server::{
    broker::{BrokerConfig, JournalSync, KafkaBridge, KafkaConfig, KafkaQueue},
    program::{
        knobs::{Origin, Settings, units},
        log,
    },
    session::{SessionLimits, SlowConsumer},
};

use super::{Access, BrokerChoice, broker::broker};

/// Everything that a server needs to start.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) tcp: Vec<SocketAddr>,
    pub(crate) http: Option<SocketAddr>,
    pub(crate) broker: BrokerChoice,
    pub(crate) access: Access,
    pub(crate) allow_origin: Vec<String>,
    pub(crate) separator: char,
    pub(crate) drain: Duration,
    pub(crate) max_connections: usize,
    pub(crate) limits: SessionLimits,
    pub(crate) storage: BrokerConfig,
    log: log::Filter,
    pub(crate) log_format: log::Format,
    kafka: Kafka,
}

#[derive(Debug)]
struct Kafka {
    prefix: String,
    allow_weak_log: bool,
    max_queues: usize,
    queues: Vec<KafkaQueue>,
    bridges: Vec<KafkaBridge>,
}

impl Options {
    /// Reads all settings. What is wrong with them is noted there, all of it.
    pub(crate) fn read(settings: &mut Settings) -> Self {
        let options = Self {
            tcp: settings.list("tcp", units::listener).into_iter().flatten().collect(),
            http: settings.value("http", units::listener),
            broker: settings.value("broker", broker),
            access: Access::read(settings),
            allow_origin: settings.list("allow-origin", origin),
            separator: settings.value("separator", separator),
            drain: settings.value("drain", units::time),
            max_connections: settings.value("max-connections", units::count),
            limits: limits(settings),
            storage: storage(settings),
            log: filter(settings),
            log_format: settings.value(
                "log-format",
                units::one_of(&[("text", log::Format::Text), ("json", log::Format::Json)]),
            ),
            kafka: Kafka {
                prefix: settings.value("kafka-prefix", units::text),
                allow_weak_log: settings.is_on("allow-weak-log"),
                max_queues: settings.value("kafka-max-queues", units::number),
                queues: settings.rows("kafka.queue"),
                bridges: settings.rows("kafka.bridge"),
            },
        };
        let nowhere = options.tcp.is_empty() && options.http.is_none();
        // A listener that could not be read has been told of already.
        if nowhere && settings.faults().is_empty() {
            settings.fault("--tcp none and --http none leave nothing to connect to");
        }
        options.faults().into_iter().for_each(|fault| settings.fault(fault));
        options
    }

    /// The log's filter, which is used once.
    pub(crate) fn take_log(mut self) -> (Self, log::Filter) {
        let filter = std::mem::take(&mut self.log);
        (self, filter)
    }

    /// The settings of the broker on these nodes of Kafka.
    pub(crate) fn kafka_config(&self, nodes: &str) -> KafkaConfig {
        KafkaConfig {
            prefix: self.kafka.prefix.clone(),
            allow_weak_log: self.kafka.allow_weak_log,
            max_body: self.limits.frame.body,
            queues: self.kafka.queues.clone(),
            max_queues: self.kafka.max_queues,
            bridges: self.kafka.bridges.clone(),
            broker: self.storage.clone(),
            ..KafkaConfig::new(nodes)
        }
    }

    /// What does not fit together, each with what mends it.
    fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let addresses = self.tcp.iter().chain(&self.http);
        for address in addresses.filter(|address| !is_loopback(address.ip())) {
            if !self.access.allow_anonymous && !self.access.knows_users() {
                faults.push(format!(
                    "{address} is reached from other machines and anybody could log in: name \
                     who may by --users or --jwt-secret, listen on 127.0.0.1, or say \
                     --allow-anonymous if that is what you want"
                ));
            }
        }
        for queue in self.kafka.queues.iter().filter(|queue| queue.partitions == 0) {
            faults.push(format!("[[kafka.queue]] {}: partitions is 1 or more", queue.name));
        }
        for bridge in &self.kafka.bridges {
            if !bridge.destination.starts_with("/topic/") {
                let destination = &bridge.destination;
                faults.push(format!("[[kafka.bridge]] {destination}: it begins with /topic/"));
            }
        }
        if self.limits.frame.header_line > self.limits.frame.head {
            faults.push("--max-header-line is larger than --max-head; raise --max-head".to_owned());
        }
        faults
    }
}

fn limits(settings: &mut Settings) -> SessionLimits {
    let defaults = SessionLimits::default();
    SessionLimits {
        frame: stomp_core::Limits {
            header_line: settings.value("max-header-line", units::size),
            headers: settings.value("max-headers", units::count),
            head: settings.value("max-head", units::size),
            body: settings.value("max-body", units::size),
            ..defaults.frame
        },
        connect_timeout: settings.value("connect-timeout", units::time),
        subscriptions: settings.value("max-subscriptions", units::number),
        transactions: settings.value("max-transactions", units::number),
        outbound: settings.value("outbound", units::size),
        slow_consumer: settings.value(
            "slow-consumer",
            units::one_of(&[
                ("disconnect", SlowConsumer::Disconnect),
                ("drop-oldest", SlowConsumer::DropOldest),
            ]),
        ),
        heartbeat_min: settings.value("heartbeat-min", units::time),
        hosts: settings.list("host", units::text),
        ..defaults
    }
}

fn storage(settings: &mut Settings) -> BrokerConfig {
    BrokerConfig {
        separator: settings.value("separator", separator),
        ring_bytes: settings.value("ring", units::size),
        dedupe_window: settings.value("dedup-window", units::time),
        queue_max: settings.value("queue-max", units::count),
        max_deliveries: settings.value("max-deliveries", units::count),
        publish_timeout: settings.value("publish-timeout", units::time),
        journal_max: settings.value("journal-max", units::size) as u64,
        journal_sync: settings.value(
            "journal-sync",
            units::one_of(&[("full", JournalSync::Full), ("normal", JournalSync::Normal)]),
        ),
        ..BrokerConfig::default()
    }
}

/// What Rust programs share, `RUST_LOG`, holds where nobody says anything to this one.
fn filter(settings: &mut Settings) -> log::Filter {
    if settings.origin("log") == Origin::Default
        && let Ok(text) = std::env::var("RUST_LOG")
        && !text.is_empty()
    {
        return log::filter(&text).unwrap_or_else(|why| {
            settings.fault(format!("RUST_LOG={text}: {why}"));
            log::Filter::default()
        });
    }
    settings.value("log", log::filter)
}

fn separator(text: &str) -> Result<char, String> {
    let mut chars = text.chars();
    match (chars.next(), chars.next()) {
        (Some('*' | '#' | '>'), None) => Err("not one of * # >".to_owned()),
        (Some(separator), None) => Ok(separator),
        _ => Err("one character".to_owned()),
    }
}

/// Browsers send scheme, host and port and nothing behind it, so anything else never matches.
fn origin(text: &str) -> Result<String, String> {
    let host = text.split_once("://").map(|(_, host)| host);
    if host.is_some_and(|host| !host.is_empty() && !host.contains('/')) {
        return Ok(text.to_owned());
    }
    Err("an origin is like https://chat.example.com, with nothing behind it".to_owned())
}

fn is_loopback(ip: IpAddr) -> bool {
    ip.to_canonical().is_loopback()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::table::PROGRAM;

    /// The table and the library say the same, so that who embeds and who runs have one broker.
    #[test]
    fn the_defaults_are_those_of_the_library() {
        let matches = clap::Command::new("x").args(PROGRAM.args()).get_matches_from(["x"]);
        let mut settings = PROGRAM.settings_with(&matches, |_| None);
        let options = Options::read(&mut settings);
        assert!(settings.faults().is_empty(), "{:?}", settings.faults());
        let shown = |value: &dyn std::fmt::Debug| format!("{value:?}");
        assert_eq!(shown(&options.limits), shown(&SessionLimits::default()));
        assert_eq!(shown(&options.storage), shown(&BrokerConfig::default()));
        assert_eq!(shown(&options.kafka_config("k:1")), shown(&KafkaConfig::new("k:1")));
        assert_eq!(options.tcp, ["127.0.0.1:61613".parse().expect("an address")]);
        assert_eq!(options.http, Some("127.0.0.1:15674".parse().expect("an address")));
        assert_eq!((options.max_connections, options.drain), (15_000, Duration::from_secs(10)));
    }
}
