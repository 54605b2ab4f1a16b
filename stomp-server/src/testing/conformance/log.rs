//! What is accepted, in which order, and who reads all of it.

use std::{sync::Arc, time::Duration};

use futures::FutureExt;
use tokio::time::timeout;

use crate::{
    broker::{Broker, BrokerError, StartFrom},
    problem::Code,
    testing::listener::{Listening, a_moment, kept, numbers, publish, publish_numbers},
};

pub(super) async fn accepted_means_logged(broker: Arc<dyn Broker>) {
    let position = publish(&*broker, "/topic/a", "kept").await;
    let log = broker.log().await.expect("the log tells about itself");
    assert_eq!(log.epoch, position.epoch);
    assert!(log.heads.iter().any(|head| *head > position.offset));
    let mut late = Listening::to(1, "/topic/a").from(StartFrom::First).on(&*broker).await;
    assert_eq!(late.bodies(1).await, ["kept"]);
}

pub(super) async fn calls_take_their_place_when_they_are_made(broker: Arc<dyn Broker>) {
    let mut listener = Listening::to(1, "/topic/a").on(&*broker).await;
    let replies: Vec<_> = (0..300).map(|number| broker.publish(kept("/topic/a", number))).collect();
    let mut last = None;
    for reply in replies {
        let position = reply.await.expect("it is accepted").position;
        assert!(position > last, "positions rise in the order of the calls");
        last = position;
    }
    assert_eq!(listener.bodies(300).await, numbers(0..300));
}

pub(super) async fn replies_come_in_order(broker: Arc<dyn Broker>) {
    let mut replies: Vec<_> =
        (0..50).map(|number| broker.publish(kept("/topic/a", number))).collect();
    let last = replies.pop().expect("there are fifty");
    last.await.expect("it is accepted");
    for reply in replies {
        let reply = reply.now_or_never().expect("an earlier reply is there already");
        reply.expect("it is accepted");
    }
}

pub(super) async fn first_wins(broker: Arc<dyn Broker>) {
    let mut listener = Listening::to(1, "/topic/a").on(&*broker).await;
    let retry = || kept("/topic/a", "one").deduplicated("ann", "7");
    // The second is made while the first may still be on its way.
    let (first, second) = (broker.publish(retry()), broker.publish(retry()));
    let first = first.await.expect("the first is accepted");
    let second = second.await.expect("the second is answered");
    let third = broker.publish(retry()).await.expect("the third is answered");
    assert!(!first.duplicate);
    for later in [second, third] {
        assert!(later.duplicate);
        assert!(later.position.is_none() || later.position == first.position);
    }
    for (route, sender, id) in
        [("/topic/b", "ann", "7"), ("/topic/a", "bob", "7"), ("/topic/a", "ann", "8")]
    {
        let other = broker.publish(kept(route, "other").deduplicated(sender, id)).await;
        assert!(!other.expect("another id is accepted").duplicate);
    }
    assert_eq!(listener.bodies(3).await, ["one", "other", "other"]);
    listener.is_quiet().await;
}

pub(super) async fn refused_is_definite(broker: Arc<dyn Broker>) {
    publish(&*broker, "/topic/a", "kept").await;
    let malformed = Listening::to(1, "/topic/#.a").start(&*broker).await;
    assert!(matches!(malformed, Err(BrokerError::Refused(_))));
    let replay = Listening::to(2, "/topic/*").from(StartFrom::First).start(&*broker).await;
    let Err(BrokerError::Refused(problem)) = replay else { panic!("it is refused") };
    assert_eq!(problem.code, Code::Invalid);
}

pub(super) async fn a_worker_reads_everything_in_order(broker: Arc<dyn Broker>) {
    let heads = broker.log().await.expect("the log tells about itself").heads;
    let mut reader = broker.read_log(&heads).await.expect("it is read from its head");
    for number in 0..100 {
        publish(&*broker, ["/topic/a", "/topic/b"][number % 2], number).await;
    }
    // Numbers of two destinations, which a log of many partitions may have in any order.
    let mut next = [0, 1];
    while next != [100, 101] {
        let batch = reader.next(7).await.expect("there is more");
        assert!(batch.records.len() <= 7);
        for record in &batch.records {
            let next = &mut next[usize::from(record.logged.route == "/topic/b")];
            assert_eq!(record.logged.message.body(), next.to_string().as_bytes());
            *next += 2;
        }
        assert!(batch.records.iter().all(|record| record.offset < batch.next));
        reader.taken_over(batch.partition, batch.next);
    }
    let nothing = timeout(Duration::from_millis(20), reader.next(7)).await;
    assert!(nothing.is_err(), "at the head it waits, and a dropped call has read nothing");
    publish(&*broker, "/topic/a", "last").await;
    let batch = timeout(Duration::from_secs(60), reader.next(7)).await.expect("it wakes");
    assert_eq!(batch.expect("there is one more").records.len(), 1);
}

pub(super) async fn a_start_that_the_log_does_not_have_is_refused(broker: Arc<dyn Broker>) {
    publish(&*broker, "/topic/a", "kept").await;
    let heads = broker.log().await.expect("the log tells about itself").heads;
    let above: Vec<_> = heads.iter().map(|head| head + 1).collect();
    assert!(matches!(broker.read_log(&above).await, Err(BrokerError::Refused(_))));
    let too_many: Vec<_> = heads.iter().chain(&[0]).copied().collect();
    assert!(matches!(broker.read_log(&too_many).await, Err(BrokerError::Refused(_))));
}

pub(super) async fn close_answers_then_refuses(broker: Arc<dyn Broker>) {
    publish_numbers(&*broker, "/topic/a", 0..10).await;
    let replies: Vec<_> = (0..50).map(|number| broker.publish(kept("/topic/a", number))).collect();
    timeout(Duration::from_secs(60), broker.close()).await.expect("it closes");
    for reply in replies {
        reply.await.expect("what was taken before the close is accepted");
    }
    broker.close().await;
    a_moment().await;
    let late = broker.publish(kept("/topic/a", "late")).await;
    let Err(BrokerError::Refused(problem)) = late else { panic!("it is refused") };
    assert_eq!(problem.code, Code::Shutdown);
    let late = Listening::to(1, "/topic/a").start(&*broker).await;
    assert!(matches!(late, Err(BrokerError::Refused(_))));
}
