//! What is due when something is away is sent when it is back: the push service, the database,
//! and each of the processes that share the work.
//!
//! `PUSH_AWAY` (3) says for how many seconds things are away, `PUSH_KILLS` (4) how many
//! processes are killed.

mod support;

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use serde_json::json;
use stomp_server::testing::Kafka;
use support::{
    Person, Server, Stomp, header,
    mariadb::MariaDb,
    push::{Came, PushService, say},
};
use tokio::net::{TcpListener, TcpSocket};

const ROOMS: usize = 4;
const ALLOW: &str = "--allow-private-push";

fn number(variable: &str, otherwise: u64) -> u64 {
    let given = std::env::var(variable).ok().and_then(|text| text.parse().ok());
    given.unwrap_or(otherwise)
}

fn away() -> Duration {
    Duration::from_secs(number("PUSH_AWAY", 3))
}

/// Rooms of ann and bob, with what was receipted last in each.
struct Rooms {
    last: BTreeMap<String, String>,
    said: usize,
}

impl Rooms {
    async fn new(ann: &Person, bob: &Person) -> Self {
        let mut last = BTreeMap::new();
        for n in 0..ROOMS {
            last.insert(ann.group(&format!("Room {n}"), &[bob]).await, String::new());
        }
        Self { last, said: 0 }
    }

    /// One message in each of them.
    async fn say(&mut self, stomp: &mut Stomp) {
        for (room, last) in &mut self.last {
            self.said += 1;
            let id = format!("m-{}", self.said);
            let receipt = stomp.say(room, &id, "hello").await.expect("a receipt");
            *last = header(&receipt, "position");
        }
    }

    async fn say_over_rest(&mut self, ann: &Person) {
        for (room, last) in &mut self.last {
            self.said += 1;
            let sent = say(ann, room, json!({"text": "hello"})).await;
            *last = sent["position"].as_str().expect("a position").to_owned();
        }
    }

    /// Whether each of them was told of up to its end.
    fn are_told(&self, came: &[Came]) -> bool {
        self.last.iter().all(|(room, last)| {
            let here = came.iter().filter(|one| one.status == 204 && one.body["room"] == **room);
            here.filter_map(|one| one.body["position"].as_str()).max() >= Some(last)
        })
    }

    fn report(&self, what: &str, came: &[Came]) {
        let room = |one: &Came| one.body["room"].to_string();
        let keys: BTreeMap<_, _> =
            came.iter().map(|one| (room(one), &one.body["collapse_key"])).collect();
        let sent = came.iter().filter(|one| one.status == 204).count();
        println!("{what}: {} messages receipted, {sent} pushes in {} rooms", self.said, keys.len());
        let one_key = |one: &Came| keys[&room(one)] == &one.body["collapse_key"];
        assert!(came.iter().all(one_key), "a repetition has the same key");
    }
}

/// A place where nobody answers, and which nobody else gets.
async fn kept_free(address: SocketAddr) -> TcpSocket {
    for _ in 0..100 {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_reuseaddr(true).expect("an option of it");
        if socket.bind(address).is_ok() {
            return socket;
        }
        tokio::time::sleep(Duration::from_millis(20)).await; // its last user is still leaving
    }
    panic!("{address} does not become free");
}

#[tokio::test]
async fn a_push_service_that_was_away_gets_everything_when_it_is_back() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start_with(data.path(), &[ALLOW]);
    let (ann, bob) = (server.person("ann").await, server.person("bob").await);
    let mut rooms = Rooms::new(&ann, &bob).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = PushService::on(listener, |_, _| 204);
    service.device(&bob, "/bob").await;
    drop(service);
    let place = kept_free(address).await;
    rooms.say(&mut ann.stomp().await).await;
    tokio::time::sleep(away()).await;
    let service = PushService::on(place.listen(128).unwrap(), |_, _| 204);
    let came = service.until("/bob", |came| rooms.are_told(came)).await;
    rooms.report("push service away", &came);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_said_while_the_database_is_away_is_pushed_when_it_is_back() {
    let Some(database) = MariaDb::start("") else { return };
    let data = tempfile::tempdir().unwrap();
    let url = database.database();
    let server = Server::start_with(data.path(), &[ALLOW, "--database", &url]);
    let (ann, bob) = (server.person("ann").await, server.person("bob").await);
    let mut rooms = Rooms::new(&ann, &bob).await;
    let service = PushService::start().await;
    service.device(&bob, "/bob").await;
    let mut stomp = ann.stomp().await;
    rooms.say(&mut stomp).await;
    tokio::task::block_in_place(|| database.kill());
    rooms.say(&mut stomp).await;
    tokio::time::sleep(away()).await;
    tokio::task::block_in_place(|| database.resume());
    let came = service.until("/bob", |came| rooms.are_told(came)).await;
    rooms.report("database away", &came);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_that_share_the_work_lose_nothing_when_they_are_killed_in_turn() {
    let Some(url) = support::mariadb::database() else { return };
    let Some(kafka) = Kafka::start(1) else { return };
    let broker = format!("kafka://{}", kafka.bootstrap());
    let data = tempfile::tempdir().unwrap();
    let start = |role: &str| {
        let arguments = [ALLOW, "--role", role, "--database", &url, "--broker", &broker];
        tokio::task::block_in_place(|| Server::start_with(data.path(), &arguments))
    };
    let front = start("api,chat");
    let mut others: Vec<_> =
        ["store", "notify", "notify"].iter().map(|role| (*role, Some(start(role)))).collect();
    let (ann, bob) = (front.person("ann").await, front.person("bob").await);
    let mut rooms = Rooms::new(&ann, &bob).await;
    let service = PushService::answering(|_, before| if before % 5 == 1 { 503 } else { 204 }).await;
    service.device(&bob, "/bob").await;
    for kill in 0..number("PUSH_KILLS", 4) {
        rooms.say_over_rest(&ann).await;
        // Somewhere between what is said, what is due and what is on its way.
        tokio::time::sleep(Duration::from_millis(kill * 977 % 2600)).await;
        let (role, server) = &mut others[kill as usize % 3];
        server.take().expect("it runs").kill();
        *server = Some(start(role));
    }
    rooms.say_over_rest(&ann).await;
    let came = service.until("/bob", |came| rooms.are_told(came)).await;
    rooms.report("processes killed", &came);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kafka_node_that_dies_costs_no_push() {
    let Some(url) = support::mariadb::database() else { return };
    let Some(kafka) = Kafka::start(3) else { return };
    let broker = format!("kafka://{}", kafka.bootstrap());
    let data = tempfile::tempdir().unwrap();
    let start = |role: &str| {
        let arguments = [ALLOW, "--role", role, "--database", &url, "--broker", &broker];
        tokio::task::block_in_place(|| Server::start_with(data.path(), &arguments))
    };
    let (front, _behind) = (start("api,chat"), start("store,notify"));
    let (ann, bob) = (front.person("ann").await, front.person("bob").await);
    let mut rooms = Rooms::new(&ann, &bob).await;
    let service = PushService::answering(|_, before| if before % 5 == 1 { 503 } else { 204 }).await;
    service.device(&bob, "/bob").await;
    for node in 1..=3 {
        rooms.say_over_rest(&ann).await;
        // What was said is on its way to SQL, what was said before is due or being sent.
        tokio::task::block_in_place(|| kafka.kill(node));
        rooms.say_over_rest(&ann).await;
        tokio::task::block_in_place(|| kafka.resume(&[node]));
    }
    let came = service.until("/bob", |came| rooms.are_told(came)).await;
    rooms.report("Kafka nodes killed", &came);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_was_on_an_instance_that_died_gets_one_push() {
    let Some(url) = support::mariadb::database() else { return };
    let Some(kafka) = Kafka::start(1) else { return };
    let broker = format!("kafka://{}", kafka.bootstrap());
    let data = tempfile::tempdir().unwrap();
    let start = |role: &str| {
        let arguments = [ALLOW, "--role", role, "--database", &url, "--broker", &broker];
        tokio::task::block_in_place(|| Server::start_with(data.path(), &arguments))
    };
    let (front, lives, dies) = (start("api,store,notify"), start("chat"), start("chat"));
    let (ann, bob) = (front.person("ann").await, front.person("bob").await);
    let (ann, bob) = (ann.at(&front, &lives), bob.at(&front, &dies));
    let room = ann.group("Tea", &[&bob]).await;
    let fence = ann.group("Fence", &[&bob]).await;
    let service = PushService::start().await;
    service.device(&bob, "/bob").await;

    let topic = format!("/topic/rooms.{room}");
    let mut watch = ann.stomp().await;
    watch.subscribe("room", &topic, &[]).await;
    let mut eyes = bob.stomp().await;
    eyes.subscribe("room", &topic, &[]).await;
    watch.until_presence("room", "bob", true).await;
    let said = watch.say(&room, "seen", "seen").await.expect("a receipt");
    let seen = json!({"position": header(&said, "position")}).to_string();
    let destination = format!("/app/rooms.{room}.delivered");
    eyes.receipted("SEND", &[("destination", &destination)], &seen).await.unwrap();

    // The marker is on its way to the log when its receipt comes: this is behind it.
    watch.until_delivered("room", "bob").await;
    dies.kill();
    // Nobody says that bob has gone; his lease runs out.
    watch.until_presence("room", "bob", false).await;
    say(&ann, &room, json!({"text": "are you there?"})).await;
    say(&ann, &fence, json!({"text": "fence"})).await;
    let both = |came: &[Came]| {
        ["Tea", "Fence"].iter().all(|title| came.iter().any(|one| one.body["title"] == *title))
    };
    let came = service.until("/bob", both).await;
    let tea: Vec<_> = came.iter().filter(|one| one.body["title"] == "Tea").collect();
    assert_eq!(tea.len(), 1, "{tea:#?}");
    assert_eq!(tea[0].body["preview"], "are you there?");
}
