//! Connections to addresses that users named: checked at the last moment, when it is known
//! which machine a name stands for. A name that has changed its mind since the registration
//! gains nothing by it.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::http::{Uri, uri::Scheme};
use hyper_util::{
    client::legacy::connect::{Connected, Connection},
    rt::TokioIo,
};
use rustls::{ClientConfig, RootCertStore, pki_types::ServerName};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::endpoint::{Reach, literal};

/// Name, TCP and TLS together, for one of the machine's addresses.
const PATIENCE: Duration = Duration::from_secs(5);
/// Addresses of a name that are tried.
const TRIES: usize = 4;

/// Makes connections, for the client's pool.
#[derive(Clone)]
pub(super) struct Connector {
    tls: TlsConnector,
    reach: Reach,
}

impl Connector {
    /// Trusts the public authorities, and `more` beside them.
    pub(super) fn new(reach: Reach, more: RootCertStore) -> Result<Self, rustls::Error> {
        let mut roots = more;
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { tls: TlsConnector::from(Arc::new(config)), reach })
    }

    async fn connect(self, uri: Uri) -> io::Result<TokioIo<Wire>> {
        self.reach.allows(&uri).map_err(refused)?;
        let host = uri.host().ok_or_else(|| io::Error::other("an address without a host"))?;
        let secure = uri.scheme() == Some(&Scheme::HTTPS);
        let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let within = tokio::time::timeout(PATIENCE, async {
            let stream = self.reach_one(&addresses(&uri, host, port).await?).await?;
            stream.set_nodelay(true)?;
            if !secure {
                return Ok(Wire::Plain(stream));
            }
            let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned());
            let name = name.map_err(io::Error::other)?;
            Ok(Wire::Tls(Box::new(self.tls.connect(name, stream).await?)))
        });
        within.await.map_err(|_| io::ErrorKind::TimedOut)?.map(TokioIo::new)
    }

    /// The first that answers. One forbidden address spoils them all: an honest name has none.
    async fn reach_one(&self, addresses: &[SocketAddr]) -> io::Result<TcpStream> {
        for address in addresses {
            self.reach.allows_ip(address.ip()).map_err(refused)?;
        }
        let mut failure = io::Error::other("the name has no address");
        for address in addresses.iter().take(TRIES) {
            match TcpStream::connect(address).await {
                Ok(stream) => return Ok(stream),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }
}

async fn addresses(uri: &Uri, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    match literal(uri) {
        Some(ip) => Ok(vec![SocketAddr::new(ip, port)]),
        None => Ok(tokio::net::lookup_host((host, port)).await?.collect()),
    }
}

/// The addresses that a name stands for now; nothing if it stands for none or cannot be asked.
pub(super) async fn stands_for(uri: &Uri) -> Vec<IpAddr> {
    let Some(host) = uri.host() else { return Vec::new() };
    match tokio::time::timeout(PATIENCE, addresses(uri, host, 443)).await {
        Ok(Ok(addresses)) => addresses.iter().map(SocketAddr::ip).collect(),
        _ => Vec::new(),
    }
}

fn refused(why: super::endpoint::Unfit) -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, why)
}

impl tower_service::Service<Uri> for Connector {
    type Response = TokioIo<Wire>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<TokioIo<Wire>>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        Box::pin(self.clone().connect(uri))
    }
}

/// A connection, sealed or not.
#[derive(Debug)]
pub(super) enum Wire {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Connection for Wire {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
