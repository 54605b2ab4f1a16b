//! What a selector lets through, live, replayed and from queues.

use std::{ops::Range, sync::Arc};

use stomp_core::SharedMessage;

use crate::{
    broker::{Broker, Outcome, Place, Publish, StartFrom},
    testing::listener::{Listening, body, numbers},
};

const TOPIC: &str = "/topic/a";
const QUEUE: &str = "/queue/a";

/// Numbers, each of which says in a header whether it is `even` or `odd`.
async fn publish_parities(broker: &dyn Broker, to: &str, range: Range<u32>) {
    for number in range {
        let parity = if number.is_multiple_of(2) { "even" } else { "odd" };
        let headers = [("parity", parity.to_owned()), ("number", number.to_string())];
        let message = SharedMessage::new(to, headers, number.to_string());
        broker.publish(Publish::kept(message)).await.expect("it is accepted");
    }
}

fn every_second(range: Range<u32>) -> Vec<String> {
    range.step_by(2).map(|number| number.to_string()).collect()
}

pub(super) async fn a_topic_subscription_gets_what_it_selects(broker: Arc<dyn Broker>) {
    let mut all = Listening::to(1, TOPIC).on(&*broker).await;
    let mut even = Listening::to(2, TOPIC).selecting("parity = 'even'").on(&*broker).await;
    let mut pattern = Listening::to(3, "/topic/*").selecting("number >= 8").on(&*broker).await;
    publish_parities(&*broker, TOPIC, 0..10).await;
    assert_eq!(all.bodies(10).await, numbers(0..10));
    assert_eq!(even.bodies(5).await, every_second(0..10));
    assert_eq!(pattern.bodies(2).await, numbers(8..10));
    even.is_quiet().await;
    let volatile = SharedMessage::new(TOPIC, [("parity", "odd")], "odd");
    broker.publish(Publish::volatile(volatile)).await.expect("it is handed over");
    assert_eq!(all.bodies(1).await, ["odd"]);
    even.is_quiet().await;
}

/// What is not selected takes no part of the prefetch, and is not in the way of a replay.
pub(super) async fn a_replay_brings_what_is_selected_and_goes_on_live(broker: Arc<dyn Broker>) {
    publish_parities(&*broker, TOPIC, 0..400).await;
    let asked = Listening::to(1, TOPIC).from(StartFrom::First).selecting("parity = 'even'");
    let mut even = asked.acking(3).on(&*broker).await;
    assert_eq!(even.subscribed.recovered, Some(true));
    publish_parities(&*broker, TOPIC, 400..410).await;
    for expected in every_second(0..410) {
        let next = even.take(1).await;
        assert_eq!(body(&next[0]), expected);
        even.settle(&*broker, &next, Outcome::Ack).await;
    }
    even.is_quiet().await;
}

/// Longer than one look of a selector takes.
const LONG: u32 = 3_000;

pub(super) async fn a_queue_gives_each_consumer_what_it_selects(broker: Arc<dyn Broker>) {
    publish_parities(&*broker, QUEUE, 0..LONG).await;
    let last = format!("number = {}", LONG - 1);
    let mut one = Listening::to(1, QUEUE).acking(10).selecting(&last).on(&*broker).await;
    assert_eq!(one.bodies(1).await, [(LONG - 1).to_string()]);
    one.is_quiet().await;
    let asked = Listening::to(2, QUEUE).acking(10).selecting("parity = 'even'");
    let mut even = asked.on(&*broker).await;
    let first = even.take(10).await;
    even.settle(&*broker, &first, Outcome::Ack).await;
    assert_eq!(even.bodies(10).await, every_second(20..40));
    let mut rest = Listening::to(3, QUEUE).acking(4).on(&*broker).await;
    assert_eq!(rest.bodies(4).await, ["1", "3", "5", "7"]);
}

pub(super) async fn what_comes_back_goes_to_who_selects_it(broker: Arc<dyn Broker>) {
    let mut odd = Listening::to(1, QUEUE).acking(10).selecting("parity = 'odd'").on(&*broker).await;
    let mut all = Listening::to(2, QUEUE).acking(10).on(&*broker).await;
    publish_parities(&*broker, QUEUE, 0..4).await;
    let (mine, theirs) = (odd.rest().await, all.rest().await);
    assert_eq!(mine.len() + theirs.len(), 4);
    assert!(mine.iter().all(|one| one.logged.message.header("parity").as_deref() == Some("odd")));
    broker.unsubscribe(all.key, Place::Keep).await.expect("it ends");
    let back = theirs.iter().filter(|one| !body(one).ends_with(['0', '2']));
    let expected: Vec<String> = back.map(body).collect();
    assert_eq!(odd.bodies(expected.len()).await, expected);
    odd.is_quiet().await;
}
