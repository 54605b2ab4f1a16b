//! Who gets what of a queue, and what comes back.

use std::{sync::Arc, time::Duration};

use tokio::time::timeout;

use crate::{
    broker::{Broker, Delivery, Outcome, Place},
    testing::listener::{Listening, body, kept, numbers, publish, publish_numbers},
};

const QUEUE: &str = "/queue/a";

pub(super) async fn a_message_goes_to_one_subscription(broker: Arc<dyn Broker>) {
    let mut one = Listening::to(1, QUEUE).acking(50).on(&*broker).await;
    let mut two = Listening::to(2, QUEUE).acking(50).on(&*broker).await;
    publish_numbers(&*broker, QUEUE, 0..100).await;
    let (mut first, mut second) = (Vec::new(), Vec::new());
    let all_came = async {
        while first.len() + second.len() < 100 {
            first.extend(one.rest().await);
            second.extend(two.rest().await);
        }
    };
    timeout(Duration::from_secs(60), all_came).await.expect("all come");
    one.is_quiet().await;
    two.is_quiet().await;
    assert!(!first.is_empty() && !second.is_empty(), "consumers compete");
    let mut all: Vec<u32> = bodies(&first)
        .iter()
        .chain(&bodies(&second))
        .map(|body| body.parse().expect("a number"))
        .collect();
    all.sort_unstable();
    assert_eq!(all, (0..100).collect::<Vec<_>>());
    one.is_quiet().await;
    two.is_quiet().await;
}

pub(super) async fn messages_wait_while_nobody_listens(broker: Arc<dyn Broker>) {
    publish_numbers(&*broker, QUEUE, 0..10).await;
    let mut late = Listening::to(1, QUEUE).acking(100).on(&*broker).await;
    assert_eq!(late.bodies(10).await, numbers(0..10));
}

pub(super) async fn no_more_than_the_prefetch_is_open(broker: Arc<dyn Broker>) {
    let mut listener = Listening::to(1, QUEUE).acking(3).on(&*broker).await;
    publish_numbers(&*broker, QUEUE, 0..10).await;
    let open = listener.take(3).await;
    assert_eq!(bodies(&open), numbers(0..3));
    listener.is_quiet().await;
    listener.settle(&*broker, &open[1..2], Outcome::Ack).await;
    assert_eq!(listener.bodies(1).await, ["3"]);
    listener.is_quiet().await;
}

pub(super) async fn an_acknowledged_message_is_gone(broker: Arc<dyn Broker>) {
    let mut listener = Listening::to(1, QUEUE).acking(10).on(&*broker).await;
    publish_numbers(&*broker, QUEUE, 0..4).await;
    let open = listener.take(4).await;
    listener.settle(&*broker, &open[..2], Outcome::Ack).await;
    broker.unsubscribe(listener.key, Place::Keep).await.expect("it ends");
    let mut next = Listening::to(2, QUEUE).acking(10).on(&*broker).await;
    assert_eq!(next.bodies(2).await, numbers(2..4));
    next.is_quiet().await;
}

pub(super) async fn a_returned_message_comes_before_newer_ones(broker: Arc<dyn Broker>) {
    let mut listener = Listening::to(1, QUEUE).acking(4).on(&*broker).await;
    publish_numbers(&*broker, QUEUE, 0..8).await;
    let open = listener.take(4).await;
    assert!(open.iter().all(|delivery| delivery.redeliveries == 0));
    broker.unsubscribe(listener.key, Place::Keep).await.expect("it ends");
    let mut next = Listening::to(2, QUEUE).acking(100).on(&*broker).await;
    let again = next.take(8).await;
    assert_eq!(bodies(&again), numbers(0..8));
    let counts: Vec<_> = again.iter().map(|delivery| delivery.redeliveries).collect();
    assert_eq!(counts, [1, 1, 1, 1, 0, 0, 0, 0]);
}

pub(super) async fn a_returned_message_goes_to_another_consumer_first(broker: Arc<dyn Broker>) {
    let mut refusing = Listening::to(1, QUEUE).acking(1).on(&*broker).await;
    publish(&*broker, QUEUE, "hot").await;
    let open = refusing.take(1).await;
    let mut other = Listening::to(2, QUEUE).acking(1).on(&*broker).await;
    refusing.settle(&*broker, &open, Outcome::Nack).await;
    let again = other.next().await;
    assert_eq!(again.redeliveries, 1);
    refusing.is_quiet().await;
}

pub(super) async fn a_lost_connection_returns_what_was_open(broker: Arc<dyn Broker>) {
    let mut lost = Listening::to(1, QUEUE).acking(2).on(&*broker).await;
    publish_numbers(&*broker, QUEUE, 0..3).await;
    lost.take(2).await;
    let key = lost.key;
    drop(lost);
    broker.unsubscribe(key, Place::Keep).await.expect("it ends");
    let mut next = Listening::to(2, QUEUE).acking(10).on(&*broker).await;
    assert_eq!(next.bodies(3).await, numbers(0..3));
}

pub(super) async fn a_message_that_always_comes_back_goes_to_the_dead_letters(
    broker: Arc<dyn Broker>,
) {
    let mut refusing = Listening::to(1, QUEUE).acking(1).on(&*broker).await;
    let mut dead = Listening::to(2, "/queue/a.dlq").acking(1).on(&*broker).await;
    publish(&*broker, QUEUE, "hot").await;
    let mut offered = 0;
    loop {
        tokio::select! {
            again = refusing.next() => {
                assert_eq!(again.redeliveries, offered);
                offered += 1;
                refusing.settle(&*broker, &[again], Outcome::Nack).await;
            }
            letter = dead.next() => {
                let message = &letter.logged.message;
                assert_eq!(body(&letter), "hot");
                assert_eq!(message.destination(), "/queue/a.dlq");
                assert_eq!(message.header("x-death-queue").as_deref(), Some(QUEUE));
                assert_eq!(message.header("x-death-reason").as_deref(), Some("max-deliveries"));
                let count = offered.to_string();
                assert_eq!(message.header("x-death-count").as_deref(), Some(count.as_str()));
                break;
            }
        }
    }
    assert!(offered > 1);
    refusing.is_quiet().await;
}

pub(super) async fn an_expired_message_goes_to_the_dead_letters(broker: Arc<dyn Broker>) {
    let ttl = Duration::from_millis(30);
    let mut short = kept(QUEUE, "short");
    short.ttl = Some(ttl);
    broker.publish(short).await.expect("it is accepted");
    publish(&*broker, QUEUE, "long").await;
    // Where a queue lies in a shared log, its time is looked at when somebody reads it.
    tokio::time::sleep(2 * ttl).await;
    let mut late = Listening::to(2, QUEUE).acking(10).on(&*broker).await;
    assert_eq!(late.bodies(1).await, ["long"]);
    let mut dead = Listening::to(1, "/queue/a.dlq").acking(1).on(&*broker).await;
    let letter = dead.next().await;
    assert_eq!(body(&letter), "short");
    assert_eq!(letter.logged.message.header("x-death-reason").as_deref(), Some("expired"));
    late.is_quiet().await;
}

pub(super) async fn higher_priorities_come_first(broker: Arc<dyn Broker>) {
    for (priority, text) in [(4, "b"), (0, "c"), (9, "a"), (0, "d")] {
        let mut publish = kept(QUEUE, text);
        publish.priority = priority;
        broker.publish(publish).await.expect("it is accepted");
    }
    let mut listener = Listening::to(1, QUEUE).acking(10).on(&*broker).await;
    assert_eq!(listener.bodies(4).await, ["a", "b", "c", "d"]);
}

fn bodies(deliveries: &[Delivery]) -> Vec<String> {
    deliveries.iter().map(body).collect()
}
