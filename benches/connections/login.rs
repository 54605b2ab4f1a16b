//! How much server CPU does a login take?

use std::{net::SocketAddr, sync::Arc, time::Duration};

use benches::process::{ServerProcess, median};
use rustls::{ClientConfig, RootCertStore, client::Resumption, pki_types::ServerName};
use tokio::{net::TcpStream, sync::Semaphore, task::JoinSet, time::sleep};
use tokio_rustls::TlsConnector;

use crate::{
    client::{CONNECT, Over, log_in, say, until},
    plain,
};

const ROUNDS: usize = 5;
const LOGINS: usize = 3_000;
/// Fewer, for each costs some 30 times as much.
const TLS_LOGINS: usize = 600;

pub(crate) async fn ask() {
    let (plain, stomp) = (ServerProcess::plain("login"), ServerProcess::stomp(&[]));
    let tls = Tls::new();
    let (plain_tls, stomp_tls) = tls.servers();
    let (mut against_plain, mut against_tcp, mut tls_against_plain) = (vec![], vec![], vec![]);
    let (mut costs, mut tls_costs) = (vec![], vec![]);
    for _ in 0..ROUNDS {
        let baseline = over(&plain, plain.tcp, Over::Tcp).await;
        let tcp = over(&stomp, stomp.tcp, Over::Tcp).await;
        let websocket = over(&stomp, stomp.http.unwrap(), Over::WebSocket).await;
        let tls_baseline = tls.logins(&plain_tls).await;
        let with_tls = tls.logins(&stomp_tls).await;
        against_plain.push(tcp / baseline);
        against_tcp.push(websocket / tcp);
        tls_against_plain.push(with_tls / tls_baseline);
        costs.push(tcp);
        tls_costs.push(with_tls);
    }
    println!("login, server CPU, TCP against plain: {:.2} x", median(against_plain));
    println!("login, server CPU, WebSocket against TCP: {:.2} x", median(against_tcp));
    println!("login, server CPU, TLS against plain TLS: {:.2} x", median(tls_against_plain));
    println!("login over TCP: {:.0} µs, over TLS: {:.0} µs", median(costs), median(tls_costs));
}

/// CPU per login in µs: many short connections, 64 at a time.
async fn cpu_of<F>(server: &ServerProcess, count: usize, one: impl Fn() -> F) -> f64
where
    F: Future<Output = TcpStream> + Send + 'static,
{
    let places = Arc::new(Semaphore::new(64));
    let before = server.cpu();
    let mut tasks = JoinSet::new();
    for _ in 0..count {
        let place = places.clone().acquire_owned().await.unwrap();
        let login = one();
        tasks.spawn(async move {
            let stream = login.await;
            stream.set_zero_linger().unwrap(); // leaves no port in TIME_WAIT
            drop((stream, place));
        });
        while tasks.try_join_next().is_some() {}
    }
    while tasks.join_next().await.is_some() {}
    sleep(Duration::from_millis(200)).await;
    (server.cpu() - before).as_secs_f64() * 1e6 / count as f64
}

async fn over(server: &ServerProcess, address: SocketAddr, over: Over) -> f64 {
    cpu_of(server, LOGINS, || log_in(address, over, CONNECT)).await
}

/// A certificate in a folder, and clients that trust it.
struct Tls {
    folder: tempfile::TempDir,
    connector: TlsConnector,
}

impl Tls {
    fn new() -> Self {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("cert.pem"), made.cert.pem()).unwrap();
        std::fs::write(folder.path().join("key.pem"), made.signing_key.serialize_pem()).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(made.cert.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        // Each handshake is a whole one, as after a restart of the server.
        config.resumption = Resumption::disabled();
        Self { folder, connector: TlsConnector::from(Arc::new(config)) }
    }

    /// The plain server and ours, with the same certificate.
    fn servers(&self) -> (ServerProcess, ServerProcess) {
        let path = |name: &str| self.folder.path().join(name).to_str().unwrap().to_owned();
        let (certificate, key) = (path("cert.pem"), path("key.pem"));
        let files = [(plain::CERTIFICATE, certificate.as_str()), (plain::KEY, key.as_str())];
        let plain = ServerProcess::plain_with("tls", &files);
        (plain, ServerProcess::stomp(&["--tls-cert", &certificate, "--tls-key", &key]))
    }

    async fn logins(&self, server: &ServerProcess) -> f64 {
        let address = server.tcp;
        cpu_of(server, TLS_LOGINS, || {
            let connector = self.connector.clone();
            async move {
                let stream = TcpStream::connect(address).await.unwrap();
                stream.set_nodelay(true).unwrap();
                let name = ServerName::try_from("localhost").unwrap();
                let mut stream = connector.connect(name, stream).await.unwrap();
                say(&mut stream, Over::Tcp, CONNECT).await;
                until(&mut stream, b"\0").await;
                stream.into_inner().0
            }
        })
        .await
    }
}
