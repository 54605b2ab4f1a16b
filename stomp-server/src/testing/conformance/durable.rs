//! Places that are kept while their subscribers are away.

use std::sync::Arc;

use crate::{
    broker::{Broker, BrokerError, Outcome, Place, StartFrom},
    problem::Code,
    testing::listener::{Listening, numbers, publish, publish_numbers},
};

fn durable(connection: u64) -> Listening {
    Listening::to(connection, "/topic/a").durable("ann", "inbox")
}

pub(super) async fn a_place_is_kept_while_its_subscriber_is_away(broker: Arc<dyn Broker>) {
    publish(&*broker, "/topic/a", "before").await;
    let mut first = durable(1).on(&*broker).await;
    publish_numbers(&*broker, "/topic/a", 0..5).await;
    assert_eq!(first.bodies(5).await, numbers(0..5));
    broker.unsubscribe(first.key, Place::Keep).await.expect("it ends");
    publish_numbers(&*broker, "/topic/a", 5..300).await;
    let mut again = durable(2).from(StartFrom::First).on(&*broker).await;
    assert_eq!(again.subscribed.recovered, Some(true), "its place counts, not `from`");
    assert_eq!(again.bodies(295).await, numbers(5..300));
    publish(&*broker, "/topic/a", "live").await;
    assert_eq!(again.bodies(1).await, ["live"]);
    again.is_quiet().await;
}

pub(super) async fn what_was_not_acknowledged_or_not_sent_comes_again(broker: Arc<dyn Broker>) {
    let mut first = durable(1).acking(100).on(&*broker).await;
    publish_numbers(&*broker, "/topic/a", 0..10).await;
    let open = first.take(10).await;
    first.settle(&*broker, &open[..3], Outcome::Ack).await;
    first.settle(&*broker, &open[4..5], Outcome::Ack).await;
    broker.unsubscribe(first.key, Place::Keep).await.expect("it ends");
    let lost = durable(2).on(&*broker).await;
    lost.queue.ready().await;
    let key = lost.key;
    drop(lost); // with all of it still in its outbound
    broker.unsubscribe(key, Place::Keep).await.expect("it ends");
    let mut again = durable(3).on(&*broker).await;
    assert_eq!(again.bodies(7).await, numbers(3..10));
}

pub(super) async fn a_place_has_one_subscriber_at_a_time(broker: Arc<dyn Broker>) {
    let first = durable(1).on(&*broker).await;
    let second = durable(2).start(&*broker).await;
    let Err(BrokerError::Refused(problem)) = second else { panic!("it is refused") };
    assert_eq!(problem.code, Code::InUse);
    let other = Listening::to(3, "/topic/a").durable("bob", "inbox");
    other.start(&*broker).await.expect("another user's is another place");
    broker.unsubscribe(first.key, Place::Keep).await.expect("it ends");
    durable(4).start(&*broker).await.expect("it is free again");
    let pattern = Listening::to(5, "/topic/*").durable("ann", "all").start(&*broker).await;
    assert!(matches!(pattern, Err(BrokerError::Refused(_))));
}

pub(super) async fn a_forgotten_place_begins_anew(broker: Arc<dyn Broker>) {
    let first = durable(1).on(&*broker).await;
    broker.unsubscribe(first.key, Place::Forget).await.expect("it ends");
    publish(&*broker, "/topic/a", "missed").await;
    let mut again = durable(2).on(&*broker).await;
    assert_eq!(again.subscribed.recovered, None);
    publish(&*broker, "/topic/a", "next").await;
    assert_eq!(again.bodies(1).await, ["next"]);
}
