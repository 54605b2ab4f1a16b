//! The ways into a server, as a client takes them: TCP, TLS and WebSocket, all as byte streams.
#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, reason = "what cannot be had fails the test")]

use std::{net::SocketAddr, path::Path, sync::Arc};

use futures::{SinkExt, StreamExt};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair, SanType,
};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
};
use stomp_server::{Server, Tls, TlsFiles, testing::Talk};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsConnector;
use tokio_tungstenite::tungstenite::Message;

/// A byte stream, whatever carries it.
pub(crate) trait Io: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Io for T {}

pub(crate) type Stream = Box<dyn Io>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    Tcp,
    Tls,
    WebSocket,
    SecureWebSocket,
}

pub(crate) const ALL: [Door; 4] = [Door::Tcp, Door::Tls, Door::WebSocket, Door::SecureWebSocket];

/// A server with every door open, on ports of its own.
pub(crate) struct House {
    pub(crate) server: Server,
    pub(crate) authority: Authority,
    pub(crate) tcp: SocketAddr,
    pub(crate) tls: SocketAddr,
    pub(crate) http: SocketAddr,
    pub(crate) https: SocketAddr,
}

impl House {
    pub(crate) async fn of(server: Server) -> Self {
        let authority = Authority::new();
        let tls = Arc::new(Tls::load(authority.files(None, false)).unwrap());
        Self::with(server, authority, tls).await
    }

    pub(crate) async fn with(server: Server, authority: Authority, certificates: Arc<Tls>) -> Self {
        let (tcp, tls, http, https) = (bind().await, bind().await, bind().await, bind().await);
        let house = Self {
            tcp: tcp.local_addr().unwrap(),
            tls: tls.local_addr().unwrap(),
            http: http.local_addr().unwrap(),
            https: https.local_addr().unwrap(),
            authority,
            server: server.clone(),
        };
        let routes = server.websocket_routes();
        let (a, b, c, d) = (server.clone(), server.clone(), server.clone(), server);
        let (more, certificates_too) = (routes.clone(), certificates.clone());
        tokio::spawn(async move { a.serve_tcp(tcp).await });
        tokio::spawn(async move { b.serve_tls(tls, certificates).await });
        tokio::spawn(async move { c.serve_http(http, routes).await });
        tokio::spawn(async move { d.serve_https(https, more, certificates_too).await });
        house
    }

    pub(crate) async fn enter(&self, door: Door) -> Talk<Stream> {
        Talk::over(self.stream(door).await)
    }

    pub(crate) async fn stream(&self, door: Door) -> Stream {
        let client = self.authority.client(None);
        match door {
            Door::Tcp => Box::new(TcpStream::connect(self.tcp).await.unwrap()),
            Door::Tls => Box::new(secure(self.tls, client).await.unwrap()),
            Door::WebSocket => {
                let stream = TcpStream::connect(self.http).await.unwrap();
                Box::new(websocket(stream).await)
            }
            Door::SecureWebSocket => {
                Box::new(websocket(secure(self.https, client).await.unwrap()).await)
            }
        }
    }

    /// What a WebSocket is spoken over, plain or with TLS.
    pub(crate) async fn below(&self, door: Door) -> Stream {
        match door {
            Door::WebSocket => Box::new(TcpStream::connect(self.http).await.unwrap()),
            Door::SecureWebSocket => {
                Box::new(secure(self.https, self.authority.client(None)).await.unwrap())
            }
            Door::Tcp | Door::Tls => panic!("no WebSocket is behind {door:?}"),
        }
    }

    /// A newcomer logs in through every door and hears its own message, at once.
    pub(crate) async fn serves_newcomers(&self) {
        for door in ALL {
            let newcomer = async {
                let mut talk = self.enter(door).await;
                talk.login("newcomer").await;
                talk.play(
                    "C: SUBSCRIBE⏎id:0⏎destination:/topic/hall⏎receipt:s⏎⏎^@
                     S: RECEIPT⏎receipt-id:s
                     C: SEND⏎destination:/topic/hall⏎⏎hello^@
                     S: MESSAGE⏎subscription:0⏎⏎hello
                     C: DISCONNECT⏎receipt:bye⏎⏎^@
                     S: RECEIPT⏎receipt-id:bye",
                )
                .await;
            };
            let within = std::time::Duration::from_secs(60);
            tokio::time::timeout(within, newcomer).await.expect("a newcomer is served");
        }
    }
}

async fn bind() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

/// A TLS client's stream; an error if the server refuses.
pub(crate) async fn secure(
    address: SocketAddr,
    config: ClientConfig,
) -> std::io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
    let stream = TcpStream::connect(address).await?;
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

/// A WebSocket as a byte stream: every write is one message.
pub(crate) async fn websocket<IO: Io + 'static>(io: IO) -> DuplexStream {
    let (socket, _) = tokio_tungstenite::client_async("ws://localhost/ws", io).await.unwrap();
    let (mut sink, mut source) = socket.split();
    let (ours, theirs) = tokio::io::duplex(1 << 20);
    let (mut from, mut to) = tokio::io::split(theirs);
    tokio::spawn(async move {
        let mut buffer = vec![0; 256 * 1024];
        while let Ok(read @ 1..) = from.read(&mut buffer).await {
            let message = Message::binary(buffer[..read].to_vec());
            if sink.send(message).await.is_err() {
                return;
            }
        }
        let _ = sink.close().await;
    });
    tokio::spawn(async move {
        while let Some(Ok(message)) = source.next().await {
            if message.is_close() || to.write_all(&message.into_data()).await.is_err() {
                break;
            }
        }
        let _ = to.shutdown().await;
    });
    ours
}

/// A certificate authority of this test, with a server's certificate, in a folder.
pub(crate) struct Authority {
    folder: tempfile::TempDir,
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root = params.self_signed(&key).unwrap();
        let authority = Self {
            folder: tempfile::tempdir().unwrap(),
            issuer: Issuer::new(params, key),
            certificate: root.der().clone(),
        };
        std::fs::write(authority.path("ca.pem"), root.pem()).unwrap();
        authority.renew();
        authority
    }

    pub(crate) fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    /// A new certificate for the server; its octets, to be told from others.
    pub(crate) fn renew(&self) -> Vec<u8> {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        std::fs::write(self.path("server.pem"), certificate.pem()).unwrap();
        std::fs::write(self.path("server.key"), key.serialize_pem()).unwrap();
        certificate.der().to_vec()
    }

    pub(crate) fn files(&self, client_ca: Option<&Path>, client_may_have_none: bool) -> TlsFiles {
        TlsFiles {
            certificate: self.path("server.pem"),
            key: self.path("server.key"),
            client_ca: client_ca.map(Path::to_owned),
            client_may_have_none,
        }
    }

    /// A client certificate with these common names and, as alternative name, this one.
    pub(crate) fn issue(&self, common: &[&str], alternative: Option<&str>) -> Identity {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        for name in common {
            params.distinguished_name.push(DnType::CommonName, *name);
        }
        if let Some(name) = alternative {
            params.subject_alt_names = vec![SanType::Rfc822Name(name.try_into().unwrap())];
        }
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Identity {
            chain: vec![certificate.der().clone()],
            key: PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap(),
        }
    }

    /// A client that trusts this authority, and shows who it is if it has something to show.
    pub(crate) fn client(&self, identity: Option<Identity>) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        match identity {
            None => builder.with_no_client_auth(),
            Some(Identity { chain, key }) => builder.with_client_auth_cert(chain, key).unwrap(),
        }
    }
}

/// A certificate with its key.
pub(crate) struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}
