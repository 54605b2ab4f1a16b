//! The log: whether it answers, and whether it keeps what is receipted.

use super::Finding;
use crate::config::{BrokerChoice, Config};

const WHAT: &str = "log";

pub(super) async fn look(config: &Config) -> Vec<Finding> {
    vec![match &config.broker {
        BrokerChoice::Memory => {
            Finding::note(WHAT, "in memory: what is not stored ends with the process")
        }
        BrokerChoice::Sqlite(path) if path.exists() => {
            Finding::good(WHAT, path.display().to_string())
        }
        BrokerChoice::Sqlite(path) => {
            Finding::note(WHAT, format!("{} is not there; a start makes it", path.display()))
        }
        BrokerChoice::Kafka(nodes) => kafka(config, nodes).await,
    }]
}

#[cfg(feature = "kafka")]
async fn kafka(config: &Config, nodes: &str) -> Finding {
    use std::time::Duration;

    use stomp_server::broker::{BrokerConfig, KafkaBroker, KafkaConfig, KafkaStartError};

    use crate::app::open;
    /// Somebody is looking at the screen.
    const PATIENCE: Duration = Duration::from_secs(8);
    let knobs = open::kafka_config(config, nodes, BrokerConfig::default());
    let knobs = KafkaConfig { start_timeout: PATIENCE, ..knobs };
    match KafkaBroker::inspect(knobs).await {
        Ok(Some(log)) => Finding::good(
            WHAT,
            format!(
                "kafka://{nodes}, topic {} with {} partitions; a receipt waits for {} of its \
                 replicas",
                log.topic, log.partitions, log.min_in_sync
            ),
        ),
        Ok(None) => Finding::note(
            WHAT,
            format!("kafka://{nodes} has no log {}; a start makes it", config.kafka_prefix),
        ),
        Err(KafkaStartError::Unavailable(why)) => Finding::fault(
            WHAT,
            format!("kafka://{nodes}: {why}"),
            "start it, let this machine reach it, or correct --broker; it must also be reached by \
             the names that it advertises",
        ),
        Err(refused) => Finding::fault(
            WHAT,
            refused.to_string(),
            "`kafka-configs.sh --alter` changes settings of topics",
        ),
    }
}

#[cfg(not(feature = "kafka"))]
async fn kafka(_: &Config, nodes: &str) -> Finding {
    let mends = "build it with the feature kafka";
    Finding::fault(WHAT, format!("kafka://{nodes}: this program was built without Kafka"), mends)
}
