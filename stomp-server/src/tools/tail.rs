//! `stomp-server tail`: what is being said, as it is said.

use std::io::Write;

use clap::Args;
use stomp_server::{
    broker::StartFrom,
    client::{Arrival, Message, Resumed},
};

use super::{GOODBYE, Server};

/// Print the messages of a destination as they come.
#[derive(Clone, Debug, Args)]
pub(crate) struct Tail {
    /// What to listen to: /topic/a, /topic/#, /queue/a (whose messages are taken by this).
    destination: String,
    /// Where to start, topics only: next, first, last:N, or behind a position.
    #[arg(long, value_parser = start)]
    from: Option<StartFrom>,
    /// End after this many messages.
    #[arg(long, short = 'n')]
    count: Option<u64>,
    /// Print the headers too.
    #[arg(long)]
    headers: bool,
    #[command(flatten)]
    server: Server,
}

fn start(text: &str) -> Result<StartFrom, String> {
    match (text, text.strip_prefix("last:")) {
        ("next", _) => Ok(StartFrom::Next),
        ("first", _) => Ok(StartFrom::First),
        (_, Some(count)) => {
            count.parse().map(StartFrom::Last).map_err(|_| "last:N takes 1 to 1000".to_owned())
        }
        _ => text
            .parse()
            .map(StartFrom::After)
            .map_err(|_| "next, first, last:N or a position".to_owned()),
    }
}

impl Tail {
    pub(super) async fn run(self) -> Result<(), String> {
        let client = self.server.connect().await?;
        let mut subscribe = client.subscribe(&self.destination);
        if let Some(from) = self.from {
            subscribe = subscribe.from(from);
        }
        let mut stream = subscribe.await.map_err(|error| error.to_string())?;
        warn(stream.started());
        let mut left = self.count.unwrap_or(u64::MAX);
        while left > 0 {
            let arrival = tokio::select! {
                arrival = stream.arrival() => arrival,
                _ = tokio::signal::ctrl_c() => break,
            };
            match arrival {
                Some(Ok(Arrival::Message(message))) => {
                    left -= 1;
                    if self.print(&message).is_err() {
                        break; // whoever read this has gone
                    }
                }
                Some(Ok(Arrival::Resumed(resumed))) => warn(resumed),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error.to_string()),
                None => break,
            }
        }
        let _ = stream.unsubscribe().await;
        let _ = client.close(GOODBYE).await;
        Ok(())
    }

    fn print(&self, message: &Message) -> std::io::Result<()> {
        let mut out = std::io::stdout().lock();
        let place = message.position().map_or("-".to_owned(), |place| place.to_string());
        write!(out, "{place}\t{}\t", message.destination())?;
        if self.headers {
            for (name, value) in message.headers() {
                write!(out, "{}:{} ", name.escape_debug(), value.escape_debug())?;
            }
            out.write_all(b"\t")?;
        }
        out.write_all(message.body())?;
        out.write_all(b"\n")?;
        out.flush()
    }
}

/// Standard output is for messages only.
fn warn(resumed: Resumed) {
    if !resumed.recovered {
        eprintln!("stomp-server: some messages may be missing here");
    }
}
