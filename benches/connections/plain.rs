//! The plain servers that ours is held against: accept, read up to a NUL, answer what a broker
//! answers, hold the connection.

use std::sync::Arc;

use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;

/// The variables with the files of the certificate and its key.
pub(crate) const CERTIFICATE: &str = "PLAIN_CERTIFICATE";
pub(crate) const KEY: &str = "PLAIN_KEY";

async fn listener(scheme: &str) -> TcpListener {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("plain {scheme}://{}\nlogin", listener.local_addr().unwrap());
    listener
}

pub(crate) async fn tcp() {
    let listener = listener("tcp").await;
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        tokio::spawn(answer(stream));
    }
}

pub(crate) async fn tls() {
    let file = |name: &str| std::path::PathBuf::from(std::env::var_os(name).unwrap());
    let certificate = CertificateDer::from_pem_file(file(CERTIFICATE)).unwrap();
    let key = PrivateKeyDer::from_pem_file(file(KEY)).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = listener("tls").await;
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            if let Ok(stream) = acceptor.accept(stream).await {
                answer(stream).await;
            }
        });
    }
}

async fn answer(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    let mut buffer = [0; 1024];
    while let Ok(read @ 1..) = stream.read(&mut buffer).await {
        if buffer[..read].contains(&0) {
            let answer =
                b"CONNECTED\nversion:1.2\nsession:s-1\nserver:plain/1\nheart-beat:0,0\n\n\0";
            if stream.write_all(answer).await.is_err() || stream.flush().await.is_err() {
                return;
            }
        }
    }
}
