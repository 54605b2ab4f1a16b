//! `stomp-server`: a STOMP broker as a program.

mod cli;

use std::{net::SocketAddr, process::ExitCode, sync::Arc};

use clap::Parser;
use stomp_server::{
    Server,
    broker::{Broker, Durability, JournalBroker, MemoryBroker},
    http::health_routes,
};
use tokio::{net::TcpListener, task::JoinSet};
use tracing_subscriber::EnvFilter;

use crate::cli::{BrokerChoice, Cli};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let faults = cli.faults();
    if !faults.is_empty() {
        for fault in faults {
            eprintln!("stomp-server: {fault}");
        }
        return ExitCode::from(2);
    }
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let outcome = runtime.map_err(|error| format!("the runtime does not start: {error}"));
    match outcome.and_then(|runtime| runtime.block_on(run(cli))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("stomp-server: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: Cli) -> Result<(), String> {
    let broker = open_broker(&cli).await?;
    let durability = broker.capabilities().durability;
    let server = Server::builder()
        .broker(broker)
        .limits(cli.session_limits())
        .max_connections(cli.max_connections)
        .allow_origins(cli.allow_origin.iter().cloned())
        .separator(cli.separator)
        .build();
    let mut serving = JoinSet::new();
    let mut addresses = Vec::new();
    for address in cli.tcp_addresses() {
        let listener = listen(address).await?;
        addresses.push(("STOMP", local(&listener)?, ""));
        let server = server.clone();
        serving.spawn(async move { server.serve_tcp(listener).await });
    }
    if let Some(address) = cli.http_address() {
        let listener = listen(address).await?;
        addresses.push(("WebSocket", local(&listener)?, "/ws"));
        serving.spawn(serve_http(server.clone(), listener));
    }
    print_banner(&addresses, durability, cli.allow_anonymous);
    until_told().await;
    tracing::info!("going away");
    if !server.shutdown(cli.drain).await {
        tracing::warn!("some connections were still open when the time to drain was over");
    }
    while serving.join_next().await.is_some() {}
    Ok(())
}

async fn open_broker(cli: &Cli) -> Result<Arc<dyn Broker>, String> {
    let config = cli.broker_config();
    Ok(match &cli.broker {
        BrokerChoice::Memory => Arc::new(MemoryBroker::new(config)),
        BrokerChoice::Sqlite(path) => {
            let opened = JournalBroker::open(path, config).await;
            Arc::new(opened.map_err(|error| format!("the journal {}: {error}", path.display()))?)
        }
    })
}

async fn listen(address: SocketAddr) -> Result<TcpListener, String> {
    TcpListener::bind(address).await.map_err(|error| {
        format!("{address} cannot be listened on ({error}); choose another with --tcp or --http")
    })
}

fn local(listener: &TcpListener) -> Result<SocketAddr, String> {
    listener.local_addr().map_err(|error| error.to_string())
}

async fn serve_http(server: Server, listener: TcpListener) -> std::io::Result<()> {
    let alive = server.clone();
    let (stopping, ready) = (server.stopping(), move || !alive.is_stopping());
    let routes = server.websocket_routes().merge(health_routes(ready));
    let service = routes.into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, service).with_graceful_shutdown(stopping).await
}

fn print_banner(addresses: &[(&str, SocketAddr, &str)], durability: Durability, open: bool) {
    println!("stomp-server {}", env!("CARGO_PKG_VERSION"));
    for (what, address, path) in addresses {
        let scheme = if *what == "STOMP" { "tcp" } else { "ws" };
        println!("  {what:<10} {scheme}://{address}{path}");
    }
    let survives = match durability {
        Durability::Memory => "memory: a receipt ends with this process",
        Durability::Disk => "disk: a receipt survives this process and a loss of power",
        Durability::Replicated => "replicated: a receipt survives the loss of a node",
    };
    println!("  broker     {survives}");
    let who = if open { "anybody who reaches it" } else { "anybody on this machine" };
    println!("  login      {who}");
}

/// Until SIGTERM, or Ctrl-C.
async fn until_told() {
    let interrupt = tokio::signal::ctrl_c();
    let terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate());
    match terminate {
        Ok(mut terminate) => tokio::select! {
            _ = interrupt => {}
            _ = terminate.recv() => {}
        },
        Err(_) => {
            let _ = interrupt.await;
        }
    }
}
