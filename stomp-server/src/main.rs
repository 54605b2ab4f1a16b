//! `stomp-server`: a STOMP broker as a program.

mod cli;
mod doors;
mod signals;
mod tools;

use std::{
    io::{IsTerminal, Read, Write},
    net::SocketAddr,
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use axum::{Router, middleware::from_fn_with_state};
use clap::Parser;
use metrics_exporter_prometheus::PrometheusBuilder;
use stomp_server::{
    Server,
    auth::{MAX_PASSWORD, hash_password},
    broker::{
        Broker, Durability, JournalBroker, KafkaBroker, KafkaConfig, KafkaStartError, MemoryBroker,
    },
    http::{AdminAccess, admin_only, health_routes, metrics_routes},
};
use tokio::{net::TcpListener, task::JoinSet};
use tracing_subscriber::EnvFilter;

use crate::{
    cli::{BrokerChoice, Cli, Command},
    doors::{Doors, proxies},
    signals::Signals,
};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let mut cli = Cli::parse();
    match cli.command.take() {
        Some(Command::HashPassword) => return said(print_hash()),
        Some(Command::Tool(tool)) => return said(tool.run()),
        None => {}
    }
    let faults = cli.faults();
    if !faults.is_empty() {
        for fault in faults {
            eprintln!("stomp-server: {fault}");
        }
        return ExitCode::from(2);
    }
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .init();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("the runtime does not start: {error}"));
    said(runtime.and_then(|runtime| {
        let outcome = runtime.block_on(run(cli));
        // A thread that a library keeps is not waited for: all that counts was closed in time.
        runtime.shutdown_background();
        outcome
    }))
}

fn said(outcome: Result<(), String>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("stomp-server: {error}");
            ExitCode::FAILURE
        }
    }
}

/// A password comes by standard input: in a flag, other users of the machine would see it.
fn print_hash() -> Result<(), String> {
    let mut input = String::new();
    let most = MAX_PASSWORD as u64 + 2;
    let read = std::io::stdin().lock().take(most).read_to_string(&mut input);
    read.map_err(|error| format!("no password can be read: {error}"))?;
    let password = input.trim_end_matches(['\r', '\n']);
    if password.is_empty() {
        return Err("write the password to standard input".to_owned());
    }
    println!("{}", hash_password(password).map_err(|error| error.to_string())?);
    Ok(())
}

async fn run(cli: Cli) -> Result<(), String> {
    let signals = Signals::new().map_err(|error| format!("no signals: {error}"))?;
    let metrics = PrometheusBuilder::new().build_recorder();
    let render = metrics.handle();
    metrics::set_global_recorder(metrics).map_err(|error| error.to_string())?;
    let doors = Doors::open(&cli)?;
    let broker = open_broker(&cli).await?;
    let durability = broker.capabilities().durability;
    let server = server(&cli, &doors, broker);
    let mut serving = JoinSet::new();
    let mut addresses = Vec::new();
    for address in cli.tcp_addresses() {
        let listener = listen(address).await?;
        addresses.push(("STOMP", local(&listener)?));
        let (server, tls) = (server.clone(), doors.tls.clone());
        serving.spawn(async move {
            match tls {
                Some(tls) => server.serve_tls(listener, tls).await,
                None => server.serve_tcp(listener).await,
            }
        });
    }
    if let Some(address) = cli.http_address() {
        let listener = listen(address).await?;
        addresses.push(("WebSocket", local(&listener)?));
        let token = cli.access.admin_token().map(|token| token.read()).transpose()?;
        let metrics = metrics_routes(move || render.render());
        let routes = routes(&server, AdminAccess::new(token, proxies(&cli.access)), metrics);
        let (server, tls) = (server.clone(), doors.tls.clone());
        serving.spawn(async move {
            match tls {
                Some(tls) => server.serve_https(listener, routes, tls).await,
                None => server.serve_http(listener, routes).await,
            }
        });
    }
    print_banner(&addresses, durability, &doors);
    signals.until_told_to_end(|| doors.reload()).await;
    tracing::info!("going away");
    if !server.shutdown(cli.drain).await {
        tracing::warn!("some connections were still open when the time to drain was over");
    }
    while serving.join_next().await.is_some() {}
    // Its broker is closed. To drop it would wait for librdkafka's threads, for as long as the
    // wall clock has jumped back in their sleep.
    std::mem::forget(server);
    Ok(())
}

fn server(cli: &Cli, doors: &Doors, broker: Arc<dyn Broker>) -> Server {
    Server::builder()
        .broker(broker)
        .authenticate(doors.authenticate.clone())
        .authorize(doors.authorize.clone())
        .limits(cli.session_limits())
        .max_connections(cli.max_connections)
        .max_connections_per_user(cli.access.per_user())
        .max_connections_per_address(cli.access.per_address())
        .trusted_proxies(proxies(&cli.access))
        .allow_origins(cli.allow_origin.iter().cloned())
        .separator(cli.separator)
        .build()
}

fn routes(server: &Server, access: AdminAccess, metrics: Router) -> Router {
    let alive = server.clone();
    server
        .websocket_routes()
        .merge(health_routes(move || !alive.is_stopping()))
        .merge(metrics.layer(from_fn_with_state(access, admin_only)))
}

async fn open_broker(cli: &Cli) -> Result<Arc<dyn Broker>, String> {
    let config = cli.broker_config();
    Ok(match &cli.broker {
        BrokerChoice::Memory => Arc::new(MemoryBroker::new(config)),
        BrokerChoice::Sqlite(path) => {
            let opened = JournalBroker::open(path, config).await;
            Arc::new(opened.map_err(|error| format!("the journal {}: {error}", path.display()))?)
        }
        BrokerChoice::Kafka(nodes) => Arc::new(open_kafka(cli.kafka_config(nodes)).await?),
    })
}

/// Waits for Kafka as long as it is away: nothing listens meanwhile, so nothing is accepted.
async fn open_kafka(config: KafkaConfig) -> Result<KafkaBroker, String> {
    const PAUSE: Duration = Duration::from_secs(1);
    loop {
        match KafkaBroker::open(config.clone()).await {
            Err(KafkaStartError::Unavailable(what)) => {
                tracing::warn!("Kafka is not available ({what}); trying again");
                tokio::time::sleep(PAUSE).await;
            }
            outcome => return outcome.map_err(|error| error.to_string()),
        }
    }
}

async fn listen(address: SocketAddr) -> Result<TcpListener, String> {
    TcpListener::bind(address).await.map_err(|error| {
        format!("{address} cannot be listened on ({error}); choose another with --tcp or --http")
    })
}

fn local(listener: &TcpListener) -> Result<SocketAddr, String> {
    listener.local_addr().map_err(|error| error.to_string())
}

fn print_banner(addresses: &[(&str, SocketAddr)], durability: Durability, doors: &Doors) {
    let mut lines = vec![format!("stomp-server {}", env!("CARGO_PKG_VERSION"))];
    for (what, address) in addresses {
        let (scheme, path) = match (*what, doors.tls.is_some()) {
            ("STOMP", false) => ("tcp", ""),
            ("STOMP", true) => ("tls", ""),
            (_, false) => ("ws", "/ws"),
            (_, true) => ("wss", "/ws"),
        };
        lines.push(format!("  {what:<10} {scheme}://{address}{path}"));
    }
    let survives = match durability {
        Durability::Memory => "memory: a receipt ends with this process",
        Durability::Disk => "disk: a receipt survives this process and a loss of power",
        Durability::Replicated => "replicated: a receipt survives the loss of a node",
    };
    lines.push(format!("  broker     {survives}"));
    lines.push(format!("  login      {}\n", doors.who));
    // Nobody may be reading any more; that is no reason not to serve.
    let _ = std::io::stdout().write_all(lines.join("\n").as_bytes());
}
