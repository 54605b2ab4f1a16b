//! Messages and markers at a rate, and what they cost in SQL.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    task::JoinSet,
    time::sleep,
};

use crate::{
    Chat,
    database::Database,
    people::{Counter, connected, group, token},
};

/// Messages of a sender that wait for their receipts at a time.
const WINDOW: usize = 64;

/// How fast messages are sent.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Pace {
    /// As fast as receipts come.
    Full,
    /// So many a second, by all senders together.
    Rate(f64),
}

/// Sends as fast as it goes, and returns when everything is receipted.
pub(crate) async fn flood(chat: &Chat, room: &str, senders: usize, messages: usize) {
    send(chat, &[room.to_owned()], senders, messages, Pace::Full).await;
}

/// Sends so many messages, to the rooms in turn, by `u0`, who is in all of them.
pub(crate) async fn send(
    chat: &Chat,
    rooms: &[String],
    senders: usize,
    messages: usize,
    pace: Pace,
) {
    let token = token(chat, "u0");
    let mut tasks = JoinSet::new();
    let begin = Instant::now();
    for sender in 0..senders {
        let (mut reader, mut writer) = connected(chat, &token).await;
        let rooms = rooms.to_vec();
        let mine = (sender..messages).step_by(senders);
        tasks.spawn(async move {
            let count = mine.clone().count();
            let (sent, receipted) = (AtomicUsize::new(0), AtomicUsize::new(0));
            let writing = async {
                for number in mine {
                    match pace {
                        Pace::Full => {
                            while sent.load(Ordering::Relaxed) - receipted.load(Ordering::Relaxed)
                                >= WINDOW
                            {
                                tokio::task::yield_now().await;
                                sleep(Duration::from_micros(100)).await;
                            }
                        }
                        Pace::Rate(rate) => {
                            let due = begin + Duration::from_secs_f64(number as f64 / rate);
                            tokio::time::sleep_until(due.into()).await;
                        }
                    }
                    let room = &rooms[number % rooms.len()];
                    let frame = format!(
                        "SEND\ndestination:/app/rooms.{room}.send\nreceipt:{number}\n\n\
                         {{\"text\":\"message number {number} says something of usual length\"}}\0"
                    );
                    writer.write_all(frame.as_bytes()).await.unwrap();
                    sent.fetch_add(1, Ordering::Relaxed);
                }
            };
            let reading = async {
                let mut counter = Counter::new(b"RECEIPT\n");
                let mut buffer = vec![0; 64 * 1024];
                while receipted.load(Ordering::Relaxed) < count {
                    let read = reader.read(&mut buffer).await.unwrap();
                    assert!(read > 0, "the session has ended");
                    receipted.fetch_add(counter.count(&buffer[..read]), Ordering::Relaxed);
                }
            };
            tokio::join!(writing, reading);
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
}

/// 100 rooms of two.
async fn rooms(chat: &Chat) -> Vec<String> {
    let owner = token(chat, "u0");
    token(chat, "u1");
    let mut rooms = Vec::new();
    for _ in 0..100 {
        rooms.push(group(chat, &owner, &["u1".into()]).await);
    }
    rooms
}

pub(crate) async fn statements(database: &Database) {
    const MESSAGES: usize = 10_000;
    println!("\nHow many SQL statements does a message take, at 1,000 a second over 100 rooms?");
    let url = database.fresh().await;
    let chat = Chat::start(Some(&url));
    let rooms = rooms(&chat).await;
    send(&chat, &rooms, 4, 200, Pace::Full).await; // who is where is known
    database.until_stored(&url, 200).await;
    let (before, begin) = (database.statements().await, Instant::now());
    send(&chat, &rooms, 4, MESSAGES, Pace::Rate(1_000.0)).await;
    let rate = MESSAGES as f64 / begin.elapsed().as_secs_f64();
    let waited = Instant::now();
    database.until_stored(&url, 200 + MESSAGES as i64).await;
    let behind = waited.elapsed();
    // Waiting for the rows has asked too.
    let spent = database.statements().await - before - database.own_questions();
    println!(
        "    {:.4} (goal 0.1 store role, 0.2 all roles) at {rate:.0} messages/s, all roles; \
         the last row came {} ms behind its receipt",
        spent as f64 / MESSAGES as f64,
        behind.as_millis()
    );
}

pub(crate) async fn markers(database: &Database) {
    const MARKERS: usize = 10_000;
    println!("\nHow many SQL statements do 1,000 markers take, at 1,000 a second over 100 rooms?");
    let url = database.fresh().await;
    let chat = Chat::start(Some(&url));
    let rooms = rooms(&chat).await;
    send(&chat, &rooms, 4, 10_000, Pace::Full).await;
    database.until_stored(&url, 10_000).await;
    database.until_decided(&url).await;
    let reader = token(&chat, "u1");
    let (_open, mut writer) = connected(&chat, &reader).await;
    let (before, begin) = (database.statements().await, Instant::now());
    database.forget_own_questions();
    for number in 0..MARKERS {
        let due = begin + Duration::from_secs_f64(number as f64 / 1_000.0);
        tokio::time::sleep_until(due.into()).await;
        let (room, ordinal) = (&rooms[number % rooms.len()], number / rooms.len() + 1);
        let frame =
            format!("SEND\ndestination:/app/rooms.{room}.read\n\n{{\"ordinal\":{ordinal}}}\0");
        writer.write_all(frame.as_bytes()).await.unwrap();
    }
    let rate = MARKERS as f64 / begin.elapsed().as_secs_f64();
    database.until_read(&url, "u1", (MARKERS / rooms.len()) as i64).await;
    let spent = database.statements().await - before - database.own_questions();
    println!(
        "    {:.1} for 1,000 (goal 40) at {rate:.0} markers/s, all roles",
        spent as f64 * 1e3 / MARKERS as f64
    );
}
