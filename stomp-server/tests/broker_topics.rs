//! Topics of the broker in memory: who gets what, in which order, from where on.

use std::{sync::Arc, time::Duration};

use stomp_core::SharedMessage;
use stomp_server::{
    broker::{
        Broker, BrokerConfig, ConnectionId, Delivery, MemoryBroker, Outcome, Place, Position,
        Publish, StartFrom, SubscribeRequest, Subscribed, SubscriptionKey, Token,
    },
    session::{OutboundQueue, SlowConsumer, outbound},
};

/// One connection with one subscription.
struct Listener {
    key: SubscriptionKey,
    queue: OutboundQueue,
    subscribed: Subscribed,
}

fn request(connection: u64, route: &str) -> SubscribeRequest {
    SubscribeRequest {
        key: SubscriptionKey { connection: ConnectionId(connection), number: 0 },
        route: route.into(),
        from: None,
        acks: false,
        prefetch: 256,
        durable: None,
    }
}

async fn listen_within(broker: &dyn Broker, request: SubscribeRequest, bound: usize) -> Listener {
    let (outbound, queue) = outbound(request.key.connection, bound, SlowConsumer::Disconnect);
    let key = request.key;
    let subscribed = broker.subscribe(request, outbound).await.unwrap();
    Listener { key, queue, subscribed }
}

async fn listen(broker: &dyn Broker, request: SubscribeRequest) -> Listener {
    listen_within(broker, request, 1 << 20).await
}

impl Listener {
    /// What has come, after the tasks of the broker had their turn.
    async fn deliveries(&self) -> Vec<Delivery> {
        let mut all = Vec::new();
        let mut quiet = 0;
        while quiet < 20 {
            let mut some = Vec::new();
            self.queue.drain(usize::MAX, &mut some);
            self.queue.written(some.iter().map(Delivery::weight).sum());
            quiet = if some.is_empty() { quiet + 1 } else { 0 };
            all.extend(some);
            tokio::task::yield_now().await;
        }
        all
    }

    async fn bodies(&self) -> Vec<String> {
        let deliveries = self.deliveries().await;
        deliveries.iter().map(body).collect()
    }
}

fn body(delivery: &Delivery) -> String {
    String::from_utf8_lossy(delivery.logged.message.body()).into_owned()
}

fn message(route: &str, body: impl ToString) -> Publish {
    Publish::kept(SharedMessage::new(route, [("", ""); 0], body.to_string()))
}

async fn publish(broker: &dyn Broker, route: &str, body: impl ToString) -> Position {
    broker.publish(message(route, body)).await.unwrap().position.unwrap()
}

async fn publish_all(broker: &dyn Broker, route: &str, bodies: std::ops::Range<u32>) {
    for body in bodies {
        publish(broker, route, body).await;
    }
}

fn numbers(range: std::ops::Range<u32>) -> Vec<String> {
    range.map(|number| number.to_string()).collect()
}

#[tokio::test]
async fn each_subscription_gets_each_message_of_its_destination_in_order() {
    let broker = MemoryBroker::default();
    let one = listen(&broker, request(1, "/topic/a")).await;
    let two = listen(&broker, request(2, "/topic/a")).await;
    let other = listen(&broker, request(3, "/topic/b")).await;
    publish_all(&broker, "/topic/a", 0..50).await;
    assert_eq!(one.bodies().await, numbers(0..50));
    assert_eq!(two.bodies().await, numbers(0..50));
    assert!(other.bodies().await.is_empty());
}

#[tokio::test]
async fn patterns_get_what_they_cover() {
    let broker = MemoryBroker::default();
    publish(&broker, "/topic/a.b", "before").await;
    let star = listen(&broker, request(1, "/topic/a.*")).await;
    let rest = listen(&broker, request(2, "/topic/a.#")).await;
    for route in ["/topic/a", "/topic/a.b", "/topic/a.b.c", "/topic/b"] {
        publish(&broker, route, route).await;
    }
    assert_eq!(star.bodies().await, ["/topic/a.b"]);
    assert_eq!(rest.bodies().await, ["/topic/a", "/topic/a.b", "/topic/a.b.c"]);
    broker.unsubscribe(star.key, Place::Keep).await.unwrap();
    publish(&broker, "/topic/a.b", "after").await;
    assert!(star.bodies().await.is_empty());
    assert_eq!(rest.bodies().await, ["after"]);
}

#[tokio::test]
async fn a_volatile_message_has_no_place_and_reaches_who_listens_now() {
    let broker = MemoryBroker::default();
    let exact = listen(&broker, request(1, "/topic/a")).await;
    let pattern = listen(&broker, request(2, "/topic/>")).await;
    let volatile = Publish::volatile(SharedMessage::new("/topic/a", [("", ""); 0], "now"));
    let accepted = broker.publish(volatile).await.unwrap();
    assert_eq!(accepted.position, None);
    assert_eq!(exact.bodies().await, ["now"]);
    assert_eq!(pattern.bodies().await, ["now"]);
    let mut late = request(3, "/topic/a");
    late.from = Some(StartFrom::First);
    assert!(listen(&broker, late).await.bodies().await.is_empty());
}

#[tokio::test]
async fn from_starts_where_it_says() {
    let broker = MemoryBroker::default();
    let mut places = Vec::new();
    for number in 0..10 {
        places.push(publish(&broker, "/topic/a", number).await);
        publish(&broker, "/topic/b", "other").await;
    }
    let cases = [
        (StartFrom::Next, true, 10..10),
        (StartFrom::First, true, 0..10),
        (StartFrom::Last(3), true, 7..10),
        (StartFrom::Last(100), true, 0..10),
        (StartFrom::After(places[4]), true, 5..10),
        (StartFrom::After(Position { offset: 0, ..places[0] }), true, 0..10),
        (StartFrom::After(Position { offset: 1_000, ..places[0] }), false, 10..10),
    ];
    for (connection, (from, recovered, replayed)) in (1..).zip(cases) {
        let mut asked = request(connection, "/topic/a");
        asked.from = Some(from);
        let listener = listen(&broker, asked).await;
        assert_eq!(listener.subscribed.recovered, Some(recovered), "{from:?}");
        assert!(listener.subscribed.position.is_some());
        assert_eq!(listener.bodies().await, numbers(replayed), "{from:?}");
        broker.unsubscribe(listener.key, Place::Keep).await.unwrap();
    }
}

#[tokio::test]
async fn a_place_that_has_left_the_ring_is_not_recovered_but_quiet_destinations_are() {
    let config = BrokerConfig { ring_bytes: 64 << 10, ..BrokerConfig::default() };
    let broker = MemoryBroker::new(config);
    let busy = publish(&broker, "/topic/busy", "first").await;
    let _keeps_the_channel = listen(&broker, request(1, "/topic/quiet")).await;
    let quiet = publish(&broker, "/topic/quiet", "only").await;
    for _ in 0..200 {
        publish(&broker, "/topic/busy", "x".repeat(1024)).await;
    }
    let cases = [("/topic/busy", busy, false), ("/topic/quiet", quiet, true)];
    for (connection, (route, place, recovered)) in (2..).zip(cases) {
        let mut asked = request(connection, route);
        asked.from = Some(StartFrom::After(place));
        let listener = listen(&broker, asked).await;
        assert_eq!(listener.subscribed.recovered, Some(recovered), "{route}");
        assert!(listener.bodies().await.is_empty(), "{route}");
    }
}

#[tokio::test]
async fn more_kept_than_a_replay_may_take_is_not_recovered_from_the_first() {
    let config = BrokerConfig { replay_records: 10, ..BrokerConfig::default() };
    let broker = MemoryBroker::new(config);
    publish_all(&broker, "/topic/a", 0..11).await;
    let mut asked = request(1, "/topic/a");
    asked.from = Some(StartFrom::First);
    let listener = listen(&broker, asked).await;
    assert_eq!(listener.subscribed.recovered, Some(false));
    publish(&broker, "/topic/a", "live").await;
    assert_eq!(listener.bodies().await, ["live"]);
}

#[tokio::test]
async fn a_replay_larger_than_the_outbound_comes_whole_and_goes_on_live() {
    let broker = MemoryBroker::default();
    publish_all(&broker, "/topic/a", 0..2_000).await;
    let mut asked = request(1, "/topic/a");
    asked.from = Some(StartFrom::First);
    let listener = listen_within(&broker, asked, 4 << 10).await;
    let mut got = Vec::new();
    for live in 2_000..2_100 {
        publish(&broker, "/topic/a", live).await;
        let mut some = Vec::new();
        listener.queue.drain(1 << 10, &mut some);
        listener.queue.written(some.iter().map(Delivery::weight).sum());
        got.extend(some.iter().map(body));
        tokio::task::yield_now().await;
    }
    got.extend(listener.bodies().await);
    publish(&broker, "/topic/a", 2_100).await;
    got.extend(listener.bodies().await);
    assert_eq!(got, numbers(0..2_101));
}

#[tokio::test]
async fn a_second_publication_of_an_id_is_a_duplicate_of_the_first() {
    let broker = MemoryBroker::default();
    let listener = listen(&broker, request(1, "/topic/a")).await;
    let one = || message("/topic/a", "one").deduplicated("ann", "7");
    let first = broker.publish(one()).await.unwrap();
    let second = broker.publish(one()).await.unwrap();
    assert!(!first.duplicate);
    assert!(second.duplicate);
    assert_eq!(second.position, first.position);
    let bob = message("/topic/a", "bob").deduplicated("bob", "7");
    assert!(!broker.publish(bob).await.unwrap().duplicate);
    assert_eq!(listener.bodies().await, ["one", "bob"]);
}

#[tokio::test]
async fn an_acknowledged_topic_waits_at_its_prefetch_and_loses_nothing() {
    let broker = MemoryBroker::default();
    for (connection, route) in [(1, "/topic/a"), (2, "/topic/*")] {
        let mut asked = request(connection, route);
        asked.acks = true;
        asked.prefetch = 3;
        let listener = listen(&broker, asked).await;
        publish_all(&broker, "/topic/a", 0..10).await;
        let mut got = Vec::new();
        while got.len() < 10 {
            let deliveries = listener.deliveries().await;
            assert!(!deliveries.is_empty() && deliveries.len() <= 3);
            let tokens: Vec<Token> = deliveries.iter().filter_map(|one| one.token).collect();
            assert_eq!(tokens.len(), deliveries.len());
            got.extend(deliveries.iter().map(body));
            broker.settle(listener.key, &tokens, Outcome::Ack).await.unwrap();
        }
        assert_eq!(got, numbers(0..10), "{route}");
        publish(&broker, "/topic/a", "live").await;
        assert_eq!(listener.bodies().await, ["live"]);
        broker.unsubscribe(listener.key, Place::Keep).await.unwrap();
    }
}

#[tokio::test]
async fn a_stalled_reader_is_ended_by_the_policy_and_delays_nobody() {
    let broker = MemoryBroker::default();
    let stalled = listen_within(&broker, request(1, "/topic/a"), 2 << 10).await;
    let healthy = listen(&broker, request(2, "/topic/a")).await;
    publish_all(&broker, "/topic/a", 0..100).await;
    assert!(stalled.queue.has_overflowed());
    assert_eq!(healthy.bodies().await, numbers(0..100));
    drop(stalled);
    publish(&broker, "/topic/a", "on").await;
    assert_eq!(healthy.bodies().await, ["on"]);
}

#[tokio::test]
async fn a_worker_reads_all_in_order_and_holds_back_what_it_has_not_taken_over() {
    let config = BrokerConfig { ring_bytes: 16 << 10, ..BrokerConfig::default() };
    let broker = Arc::new(MemoryBroker::new(config));
    let head = broker.log().await.unwrap().heads[0];
    let mut reader = broker.read_log(&[head]).await.unwrap();
    let mut sent = 0;
    while broker.has_room() {
        publish(&*broker, ["/topic/a", "/topic/b"][sent % 2], sent).await;
        sent += 1;
    }
    assert!(broker.publish(message("/topic/a", "more")).await.is_err());
    let mut got = 0;
    while got < sent {
        let batch = reader.next(7).await.unwrap();
        assert!(batch.records.len() <= 7);
        for record in &batch.records {
            assert_eq!(record.logged.message.body(), got.to_string().as_bytes());
            got += 1;
        }
        reader.taken_over(batch.partition, batch.next);
    }
    tokio::time::timeout(Duration::from_secs(5), broker.room()).await.unwrap();
    let waiting = tokio::spawn(async move { reader.next(10).await });
    tokio::task::yield_now().await;
    publish(&*broker, "/topic/a", "last").await;
    assert_eq!(waiting.await.unwrap().unwrap().records.len(), 1);
    assert!(broker.read_log(&[head]).await.is_err(), "trimmed");
    assert!(broker.read_log(&[1 << 40]).await.is_err(), "above the head");
}

#[tokio::test]
async fn a_closed_broker_refuses_and_its_tasks_are_over() {
    let broker = MemoryBroker::default();
    publish_all(&broker, "/topic/a", 0..100).await;
    let mut asked = request(1, "/topic/a");
    asked.from = Some(StartFrom::First);
    let _stalled = listen_within(&broker, asked, 1 << 10).await;
    tokio::time::timeout(Duration::from_secs(5), broker.close()).await.unwrap();
    broker.close().await;
    let error = broker.publish(message("/topic/a", "late")).await.unwrap_err();
    assert!(error.to_string().starts_with("shutdown"), "{error}");
}
