//! Everyday tools: what one does with a broker from a shell.

mod bench;
mod send;
mod tail;

use std::{path::PathBuf, time::Duration};

use clap::{Args, Subcommand};
use stomp_server::client::Client;

/// A tool.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Tool {
    /// Send a message and print its place in the log.
    Send(send::Send),
    /// Print the messages of a destination as they come.
    Tail(tail::Tail),
    /// Measure a server: how fast messages are receipted and delivered.
    Bench(bench::Bench),
}

/// Which server, and as whom.
#[derive(Clone, Debug, Args)]
struct Server {
    /// The server: tcp://HOST:PORT, ws://HOST:PORT/ws, or with TLS tls://…, wss://…
    #[arg(long, env = "STOMP_URL", default_value = "tcp://127.0.0.1:61613")]
    url: String,
    /// The name to log in with.
    #[arg(long, env = "STOMP_LOGIN", default_value = "")]
    login: String,
    /// The password or token; better given in the environment, where other users do not see it.
    #[arg(long, env = "STOMP_PASSCODE", default_value = "", hide_env_values = true)]
    passcode: String,
    /// The authorities, in a PEM file, whose certificates are trusted with tls:// and wss://.
    #[arg(long, env = "STOMP_TRUST")]
    trust: Option<PathBuf>,
}

/// How long the end of a connection may take.
const GOODBYE: Duration = Duration::from_secs(5);

impl Tool {
    /// Runs it to its end.
    pub(crate) fn run(self) -> Result<(), String> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        let runtime = runtime.map_err(|error| format!("the runtime does not start: {error}"))?;
        runtime.block_on(async {
            match self {
                Self::Send(send) => send.run().await,
                Self::Tail(tail) => tail.run().await,
                Self::Bench(bench) => bench.run().await,
            }
        })
    }
}

impl Server {
    async fn connect(&self) -> Result<Client, String> {
        let mut builder = Client::builder(&self.url);
        if !self.login.is_empty() || !self.passcode.is_empty() {
            builder = builder.login(&self.login, &self.passcode);
        }
        if let Some(path) = &self.trust {
            let pem = std::fs::read(path);
            let pem = pem.map_err(|error| format!("{}: {error}", path.display()))?;
            builder = builder.trust(&pem).map_err(|error| error.to_string())?;
        }
        builder.connect().await.map_err(|error| format!("{}: {error}", self.url))
    }
}
