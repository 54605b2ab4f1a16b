//! Which broker, as people write it.

use std::path::PathBuf;

/// The backend.
#[derive(Clone, Debug, Default)]
pub(crate) enum BrokerChoice {
    #[default]
    Memory,
    Sqlite(PathBuf),
    /// Some nodes of a cluster, `host:port[,host:port]`.
    Kafka(String),
}

/// `memory`, `sqlite:PATH` or `kafka://host:port[,host:port]`.
pub(super) fn broker(text: &str) -> Result<BrokerChoice, String> {
    match text.split_once(':') {
        None if text == "memory" => Ok(BrokerChoice::Memory),
        Some(("sqlite", path)) if !path.is_empty() => Ok(BrokerChoice::Sqlite(path.into())),
        Some(("kafka", nodes)) => match nodes.strip_prefix("//") {
            Some(nodes) if nodes.split(',').all(is_node) => {
                Ok(BrokerChoice::Kafka(nodes.to_owned()))
            }
            _ => Err("Kafka's nodes look like kafka://host:port,host:port".to_owned()),
        },
        _ => Err("a broker is memory, sqlite:PATH or kafka://host:port".to_owned()),
    }
}

/// Whether a text is `host:port`; IPv6 addresses stand in brackets.
fn is_node(text: &str) -> bool {
    text.rsplit_once(':')
        .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
}
