//! Pushes in SQL: due once, taken once, never lost in between.

use std::{
    sync::{Arc, atomic::AtomicUsize, atomic::Ordering},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use sqlx::AssertSqlSafe;
use stomp_server::broker::{BrokerConfig, Epoch, MemoryBroker, Position};
use tokio_util::sync::CancellationToken;

use super::{Sql, dialect::Column::Text, list::List};
use crate::{
    config::DatabaseChoice,
    domain::{
        ClientMessageId, Content, Kind, Marker, Message, MessageId, Role, RoomId, Timestamp, UserId,
    },
    notify::{
        Address, Decider, Outcome, Patience, Push, PushGateway, Sender,
        ports::{Backlog, Fate, PushStore, Which},
    },
    ports::{LogBatch, LogCursor, LogStore, MessageRow, NewRoom, Rooms},
    service::Log,
};

const LEASE: Duration = Duration::from_secs(600);

struct Bench {
    sql: Sql,
    room: RoomId,
    said: i64,
}

/// Runs each of these on every database.
macro_rules! on_every_database {
    ($($test:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test]
            async fn $test() {
                let folder = tempfile::tempdir().unwrap();
                let choice = super::DatabaseChoice::Sqlite(folder.path().join("chat.db"));
                super::$test(super::Bench::new(&choice).await).await;
            })*
        }
        mod mariadb {
            $(#[tokio::test]
            async fn $test() {
                let Some(url) = crate::mariadb::database() else { return };
                let choice = super::DatabaseChoice::parse(&url).unwrap();
                super::$test(super::Bench::new(&choice).await).await;
            })*
        }
    };
}

on_every_database!(
    messages_that_come_together_are_one_job_for_a_device,
    what_comes_while_a_push_is_on_its_way_is_not_lost,
    a_lease_that_ends_is_another_attempt,
    what_was_read_is_seen_by_the_last_look,
    a_decision_that_was_not_finished_is_made_again,
    what_fails_is_tried_again_and_then_given_up_until_it_is_revived,
    a_room_of_ten_thousand_is_decided_in_a_moment,
);

fn user(name: &str) -> UserId {
    UserId::parse(name).unwrap()
}

impl Bench {
    /// Ann and bob in a room; bob has a device.
    async fn new(choice: &DatabaseChoice) -> Self {
        let sql = Sql::open(choice).await.unwrap();
        let start = LogCursor { partition: 0, epoch: 7, next: 1 };
        sql.reset_cursors(&[start]).await.unwrap();
        let mut bench = Self { sql, room: RoomId::fresh(), said: 0 };
        bench.room = bench.new_room().await;
        bench.devices(&["bob".into()]).await;
        bench
    }

    async fn new_room(&self) -> RoomId {
        let room = NewRoom {
            id: RoomId::fresh(),
            kind: Kind::Group,
            public: false,
            name: None,
            members: vec![(user("ann"), Role::Owner), (user("bob"), Role::Member)],
            by: user("ann"),
            at: Timestamp::now(),
            idempotency: None,
        };
        Rooms::create(&self.sql, &room).await.unwrap();
        room.id
    }

    async fn members(&self, names: &[String]) {
        let list = self.sql.dialect.list("wanted", &[Text("user_id")]);
        let insert = format!(
            "INSERT INTO members (room_id, user_id, role, version, joined_at) \
             SELECT ?, wanted.user_id, 'member', 1, 0 FROM {list}"
        );
        let query = sqlx::query(AssertSqlSafe(insert)).bind(self.room.as_str());
        let rows = List::new(names.iter().map(|name| (name,))).into_text();
        query.bind(rows).execute(&self.sql.write).await.unwrap();
    }

    /// One device a user, called after it.
    async fn devices(&self, names: &[String]) {
        let columns = [Text("id"), Text("user_id"), Text("address")];
        let list = self.sql.dialect.list("wanted", &columns);
        let insert = format!(
            "INSERT INTO devices (id, user_id, place, kind, address, language, token_id, \
             created_at) SELECT wanted.id, wanted.user_id, wanted.id, 'fcm', wanted.address, 'en', \
             't', 0 FROM {list}"
        );
        let device = |name: &String| {
            let address = Address::Fcm { token: name.clone() };
            (format!("d-{name}"), name.clone(), serde_json::to_string(&address).unwrap())
        };
        let rows = List::new(names.iter().map(device)).into_text();
        sqlx::query(AssertSqlSafe(insert)).bind(rows).execute(&self.sql.write).await.unwrap();
    }

    /// Ann says something; it is stored, and due at once.
    async fn say(&mut self) {
        let room = self.room.clone();
        self.say_in(&room).await;
    }

    async fn say_in(&mut self, room: &RoomId) {
        self.said += 1;
        let (ann, client) = (user("ann"), format!("m{}", self.said));
        let client = ClientMessageId::parse(&client).unwrap();
        let message = Message {
            id: MessageId::of(room, &ann, &client),
            room: room.clone(),
            sender: ann,
            content: Content { text: Some("hello".into()), ..Content::default() },
            client_message_id: Some(client),
            position: None,
            ordinal: None,
            created_at: Timestamp::now(),
            edited_at: None,
            deleted: false,
        };
        let position = Position { epoch: Epoch(7), offset: self.said as u64 };
        let mut batch = self.batch();
        batch.messages.push(MessageRow { message, position, at_ms: 0, partition: 0 });
        self.sql.take_over(&batch).await.unwrap();
        sqlx::query("UPDATE push_due SET due_at = 0").execute(&self.sql.write).await.unwrap();
    }

    async fn read(&mut self, name: &str) {
        let position = Position { epoch: Epoch(7), offset: self.said as u64 }.to_string();
        self.said += 1;
        let mut batch = self.batch();
        let marker =
            Marker { user: user(name), position: Some(position), ordinal: None, private: false };
        batch.markers.push((self.room.clone(), marker));
        self.sql.take_over(&batch).await.unwrap();
    }

    fn batch(&self) -> LogBatch {
        let at = |next| LogCursor { partition: 0, epoch: 7, next };
        let offset = self.said as u64;
        LogBatch { from: vec![at(offset)], to: vec![at(offset + 1)], ..LogBatch::default() }
    }

    async fn decide(&self) -> bool {
        let broker = Arc::new(MemoryBroker::new(BrokerConfig::default()));
        let log = Log::new(broker, Duration::from_secs(5));
        Decider { store: Arc::new(self.sql.clone()), log }.decide().await.unwrap()
    }

    async fn backlog(&self) -> (i64, i64) {
        let Backlog { open, dead, .. } = self.sql.backlog().await.unwrap();
        (open, dead)
    }

    /// A sender with this gateway, until it is so.
    async fn send_until(&self, gateway: Arc<dyn PushGateway>, so: impl AsyncFn() -> bool) {
        let patience = Patience {
            first: Duration::from_millis(1),
            longest: Duration::from_millis(5),
            attempts: 3,
        };
        let stop = CancellationToken::new();
        let sender = Sender::new(Arc::new(self.sql.clone()), gateway, patience);
        let task = tokio::spawn(sender.run(stop.clone()));
        in_time(so).await;
        stop.cancel();
        task.await.unwrap();
    }
}

/// A transaction that is dropped is rolled back a moment later.
async fn in_time(so: impl AsyncFn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !so().await {
        assert!(Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Counts, and answers always the same.
struct Counting(AtomicUsize, Outcome);

#[async_trait]
impl PushGateway for Counting {
    async fn push(&self, _: &Address, _: &Push) -> Outcome {
        self.0.fetch_add(1, Ordering::SeqCst);
        self.1.clone()
    }
}

async fn messages_that_come_together_are_one_job_for_a_device(mut bench: Bench) {
    bench.say().await;
    bench.say().await;
    assert!(bench.decide().await);
    assert!(!bench.decide().await, "nothing more is due");
    bench.say().await;
    assert!(bench.decide().await);
    assert_eq!(bench.backlog().await, (1, 0));
    let jobs = bench.sql.claim(10, LEASE).await.unwrap();
    let job = &jobs[0];
    assert_eq!((jobs.len(), job.since_ordinal, job.upto_ordinal, job.attempt), (1, 1, 3, 1));
    assert_eq!(job.user, user("bob"), "the sender gets none");
    assert!(bench.sql.claim(10, LEASE).await.unwrap().is_empty(), "it is taken");
    bench.sql.settle(&[(job.clone(), Fate::Over)]).await.unwrap();
    assert_eq!(bench.backlog().await, (0, 0));
}

async fn what_comes_while_a_push_is_on_its_way_is_not_lost(mut bench: Bench) {
    bench.say().await;
    bench.decide().await;
    let first = bench.sql.claim(10, LEASE).await.unwrap().remove(0);
    bench.say().await;
    bench.decide().await;
    bench.sql.settle(&[(first, Fate::Over)]).await.unwrap();
    let rest = bench.sql.claim(10, LEASE).await.unwrap().remove(0);
    assert_eq!((rest.since_ordinal, rest.upto_ordinal, rest.attempt), (2, 2, 1));
}

async fn a_lease_that_ends_is_another_attempt(mut bench: Bench) {
    bench.say().await;
    bench.decide().await;
    let first = bench.sql.claim(10, Duration::ZERO).await.unwrap().remove(0);
    let again = bench.sql.claim(10, LEASE).await.unwrap().remove(0);
    assert_eq!((first.id, again.attempt), (again.id, 2));
    // Whoever was not tried has not used up an attempt.
    let wait = Duration::ZERO;
    bench.sql.settle(&[(again, Fate::Again { wait, cause: None })]).await.unwrap();
    assert_eq!(bench.sql.claim(10, LEASE).await.unwrap()[0].attempt, 2);
}

async fn what_was_read_is_seen_by_the_last_look(mut bench: Bench) {
    bench.say().await;
    bench.decide().await;
    let job = bench.sql.claim(10, LEASE).await.unwrap().remove(0);
    let due = async |bench: &Bench| {
        let look = bench.sql.look(&job).await.unwrap().unwrap();
        (look.window.due_for(&look.who, &look.blocks, look.now).is_some(), look.unread)
    };
    assert_eq!(due(&bench).await, (true, 1));
    bench.read("bob").await;
    assert_eq!(due(&bench).await, (false, 0));
    sqlx::query("DELETE FROM members WHERE user_id = 'bob'")
        .execute(&bench.sql.write)
        .await
        .unwrap();
    assert!(bench.sql.look(&job).await.unwrap().is_none(), "no member any more");
}

async fn a_decision_that_was_not_finished_is_made_again(mut bench: Bench) {
    bench.say().await;
    let mut room = bench.sql.take_due().await.unwrap().unwrap();
    let jobs = room.devices(&[user("bob")]).await.unwrap();
    room.open(&jobs).await.unwrap();
    drop(room);
    assert_eq!(bench.backlog().await, (0, 0), "nothing of it stays");
    in_time(async || bench.decide().await).await;
    assert_eq!(bench.backlog().await, (1, 0));
}

async fn what_fails_is_tried_again_and_then_given_up_until_it_is_revived(mut bench: Bench) {
    bench.say().await;
    bench.decide().await;
    let cause = "away".to_owned();
    let away = Outcome::Later { wait: None, cause, service: false };
    let failing = Arc::new(Counting(AtomicUsize::new(0), away));
    bench.send_until(failing.clone(), async || bench.backlog().await == (0, 1)).await;
    assert_eq!(failing.0.load(Ordering::SeqCst), 3);
    let listed = bench.sql.jobs(0, 10).await.unwrap().remove(0);
    assert_eq!((listed.dead, listed.cause.as_deref(), listed.attempts), (true, Some("away"), 3));
    assert_eq!(bench.sql.revive(&Which::Dead).await.unwrap(), 1);
    let working = Arc::new(Counting(AtomicUsize::new(0), Outcome::Sent));
    bench.send_until(working.clone(), async || bench.backlog().await == (0, 0)).await;
    assert_eq!(working.0.load(Ordering::SeqCst), 1);
}

/// The figure is told, not judged: `docs/notifications.md` has it for a machine at rest.
async fn a_room_of_ten_thousand_is_decided_in_a_moment(mut bench: Bench) {
    const MEMBERS: usize = 10_000;
    let names: Vec<String> = (0..MEMBERS).map(|n| format!("member-{n}")).collect();
    bench.members(&names).await;
    bench.devices(&names).await;
    bench.say().await;
    let begin = Instant::now();
    assert!(bench.decide().await);
    let (took, open) = (begin.elapsed(), bench.backlog().await.0);
    assert_eq!(open as usize, MEMBERS + 1, "bob too");
    println!("{:?}: {MEMBERS} members decided and queued in {took:?}", bench.sql.dialect);
    assert!(took < Duration::from_secs(60), "{took:?}");
}

#[tokio::test]
async fn workers_pass_over_what_another_has_in_hand() {
    let Some(url) = crate::mariadb::database() else { return };
    let mut bench = Bench::new(&DatabaseChoice::parse(&url).unwrap()).await;
    let other = bench.new_room().await;
    bench.say().await;
    bench.say_in(&other).await;
    let first = bench.sql.take_due().await.unwrap().unwrap();
    let second = bench.sql.take_due().await.unwrap().unwrap();
    assert_ne!(first.facts().id, second.facts().id);
    assert!(bench.sql.take_due().await.unwrap().is_none(), "both are in hands");
    drop(first);
    in_time(async || bench.sql.take_due().await.unwrap().is_some()).await;
}
