//! What the store makes of a log, whatever happens in between.

use std::{sync::Arc, time::Duration};

use stomp_server::broker::{Broker, BrokerConfig, MemoryBroker, Position, Publish};
use tokio_util::sync::CancellationToken;

use super::{Shared, StoreWriter, plan::plan, sql::Sql};
use crate::{
    config::DatabaseChoice,
    domain::{
        ClientMessageId, Content, Event, Kind, Marker, Message, MessageId, ReadUpTo, Role, RoomId,
        Timestamp, UserId, markers_topic, room_topic,
    },
    ports::{
        Accounts, Applied, Created, History, LogBatch, LogCursor, LogStore, NewRoom, Outbox, Range,
        Rooms, StoreResult,
    },
    service::{Log, Relay, json_message},
};

struct Bench {
    sql: Sql,
    broker: Arc<dyn Broker>,
    room: RoomId,
}

fn user(name: &str) -> UserId {
    UserId::parse(name).unwrap()
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

mod people;

on_every_database!(
    a_store_that_dies_around_its_commits_loses_and_doubles_nothing,
    ordinals_are_dense_and_unread_counts_what_others_said,
    a_batch_that_is_read_again_after_a_crash_leaves_no_doubles,
    a_retry_behind_the_logs_window_is_one_row,
    markers_only_go_forward_and_never_beyond_the_newest_message,
    what_cannot_be_applied_is_set_aside_and_the_rest_goes_on,
    a_log_that_was_replaced_or_rolled_back_is_refused,
    the_newest_version_of_a_room_decides,
    changes_that_a_crash_left_behind_are_swept_into_the_log_once,
);

impl Bench {
    async fn new(choice: &DatabaseChoice) -> Self {
        let sql = Sql::open(choice).await.unwrap();
        let broker = Arc::new(MemoryBroker::new(BrokerConfig::default()));
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
        assert_eq!(Rooms::create(&sql, &room).await.unwrap(), Created::Fresh(room.id.clone()));
        Self { sql, broker, room: room.id }
    }

    fn message(&self, room: &RoomId, client: &str) -> Publish {
        let (sender, client_id) = (user("ann"), ClientMessageId::parse(client).unwrap());
        let message = Message {
            id: MessageId::of(room, &sender, &client_id),
            room: room.clone(),
            sender,
            content: Content { text: Some(client.into()), ..Content::default() },
            client_message_id: Some(client_id),
            position: None,
            ordinal: None,
            created_at: Timestamp::now(),
            edited_at: None,
            deleted: false,
        };
        let event = Event::Message { room: room.clone(), at: Timestamp::now(), message };
        Publish::kept(json_message(&room_topic(room), serde_json::to_string(&event).unwrap()))
    }

    /// Appends without the log's own dedupe: as if its window were over.
    async fn say(&self, client: &str) -> Position {
        let accepted = self.broker.publish(self.message(&self.room, client)).await.unwrap();
        accepted.position.unwrap()
    }

    async fn mark(&self, name: &str, position: Position) -> Position {
        let marker = Marker::new(user(name), ReadUpTo::Position(position));
        let event =
            Event::Read { room: self.room.clone(), at: Timestamp::now(), markers: vec![marker] };
        let json = serde_json::to_string(&event).unwrap();
        let publish = Publish::kept(json_message(&markers_topic(&self.room), json));
        self.broker.publish(publish).await.unwrap().position.unwrap()
    }

    /// A store that works until it has everything up to here.
    async fn store_up_to(&self, position: Position) {
        let (writer, progress) =
            StoreWriter::open(self.broker.clone(), Arc::new(self.sql.clone()), Shared::No)
                .await
                .unwrap();
        let stop = CancellationToken::new();
        let task = tokio::spawn(writer.run(stop.clone()));
        assert!(progress.reached(0, position, Duration::from_secs(60)).await);
        stop.cancel();
        task.await.unwrap();
    }

    /// The next batch as a store would read it, from where the database stands.
    async fn batch(&self, records: usize) -> LogBatch {
        let cursors = self.sql.cursors().await.unwrap();
        let mut reader = self.broker.read_log(&[cursors[0].next]).await.unwrap();
        let read = reader.next(records).await.unwrap();
        let records: Vec<_> = read.records.into_iter().map(|record| (0, record)).collect();
        plan(&cursors, &records)
    }

    async fn begin(&self) {
        let epoch = self.broker.log().await.unwrap().epoch.0;
        let start = LogCursor { partition: 0, epoch, next: 0 };
        self.sql.reset_cursors(&[start]).await.unwrap();
    }

    /// Texts and ordinals of the history.
    async fn history(&self) -> Vec<(String, i64)> {
        let page = self.sql.page(&self.room, 0, &Range::Newest, 200).await.unwrap();
        let row = |message: Message| (message.content.text.unwrap(), message.ordinal.unwrap());
        page.messages.into_iter().map(row).collect()
    }

    async fn unread(&self, name: &str) -> i64 {
        let seen = Rooms::room(&self.sql, &self.room, &user(name)).await.unwrap().unwrap();
        seen.unread.unwrap()
    }

    async fn dead(&self) -> i64 {
        self.sql.count_dead().await
    }
}

async fn ordinals_are_dense_and_unread_counts_what_others_said(bench: Bench) {
    let mut last = bench.say("m1").await;
    for n in 2..=5 {
        last = bench.say(&format!("m{n}")).await;
    }
    bench.store_up_to(last).await;
    let expected: Vec<_> = (1..=5).map(|n| (format!("m{n}"), n)).collect();
    assert_eq!(bench.history().await, expected);
    assert_eq!(bench.unread("ann").await, 0, "sending counts as read");
    assert_eq!(bench.unread("bob").await, 5);
}

async fn a_batch_that_is_read_again_after_a_crash_leaves_no_doubles(bench: Bench) {
    bench.begin().await;
    for n in 1..=6 {
        bench.say(&format!("m{n}")).await;
    }
    // A crash before the commit: the batch is simply read again. One behind it: it is fenced.
    let lost = bench.batch(4).await;
    let again = bench.batch(3).await;
    assert_eq!(bench.sql.take_over(&again).await.unwrap(), Applied::Done);
    assert_eq!(bench.sql.take_over(&again).await.unwrap(), Applied::Fenced);
    assert_eq!(
        bench.sql.take_over(&lost).await.unwrap(),
        Applied::Fenced,
        "a zombie writes nothing"
    );
    let last = bench.say("m7").await;
    bench.store_up_to(last).await;
    let expected: Vec<_> = (1..=7).map(|n| (format!("m{n}"), n)).collect();
    assert_eq!(bench.history().await, expected);
}

async fn a_retry_behind_the_logs_window_is_one_row(bench: Bench) {
    bench.begin().await;
    for client in ["m1", "m2", "m1"] {
        bench.say(client).await;
    }
    let first = bench.batch(10).await;
    assert_eq!(bench.sql.take_over(&first).await.unwrap(), Applied::Done);
    bench.say("m2").await;
    let last = bench.say("m3").await;
    bench.store_up_to(last).await;
    assert_eq!(bench.history().await, [("m1".into(), 1), ("m2".into(), 2), ("m3".into(), 3)]);
}

async fn markers_only_go_forward_and_never_beyond_the_newest_message(bench: Bench) {
    let first = bench.say("m1").await;
    let second = bench.say("m2").await;
    let last = bench.mark("bob", second).await;
    bench.store_up_to(last).await;
    assert_eq!(bench.unread("bob").await, 0);
    bench.say("m3").await;
    let back = bench.mark("bob", first).await;
    bench.store_up_to(back).await;
    assert_eq!(bench.unread("bob").await, 1, "a marker does not go back");
    let far = Position { offset: u64::MAX >> 1, ..first };
    bench.mark("bob", far).await;
    let last = bench.say("m4").await;
    bench.store_up_to(last).await;
    assert_eq!(bench.unread("bob").await, 1, "m4 came after the marker");
}

async fn what_cannot_be_applied_is_set_aside_and_the_rest_goes_on(bench: Bench) {
    let foreign = json_message("/topic/rooms.x", "not JSON".into());
    bench.broker.publish(Publish::kept(foreign)).await.unwrap();
    bench.broker.publish(Publish::kept(json_message("/topic/other", "{}".into()))).await.unwrap();
    let gone = bench.message(&RoomId::parse("gone").unwrap(), "lost");
    bench.broker.publish(gone).await.unwrap();
    let last = bench.say("m1").await;
    bench.store_up_to(last).await;
    assert_eq!(bench.history().await, [("m1".into(), 1)]);
    assert_eq!(bench.dead().await, 3);
}

async fn a_log_that_was_replaced_or_rolled_back_is_refused(bench: Bench) {
    let epoch = bench.broker.log().await.unwrap().epoch.0;
    let ahead = LogCursor { partition: 0, epoch, next: 99 };
    bench.sql.reset_cursors(&[ahead]).await.unwrap();
    let refused =
        StoreWriter::open(bench.broker.clone(), Arc::new(bench.sql.clone()), Shared::No).await;
    let said = refused.err().expect("refused").to_string();
    assert!(said.contains("taken over the log up to 99"), "{said}");
}

async fn the_newest_version_of_a_room_decides(bench: Bench) {
    let (ann, bob) = (user("ann"), user("bob"));
    let standing = bench.sql.standing(&bench.room, &ann, &bob).await.unwrap().unwrap();
    let kick = standing.remove(&ann, &bob).unwrap().unwrap();
    let promote = standing.put(&ann, &bob, Some(Role::Admin)).unwrap().unwrap();
    let now = Timestamp::now();
    assert_eq!(bench.sql.apply(&bench.room, &kick, now).await.unwrap(), Some(2));
    assert_eq!(bench.sql.apply(&bench.room, &promote, now).await.unwrap(), None);
    let known = Accounts::unknown(&bench.sql, &[ann]).await.unwrap();
    assert_eq!(known.len(), 1, "no account was made for these");
}

async fn changes_that_a_crash_left_behind_are_swept_into_the_log_once(bench: Bench) {
    let log = Log::new(bench.broker.clone(), Duration::from_secs(60));
    let (_relay, mut task) = Relay::new(Arc::new(bench.sql.clone()), log);
    assert_eq!(bench.sql.pending(10).await.unwrap().len(), 2, "ann and bob came in");
    task.relay().await.unwrap();
    task.relay().await.unwrap();
    assert!(bench.sql.pending(10).await.unwrap().is_empty());
    assert_eq!(bench.broker.log().await.unwrap().heads, [3], "two records, offsets 1 and 2");
}

/// How a store's process ends at its next transaction, or how that goes wrong.
#[derive(Clone, Copy, Debug)]
enum Failpoint {
    /// It dies before anything is written.
    Before,
    /// It dies when all is written, and nobody here knows.
    Behind,
    /// The connection is lost after the commit: whether it took place is unknown.
    Unknown,
}

/// A store that fails once.
struct Failing {
    sql: Sql,
    at: parking_lot::Mutex<Option<Failpoint>>,
    dead: tokio::sync::Notify,
}

impl Failing {
    async fn die(&self) -> ! {
        self.dead.notify_one();
        std::future::pending().await
    }
}

#[async_trait::async_trait]
impl LogStore for Failing {
    async fn cursors(&self) -> StoreResult<Vec<LogCursor>> {
        self.sql.cursors().await
    }

    async fn begin_cursors(&self, cursors: &[LogCursor]) -> StoreResult<()> {
        self.sql.begin_cursors(cursors).await
    }

    async fn reset_cursors(&self, cursors: &[LogCursor]) -> StoreResult<()> {
        self.sql.reset_cursors(cursors).await
    }

    async fn take_over(&self, batch: &LogBatch) -> StoreResult<Applied> {
        let at = self.at.lock().take();
        if let Some(Failpoint::Before) = at {
            self.die().await;
        }
        let applied = self.sql.take_over(batch).await?;
        match at {
            Some(Failpoint::Behind) => self.die().await,
            Some(Failpoint::Unknown) => Err(sqlx::Error::WorkerCrashed.into()),
            _ => Ok(applied),
        }
    }
}

async fn a_store_that_dies_around_its_commits_loses_and_doubles_nothing(bench: Bench) {
    use Failpoint::{Before, Behind, Unknown};
    let rounds = [Before, Behind, Unknown].into_iter().cycle().take(12);
    let mut said = 0;
    for at in rounds {
        let mut last = None;
        for _ in 0..4 {
            said += 1;
            last = Some(bench.say(&format!("m{said}")).await);
        }
        let last = last.expect("a message");
        bench.mark("bob", last).await;
        let (sql, dead) = (bench.sql.clone(), tokio::sync::Notify::new());
        let store = Arc::new(Failing { sql, at: parking_lot::Mutex::new(Some(at)), dead });
        let (writer, progress) =
            StoreWriter::open(bench.broker.clone(), store.clone(), Shared::No).await.unwrap();
        let running = tokio::spawn(writer.run(CancellationToken::new()));
        let patience = Duration::from_secs(60);
        match at {
            Before | Behind => {
                tokio::time::timeout(patience, store.dead.notified()).await.expect("it dies");
            }
            Unknown => assert!(progress.reached(0, last, patience).await, "it goes on"),
        }
        running.abort();
    }
    let last = bench.say("last").await;
    bench.store_up_to(last).await;
    let mut expected: Vec<_> = (1..=said).map(|n| (format!("m{n}"), n)).collect();
    expected.push(("last".into(), said + 1));
    assert_eq!(bench.history().await, expected);
    assert_eq!(bench.unread("bob").await, 1);
    assert_eq!(bench.dead().await, 0);
}
