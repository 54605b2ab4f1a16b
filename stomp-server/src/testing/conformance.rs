//! The one judge of brokers: a check for each promise of [`Broker`].
//!
//! ```
//! use std::{sync::Arc, time::Duration};
//! use stomp_server::{
//!     broker::{BrokerConfig, MemoryBroker},
//!     testing::conformance,
//! };
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! // A message that always comes back pauses before each return; this one only a little.
//! let pause = Duration::from_millis(1);
//! let config = BrokerConfig { redelivery_pause: pause, ..BrokerConfig::default() };
//! conformance::broker(|| async { Arc::new(MemoryBroker::new(config.clone())) as _ }).await;
//! # }
//! ```

mod durable;
mod log;
mod queues;
mod selectors;
mod topics;

use std::{future::Future, pin::Pin, sync::Arc};

use crate::broker::Broker;

/// A check, and the promise that it holds the broker to.
type Check = (&'static str, fn(Arc<dyn Broker>) -> Checking);
type Checking = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Names checks and boxes their futures.
macro_rules! checks {
    ($($module:ident :: $name:ident),* $(,)?) => {
        [$((stringify!($name), |broker| -> Checking { Box::pin($module::$name(broker)) })),*]
    };
}

const ALWAYS: [Check; 19] = checks![
    log::accepted_means_logged,
    log::calls_take_their_place_when_they_are_made,
    log::replies_come_in_order,
    topics::every_subscriber_gets_log_order,
    topics::every_subscriber_gets_log_order_from_concurrent_publishers,
    log::first_wins,
    log::refused_is_definite,
    topics::a_subscription_misses_nothing_from_its_position_on,
    topics::recovered_false_replays_nothing,
    topics::recovered_true_replays_all_that_was_asked_for,
    topics::a_replay_goes_on_live_without_a_hole_or_a_repetition,
    topics::wildcards_start_with_what_comes_next,
    topics::unsubscribe_ends_it,
    topics::nobody_waits_for_a_slow_reader,
    topics::an_acknowledged_topic_waits_at_its_prefetch,
    topics::volatile_messages_reach_who_listens_now,
    log::a_worker_reads_everything_in_order,
    log::a_start_that_the_log_does_not_have_is_refused,
    log::close_answers_then_refuses,
];

const QUEUES: [Check; 9] = checks![
    queues::a_message_goes_to_one_subscription,
    queues::messages_wait_while_nobody_listens,
    queues::no_more_than_the_prefetch_is_open,
    queues::an_acknowledged_message_is_gone,
    queues::a_returned_message_comes_before_newer_ones,
    queues::a_returned_message_goes_to_another_consumer_first,
    queues::a_lost_connection_returns_what_was_open,
    queues::a_message_that_always_comes_back_goes_to_the_dead_letters,
    queues::an_expired_message_goes_to_the_dead_letters,
];

const PRIORITY: [Check; 1] = checks![queues::higher_priorities_come_first];

const DURABLE: [Check; 4] = checks![
    durable::a_place_is_kept_while_its_subscriber_is_away,
    durable::what_was_not_acknowledged_or_not_sent_comes_again,
    durable::a_place_has_one_subscriber_at_a_time,
    durable::a_forgotten_place_begins_anew,
];

const SELECTORS: [Check; 2] = checks![
    selectors::a_topic_subscription_gets_what_it_selects,
    selectors::a_replay_brings_what_is_selected_and_goes_on_live,
];

const SELECTORS_OF_QUEUES: [Check; 2] = checks![
    selectors::a_queue_gives_each_consumer_what_it_selects,
    selectors::what_comes_back_goes_to_who_selects_it,
];

/// Holds a backend to its promises, each with a broker of its own that `make` gives.
///
/// # Panics
/// With the first promise that is broken.
pub async fn broker<F, Made>(make: F)
where
    F: Fn() -> Made,
    Made: Future<Output = Arc<dyn Broker>>,
{
    let capabilities = make().await.capabilities();
    let mut checks = ALWAYS.to_vec();
    if capabilities.queues {
        checks.extend(QUEUES);
    }
    if capabilities.queues && capabilities.priority {
        checks.extend(PRIORITY);
    }
    if capabilities.durable_subscriptions {
        checks.extend(DURABLE);
    }
    if capabilities.selectors {
        checks.extend(SELECTORS);
    }
    if capabilities.selectors && capabilities.queues {
        checks.extend(SELECTORS_OF_QUEUES);
    }
    for (name, check) in checks {
        let broker = make().await;
        eprintln!("conformance: {name}");
        check(broker.clone()).await;
        broker.close().await;
    }
}
