//! What the ports stand on: the database and the log, as configured.

use std::sync::Arc;

use stomp_server::{
    Tls,
    broker::{Broker, BrokerConfig, Durability, JournalBroker, MemoryBroker},
};

use super::Failure;
use crate::{
    config::{BrokerChoice, Config, DatabaseChoice},
    domain::partition_key,
    stomp::{RoomsPast, Withdrawn},
    store::sql::Sql,
};

pub(super) async fn database(choice: &DatabaseChoice) -> Result<Sql, Failure> {
    Sql::open(choice)
        .await
        .map_err(|error| format!("the database {choice} cannot be used: {error}").into())
}

/// The certificates of both listeners, if they speak TLS.
pub(super) fn tls(config: &Config) -> Result<Option<Arc<Tls>>, String> {
    let tls = config.tls.clone().map(Tls::load).transpose();
    tls.map(|tls| tls.map(Arc::new)).map_err(|error| format!("TLS: {error}"))
}

pub(super) async fn log(
    config: &Config,
    sql: &Sql,
    withdrawn: Withdrawn,
) -> Result<Arc<dyn Broker>, Failure> {
    let knobs = BrokerConfig {
        history: Some(Arc::new(RoomsPast { history: Arc::new(sql.clone()), withdrawn })),
        publish_timeout: config.publish_timeout,
        partition_key,
        ..BrokerConfig::default()
    };
    Ok(match &config.broker {
        BrokerChoice::Memory => Arc::new(MemoryBroker::new(knobs)),
        BrokerChoice::Sqlite(path) => Arc::new(
            JournalBroker::open(path, knobs)
                .await
                .map_err(|error| format!("the log {} cannot be used: {error}", path.display()))?,
        ),
        BrokerChoice::Kafka(nodes) => kafka(config, nodes, knobs).await?,
    })
}

#[cfg(feature = "kafka")]
async fn kafka(
    config: &Config,
    nodes: &str,
    broker: BrokerConfig,
) -> Result<Arc<dyn Broker>, Failure> {
    let opened = stomp_server::broker::KafkaBroker::open(kafka_config(config, nodes, broker)).await;
    let broker = opened.map_err(|error| format!("the log kafka://{nodes}: {error}"))?;
    Ok(Arc::new(broker))
}

#[cfg(feature = "kafka")]
pub(super) fn kafka_config(
    config: &Config,
    nodes: &str,
    broker: BrokerConfig,
) -> stomp_server::broker::KafkaConfig {
    // A body grows a little when the server puts its own words around it.
    const AROUND: usize = 64 << 10;
    stomp_server::broker::KafkaConfig {
        prefix: config.kafka_prefix.clone(),
        allow_weak_log: config.allow_weak_log,
        max_body: config.max_body + AROUND,
        broker,
        ..stomp_server::broker::KafkaConfig::new(nodes)
    }
}

#[cfg(not(feature = "kafka"))]
async fn kafka(_: &Config, nodes: &str, _: BrokerConfig) -> Result<Arc<dyn Broker>, Failure> {
    Err(format!("the log kafka://{nodes}: this program was built without Kafka").into())
}

/// What a receipt survives, in words.
pub(super) fn describe(choice: &BrokerChoice, durability: Durability) -> String {
    let survives = match durability {
        Durability::Memory => "nothing: what is not yet stored ends with the process",
        Durability::Disk => "the process and a loss of power",
        Durability::Replicated => "the loss of a node",
    };
    let place = match choice {
        BrokerChoice::Memory => "in memory".to_owned(),
        BrokerChoice::Sqlite(path) => path.display().to_string(),
        BrokerChoice::Kafka(nodes) => format!("kafka://{nodes}"),
    };
    format!("survive {survives} ({}, log {place})", durability.as_str())
}
