//! From settings to a server that serves, and to its end.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, middleware::from_fn_with_state};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use stomp_server::{
    Server,
    broker::{Broker, JournalBroker, KafkaBroker, KafkaConfig, KafkaStartError, MemoryBroker},
    http::{AdminAccess, admin_only, admin_routes, health_routes, metrics_routes},
    program::systemd,
};
use tokio::{net::TcpListener, task::JoinSet};

use crate::{
    banner,
    cli::{BrokerChoice, Options},
    doors::{Doors, proxies},
    signals::Signals,
};

/// Serves until the operating system says that it is enough.
pub(crate) async fn run(options: Options, doors: Doors) -> Result<(), String> {
    let mut signals = Signals::new().map_err(|error| format!("no signals: {error}"))?;
    let metrics = PrometheusBuilder::new().build_recorder();
    let render = metrics.handle();
    metrics::set_global_recorder(metrics).map_err(|error| error.to_string())?;
    let broker = open_broker(&options).await?;
    let durability = broker.capabilities().durability;
    let server = server(&options, &doors, broker);
    let mut listening = Listening::default();
    for address in &options.tcp {
        listening.stomp(&server, &doors, *address).await?;
    }
    if let Some(address) = options.http {
        let token = options.access.token()?;
        let access = AdminAccess::new(token, proxies(&options.access));
        listening.http(&server, &doors, address, routes(&server, access, render)).await?;
    }
    banner::print(&listening.addresses, durability, &doors);
    let status = format!("serving; receipts survive: {}", durability.as_str());
    systemd::ready(&status);
    signals
        .until_told_to_end(|| {
            systemd::reloading();
            doors.reload();
            systemd::ready(&status);
        })
        .await;
    tracing::info!("going away");
    systemd::stopping(options.drain + Duration::from_secs(1));
    if !server.shutdown(options.drain).await {
        tracing::warn!("some connections were still open when the time to drain was over");
    }
    while listening.tasks.join_next().await.is_some() {}
    // Its broker is closed. To drop it would wait for librdkafka's threads, for as long as the
    // wall clock has jumped back in their sleep.
    std::mem::forget(server);
    Ok(())
}

/// What listens, and where.
#[derive(Default)]
struct Listening {
    tasks: JoinSet<std::io::Result<()>>,
    addresses: Vec<(&'static str, SocketAddr)>,
}

impl Listening {
    async fn stomp(
        &mut self,
        server: &Server,
        doors: &Doors,
        at: SocketAddr,
    ) -> Result<(), String> {
        let listener = self.listen("STOMP", at).await?;
        let (server, tls) = (server.clone(), doors.tls.clone());
        self.tasks.spawn(async move {
            match tls {
                Some(tls) => server.serve_tls(listener, tls).await,
                None => server.serve_tcp(listener).await,
            }
        });
        Ok(())
    }

    async fn http(
        &mut self,
        server: &Server,
        doors: &Doors,
        at: SocketAddr,
        routes: Router,
    ) -> Result<(), String> {
        let listener = self.listen("WebSocket", at).await?;
        let (server, tls) = (server.clone(), doors.tls.clone());
        self.tasks.spawn(async move {
            match tls {
                Some(tls) => server.serve_https(listener, routes, tls).await,
                None => server.serve_http(listener, routes).await,
            }
        });
        Ok(())
    }

    async fn listen(&mut self, what: &'static str, at: SocketAddr) -> Result<TcpListener, String> {
        let listener = TcpListener::bind(at).await.map_err(|error| {
            format!("{at} cannot be listened on ({error}); choose another with --tcp or --http")
        })?;
        let address = listener.local_addr().map_err(|error| error.to_string())?;
        self.addresses.push((what, address));
        Ok(listener)
    }
}

fn server(options: &Options, doors: &Doors, broker: Arc<dyn Broker>) -> Server {
    Server::builder()
        .broker(broker)
        .authenticate(doors.authenticate.clone())
        .authorize(doors.authorize.clone())
        .limits(options.limits.clone())
        .max_connections(options.max_connections)
        .max_connections_per_user(options.access.per_user())
        .max_connections_per_address(options.access.per_address())
        .trusted_proxies(proxies(&options.access))
        .allow_origins(options.allow_origin.iter().cloned())
        .separator(options.separator)
        .build()
}

fn routes(server: &Server, access: AdminAccess, render: PrometheusHandle) -> Router {
    let alive = server.clone();
    let metrics = metrics_routes(move || render.render());
    server
        .websocket_routes()
        .merge(health_routes(move || !alive.is_stopping()))
        .merge(metrics.layer(from_fn_with_state(access.clone(), admin_only)))
        .merge(admin_routes(server, access))
}

async fn open_broker(options: &Options) -> Result<Arc<dyn Broker>, String> {
    let config = options.storage.clone();
    Ok(match &options.broker {
        BrokerChoice::Memory => Arc::new(MemoryBroker::new(config)),
        BrokerChoice::Sqlite(path) => {
            let opened = JournalBroker::open(path, config).await;
            Arc::new(opened.map_err(|error| format!("the journal {}: {error}", path.display()))?)
        }
        BrokerChoice::Kafka(nodes) => Arc::new(open_kafka(options.kafka_config(nodes)).await?),
    })
}

/// Waits for Kafka as long as it is away: nothing listens meanwhile, so nothing is accepted.
async fn open_kafka(config: KafkaConfig) -> Result<KafkaBroker, String> {
    const PAUSE: Duration = Duration::from_secs(1);
    loop {
        match KafkaBroker::open(config.clone()).await {
            Err(KafkaStartError::Unavailable(what)) => {
                tracing::warn!("Kafka is not available ({what}); trying again");
                systemd::status("waiting for Kafka");
                tokio::time::sleep(PAUSE).await;
            }
            outcome => return outcome.map_err(|error| error.to_string()),
        }
    }
}
