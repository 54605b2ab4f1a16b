//! Where a server is, and how it is reached.

use std::{io, sync::Arc};

use async_trait::async_trait;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};

use super::{ClientError, websocket};
use crate::transport::{StreamTransport, Transport};

/// Octets both ways: TCP, TLS, a pipe in memory.
pub trait ByteStream: AsyncRead + AsyncWrite + Unpin + Send + 'static {}

impl<IO: AsyncRead + AsyncWrite + Unpin + Send + 'static> ByteStream for IO {}

/// Makes connections of the embedding program's own kind, for
/// [`Client::over`](super::Client::over).
#[async_trait]
pub trait Connector: Send + Sync + 'static {
    /// Makes one connection. Asked again after each that was lost.
    async fn connect(&self) -> io::Result<Box<dyn ByteStream>>;
}

/// A server's address, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) is_tls: bool,
    /// The path of a WebSocket; none for plain STOMP.
    pub(super) path: Option<String>,
}

impl Address {
    /// Reads `tcp://host:port` (also `stomp:`), `tls://…` (also `stomps:`), `ws://host:port/path`
    /// or `wss://…`. Without a port the usual one is meant.
    pub(super) fn parse(url: &str) -> Result<Self, ClientError> {
        let wrong = || {
            ClientError::invalid(format!(
                "an address looks like tcp://127.0.0.1:61613 or ws://127.0.0.1:15674/ws, not {url}"
            ))
        };
        let (scheme, rest) = url.split_once("://").ok_or_else(wrong)?;
        let (is_tls, is_websocket, usual) = match scheme {
            "tcp" | "stomp" => (false, false, 61613),
            "tls" | "stomps" => (true, false, 61614),
            "ws" => (false, true, 80),
            "wss" => (true, true, 443),
            _ => return Err(wrong()),
        };
        let (authority, path) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, ""),
        };
        if authority.contains('@') || (!is_websocket && !matches!(path, "" | "/")) {
            return Err(wrong());
        }
        let (host, port) = split_port(authority, usual).ok_or_else(wrong)?;
        let path = is_websocket.then(|| if path.is_empty() { "/" } else { path }.to_owned());
        Ok(Self { host, port, is_tls, path })
    }

    /// `host:port` as HTTP writes it.
    pub(super) fn authority(&self) -> String {
        match self.host.contains(':') {
            true => format!("[{}]:{}", self.host, self.port),
            false => format!("{}:{}", self.host, self.port),
        }
    }
}

/// IPv6 addresses stand in brackets, because of their colons.
fn split_port(authority: &str, usual: u16) -> Option<(String, u16)> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?,
        None => match authority.find(':') {
            Some(at) => authority.split_at(at),
            None => (authority, ""),
        },
    };
    let port = match port.strip_prefix(':') {
        Some(port) => port.parse().ok()?,
        None if port.is_empty() => usual,
        None => return None,
    };
    (!host.is_empty()).then(|| (host.to_owned(), port))
}

/// How connections are made.
#[derive(Clone)]
pub(super) enum Reach {
    Address(Address, Secure),
    Connector(Arc<dyn Connector>),
}

/// What TLS needs; nothing where this build has none.
#[derive(Clone, Default)]
pub(super) struct Secure {
    #[cfg(feature = "tls")]
    pub(super) config: Option<Arc<rustls::ClientConfig>>,
}

impl Reach {
    /// The virtual host that CONNECT names.
    pub(super) fn host(&self) -> &str {
        match self {
            Self::Address(address, _) => &address.host,
            Self::Connector(_) => "localhost",
        }
    }

    /// Makes one connection.
    pub(super) async fn connect(&self) -> Result<Box<dyn Transport>, ClientError> {
        match self {
            Self::Connector(connector) => {
                Ok(Box::new(StreamTransport::new(connector.connect().await?)))
            }
            Self::Address(address, secure) => {
                let stream = TcpStream::connect((address.host.as_str(), address.port)).await?;
                // A chat message must not wait for the next one to fill a segment.
                let _ = stream.set_nodelay(true);
                let stream = secure.wrap(stream, address).await?;
                match &address.path {
                    None => Ok(Box::new(StreamTransport::new(stream))),
                    Some(path) => {
                        let socket = websocket::open(stream, address, path).await?;
                        Ok(Box::new(socket))
                    }
                }
            }
        }
    }
}

impl Secure {
    #[cfg(not(feature = "tls"))]
    async fn wrap(
        &self,
        stream: TcpStream,
        _address: &Address,
    ) -> Result<Box<dyn ByteStream>, ClientError> {
        Ok(Box::new(stream)) // a TLS address was refused when the client was built
    }

    #[cfg(feature = "tls")]
    async fn wrap(
        &self,
        stream: TcpStream,
        address: &Address,
    ) -> Result<Box<dyn ByteStream>, ClientError> {
        use rustls::pki_types::ServerName;
        use tokio_rustls::TlsConnector;

        if !address.is_tls {
            return Ok(Box::new(stream));
        }
        let config = self.config.clone().ok_or_else(no_roots)?;
        let name = ServerName::try_from(address.host.clone())
            .map_err(|_| ClientError::invalid("the host is no name that a certificate can have"))?;
        Ok(Box::new(TlsConnector::from(config).connect(name, stream).await?))
    }

    /// What is missing for this address.
    pub(super) fn check(&self, address: &Address) -> Result<(), ClientError> {
        if !address.is_tls {
            return Ok(());
        }
        #[cfg(feature = "tls")]
        return self.config.as_ref().map(|_| ()).ok_or_else(no_roots);
        #[cfg(not(feature = "tls"))]
        Err(ClientError::invalid("this build has no TLS; switch the feature `tls` on"))
    }
}

#[cfg(feature = "tls")]
fn no_roots() -> ClientError {
    ClientError::invalid(
        "say whom to trust with ClientBuilder::trust before a tls: or wss: address",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_apart() {
        let address = |host: &str, port, is_tls, path: Option<&str>| Address {
            host: host.to_owned(),
            port,
            is_tls,
            path: path.map(str::to_owned),
        };
        let cases = [
            ("tcp://127.0.0.1:61613", address("127.0.0.1", 61613, false, None)),
            ("stomp://broker/", address("broker", 61613, false, None)),
            ("tls://broker", address("broker", 61614, true, None)),
            ("ws://[::1]:15674/ws", address("::1", 15674, false, Some("/ws"))),
            ("wss://chat.example", address("chat.example", 443, true, Some("/"))),
            ("ws://h:1/a/b?c=d", address("h", 1, false, Some("/a/b?c=d"))),
        ];
        for (url, expected) in cases {
            assert_eq!(Address::parse(url).unwrap(), expected, "{url}");
        }
        assert_eq!(Address::parse("ws://[::1]:1/").unwrap().authority(), "[::1]:1");
    }

    #[test]
    fn other_forms_are_refused() {
        for url in [
            "",
            "localhost:61613",
            "http://h/",
            "tcp://",
            "tcp://:1",
            "tcp://h:port",
            "tcp://h:1/path",
            "tcp://user:secret@h:1",
            "ws://[::1/",
            "ws://[::1]x/",
        ] {
            assert!(matches!(Address::parse(url), Err(ClientError::Invalid(_))), "{url}");
        }
    }
}
