//! What does the broker itself cost, without sockets and frames?
//!
//! Fan-out: deliveries by the broker in memory, each through its log, ring, index and bounded
//! outbound, against a plain tokio fan-out (an unbounded channel for each subscriber, nothing
//! kept, nothing checked). It bounds what the whole server can reach.
//!
//! Journal: receipts of 16 publishers with 64 messages under way each, against the same rows
//! inserted by a bare loop in transactions of 100, on the same disk in the same run.
//!
//! `cargo bench -p benches --bench broker -- QUESTION` with `fanout`, `queue`, `journal`, or
//! nothing for all of them.
#![allow(clippy::unwrap_used, reason = "a bench that cannot go on should stop")]

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use benches::{Answer, Bound, Contest, process::median, report};
use bytes::Bytes;
use sqlx::{Connection, Row, SqliteConnection, sqlite::SqliteConnectOptions};
use stomp_core::SharedMessage;
use stomp_server::{
    broker::{
        Broker, BrokerConfig, ConnectionId, Delivery, JournalBroker, MemoryBroker, Outcome,
        Publish, SubscribeRequest, SubscriptionKey,
    },
    session::{OutboundQueue, SlowConsumer, outbound},
};
use tokio::{runtime::Runtime, sync::mpsc, task::JoinSet};

const BODY: usize = 128;
/// Messages between two drains, at least one for each room, as busy sockets take them.
const WINDOW: usize = 32;

fn main() {
    let asked: Vec<String> =
        std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    let wants = |question: &str| asked.is_empty() || asked.iter().any(|asked| asked == question);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    if wants("fanout") {
        fan_out(&runtime);
    }
    if wants("queue") {
        queue(&runtime);
    }
    if wants("journal") {
        runtime.block_on(journal());
    }
}

fn fan_out(runtime: &Runtime) {
    let _inside = runtime.enter();
    let shapes = [
        ("a delivery to 1 subscriber", 1, 1, 0.4),
        ("a delivery to 10 subscribers", 1, 10, 0.5),
        ("a delivery to 100 subscribers", 1, 100, 0.5),
        ("a delivery to 1,000 subscribers", 1, 1_000, 0.5),
        ("a delivery in 200 rooms of 10", 200, 10, 0.5),
    ];
    let mut answers = Vec::new();
    for (question, rooms, subscribers, floor) in shapes {
        let mut ours = Ours::new(rooms, subscribers);
        let mut plain = Plain::new(rooms, subscribers);
        let outcome = Contest::new(question)
            .entry("the broker in memory", || ours.turn())
            .entry("plain tokio channels", || plain.turn())
            .run();
        let value = outcome.speed("the broker in memory", "plain tokio channels");
        answers.push(Answer { what: question, value, floor: Bound::AtLeast(floor) });
    }
    report(&answers);
}

/// Rooms of the broker, each with its subscribers.
struct Ours {
    broker: MemoryBroker,
    messages: Vec<SharedMessage>,
    queues: Vec<OutboundQueue>,
    drained: Vec<Delivery>,
    next: usize,
}

impl Ours {
    fn new(rooms: usize, subscribers: usize) -> Self {
        let broker = MemoryBroker::default();
        let route = |room: usize| format!("/topic/rooms.{room}");
        let message = |room| SharedMessage::new(&route(room), [("n", "v")], vec![b'x'; BODY]);
        let mut queues = Vec::new();
        for number in 0..rooms * subscribers {
            queues.push(subscribe(&broker, number, &route(number % rooms), false));
        }
        let messages = (0..rooms).map(message).collect();
        Self { broker, messages, queues, drained: Vec::new(), next: 0 }
    }

    fn turn(&mut self) -> usize {
        for _ in 0..WINDOW.max(self.messages.len()) {
            let message = &self.messages[self.next % self.messages.len()];
            self.next += 1;
            drop(self.broker.publish(Publish::kept(message.clone())));
        }
        let mut delivered = 0;
        for queue in &self.queues {
            queue.drain(usize::MAX, &mut self.drained);
            delivered += self.drained.len();
            queue.written(self.drained.drain(..).map(|delivery| delivery.weight()).sum());
        }
        delivered
    }
}

/// Rooms without a broker.
struct Plain {
    rooms: Vec<Vec<mpsc::UnboundedSender<Bytes>>>,
    receivers: Vec<mpsc::UnboundedReceiver<Bytes>>,
    message: Bytes,
    next: usize,
}

impl Plain {
    fn new(rooms: usize, subscribers: usize) -> Self {
        let mut plain = Self {
            rooms: vec![Vec::new(); rooms],
            receivers: Vec::new(),
            message: Bytes::from(vec![b'x'; BODY]),
            next: 0,
        };
        for number in 0..rooms * subscribers {
            let (sender, receiver) = mpsc::unbounded_channel();
            plain.rooms[number % rooms].push(sender);
            plain.receivers.push(receiver);
        }
        plain
    }

    fn turn(&mut self) -> usize {
        for _ in 0..WINDOW.max(self.rooms.len()) {
            let room = &self.rooms[self.next % self.rooms.len()];
            self.next += 1;
            let message = Bytes::copy_from_slice(&self.message);
            for sender in room {
                sender.send(message.clone()).unwrap();
            }
        }
        let mut delivered = 0;
        for receiver in &mut self.receivers {
            while receiver.try_recv().is_ok() {
                delivered += 1;
            }
        }
        delivered
    }
}

fn subscribe(broker: &dyn Broker, number: usize, route: &str, acks: bool) -> OutboundQueue {
    let connection = ConnectionId(number as u64);
    let (outbound, queue) = outbound(connection, 1 << 20, SlowConsumer::Disconnect);
    let request = SubscribeRequest {
        key: SubscriptionKey { connection, number: 0 },
        route: route.into(),
        from: None,
        acks,
        prefetch: 256,
        durable: None,
        selector: None,
    };
    drop(broker.subscribe(request, outbound));
    queue
}

/// A message through a queue, acknowledged one by one.
fn queue(runtime: &Runtime) {
    let _inside = runtime.enter();
    let broker = MemoryBroker::default();
    let message = SharedMessage::new("/queue/a", [("n", "v")], vec![b'x'; BODY]);
    let consumer = subscribe(&broker, 1, "/queue/a", true);
    let mut drained = Vec::new();
    let (sender, mut receiver) = mpsc::unbounded_channel();
    let plain = Bytes::from(vec![b'x'; BODY]);
    Contest::new("a message of a queue, acknowledged")
        .entry("the broker in memory", || {
            for _ in 0..WINDOW {
                drop(broker.publish(Publish::kept(message.clone())));
            }
            consumer.drain(usize::MAX, &mut drained);
            consumer.written(drained.iter().map(Delivery::weight).sum());
            for delivery in drained.drain(..) {
                let token = delivery.token.unwrap();
                drop(broker.settle(delivery.subscription, &[token], Outcome::Ack));
            }
            WINDOW
        })
        .entry("a plain tokio channel", || {
            for _ in 0..WINDOW {
                sender.send(Bytes::copy_from_slice(&plain)).unwrap();
            }
            while receiver.try_recv().is_ok() {}
            WINDOW
        })
        .run();
}

const PUBLISHERS: usize = 16;
const UNDER_WAY: usize = 64;
const RECEIPTS: usize = 30_000;
const ROUNDS: usize = 5;

async fn journal() {
    let folder = tempfile::tempdir_in(".").unwrap();
    let mut ratios = Vec::new();
    println!("\nreceipts of the journal, synchronous FULL, {BODY} B");
    for round in 0..ROUNDS {
        let ours = journaled(&folder.path().join(format!("ours{round}.db"))).await;
        let bare = bare_loop(&folder.path().join(format!("bare{round}.db"))).await;
        println!(
            "    {:8.0} receipts/s   {:8.0} rows/s of a bare loop   fdatasync p50 {:?}",
            rate(ours),
            rate(bare),
            fdatasync(folder.path()),
        );
        ratios.push(bare.as_secs_f64() / ours.as_secs_f64());
    }
    report(&[Answer {
        what: "receipts of the journal against a bare loop of 100-row transactions",
        value: median(ratios),
        floor: Bound::AtLeast(0.5),
    }]);
}

async fn journaled(path: &std::path::Path) -> Duration {
    let broker = Arc::new(JournalBroker::open(path, BrokerConfig::default()).await.unwrap());
    let begun = Instant::now();
    let mut publishers = JoinSet::new();
    for publisher in 0..PUBLISHERS {
        let broker = broker.clone();
        publishers.spawn(async move {
            let message = message(publisher);
            let mut open = std::collections::VecDeque::new();
            for _ in 0..RECEIPTS / PUBLISHERS {
                open.push_back(broker.publish(Publish::kept(message.clone())));
                if open.len() == UNDER_WAY {
                    open.pop_front().unwrap().await.unwrap();
                }
            }
            for reply in open {
                reply.await.unwrap();
            }
        });
    }
    publishers.join_all().await;
    let took = begun.elapsed();
    broker.close().await;
    took
}

/// What the journal writes, without a broker: one statement for a hundred rows.
async fn bare_loop(path: &std::path::Path) -> Duration {
    const ROWS: usize = 100;
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
    let options = options.journal_mode(sqlx::sqlite::SqliteJournalMode::Wal);
    let options = options.synchronous(sqlx::sqlite::SqliteSynchronous::Full);
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    for statement in [
        "CREATE TABLE log (offset INTEGER PRIMARY KEY AUTOINCREMENT, at_ms INTEGER NOT NULL,
         route_hash INTEGER NOT NULL, record BLOB NOT NULL)",
        "CREATE INDEX log_by_route ON log (route_hash, offset)",
    ] {
        sqlx::query(statement).execute(&mut connection).await.unwrap();
    }
    let records: Vec<_> =
        (0..PUBLISHERS).map(|publisher| message(publisher).to_stored().to_vec()).collect();
    let sql = format!(
        "INSERT INTO log (at_ms, route_hash, record) VALUES {}",
        vec!["(?,?,?)"; ROWS].join(",")
    );
    let begun = Instant::now();
    for number in 0..RECEIPTS / ROWS {
        let mut transaction = connection.begin().await.unwrap();
        let mut insert = sqlx::query(sqlx::AssertSqlSafe(sql.clone()));
        for row in 0..ROWS {
            let publisher = (number + row) % PUBLISHERS;
            insert = insert.bind(1_i64).bind(publisher as i64).bind(records[publisher].clone());
        }
        insert.execute(&mut *transaction).await.unwrap();
        transaction.commit().await.unwrap();
    }
    let took = begun.elapsed();
    let count = sqlx::query("SELECT count(*) FROM log").fetch_one(&mut connection).await.unwrap();
    assert_eq!(count.get::<i64, _>(0), RECEIPTS as i64);
    took
}

fn message(publisher: usize) -> SharedMessage {
    SharedMessage::new(&format!("/topic/rooms.{publisher}"), [("n", "v")], vec![b'x'; BODY])
}

/// What the disk takes for one write that survives a loss of power.
fn fdatasync(folder: &std::path::Path) -> Duration {
    use std::io::Write;
    let mut file = std::fs::File::create(folder.join("probe")).unwrap();
    let times = (0..50).map(|_| {
        let begun = Instant::now();
        file.write_all(&[0; 4096]).unwrap();
        file.sync_data().unwrap();
        begun.elapsed().as_secs_f64()
    });
    Duration::from_secs_f64(median(times.collect()))
}

fn rate(took: Duration) -> f64 {
    RECEIPTS as f64 / took.as_secs_f64()
}
