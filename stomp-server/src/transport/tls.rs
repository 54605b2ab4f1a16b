//! TLS on the listeners: certificates from files that can be read again at any time, and
//! client certificates as logins.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use arc_swap::ArcSwap;
use rustls::{
    RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::WebPkiClientVerifier,
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use x509_parser::{extensions::GeneralName, prelude::X509Certificate};

use crate::auth::is_user_name;

/// The files behind TLS.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// The server's certificate and those that lead to a root, PEM.
    pub certificate: PathBuf,
    /// Its private key, PEM.
    pub key: PathBuf,
    /// Who may sign client certificates, PEM; none asks clients for no certificate.
    pub client_ca: Option<PathBuf>,
    /// Whether clients may come without a certificate, to log in otherwise.
    pub client_may_have_none: bool,
}

/// TLS for listeners. Connections take the certificates of the moment.
pub struct Tls {
    files: TlsFiles,
    configs: ArcSwap<Configs>,
}

struct Configs {
    stream: Arc<ServerConfig>,
    #[cfg(feature = "websocket")]
    http: Arc<ServerConfig>,
}

/// What is wrong with the files behind TLS. It shows nothing of a key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read, or holds no PEM of that kind.
    #[error("{0} is no usable PEM file: {1}")]
    File(PathBuf, #[source] rustls::pki_types::pem::Error),
    /// A file holds no certificate.
    #[error("{0} holds no certificate")]
    Empty(PathBuf),
    /// The files do not fit together.
    #[error("the certificate and the key cannot be used together: {0}")]
    Rustls(#[from] rustls::Error),
    /// The authority for client certificates cannot be used.
    #[error("the certificates in {0} cannot be used as authorities: {1}")]
    Authority(PathBuf, String),
}

/// What a listener speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Speaks {
    Stomp,
    #[cfg(feature = "websocket")]
    Http,
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// If one cannot be read, or they do not fit together.
    pub fn load(files: TlsFiles) -> Result<Self, TlsError> {
        let configs = ArcSwap::from_pointee(configs(&files)?);
        Ok(Self { files, configs })
    }

    /// Reads the files again. Connections that are open keep what they have.
    ///
    /// # Errors
    /// As [`load`](Self::load); what was read before goes on to hold.
    pub fn reload(&self) -> Result<(), TlsError> {
        self.configs.store(Arc::new(configs(&self.files)?));
        Ok(())
    }

    /// The handshake, within this time; with the name in the client's certificate.
    pub(crate) async fn accept(
        &self,
        stream: TcpStream,
        speaks: Speaks,
        within: Duration,
    ) -> Option<(TlsStream<TcpStream>, Option<Arc<str>>)> {
        let config = {
            let configs = self.configs.load();
            match speaks {
                Speaks::Stomp => configs.stream.clone(),
                #[cfg(feature = "websocket")]
                Speaks::Http => configs.http.clone(),
            }
        };
        let handshake = TlsAcceptor::from(config).accept(stream);
        match tokio::time::timeout(within, handshake).await {
            Ok(Ok(stream)) => {
                let name = stream.get_ref().1.peer_certificates().and_then(user_of);
                Some((stream, name))
            }
            Ok(Err(error)) => {
                tracing::debug!(%error, "a TLS handshake failed");
                None
            }
            Err(_elapsed) => {
                tracing::debug!("a TLS handshake took too long");
                None
            }
        }
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("files", &self.files).finish_non_exhaustive()
    }
}

fn configs(files: &TlsFiles) -> Result<Configs, TlsError> {
    // Named, not the process's default: an embedding program may have chosen another.
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let chain = certificates(&files.certificate)?;
    let key = PrivateKeyDer::from_pem_file(&files.key)
        .map_err(|error| TlsError::File(files.key.clone(), error))?;
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()?;
    let builder = match &files.client_ca {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let unusable =
                |error: &dyn fmt::Display| TlsError::Authority(path.clone(), error.to_string());
            let mut roots = RootCertStore::empty();
            for certificate in certificates(path)? {
                roots.add(certificate).map_err(|error| unusable(&error))?;
            }
            let mut verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            if files.client_may_have_none {
                verifier = verifier.allow_unauthenticated();
            }
            builder.with_client_cert_verifier(verifier.build().map_err(|error| unusable(&error))?)
        }
    };
    let stream = builder.with_single_cert(chain, key)?;
    #[cfg(feature = "websocket")]
    let http = {
        let mut http = stream.clone();
        http.alpn_protocols = vec![b"http/1.1".to_vec()];
        Arc::new(http)
    };
    Ok(Configs {
        stream: Arc::new(stream),
        #[cfg(feature = "websocket")]
        http,
    })
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let file = |error| TlsError::File(path.to_owned(), error);
    let certificates: Vec<_> = CertificateDer::pem_file_iter(path)
        .map_err(file)?
        .collect::<Result<_, _>>()
        .map_err(file)?;
    if certificates.is_empty() { Err(TlsError::Empty(path.to_owned())) } else { Ok(certificates) }
}

/// The user that a verified certificate names: its one common name, or else the first of its
/// alternative names that can name a user.
fn user_of(chain: &[CertificateDer<'_>]) -> Option<Arc<str>> {
    use x509_parser::prelude::FromDer;
    let (_, certificate) = X509Certificate::from_der(chain.first()?).ok()?;
    let mut common = certificate.subject().iter_common_name();
    if let Some(name) = common.next() {
        let name = name.as_str().ok().filter(|name| is_user_name(name));
        return if common.next().is_none() { name.map(Into::into) } else { None };
    }
    let alternatives = certificate.subject_alternative_name().ok()??;
    alternatives.value.general_names.iter().find_map(|name| match name {
        GeneralName::RFC822Name(name) | GeneralName::DNSName(name) if is_user_name(name) => {
            Some(Arc::from(*name))
        }
        _ => None,
    })
}
