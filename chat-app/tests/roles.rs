//! The work divided among processes: api, chat and store, each killed in turn.

mod support;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::json;
use stomp_server::testing::Kafka;
use support::{Person, Server, event, header};
use tokio_util::sync::CancellationToken;

#[test]
fn roles_that_cannot_work_together_are_refused_at_start() {
    let data = tempfile::tempdir().unwrap();
    let refused = std::process::Command::new(env!("CARGO_BIN_EXE_chat-app"))
        .args(["serve", "--role", "chat", "--http", "127.0.0.1:0", "--data"])
        .arg(data.path())
        .output()
        .unwrap();
    assert_eq!(refused.status.code(), Some(2));
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(said.contains("--role all") && said.contains("--broker kafka://"), "{said}");
}

/// A log and a database, and processes of every role on them.
struct Cluster {
    data: tempfile::TempDir,
    shared: Vec<String>,
    processes: Vec<(&'static str, Option<Server>)>,
    _kafka: Kafka,
}

const API: usize = 0;
const CHATS: [usize; 2] = [1, 2];
const ROLES: [&str; 5] = ["api", "chat", "chat", "store", "store"];
/// The order of the kills: every second one ends a writer of rows.
const KILLS: [usize; 5] = [3, 1, 4, 2, 0];

impl Cluster {
    /// Where Kafka or MariaDB cannot be had there is none, and that was said aloud.
    fn start() -> Option<Self> {
        let database = support::mariadb::database()?;
        let kafka = Kafka::start(1)?;
        let broker = format!("kafka://{}", kafka.bootstrap());
        let shared = ["--database", &database, "--broker", &broker];
        let shared = shared.iter().map(|word| (*word).to_owned()).collect();
        let data = tempfile::tempdir().expect("a folder");
        let mut cluster = Self { data, shared, processes: Vec::new(), _kafka: kafka };
        for role in ROLES {
            let server = cluster.process(role);
            cluster.processes.push((role, Some(server)));
        }
        Some(cluster)
    }

    fn process(&self, role: &str) -> Server {
        let mut arguments = vec!["--role", role];
        arguments.extend(self.shared.iter().map(String::as_str));
        tokio::task::block_in_place(|| Server::start_with(self.data.path(), &arguments))
    }

    fn server(&self, at: usize) -> &Server {
        self.processes[at].1.as_ref().expect("it runs")
    }

    /// Kills a process, and starts another one in its place.
    fn replace(&mut self, at: usize) {
        let (role, server) = &mut self.processes[at];
        let role = *role;
        server.take().expect("it runs").kill();
        self.processes[at].1 = Some(self.process(role));
    }

    /// Somebody who asks the api and talks through one of the chats.
    fn person(&self, person: &Person, chat: usize) -> Person {
        person.at(self.server(API), self.server(CHATS[chat]))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_receipted_message_is_one_row_though_each_process_is_killed_in_turn() {
    let Some(mut cluster) = Cluster::start() else { return };
    let api = cluster.server(API);
    let (ann, bob) = (api.person("ann").await, api.person("bob").await);
    let room = ann.group("Storm", &[&bob]).await;
    two_instances_are_one_room(&cluster, &ann, &bob, &room).await;

    let rounds = std::env::var("CHAT_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    let load = Load::begin(&cluster, &ann, &bob, &room);
    for _ in 0..rounds {
        for at in KILLS {
            load.grows_by(40).await;
            cluster.replace(at);
            load.moves_to(&cluster);
        }
    }
    load.grows_by(40).await;
    let receipted = load.end().await;
    assert_all_is_there(&cluster.person(&bob, 0), &room, &receipted).await;
}

/// What is said on one instance is heard on the other; a kick there holds here.
async fn two_instances_are_one_room(cluster: &Cluster, ann: &Person, bob: &Person, room: &str) {
    let (ann, bob) = (cluster.person(ann, 0), cluster.person(bob, 1));
    let (mut a, mut b) = (ann.stomp().await, bob.stomp().await);
    let topic = format!("/topic/rooms.{room}");
    b.subscribe("room", &topic, &[]).await;
    b.subscribe("rooms", "/user/queue/rooms", &[]).await;
    let said = a.say(room, "hello", "hello").await.expect("a receipt");
    let heard = b.message_on("room").await;
    assert_eq!(header(&heard, "position"), header(&said, "position"));
    assert_eq!(event(&b.message_on("rooms").await)["type"], "activity");
    b.silence_on("rooms").await; // told once, not once by every instance

    let member = format!("rooms/{room}/members/bob");
    assert!(ann.call(reqwest::Method::DELETE, &member, None).await.0.is_success());
    let last = event(&b.message_on("room").await);
    assert_eq!((&last["type"], &last["action"]), (&json!("member"), &json!("kicked")));
    a.say(room, "alone", "alone").await.expect("a receipt");
    b.silence_on("room").await;
    assert_eq!(b.say(room, "no", "no").await.expect_err("refused")["code"], "not-found");
    ann.put(&member, json!({})).await;
}

/// People who talk all the time.
struct Load {
    /// Where REST and the sessions of both chats are at the moment.
    doors: Arc<Mutex<[Person; 2]>>,
    receipted: Arc<Mutex<Vec<String>>>,
    stop: CancellationToken,
    tasks: tokio::task::JoinSet<()>,
}

impl Load {
    fn begin(cluster: &Cluster, ann: &Person, bob: &Person, room: &str) -> Self {
        let doors = Arc::new(Mutex::new([cluster.person(ann, 0), cluster.person(ann, 1)]));
        let receipted = Arc::new(Mutex::new(Vec::new()));
        let stop = CancellationToken::new();
        let mut tasks = tokio::task::JoinSet::new();
        for sender in 0..4 {
            let talker = Talker {
                doors: doors.clone(),
                receipted: receipted.clone(),
                stop: stop.clone(),
                room: room.to_owned(),
                sender,
                next: Arc::new(AtomicU64::new(0)),
            };
            tasks.spawn(talker.talk());
        }
        let watcher = Watcher {
            bob: bob.clone(),
            doors: doors.clone(),
            stop: stop.clone(),
            room: room.into(),
        };
        tasks.spawn(watcher.watch());
        Self { doors, receipted, stop, tasks }
    }

    /// After a restart ports are others.
    fn moves_to(&self, cluster: &Cluster) {
        let mut doors = self.doors.lock().expect("lock");
        for chat in 0..2 {
            doors[chat] = cluster.person(&doors[chat], chat);
        }
    }

    async fn grows_by(&self, more: usize) {
        let count = || self.receipted.lock().expect("lock").len();
        let (begin, wanted) = (Instant::now(), count() + more);
        while count() < wanted {
            assert!(begin.elapsed() < Duration::from_secs(90), "nothing is receipted any more");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn end(mut self) -> Vec<String> {
        self.stop.cancel();
        while let Some(ended) = self.tasks.join_next().await {
            ended.expect("a task of the load");
        }
        std::mem::take(&mut *self.receipted.lock().expect("lock"))
    }
}

/// Sends one message after the other, each again until it is receipted.
struct Talker {
    doors: Arc<Mutex<[Person; 2]>>,
    receipted: Arc<Mutex<Vec<String>>>,
    stop: CancellationToken,
    room: String,
    sender: usize,
    next: Arc<AtomicU64>,
}

impl Talker {
    async fn talk(self) {
        let mut door = self.sender;
        while !self.stop.is_cancelled() {
            let ann = self.doors.lock().expect("lock")[door % 2].clone();
            let (receipted, stop, next) =
                (self.receipted.clone(), self.stop.clone(), self.next.clone());
            let (room, sender) = (self.room.clone(), self.sender);
            // The session ends with its process, and so does this task; then the next one tries.
            let session = tokio::spawn(async move {
                let mut stomp = ann.stomp().await;
                while !stop.is_cancelled() {
                    let text = format!("{sender}-{}", next.load(Ordering::Relaxed));
                    stomp.say(&room, &text, &text).await.expect("a receipt");
                    receipted.lock().expect("lock").push(text);
                    next.fetch_add(1, Ordering::Relaxed);
                }
            });
            if session.await.is_err() {
                door += 1;
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

/// Marks what is there as read, and sees that markers only go forward.
struct Watcher {
    bob: Person,
    doors: Arc<Mutex<[Person; 2]>>,
    stop: CancellationToken,
    room: String,
}

impl Watcher {
    async fn watch(self) {
        let mut furthest = 0;
        while !self.stop.is_cancelled() {
            let bob = self.doors.lock().expect("lock")[0].clone().with_login_of(&self.bob);
            let room = self.room.clone();
            // While the api is away there is no answer at all.
            let look = tokio::spawn(async move {
                let seen = bob.get(&format!("rooms/{room}")).await;
                let newest = seen["last_ordinal"].as_i64().expect("ordinal");
                bob.put(&format!("rooms/{room}/read"), json!({"ordinal": newest})).await;
                seen["read_ordinal"].as_i64().expect("ordinal")
            });
            if let Ok(read) = look.await {
                assert!(read >= furthest, "a marker went back from {furthest} to {read}");
                furthest = read;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert!(furthest > 0, "nothing was ever marked as read");
    }
}

/// Every receipted message is one row, and the rows are numbered without holes.
async fn assert_all_is_there(reader: &Person, room: &str, receipted: &[String]) {
    let begin = Instant::now();
    loop {
        let history = whole_history(reader, room).await;
        let mut times = HashMap::<&str, usize>::new();
        for (n, (text, ordinal)) in history.iter().enumerate() {
            assert_eq!(*ordinal, n as i64 + 1, "ordinals have no holes");
            *times.entry(text).or_default() += 1;
        }
        assert!(times.values().all(|times| *times == 1), "a message is there twice");
        let missing = receipted.iter().filter(|text| !times.contains_key(text.as_str())).count();
        if missing == 0 {
            return;
        }
        assert!(begin.elapsed() < Duration::from_secs(60), "{missing} receipted ones are lost");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

async fn whole_history(reader: &Person, room: &str) -> Vec<(String, i64)> {
    let (mut history, mut after) = (Vec::new(), 0);
    loop {
        let page = reader.get(&format!("rooms/{room}/messages?limit=200&after={after}")).await;
        for message in page["messages"].as_array().expect("messages") {
            let text = message["text"].as_str().expect("text").to_owned();
            history.push((text, message["ordinal"].as_i64().expect("ordinal")));
        }
        match page["after"].as_i64() {
            Some(next) => after = next,
            None => return history,
        }
    }
}
