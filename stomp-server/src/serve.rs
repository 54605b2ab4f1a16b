//! From settings to a server that serves, and to its end.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, middleware::from_fn_with_state};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use stomp_server::{
    Server,
    broker::{Broker, JournalBroker, KafkaBroker, KafkaConfig, KafkaStartError, MemoryBroker},
    http::{AdminAccess, admin_only, admin_routes, health_routes, metrics_routes},
    program::{signals::Signals, systemd},
};
use tokio::task::JoinSet;

use crate::{
    banner,
    cli::{BrokerChoice, Options},
    doors::{Doors, proxies},
    standby::{self, NotReady, Socket},
};

/// Serves until the operating system says that it is enough.
pub(crate) async fn run(options: Options, doors: Doors) -> Result<(), String> {
    let mut signals = Signals::new().map_err(|error| format!("no signals: {error}"))?;
    let metrics = PrometheusBuilder::new().build_recorder();
    let render = metrics.handle();
    metrics::set_global_recorder(metrics).map_err(|error| error.to_string())?;
    let front = Front::bind(&options).await?;
    let opening = open_broker(&options);
    tokio::pin!(opening);
    let patience = standby::patience(&options.broker).await;
    let broker = match tokio::time::timeout(patience, &mut opening).await {
        Ok(opened) => opened?,
        Err(_) => {
            let waiting = waiting_server(&options);
            let access = access(&options)?;
            let routes = waiting_routes(&waiting, access, render.clone());
            let mut tasks = front.serve(&waiting, &doors, routes)?;
            banner::print(&front.addresses()?, standby::BANNER, &doors);
            let opened = tokio::select! {
                opened = &mut opening => opened,
                () = signals.until_told_to_end(|| doors.reload()) => return Ok(()),
            };
            waiting.shutdown(Duration::from_secs(1)).await;
            while tasks.join_next().await.is_some() {}
            tracing::info!("the log is there: serving");
            opened?
        }
    };
    let durability = broker.capabilities().durability;
    let server = server(&options, &doors, broker);
    let routes = routes(&server, access(&options)?, render);
    let mut tasks = front.serve(&server, &doors, routes)?;
    banner::print(&front.addresses()?, banner::survives(durability), &doors);
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
    while tasks.join_next().await.is_some() {}
    // Its broker is closed. To drop it would wait for librdkafka's threads, for as long as the
    // wall clock has jumped back in their sleep.
    std::mem::forget(server);
    Ok(())
}

/// What is listened on, whoever serves it.
struct Front {
    tcp: Vec<Socket>,
    http: Option<Socket>,
}

impl Front {
    async fn bind(options: &Options) -> Result<Self, String> {
        let mut tcp = Vec::new();
        for address in &options.tcp {
            tcp.push(Socket::bind(*address).await?);
        }
        let http = match options.http {
            Some(address) => Some(Socket::bind(address).await?),
            None => None,
        };
        Ok(Self { tcp, http })
    }

    fn addresses(&self) -> Result<Vec<(&'static str, SocketAddr)>, String> {
        let tcp = self.tcp.iter().map(|socket| ("STOMP", socket));
        let all = tcp.chain(self.http.iter().map(|socket| ("WebSocket", socket)));
        all.map(|(what, socket)| Ok((what, socket.address()?))).collect()
    }

    /// Lets a server serve all of it.
    fn serve(
        &self,
        server: &Server,
        doors: &Doors,
        routes: Router,
    ) -> Result<JoinSet<std::io::Result<()>>, String> {
        let mut tasks = JoinSet::new();
        for socket in &self.tcp {
            let listener = socket.listener()?;
            let (server, tls) = (server.clone(), doors.tls.clone());
            tasks.spawn(async move {
                match tls {
                    Some(tls) => server.serve_tls(listener, tls).await,
                    None => server.serve_tcp(listener).await,
                }
            });
        }
        if let Some(socket) = &self.http {
            let listener = socket.listener()?;
            let (server, tls) = (server.clone(), doors.tls.clone());
            tasks.spawn(async move {
                match tls {
                    Some(tls) => server.serve_https(listener, routes, tls).await,
                    None => server.serve_http(listener, routes).await,
                }
            });
        }
        Ok(tasks)
    }
}

fn access(options: &Options) -> Result<AdminAccess, String> {
    Ok(AdminAccess::new(options.access.token()?, proxies(&options.access)))
}

/// Serves while the log is away: nobody gets in, and nothing is accepted.
fn waiting_server(options: &Options) -> Server {
    Server::builder()
        .authenticate(Arc::new(NotReady))
        .limits(options.limits.clone())
        .max_connections(options.max_connections)
        .trusted_proxies(proxies(&options.access))
        .allow_origins(options.allow_origin.iter().cloned())
        .build()
}

fn waiting_routes(server: &Server, access: AdminAccess, render: PrometheusHandle) -> Router {
    let metrics = metrics_routes(move || render.render());
    server
        .websocket_routes()
        .merge(health_routes(|| false))
        .merge(metrics.layer(from_fn_with_state(access, admin_only)))
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

/// Waits for Kafka as long as it is away.
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
