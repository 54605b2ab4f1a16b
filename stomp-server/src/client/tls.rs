//! Whom a client trusts.

use std::sync::Arc;

use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};

use super::{ClientBuilder, ClientError};

impl ClientBuilder {
    /// Trusts servers whose certificates these authorities have signed, and nobody else; `pem`
    /// holds one or more certificates. For `tls:` and `wss:` addresses.
    ///
    /// # Errors
    /// [`ClientError::Invalid`] if it holds none, or one that cannot be an authority's.
    pub fn trust(self, pem: &[u8]) -> Result<Self, ClientError> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|error| unusable(&error))?;
            roots.add(certificate).map_err(|error| unusable(&error))?;
        }
        if roots.is_empty() {
            return Err(ClientError::invalid("there is no certificate to trust"));
        }
        let config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|error| unusable(&error))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(self.tls(Arc::new(config)))
    }
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn unusable(error: &dyn std::fmt::Display) -> ClientError {
    ClientError::invalid(format!("the certificates cannot be used: {error}"))
}
