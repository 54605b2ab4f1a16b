//! Listening while the log is away: every login is told to come back, and nothing is accepted.

use std::{net::SocketAddr, time::Duration};

use async_trait::async_trait;
use stomp_server::{
    auth::{Authenticate, Credentials, Principal},
    problem::{Code, Problem},
};
use tokio::net::{TcpListener, TcpStream};

use crate::cli::BrokerChoice;

/// How long a start may take before the program listens without its log.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long a node of Kafka may take to be reached.
const REACHED: Duration = Duration::from_secs(1);

/// What the banner says of the broker meanwhile.
pub(crate) const BANNER: &str = "waits for its log, and accepts nothing until it is there";

/// When a client should come back.
const COME_BACK: Duration = Duration::from_secs(5);

/// Refuses everybody for now.
pub(crate) struct NotReady;

#[async_trait]
impl Authenticate for NotReady {
    async fn authenticate(&self, _: Credentials) -> Result<Principal, Problem> {
        let what = "The server waits for its log, and accepts nothing until it is there.";
        Err(Problem::new(Code::Unavailable, what).with_retry_after(COME_BACK))
    }
}

/// How long to wait for the log before listening without it: not at all where no node of its
/// cluster can be reached.
pub(crate) async fn patience(broker: &BrokerChoice) -> Duration {
    let BrokerChoice::Kafka(nodes) = broker else { return PATIENCE };
    for node in nodes.split(',') {
        let reached = tokio::time::timeout(REACHED, TcpStream::connect(node)).await;
        if matches!(reached, Ok(Ok(_))) {
            return PATIENCE;
        }
    }
    Duration::ZERO
}

/// A socket that two servers listen on, one after the other: between them, whoever connects
/// waits instead of being refused.
pub(crate) struct Socket(std::net::TcpListener);

impl Socket {
    pub(crate) async fn bind(address: SocketAddr) -> Result<Self, String> {
        let bound = TcpListener::bind(address).await.and_then(TcpListener::into_std);
        bound.map(Self).map_err(|error| {
            format!(
                "{address} cannot be listened on ({error}); choose another with --tcp or --http"
            )
        })
    }

    pub(crate) fn address(&self) -> Result<SocketAddr, String> {
        self.0.local_addr().map_err(|error| error.to_string())
    }

    /// One more listener on it.
    pub(crate) fn listener(&self) -> Result<TcpListener, String> {
        let listener = self.0.try_clone().and_then(TcpListener::from_std);
        listener.map_err(|error| error.to_string())
    }
}
