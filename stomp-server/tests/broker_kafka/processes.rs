//! What holds between processes, and when one of them dies.

use stomp_core::Frame;
use stomp_server::testing::{Kafka, Talk};
use tokio::net::TcpStream;

use crate::{one_node, started::Program};

fn start(kafka: &Kafka, prefix: &str) -> Program {
    let broker = format!("kafka://{}", kafka.bootstrap());
    Program::start(&["--kafka-prefix", prefix, "--journal-sync", "normal", "--broker", &broker])
}

async fn talk(program: &Program) -> Talk<TcpStream> {
    let mut talk = program.talk().await;
    talk.login("ann").await;
    talk
}

/// Twice an instance is killed in the middle of publications; publisher and subscriber move on
/// to the next one with what they know.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_9_of_an_instance_costs_no_message_and_doubles_none() {
    const EACH: u32 = 150;
    let Some(kafka) = one_node() else { return };
    let prefix = format!("test-{:08x}", rand::random::<u32>());
    let watcher = start(&kafka, &prefix);
    let mut watching = talk(&watcher).await;
    watching.play("C: SUBSCRIBE⏎id:w⏎destination:/topic/a⏎receipt:w⏎⏎^@\nS: RECEIPT").await;

    let (mut sent, mut place, mut moved) = (0, None::<String>, Vec::new());
    for life in 1..=3 {
        let instance = start(&kafka, &prefix);
        let mut reader = talk(&instance).await;
        let from = place.clone().map_or(String::new(), |place| format!("from:{place}⏎"));
        reader.play(&format!("C: SUBSCRIBE⏎id:r⏎destination:/topic/a⏎receipt:r⏎{from}⏎^@")).await;
        let subscribed = reader.frame().await;
        assert_eq!(subscribed.command().as_str(), "RECEIPT", "{subscribed:?}");
        assert_eq!(subscribed.header("recovered").as_deref(), place.as_deref().map(|_| "true"));
        let mut publisher = talk(&instance).await;
        // All at once, so that some are on their way when the end comes.
        for number in sent..life * EACH {
            let frame = format!(
                "SEND\ndestination:/topic/a\nmessage-dedup-id:{number}\nreceipt:{number}\n\n{number}\0"
            );
            publisher.write(frame.as_bytes()).await;
        }
        let until = if life == 3 { life * EACH } else { life * EACH - EACH / 2 };
        while sent < until {
            let receipt = publisher.frame().await;
            assert_eq!(receipt.header("receipt-id").unwrap(), sent.to_string());
            sent += 1;
        }
        for _ in 0..40 {
            take(&mut moved, &mut place, &reader.frame().await);
        }
        instance.signal("KILL");
        if life == 3 {
            break;
        }
    }
    // The subscriber that moved reads what is left on yet another instance.
    let mut reader = talk(&watcher).await;
    let place_now = place.clone().unwrap();
    reader
        .play(&format!(
            "C: SUBSCRIBE⏎id:r⏎destination:/topic/a⏎receipt:r⏎from:{place_now}⏎⏎^@
             S: RECEIPT⏎recovered:true"
        ))
        .await;
    let all: Vec<_> = (0..3 * EACH).map(|number| number.to_string()).collect();
    while moved.len() < all.len() {
        take(&mut moved, &mut place, &reader.frame().await);
    }
    assert_eq!(moved, all, "the one that moved has everything once, in order");
    let mut watched = Vec::new();
    while watched.len() < all.len() {
        take(&mut watched, &mut None, &watching.frame().await);
    }
    assert_eq!(watched, all, "so has the one that stayed");
}

fn take(bodies: &mut Vec<String>, place: &mut Option<String>, frame: &Frame) {
    assert_eq!(frame.command().as_str(), "MESSAGE", "{frame:?}");
    bodies.push(String::from_utf8_lossy(frame.body()).into_owned());
    *place = frame.header("position").map(|place| place.into_owned());
}
