//! `stomp-server send`: a message from the shell.

use std::io::Read;

use clap::Args;
use stomp_server::client::Draft;

use super::{GOODBYE, Server};

/// Send a message and print its place in the log.
#[derive(Clone, Debug, Args)]
pub(crate) struct Send {
    /// Where to: /topic/…, /queue/…, /app/…
    destination: String,
    /// The body; from standard input where it is missing.
    body: Option<String>,
    /// Each line of standard input is a message of its own.
    #[arg(long, conflicts_with = "body")]
    lines: bool,
    /// A header, as in lang:en (repeatable).
    #[arg(long = "header", value_parser = header)]
    headers: Vec<(String, String)>,
    /// The media type of the body.
    #[arg(long, default_value = "text/plain")]
    content_type: String,
    /// An id that makes a second try harmless; a random one by default.
    #[arg(long, conflicts_with = "lines")]
    dedup_id: Option<String>,
    #[command(flatten)]
    server: Server,
}

fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or("a header looks like name:value")?;
    Ok((name.to_owned(), value.to_owned()))
}

impl Send {
    pub(super) async fn run(mut self) -> Result<(), String> {
        let client = self.server.connect().await?;
        let outcome = if self.lines {
            self.send_lines(&client).await
        } else {
            let body = match self.body.take() {
                Some(body) => body.into_bytes(),
                None => read_all()?,
            };
            self.send_one(&client, body).await
        };
        let _ = client.close(GOODBYE).await; // what counts has been receipted by now
        outcome
    }

    async fn send_one(
        &self,
        client: &stomp_server::client::Client,
        body: Vec<u8>,
    ) -> Result<(), String> {
        let mut draft = Draft::to(&self.destination).body(&self.content_type, body);
        for (name, value) in &self.headers {
            draft = draft.header(name, value);
        }
        if let Some(id) = &self.dedup_id {
            draft = draft.dedup_id(id);
        }
        let sent = client.send(draft).await.map_err(|error| error.to_string())?;
        let position = sent.position().map_or("accepted".to_owned(), |place| place.to_string());
        let duplicate = if sent.is_duplicate() { " duplicate" } else { "" };
        println!("{position}{duplicate}");
        Ok(())
    }

    /// One after the other: a line that is refused ends it, and what came before is known.
    async fn send_lines(&self, client: &stomp_server::client::Client) -> Result<(), String> {
        let (lines, mut read) = tokio::sync::mpsc::channel(64);
        // Not waited for: a read of a terminal that nobody types into cannot be cancelled.
        std::thread::spawn(move || {
            for line in std::io::stdin().lines().map_while(Result::ok) {
                if lines.blocking_send(line).is_err() {
                    return;
                }
            }
        });
        while let Some(line) = read.recv().await {
            self.send_one(client, line.into_bytes()).await?;
        }
        Ok(())
    }
}

fn read_all() -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    let read = std::io::stdin().lock().read_to_end(&mut body);
    read.map_err(|error| format!("no body can be read: {error}"))?;
    Ok(body)
}
