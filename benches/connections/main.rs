//! What does a connection cost?
//!
//! * `login`: how much CPU does a login take, against a plain server that accepts and answers,
//!   over TCP, TLS and WebSocket? It decides how fast a reconnect storm is over.
//! * `slow`: what do 5,000 strangers who log in at a byte a second cost, and do neighbours notice?
//! * `memory`, `idle`: how much memory does an idle connection hold, and how much CPU?
//!
//! `cargo build --release -p stomp-server && cargo bench -p benches --bench connections -- QUESTION`
//! with one of these words, or nothing for all of them. Every figure is the median of interleaved
//! rounds; the server, and the strangers, are processes of their own.
#![allow(clippy::unwrap_used, reason = "a bench that cannot go on should stop")]

mod client;
mod idle;
mod login;
mod plain;
mod slow;

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    match std::env::var("PLAIN_SERVER").as_deref() {
        Ok("tls") => return runtime.block_on(plain::tls()),
        Ok(_) => return runtime.block_on(plain::tcp()),
        Err(_) => {}
    }
    if let Ok(server) = std::env::var(slow::STRANGERS) {
        return runtime.block_on(slow::strangers(server.parse().unwrap()));
    }
    let asked: Vec<String> =
        std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    let wants = |question: &str| asked.is_empty() || asked.iter().any(|asked| asked == question);
    runtime.block_on(async {
        if wants("login") {
            login::ask().await;
        }
        if wants("slow") {
            slow::ask().await;
        }
        if wants("memory") {
            idle::memory().await;
        }
        if wants("idle") {
            idle::cpu().await;
        }
    });
}
