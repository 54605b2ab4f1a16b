//! Which log this is: `<prefix>.meta` names the epoch, and the first to write wins.
//!
//! A second line says that the epoch's topic has been made. From then on it is never made
//! again: a log that was lost must not come back empty under the same name, where places in
//! the old one would seem to be places in the new one.

use std::{ops::ControlFlow, time::Duration};

use rdkafka::{Message, error::KafkaError, producer::BaseRecord, producer::Producer};

use super::{
    client::{self, PATIENCE, Reader},
    config::{KafkaConfig, KafkaStartError},
    scan::{self, End, Stretch},
};
use crate::broker::Epoch;

const EPOCH: &str = "epoch ";
const MADE: &str = "made ";

/// What the topic of the epoch says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Meta {
    pub(super) epoch: Epoch,
    /// Whether the epoch's topic has been made.
    pub(super) is_made: bool,
}

/// Finds out the epoch, or draws it if nobody has.
pub(super) fn find(
    config: &KafkaConfig,
    reader: &Reader,
    topic: &str,
) -> Result<Meta, KafkaStartError> {
    if let Some(meta) = read(reader, topic)? {
        return Ok(meta);
    }
    write(config, topic, &format!("{EPOCH}{}", Epoch::random()))?;
    read(reader, topic)?.ok_or_else(|| {
        KafkaStartError::Unavailable(format!("the epoch was written to {topic}, but is not there"))
    })
}

/// Writes down that the epoch's topic has been made.
pub(super) fn mark_made(
    config: &KafkaConfig,
    topic: &str,
    epoch: Epoch,
) -> Result<(), KafkaStartError> {
    write(config, topic, &format!("{MADE}{epoch}"))
}

/// What the topic says, if it says anything yet.
pub(super) fn read(reader: &Reader, topic: &str) -> Result<Option<Meta>, KafkaStartError> {
    let unavailable = |error: KafkaError| {
        KafkaStartError::Unavailable(format!("{topic} cannot be read: {error}"))
    };
    let (low, high) = client::extent(reader, topic, 0).map_err(unavailable)?;
    let mut lines = Vec::new();
    let stretch = Stretch { topic, partition: 0, from: low, until: high };
    let end = scan::read(reader, stretch, PATIENCE, |record| {
        lines.push(String::from_utf8_lossy(record.payload().unwrap_or_default()).into_owned());
        ControlFlow::Continue(())
    });
    if end.map_err(unavailable)? != End::Read {
        return Err(KafkaStartError::Unavailable(format!("{topic} could not be read in time")));
    }
    parse(&lines).map_err(|line| {
        KafkaStartError::Refused(format!(
            "{topic} says {line:?}, which this version does not understand: it is another \
             program's topic, or a later version's; choose another --kafka-prefix"
        ))
    })
}

fn parse(lines: &[String]) -> Result<Option<Meta>, String> {
    let epoch_of = |line: &str, verb: &str| {
        let digits = line.strip_prefix(verb).filter(|digits| digits.len() == 8)?;
        u32::from_str_radix(digits, 16).ok().map(Epoch)
    };
    let Some(first) = lines.first() else { return Ok(None) };
    let epoch = epoch_of(first, EPOCH).ok_or_else(|| first.clone())?;
    let is_made = lines.iter().any(|line| epoch_of(line, MADE) == Some(epoch));
    Ok(Some(Meta { epoch, is_made }))
}

fn write(config: &KafkaConfig, topic: &str, line: &str) -> Result<(), KafkaStartError> {
    let unavailable = |error: KafkaError| {
        KafkaStartError::Unavailable(format!("{topic} cannot be written to: {error}"))
    };
    let producer = client::log_producer(config, client::Quiet).map_err(unavailable)?;
    let record = BaseRecord::to(topic).partition(0).key("").payload(line);
    producer.send(record).map_err(|(error, _)| unavailable(error))?;
    // What fails here is not read back, which is found out next.
    producer.flush(PATIENCE + Duration::from_secs(5)).map_err(unavailable)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(lines: &[&str]) -> Vec<String> {
        lines.iter().map(|line| (*line).to_owned()).collect()
    }

    #[test]
    fn the_first_epoch_wins() {
        let meta = |epoch, is_made| Ok(Some(Meta { epoch: Epoch(epoch), is_made }));
        assert_eq!(parse(&[]), Ok(None));
        assert_eq!(parse(&lines(&["epoch 0000000a", "epoch 0000000b"])), meta(10, false));
        let made = ["epoch 0000000a", "made 0000000b", "made 0000000a"];
        assert_eq!(parse(&lines(&made)), meta(10, true));
        assert!(parse(&lines(&["made 0000000a"])).is_err());
        assert!(parse(&lines(&["epoch +000000a"])).is_ok(), "never written, and harmless");
    }
}
