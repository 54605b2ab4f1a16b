//! What a queue is called: by its clients, and on Kafka.

use crate::{broker::BrokerError, broker::queues::DEAD_LETTERS, problem::Code};

/// The longest name that Kafka gives a topic.
const LONGEST_TOPIC: usize = 249;

const PREFIX: &str = "/queue/";

/// The names of one queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::broker::kafka) struct Name {
    /// As clients say it: `/queue/orders`.
    pub(super) route: String,
    /// The topic that holds its messages, and the group of the instances that read it.
    pub(super) topic: String,
    /// The topic in which returned messages wait; dead letters have none, they are offered for
    /// ever.
    pub(super) retries: Option<String>,
}

impl Name {
    /// The names of the queue of this route.
    pub(in crate::broker::kafka) fn of(prefix: &str, route: &str) -> Result<Self, BrokerError> {
        let refused = |why: String| BrokerError::refused(Code::Invalid, why);
        let name = route.strip_prefix(PREFIX).unwrap_or_default();
        let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if name.is_empty() || name.len() > 200 || !name.chars().all(is_word) {
            return Err(refused(
                "On Kafka a queue's name has 1 to 200 of letters, digits, dots, hyphens and \
                 underscores."
                    .to_owned(),
            ));
        }
        let escaped = escape(name);
        let topic = format!("{prefix}.queue.{escaped}");
        if topic.len() > LONGEST_TOPIC {
            return Err(refused(format!(
                "The queue's name is too long: with the prefix, Kafka allows {LONGEST_TOPIC}."
            )));
        }
        let retries = (!name.ends_with(DEAD_LETTERS)).then(|| format!("{prefix}.retry.{escaped}"));
        Ok(Self { route: route.to_owned(), topic, retries })
    }
}

/// Whether a topic holds the messages of one of our queues, other than dead letters.
pub(super) fn is_queue_topic(prefix: &str, topic: &str) -> bool {
    let name = topic.strip_prefix(prefix).and_then(|rest| rest.strip_prefix(".queue."));
    name.is_some_and(|name| !name.ends_with(DEAD_LETTERS))
}

/// Kafka takes `.` and `_` for the same in some names, so that topics which differ only in them
/// cannot be side by side. The underscore is therefore written otherwise.
fn escape(name: &str) -> String {
    name.replace('-', "--").replace('_', "-u")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_kafka_would_confuse_stay_apart() {
        let names = ["a.b", "a_b", "a-b", "a-ub", "a--ub", "a-_b", "a_-b"];
        let topics: std::collections::HashSet<_> = names
            .iter()
            .map(|name| Name::of("stomp", &format!("/queue/{name}")).expect("a name").topic)
            .collect();
        assert_eq!(topics.len(), names.len());
        assert!(topics.iter().all(|topic| !topic.contains('_')));
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for route in ["/queue/", "/queue/a/b", "/queue/ü", "/queue/a b", "/topic/a"] {
            assert!(Name::of("stomp", route).is_err(), "{route}");
        }
        assert!(Name::of("stomp", &format!("/queue/{}", "x".repeat(201))).is_err());
        assert!(Name::of(&"p".repeat(100), &format!("/queue/{}", "x".repeat(200))).is_err());
        assert!(Name::of("stomp", &format!("/queue/{}", "x".repeat(200))).is_ok());
    }

    #[test]
    fn dead_letters_are_not_counted_as_queues_and_have_no_retries() {
        let dead = Name::of("stomp", "/queue/a.dlq").expect("a name");
        assert_eq!(dead.retries, None);
        assert!(!is_queue_topic("stomp", &dead.topic));
        assert!(is_queue_topic("stomp", "stomp.queue.a"));
        assert!(!is_queue_topic("stomp", "stomp.retry.a"));
        assert!(!is_queue_topic("stomp", "stomp2.queue.a"));
    }
}
