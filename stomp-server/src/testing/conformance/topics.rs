//! Who gets what of a topic, and from where on.

use std::sync::Arc;

use tokio::task::JoinSet;

use crate::{
    broker::{Broker, Delivery, Epoch, Outcome, Place, Position, Publish, StartFrom},
    testing::listener::{Listener, Listening, body, kept, numbers, publish, publish_numbers},
};

pub(super) async fn every_subscriber_gets_log_order(broker: Arc<dyn Broker>) {
    let mut listeners = Vec::new();
    for (connection, route) in
        [(1, "/topic/a.b"), (2, "/topic/a.b"), (3, "/topic/a.*"), (4, "/topic/#")]
    {
        listeners.push(Listening::to(connection, route).on(&*broker).await);
    }
    let mut other = Listening::to(9, "/topic/a.c").on(&*broker).await;
    publish_numbers(&*broker, "/topic/a.b", 0..100).await;
    for listener in &mut listeners {
        assert_eq!(listener.bodies(100).await, numbers(0..100));
    }
    other.is_quiet().await;
}

pub(super) async fn every_subscriber_gets_log_order_from_concurrent_publishers(
    broker: Arc<dyn Broker>,
) {
    let mut listeners = Vec::new();
    for (connection, route) in [(1, "/topic/a"), (2, "/topic/a"), (3, "/topic/>")] {
        listeners.push(Listening::to(connection, route).on(&*broker).await);
    }
    publish_concurrently(&broker, "/topic/a", 100).await;
    for listener in &mut listeners {
        let deliveries = listener.take(400).await;
        assert_rising(&deliveries);
        listener.is_quiet().await;
    }
}

pub(super) async fn a_subscription_misses_nothing_from_its_position_on(broker: Arc<dyn Broker>) {
    let publishing = tokio::spawn({
        let broker = broker.clone();
        async move { publish_concurrently(&broker, "/topic/a", 100).await }
    });
    let mut listeners = Vec::new();
    for connection in 1..20 {
        let route = ["/topic/a", "/topic/*"][connection as usize % 2];
        listeners.push(Listening::to(connection, route).on(&*broker).await);
        tokio::task::yield_now().await;
    }
    publishing.await.expect("all is published");
    let last = publish(&*broker, "/topic/a", "last").await;
    let mut all = Listening::to(99, "/topic/a").from(StartFrom::First).on(&*broker).await;
    let all = positions(&all.take(401).await);
    for listener in &mut listeners {
        let got = positions(&until(listener, last).await);
        // A pattern over a log of many orders has no place; then at least there is no hole.
        let expected: Vec<_> = match listener.subscribed.position {
            Some(place) => all.iter().copied().filter(|one| *one > place).collect(),
            None => all.iter().copied().filter(|one| *one >= got[0]).collect(),
        };
        assert_eq!(got, expected);
    }
}

pub(super) async fn recovered_false_replays_nothing(broker: Arc<dyn Broker>) {
    let place = publish(&*broker, "/topic/a", "old").await;
    let other_epoch = Position { epoch: Epoch(place.epoch.0 ^ 1), ..place };
    let above = Position { offset: place.offset + 1_000, ..place };
    for (connection, place) in [(1, other_epoch), (2, above)] {
        let asked = Listening::to(connection, "/topic/a").from(StartFrom::After(place));
        let mut listener = asked.on(&*broker).await;
        assert_eq!(listener.subscribed.recovered, Some(false));
        listener.is_quiet().await;
        let new = publish(&*broker, "/topic/a", "new").await;
        assert!(listener.subscribed.position.is_some_and(|place| place < new));
        assert_eq!(listener.bodies(1).await, ["new"]);
    }
}

pub(super) async fn recovered_true_replays_all_that_was_asked_for(broker: Arc<dyn Broker>) {
    let mut places = Vec::new();
    for number in 0..10 {
        places.push(publish(&*broker, "/topic/a", number).await);
        publish(&*broker, "/topic/b", "other").await;
    }
    let cases = [
        (StartFrom::Next, 10..10),
        (StartFrom::First, 0..10),
        (StartFrom::Last(3), 7..10),
        (StartFrom::Last(1_000), 0..10),
        (StartFrom::After(places[4]), 5..10),
        (StartFrom::After(places[9]), 10..10),
    ];
    for (connection, (from, replayed)) in (1..).zip(cases) {
        let mut listener = Listening::to(connection, "/topic/a").from(from).on(&*broker).await;
        assert_eq!(listener.subscribed.recovered, Some(true), "{from:?}");
        assert_eq!(listener.bodies(replayed.len()).await, numbers(replayed), "{from:?}");
        listener.is_quiet().await;
        broker.unsubscribe(listener.key, Place::Keep).await.expect("it ends");
    }
    let unasked = Listening::to(99, "/topic/a").on(&*broker).await;
    assert_eq!(unasked.subscribed.recovered, None);
}

pub(super) async fn a_replay_goes_on_live_without_a_hole_or_a_repetition(broker: Arc<dyn Broker>) {
    publish_numbers(&*broker, "/topic/a", 0..2_000).await;
    // Smaller than what is replayed, so that it is pulled as the reader drains; its upper half is
    // larger than what comes live, so that a slow reader here is not what the policy means.
    let mut listeners = Vec::new();
    for connection in 1..5 {
        let asked = Listening::to(connection, "/topic/a").from(StartFrom::First).within(128 << 10);
        listeners.push(asked.on(&*broker).await);
    }
    let publishing = tokio::spawn({
        let broker = broker.clone();
        async move {
            for number in 2_000..2_300 {
                publish(&*broker, "/topic/a", number).await;
                tokio::task::yield_now().await;
            }
        }
    });
    let mut reading = JoinSet::new();
    for mut listener in listeners {
        reading.spawn(async move {
            assert_eq!(listener.subscribed.recovered, Some(true));
            assert_eq!(listener.bodies(2_300).await, numbers(0..2_300));
            listener.is_quiet().await;
        });
    }
    publishing.await.expect("all is published");
    while let Some(read) = reading.join_next().await {
        read.expect("it was read whole");
    }
}

pub(super) async fn wildcards_start_with_what_comes_next(broker: Arc<dyn Broker>) {
    publish(&*broker, "/topic/a", "old").await;
    let mut listener = Listening::to(1, "/topic/*").from(StartFrom::Next).on(&*broker).await;
    assert_eq!(listener.subscribed.recovered, Some(true));
    for (route, text) in
        [("/topic/a", "1"), ("/topic/b", "2"), ("/topic/a.b", "no"), ("/topic/a", "3")]
    {
        publish(&*broker, route, text).await;
    }
    assert_eq!(listener.bodies(3).await, ["1", "2", "3"]);
}

pub(super) async fn unsubscribe_ends_it(broker: Arc<dyn Broker>) {
    for (connection, route) in [(1, "/topic/a"), (2, "/topic/*")] {
        let mut listener = Listening::to(connection, route).on(&*broker).await;
        let publishing = tokio::spawn({
            let broker = broker.clone();
            async move { publish_numbers(&*broker, "/topic/a", 0..100).await }
        });
        listener.next().await;
        broker.unsubscribe(listener.key, Place::Keep).await.expect("it ends");
        let mut waiting = Vec::new();
        listener.queue.drain(usize::MAX, &mut waiting);
        publishing.await.expect("all is published");
        let mut offered = Vec::new();
        listener.queue.drain(usize::MAX, &mut offered);
        assert!(offered.is_empty(), "nothing is offered after the end");
        broker.unsubscribe(listener.key, Place::Keep).await.expect("a second end is harmless");
    }
}

pub(super) async fn nobody_waits_for_a_slow_reader(broker: Arc<dyn Broker>) {
    let stalled = Listening::to(1, "/topic/a").within(2 << 10).on(&*broker).await;
    let mut replaying = Listening::to(2, "/topic/a").acking(1).on(&*broker).await;
    let mut healthy = Listening::to(3, "/topic/a").on(&*broker).await;
    publish_numbers(&*broker, "/topic/a", 0..100).await;
    assert_eq!(healthy.bodies(100).await, numbers(0..100));
    assert!(stalled.queue.has_overflowed());
    drop(stalled);
    publish(&*broker, "/topic/a", "on").await;
    assert_eq!(healthy.bodies(1).await, ["on"]);
    assert_eq!(replaying.bodies(1).await, ["0"]);
}

pub(super) async fn an_acknowledged_topic_waits_at_its_prefetch(broker: Arc<dyn Broker>) {
    for (connection, route) in [(1, "/topic/a"), (2, "/topic/*")] {
        let mut listener = Listening::to(connection, route).acking(3).on(&*broker).await;
        publish_numbers(&*broker, "/topic/a", 0..20).await;
        let mut got = Vec::new();
        for outcome in [Outcome::Ack, Outcome::Nack].into_iter().cycle() {
            let mut deliveries = listener.take(1).await;
            deliveries.extend(listener.rest().await);
            assert!((1..=3).contains(&deliveries.len()), "{} are open", deliveries.len());
            got.extend(deliveries.iter().map(body));
            listener.settle(&*broker, &deliveries, outcome).await;
            if got.len() >= 20 {
                break;
            }
        }
        assert_eq!(got, numbers(0..20), "a returned topic message is settled");
        publish(&*broker, "/topic/a", "live").await;
        assert_eq!(listener.bodies(1).await, ["live"]);
        broker.unsubscribe(listener.key, Place::Keep).await.expect("it ends");
    }
}

pub(super) async fn volatile_messages_reach_who_listens_now(broker: Arc<dyn Broker>) {
    let mut exact = Listening::to(1, "/user/ann/queue/x").on(&*broker).await;
    let mut pattern = Listening::to(2, "/topic/>").on(&*broker).await;
    for number in 0..20 {
        let user =
            Publish { class: crate::broker::Class::Volatile, ..kept("/user/ann/queue/x", number) };
        let topic = Publish { class: crate::broker::Class::Volatile, ..kept("/topic/a", number) };
        for publish in [user, topic] {
            let accepted = broker.publish(publish).await.expect("it is handed over");
            assert_eq!(accepted.position, None);
        }
    }
    assert_eq!(exact.bodies(20).await, numbers(0..20));
    assert_eq!(pattern.bodies(20).await, numbers(0..20));
    let mut late = Listening::to(3, "/topic/a").from(StartFrom::First).on(&*broker).await;
    late.is_quiet().await;
}

/// Four publishers at the same time, `each` messages each.
async fn publish_concurrently(broker: &Arc<dyn Broker>, route: &'static str, each: u32) {
    let mut publishers = JoinSet::new();
    for _ in 0..4 {
        let broker = broker.clone();
        publishers.spawn(async move { publish_numbers(&*broker, route, 0..each).await });
    }
    while let Some(done) = publishers.join_next().await {
        done.expect("all is published");
    }
}

/// Everything up to a place.
async fn until(listener: &mut Listener, last: Position) -> Vec<Delivery> {
    let mut all = Vec::new();
    loop {
        let delivery = listener.next().await;
        let is_last = delivery.logged.position == Some(last);
        all.push(delivery);
        if is_last {
            return all;
        }
    }
}

fn positions(deliveries: &[Delivery]) -> Vec<Position> {
    deliveries.iter().filter_map(|delivery| delivery.logged.position).collect()
}

fn assert_rising(deliveries: &[Delivery]) {
    let positions = positions(deliveries);
    assert_eq!(positions.len(), deliveries.len(), "kept messages have positions");
    assert!(positions.is_sorted_by(|one, two| one < two), "they come in log order, once");
}
