//! From send to delivered, beside what the disk takes at the same time.

use std::{
    io::Write as _,
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::sleep,
};

use crate::{
    Chat,
    people::{connected, until_frame},
    room_with_sessions,
};

pub(crate) async fn latency() {
    const MESSAGES: usize = 1_000;
    println!("\nHow long from send to delivered, at 50 a second in a room of 10 (SQLite)?");
    let chat = Chat::start(None);
    let (room, _sessions) = room_with_sessions(&chat, 9).await;
    let token = crate::people::token(&chat, "u0");
    // The tenth hears what it says itself: one clock for both ends.
    let (mut reader, mut writer) = connected(&chat, &token).await;
    let subscribe = format!("SUBSCRIBE\nid:room\ndestination:/topic/rooms.{room}\nreceipt:s\n\n\0");
    writer.write_all(subscribe.as_bytes()).await.unwrap();
    until_frame(&mut reader, "RECEIPT").await;
    let disk = tokio::task::spawn_blocking({
        let file = tempfile::NamedTempFile::new_in(chat.data.path()).unwrap();
        move || syncs(file, Duration::from_secs(MESSAGES as u64 / 50))
    });
    let mut waits = Vec::with_capacity(MESSAGES);
    let mut buffer = vec![0; 64 * 1024];
    for number in 0..MESSAGES {
        let begin = Instant::now();
        let frame =
            format!("SEND\ndestination:/app/rooms.{room}.send\n\n{{\"text\":\"{number}.\"}}\0");
        writer.write_all(frame.as_bytes()).await.unwrap();
        let sign = format!("\"text\":\"{number}.\"");
        let mut seen = Vec::new();
        while memchr::memmem::find(&seen, sign.as_bytes()).is_none() {
            let read = reader.read(&mut buffer).await.unwrap();
            seen.extend_from_slice(&buffer[..read]);
        }
        waits.push(begin.elapsed());
        sleep(Duration::from_millis(20).saturating_sub(begin.elapsed())).await;
    }
    let mut disk = disk.await.unwrap();
    for (name, at, goal) in [("p50", 0.5, 1.0), ("p99", 0.99, 5.0)] {
        let (wait, sync) = (quantile(&mut waits, at), quantile(&mut disk, at));
        println!(
            "    {name}: {wait:.2} ms, fdatasync {sync:.2} ms, over it {:+.2} ms (goal {goal:+})",
            wait - sync
        );
    }
}

/// What a small append and its fdatasync take, again and again.
fn syncs(mut file: tempfile::NamedTempFile, time: Duration) -> Vec<Duration> {
    let (begin, mut waits) = (Instant::now(), Vec::new());
    while begin.elapsed() < time {
        let start = Instant::now();
        file.write_all(&[0; 512]).unwrap();
        file.as_file().sync_data().unwrap();
        waits.push(start.elapsed());
        std::thread::sleep(Duration::from_millis(20));
    }
    waits
}

/// In milliseconds.
pub(crate) fn quantile(waits: &mut [Duration], at: f64) -> f64 {
    waits.sort_unstable();
    waits[((waits.len() - 1) as f64 * at) as usize].as_secs_f64() * 1e3
}
