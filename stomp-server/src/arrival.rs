//! How a connection reached this server: what login and limits need to know of it.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Instant,
};

/// What a connection speaks below STOMP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Carrier {
    /// A byte stream that somebody in this process holds the other end of.
    Stream,
    /// TCP.
    Tcp,
    /// TLS over TCP.
    Tls,
    /// WebSocket, with TLS or without.
    WebSocket,
}

impl Carrier {
    /// Its name in metrics, logs and lists.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Stream => "stream",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::WebSocket => "websocket",
        }
    }
}

/// How a connection reached this server.
#[derive(Clone, Debug)]
pub(crate) struct Arrival {
    pub(crate) carrier: Carrier,
    /// When it was accepted: the time to log in starts here.
    pub(crate) at: Instant,
    /// Where the client is, as far as is known.
    pub(crate) address: Option<SocketAddr>,
    /// Whether the client is on this machine, and no proxy stands in between.
    pub(crate) is_local: bool,
    /// The address that a trusted proxy gave; only such a one is counted against a limit.
    pub(crate) behind_proxy: Option<IpAddr>,
    /// The name in the client's certificate.
    pub(crate) certificate: Option<Arc<str>>,
}

impl Arrival {
    /// A connection that has just been accepted.
    pub(crate) fn now(carrier: Carrier, address: Option<SocketAddr>) -> Self {
        Self {
            carrier,
            // The clock of the session's timers, which tests can stop.
            at: tokio::time::Instant::now().into_std(),
            address,
            is_local: address.is_none_or(is_loopback),
            behind_proxy: None,
            certificate: None,
        }
    }
}

pub(crate) fn is_loopback(address: SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}
