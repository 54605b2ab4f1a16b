//! What holds between processes, and when one of them dies.

use stomp_core::Frame;
use stomp_server::testing::{Kafka, Talk};
use tokio::net::TcpStream;

use crate::{one_node, started::Program};

fn start(kafka: &Kafka, prefix: &str) -> Program {
    let broker = format!("kafka://{}", kafka.bootstrap());
    Program::start(&["--kafka-prefix", prefix, "--journal-sync", "normal", "--broker", &broker])
}

fn start_without_log(kafka: &Kafka, prefix: &str) -> Program {
    let broker = format!("kafka://{}", kafka.bootstrap());
    Program::start_without_log(&["--kafka-prefix", prefix, "--broker", &broker])
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

/// An instance is killed while a consumer of a queue and a durable subscriber have messages
/// open; both go on at another one, and nothing is lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_9_gives_back_what_its_consumers_and_durable_subscribers_had_open() {
    const ALL: u32 = 60;
    let Some(kafka) = one_node() else { return };
    let prefix = format!("test-{:08x}", rand::random::<u32>());
    let (dying, staying) = (start(&kafka, &prefix), start(&kafka, &prefix));
    let subscribe = |id: &str, destination: &str, more: &str| {
        format!(
            "C: SUBSCRIBE⏎id:{id}⏎destination:{destination}⏎ack:client-individual⏎{more}receipt:{id}⏎⏎^@
             S: RECEIPT⏎receipt-id:{id}"
        )
    };
    let durable = "durable:true⏎";
    let mut consumer = talk(&dying).await;
    consumer.play(&subscribe("q", "/queue/work", "prefetch-count:10⏎")).await;
    let mut reader = talk(&dying).await;
    reader.play(&subscribe("d", "/topic/a", durable)).await;
    let mut publisher = talk(&staying).await;
    for number in 0..ALL {
        for destination in ["/queue/work", "/topic/a"] {
            let frame = format!("SEND\ndestination:{destination}\nreceipt:r\n\n{number}\0");
            publisher.write(frame.as_bytes()).await;
            assert_eq!(publisher.frame().await.command().as_str(), "RECEIPT");
        }
    }
    let mut worked = std::collections::BTreeSet::new();
    for _ in 0..ALL / 2 {
        let message = consumer.frame().await;
        let ack = message.header("ack").unwrap().into_owned();
        consumer.write(format!("ACK\nid:{ack}\n\n\0").as_bytes()).await;
        worked.insert(String::from_utf8_lossy(message.body()).into_owned());
    }
    let message = reader.frame().await;
    let ack = message.header("ack").unwrap().into_owned();
    reader.write(format!("ACK\nid:{ack}\nreceipt:a\n\n\0").as_bytes()).await;
    while reader.frame().await.command().as_str() != "RECEIPT" {}
    dying.signal("KILL");
    let mut consumer = talk(&staying).await;
    consumer.play(&subscribe("q", "/queue/work", "")).await;
    while worked.len() < ALL as usize {
        worked.insert(String::from_utf8_lossy(consumer.frame().await.body()).into_owned());
    }
    let mut reader = talk(&staying).await;
    reader.play(&format!("{}⏎recovered:true", subscribe("d", "/topic/a", durable))).await;
    let first: u32 = String::from_utf8_lossy(reader.frame().await.body()).parse().unwrap();
    assert_eq!(first, 1, "behind the last that was acknowledged before its successors");
    for number in first + 1..ALL {
        assert_eq!(reader.frame().await.body().as_ref(), number.to_string().as_bytes());
    }
}

/// Started before its Kafka, the program listens and says so, and takes nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_kafka_the_program_listens_is_not_ready_and_accepts_nothing() {
    let Some(kafka) = Kafka::start(1) else { return };
    kafka.kill(1);
    let prefix = format!("test-{:08x}", rand::random::<u32>());
    let program = start_without_log(&kafka, &prefix);
    assert!(program.banner.contains("waits for its log"), "{}", program.banner);
    assert!(program.get("/health/live", "").await.starts_with("HTTP/1.1 200"));
    assert!(program.get("/health/ready", "").await.starts_with("HTTP/1.1 503"));
    let mut refused = program.talk().await;
    refused
        .play(
            "C: CONNECT⏎accept-version:1.2⏎login:ann⏎⏎^@
             S: ERROR⏎code:unavailable⏎retry-after-ms:*
             S: (closed)",
        )
        .await;
    kafka.resume(&[1]);
    let ready = async {
        while !program.get("/health/ready", "").await.starts_with("HTTP/1.1 200") {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(120), ready).await.unwrap();
    let mut talk = talk(&program).await;
    talk.play("C: SEND⏎destination:/topic/a⏎receipt:1⏎⏎now^@\nS: RECEIPT⏎receipt-id:1").await;
}

/// A body of 16 MiB from one instance's socket to another's, and one octet more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixteen_mebibytes_travel_from_end_to_end() {
    const MAX: usize = 16 << 20;
    let Some(kafka) = one_node() else { return };
    let prefix = format!("test-{:08x}", rand::random::<u32>());
    let broker = format!("kafka://{}", kafka.bootstrap());
    let start = || {
        let flags = ["--kafka-prefix", &prefix, "--broker", &broker, "--max-body", "16MiB"];
        Program::start(&flags)
    };
    let (one, other) = (start(), start());
    let mut reader = talk(&other).await;
    for (id, destination) in [("t", "/topic/large"), ("q", "/queue/large")] {
        let subscribe = format!("C: SUBSCRIBE⏎id:{id}⏎destination:{destination}⏎receipt:{id}⏎⏎^@");
        reader.play(&format!("{subscribe}\nS: RECEIPT⏎receipt-id:{id}")).await;
    }
    let mut publisher = talk(&one).await;
    let body: Vec<u8> = (0..MAX).map(|at| (at % 251) as u8).collect();
    for destination in ["/topic/large", "/queue/large"] {
        let head = format!(
            "SEND\ndestination:{destination}\nreceipt:1\ncontent-length:{}\n\n",
            body.len()
        );
        publisher.write(&[head.as_bytes(), &body, b"\0"].concat()).await;
        assert_eq!(publisher.frame().await.command().as_str(), "RECEIPT");
        let message = reader.frame().await;
        assert_eq!(message.header("destination").as_deref(), Some(destination));
        assert!(message.body().as_ref() == body.as_slice(), "every octet");
    }
    let head = format!("SEND\ndestination:/topic/large\ncontent-length:{}\n\n", MAX + 1);
    publisher.write(head.as_bytes()).await;
    publisher.play("S: ERROR⏎code:too-large").await;
}

/// What the dashboard shows is what there is to be seen.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_metric_of_the_dashboard_exists_and_is_explained() {
    let Some(kafka) = one_node() else { return };
    let program = start(&kafka, &format!("test-{:08x}", rand::random::<u32>()));
    let mut talk = talk(&program).await;
    talk.play("C: SUBSCRIBE⏎id:q⏎destination:/queue/a⏎receipt:q⏎⏎^@\nS: RECEIPT").await;
    talk.play("C: SEND⏎destination:/queue/a⏎⏎a^@\nS: MESSAGE⏎subscription:q").await;
    program.measures("stomp_kafka_lag_records", |_| true).await;
    let metrics = program.get("/metrics", "").await;
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/dashboards/stomp-server.json");
    let dashboard = std::fs::read_to_string(path).unwrap();
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let names: std::collections::BTreeSet<_> =
        dashboard.split(|c| !is_word(c)).filter(|word| word.starts_with("stomp_")).collect();
    assert!(names.len() > 15, "{names:?}");
    for name in names {
        assert!(metrics.contains(&format!("# HELP {name} ")), "{name} is not explained");
        assert!(metrics.lines().any(|line| line.starts_with(name)), "{name} is not there");
    }
}

fn take(bodies: &mut Vec<String>, place: &mut Option<String>, frame: &Frame) {
    assert_eq!(frame.command().as_str(), "MESSAGE", "{frame:?}");
    bodies.push(String::from_utf8_lossy(frame.body()).into_owned());
    *place = frame.header("position").map(|place| place.into_owned());
}
