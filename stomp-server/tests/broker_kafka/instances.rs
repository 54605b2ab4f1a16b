//! What holds between instances over one log.

use std::time::Duration;

use stomp_core::SharedMessage;
use stomp_server::{
    broker::{Broker, BrokerError, KafkaConfig, Position, Publish, StartFrom},
    problem::Code,
    testing::listener::{Listening, body, kept, numbers, publish, publish_numbers},
};
use tokio::{task::JoinSet, time::timeout};

use crate::{fresh, one_node, open, without_ring};

#[tokio::test]
async fn what_one_instance_accepts_reaches_the_subscribers_of_another_in_log_order() {
    let Some(kafka) = one_node() else { return };
    let config = fresh(&kafka, 4);
    let (one, other) = (open(&config).await, open(&config).await);
    let mut listeners = Vec::new();
    for (connection, broker) in [(1, &one), (2, &other)] {
        listeners.push(Listening::to(connection, "/topic/a").on(broker).await);
    }
    let (first, second) = tokio::join!(
        async {
            for number in 0..200 {
                publish(&one, "/topic/a", format!("one {number}")).await;
            }
        },
        async {
            for number in 0..200 {
                publish(&other, "/topic/a", format!("other {number}")).await;
            }
        }
    );
    let ((), ()) = (first, second);
    let mut orders = Vec::new();
    for listener in &mut listeners {
        let deliveries = listener.take(400).await;
        let positions: Vec<_> = deliveries.iter().map(|one| one.logged.position).collect();
        assert!(positions.is_sorted_by(|one, two| one < two));
        orders.push(deliveries.iter().map(body).collect::<Vec<_>>());
    }
    assert_eq!(orders[0], orders[1]);
    one.close().await;
    other.close().await;
}

#[tokio::test]
async fn headers_ids_and_octets_travel_unchanged() {
    let Some(kafka) = one_node() else { return };
    let config = fresh(&kafka, 4);
    let (one, other) = (open(&config).await, open(&config).await);
    let mut listener = Listening::to(1, "/topic/a").on(&other).await;
    let headers =
        [("x-stomp", "1 9"), ("k", "first"), ("k", "second"), ("empty", ""), ("ü", "a:b\nc\\")];
    let message = SharedMessage::new("/topic/shown", headers, vec![0, 255, 10]);
    let publication =
        Publish::kept(message.clone()).routed("/topic/a").with_id("given").deduplicated("ann", "7");
    one.publish(publication).await.unwrap();
    let delivery = listener.next().await;
    assert_eq!(delivery.logged.message, message);
    assert_eq!(delivery.logged.id.to_string(), "given");
    assert_eq!(delivery.logged.dedupe.as_ref().unwrap().id, "7");
    one.close().await;
    other.close().await;
}

#[tokio::test]
async fn a_subscriber_moves_to_another_instance_and_misses_nothing() {
    let Some(kafka) = one_node() else { return };
    for config in [fresh(&kafka, 4), without_ring(fresh(&kafka, 4))] {
        let one = open(&config).await;
        let mut places = Vec::new();
        for number in 0..300 {
            places.push(publish(&one, "/topic/a", number).await);
            publish(&one, "/topic/b", "other").await;
        }
        one.close().await;
        // A restart is another instance over the same log.
        let other = open(&config).await;
        for (connection, at) in [(1, 0), (2, 149), (3, 299)] {
            let asked = Listening::to(connection, "/topic/a").from(StartFrom::After(places[at]));
            let mut listener = asked.on(&other).await;
            assert_eq!(listener.subscribed.recovered, Some(true));
            let rest = at as u32 + 1..300;
            assert_eq!(listener.bodies(rest.len()).await, numbers(rest));
            listener.is_quiet().await;
        }
        other.close().await;
    }
}

/// A place that another instance has receipted is not a wrong one, however far this instance is.
#[tokio::test]
async fn a_place_that_this_instance_has_not_read_yet_is_waited_for() {
    let Some(kafka) = one_node() else { return };
    let config = fresh(&kafka, 4);
    let (one, other) = (open(&config).await, open(&config).await);
    for round in 0..50 {
        let place = publish(&one, "/topic/a", round).await;
        let asked = Listening::to(round, "/topic/a").from(StartFrom::After(place));
        let mut listener = asked.on(&other).await;
        assert_eq!(listener.subscribed.recovered, Some(true), "round {round}");
        assert_eq!(listener.subscribed.position, Some(place));
        listener.is_quiet().await;
    }
    one.close().await;
    other.close().await;
}

#[tokio::test]
async fn the_first_in_the_log_wins_whichever_instance_took_it() {
    let Some(kafka) = one_node() else { return };
    let config = fresh(&kafka, 4);
    let (one, other) = (open(&config).await, open(&config).await);
    let mut listeners = Vec::new();
    for (connection, broker) in [(1, &one), (2, &other)] {
        listeners.push(Listening::to(connection, "/topic/a").on(broker).await);
    }
    for round in 0..100 {
        let retry = || kept("/topic/a", round).deduplicated("ann", round.to_string());
        let (first, second) = (one.publish(retry()), other.publish(retry()));
        let (first, second) = (first.await.unwrap(), second.await.unwrap());
        assert!(first.duplicate != second.duplicate, "one of them is the first");
        assert_eq!(first.position, second.position, "and the other knows where it is");
    }
    publish(&one, "/topic/a", "end").await;
    for listener in &mut listeners {
        assert_eq!(listener.bodies(100).await, numbers(0..100));
        assert_eq!(listener.bodies(1).await, ["end"]);
    }
    one.close().await;
    other.close().await;
    // An instance that starts later knows the ids, and replays each message once.
    let later = open(&without_ring(config)).await;
    let retry = kept("/topic/a", 5).deduplicated("ann", "5");
    assert!(later.publish(retry).await.unwrap().duplicate);
    let mut all = Listening::to(3, "/topic/a").from(StartFrom::First).on(&later).await;
    assert_eq!(all.bodies(100).await, numbers(0..100));
    assert_eq!(all.bodies(1).await, ["end"]);
    later.close().await;
}

#[tokio::test]
async fn the_largest_body_travels_and_a_larger_one_is_refused_for_certain() {
    let Some(kafka) = one_node() else { return };
    let config = KafkaConfig { max_body: 16 << 20, ..fresh(&kafka, 2) };
    let (one, other) = (open(&config).await, open(&config).await);
    let mut listener = Listening::to(1, "/topic/a").within(64 << 20).on(&other).await;
    let body = |size| SharedMessage::new("/topic/a", [("", ""); 0], vec![7; size]);
    let largest = one.publish(Publish::kept(body(16 << 20))).await.unwrap();
    assert_eq!(listener.next().await.logged.message, body(16 << 20));
    let larger = one.publish(Publish::kept(body(17 << 20))).await;
    let Err(BrokerError::Refused(problem)) = larger else { panic!("it is refused") };
    assert_eq!(problem.code, Code::TooLarge);
    one.close().await;
    other.close().await;
    let later = open(&without_ring(config)).await;
    let before =
        Position { offset: largest.position.unwrap().offset - 1, ..largest.position.unwrap() };
    let asked = Listening::to(2, "/topic/a").within(64 << 20).from(StartFrom::After(before));
    assert_eq!(asked.on(&later).await.next().await.logged.message, body(16 << 20));
    later.close().await;
}

#[tokio::test]
async fn messages_for_a_user_reach_the_sessions_on_every_instance() {
    let Some(kafka) = one_node() else { return };
    let config = fresh(&kafka, 4);
    let (one, other) = (open(&config).await, open(&config).await);
    let route = "/user/ann/queue/x";
    let mut here = Listening::to(1, route).on(&one).await;
    let mut there = Listening::to(2, route).on(&other).await;
    for number in 0..20 {
        let message = SharedMessage::new("/user/queue/x", [("", ""); 0], number.to_string());
        let accepted = one.publish(Publish::volatile(message).routed(route)).await.unwrap();
        assert_eq!(accepted.position, None);
    }
    assert_eq!(here.bodies(20).await, numbers(0..20));
    assert_eq!(there.bodies(20).await, numbers(0..20));
    one.close().await;
    other.close().await;
}

#[tokio::test]
async fn an_answer_reaches_the_private_queue_of_a_connection_on_another_instance() {
    let Some(kafka) = one_node() else { return };
    let config = fresh(&kafka, 4);
    let (one, other) = (open(&config).await, open(&config).await);
    let mut asker = Listening::to(1, "/temp-queue/answers-1").on(&one).await;
    for number in 0..20 {
        other.publish(kept("/temp-queue/answers-1", number)).await.unwrap();
    }
    assert_eq!(asker.bodies(20).await, numbers(0..20));
    one.close().await;
    other.close().await;
}

#[tokio::test]
async fn a_worker_goes_on_where_it_was_on_another_instance() {
    let Some(kafka) = one_node() else { return };
    let config = fresh(&kafka, 4);
    let one = open(&config).await;
    let mut places = one.log().await.unwrap().heads;
    publish_numbers(&one, "/topic/a", 0..50).await;
    let mut seen = Vec::new();
    let mut reader = one.read_log(&places).await.unwrap();
    while seen.len() < 20 {
        let batch = reader.next(10).await.unwrap();
        seen.extend(batch.records.iter().map(|one| one.logged.message.body().clone()));
        places[batch.partition as usize] = batch.next;
    }
    drop(reader);
    one.close().await;
    let other = open(&config).await;
    let mut reader = other.read_log(&places).await.unwrap();
    while seen.len() < 50 {
        let batch = timeout(Duration::from_secs(60), reader.next(10)).await.unwrap().unwrap();
        seen.extend(batch.records.iter().map(|one| one.logged.message.body().clone()));
    }
    assert_eq!(seen, numbers(0..50));
    drop(reader);
    other.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_publishers_on_two_instances_lose_and_double_nothing() {
    let Some(kafka) = one_node() else { return };
    let config = fresh(&kafka, 8);
    let brokers = [open(&config).await, open(&config).await].map(std::sync::Arc::new);
    let mut listeners = Vec::new();
    for (connection, broker) in (1..).zip(&brokers) {
        for topic in 0..4 {
            let asked = Listening::to(connection * 10 + topic, &format!("/topic/{topic}"));
            listeners.push(asked.within(64 << 20).on(&**broker).await);
        }
    }
    let mut publishing = JoinSet::new();
    for publisher in 0..8_usize {
        let broker = brokers[publisher % 2].clone();
        publishing.spawn(async move {
            let replies: Vec<_> = (0..500)
                .map(|number| {
                    let route = format!("/topic/{}", number % 4);
                    broker.publish(kept(&route, format!("{publisher} {number}")))
                })
                .collect();
            for reply in replies {
                assert!(!reply.await.unwrap().duplicate);
            }
        });
    }
    while let Some(done) = publishing.join_next().await {
        done.unwrap();
    }
    for listener in &mut listeners {
        let mut got = listener.bodies(1_000).await;
        got.sort();
        got.dedup();
        assert_eq!(got.len(), 1_000);
        listener.is_quiet().await;
    }
    for broker in brokers {
        broker.close().await;
    }
}
