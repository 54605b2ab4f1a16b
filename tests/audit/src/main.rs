//! The loss audit: several real servers, a real Kafka, faults by plan and seed, and one judge.
//!
//! ```text
//! publishers ─► (proxies that cut and stall) ─► stomp-server × 3 ─► Kafka × 3
//! subscribers ◄─────────────────────────────────────┘
//!      │
//!      └─► record ─► judge ─► table, JSON, one last line
//! ```
//!
//! `cells` says what is done to whom, `run` does it, `judge` says whether the promises held.

mod book;
mod cells;
mod cluster;
mod fleet;
mod instance;
mod judge;
mod link;
mod net;
mod plan;
mod publisher;
mod record;
mod report;
mod run;
mod sabotage;
mod stage;
mod subscriber;

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::Instant,
};

use clap::{Parser, ValueEnum};
use parking_lot::Mutex;
use serde_json::json;

use crate::{
    cells::{Cell, Log},
    cluster::{Cluster, Disk},
    net::Isolation,
    report::Outcome,
    sabotage::{Sabotage, acks::AckProxies},
    stage::blocking,
};

/// How much is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Matrix {
    /// A few cells, for every change.
    Smoke,
    /// All cells.
    Full,
}

/// Proves, or fails to, that nothing receipted is lost.
#[derive(Debug, Parser)]
struct Arguments {
    #[arg(value_enum, default_value = "smoke")]
    matrix: Matrix,
    /// Repeats a run; without it, one is drawn and printed.
    #[arg(long)]
    seed: Option<u64>,
    /// Only cells whose name has this in it; may be repeated.
    #[arg(long)]
    cell: Vec<String>,
    /// Lists the cells.
    #[arg(long)]
    list: bool,
    /// The server to try; default: beside this program.
    #[arg(long, env = "STOMP_SERVER")]
    server: Option<PathBuf>,
    /// Where the results go.
    #[arg(long, default_value = ".cache/audit")]
    out: PathBuf,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let outcome = runtime.map_err(|error| error.to_string()).and_then(|runtime| {
        runtime.block_on(async {
            // What is dropped on the way out stops Kafka and undoes what was done to the machine.
            tokio::select! {
                outcome = audit(&arguments) => outcome,
                () = told_to_end() => Err("told to end".to_owned()),
            }
        })
    });
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("audit: {error}");
            ExitCode::from(2)
        }
    }
}

async fn told_to_end() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}

async fn audit(arguments: &Arguments) -> Result<bool, String> {
    let mut cells = cells::all();
    cells.retain(|cell| is_asked(arguments, cell));
    if arguments.matrix == Matrix::Smoke {
        cells = cells.into_iter().map(Cell::unhurried).collect();
    }
    if arguments.list {
        cells.iter().for_each(|cell| println!("{}", cell.name));
        return Ok(true);
    }
    let seed = arguments.seed.unwrap_or_else(rand::random);
    println!("==> audit of {} cells, --seed {seed}", cells.len());
    Isolation::delete_orphans();
    Disk::unmount_orphans();
    let binary = server(arguments)?;
    let mut run = Run { binary, shared: None, full: arguments.matrix == Matrix::Full };
    let begin = Instant::now();
    let mut outcomes = Vec::new();
    for (number, cell) in cells.iter().enumerate() {
        let seed = cell_seed(seed, cell.name);
        println!("==> {} of {}: {}", number + 1, cells.len(), cell.name);
        let outcome = run.cell(cell, seed).await;
        println!("{}\n{}", report::heading(), outcome.line());
        for fault in &outcome.faults {
            println!("         {fault}");
        }
        outcomes.push(outcome);
    }
    drop(run);
    let holding = outcomes.iter().filter(|outcome| outcome.holds()).count();
    let file = write(arguments, seed, &outcomes).map_err(|error| error.to_string())?;
    println!("\n==> seed {seed}, {} s\n{}", begin.elapsed().as_secs(), report::heading());
    outcomes.iter().for_each(|outcome| println!("{}", outcome.line()));
    println!("{}", report::LEGEND);
    report::figures(&outcomes).iter().for_each(|line| println!("    {line}"));
    println!("written to {}", file.display());
    println!("audit: {holding} of {} cells hold", outcomes.len());
    Ok(holding == outcomes.len() && holding > 0)
}

fn is_asked(arguments: &Arguments, cell: &Cell) -> bool {
    let names = &arguments.cell;
    if !names.is_empty() {
        return names.iter().any(|name| cell.name.contains(name.as_str()));
    }
    arguments.matrix == Matrix::Full || cell.in_smoke
}

/// Each cell has a seed of its own, so that it can be repeated without the others.
fn cell_seed(seed: u64, name: &str) -> u64 {
    // FNV-1a: the same on every machine and in every version.
    name.bytes().fold(seed ^ 0xcbf2_9ce4_8422_2325, |hash, octet| {
        (hash ^ u64::from(octet)).wrapping_mul(0x0100_0000_01b3)
    })
}

fn server(arguments: &Arguments) -> Result<PathBuf, String> {
    if let Some(path) = &arguments.server {
        return Ok(path.clone());
    }
    let own = std::env::current_exe().map_err(|error| error.to_string())?;
    let path = own.with_file_name("stomp-server");
    if path.exists() { Ok(path) } else { Err(format!("{} has not been built", path.display())) }
}

/// What cells share.
struct Run {
    binary: PathBuf,
    shared: Option<Arc<Mutex<Cluster>>>,
    full: bool,
}

impl Run {
    async fn cell(&mut self, cell: &Cell, seed: u64) -> Outcome {
        let played = self.play(cell, seed).await;
        played.unwrap_or_else(|why| Outcome::not_played(cell, seed, why))
    }

    async fn play(&mut self, cell: &Cell, seed: u64) -> Result<Outcome, String> {
        let folder = tempfile::Builder::new().prefix("audit-").tempdir();
        let folder = folder.map_err(|error| format!("no folder: {error}"))?;
        let outcome = match (cell.log, cell.sabotage) {
            (_, Some(Sabotage::OneAck)) => self.play_with_one_ack(cell, folder.path(), seed).await,
            (Log::Kafka, _) => {
                let cluster = self.cluster().await?;
                run::run(cell, Some(cluster), &self.binary, folder.path(), seed).await
            }
            _ => run::run(cell, None, &self.binary, folder.path(), seed).await,
        };
        if !outcome.as_ref().is_ok_and(Outcome::holds) {
            println!("         logs are kept in {}", folder.keep().display());
        }
        // A cluster that a cell could not be ended on is not the next one's.
        if outcome.is_err() {
            self.shared = None;
        }
        outcome
    }

    async fn cluster(&mut self) -> Result<Arc<Mutex<Cluster>>, String> {
        if let Some(cluster) = &self.shared {
            return Ok(cluster.clone());
        }
        let full = self.full;
        let cluster = Arc::new(Mutex::new(blocking(move || Cluster::start(full)).await??));
        self.shared = Some(cluster.clone());
        Ok(cluster)
    }

    /// On a cluster of its own, which has proxies in front of its nodes.
    async fn play_with_one_ack(
        &mut self,
        cell: &Cell,
        folder: &Path,
        seed: u64,
    ) -> Result<Outcome, String> {
        self.shared = None; // six nodes at once are more than small machines have room for
        let proxies = AckProxies::start().await.map_err(|error| error.to_string())?;
        let (nodes, advertised) = (proxies.nodes, proxies.advertised);
        let cluster = blocking(move || Cluster::start_behind(nodes, advertised)).await??;
        let cluster = Arc::new(Mutex::new(cluster));
        run::run(cell, Some(cluster), &self.binary, folder, seed).await
    }
}

fn write(arguments: &Arguments, seed: u64, outcomes: &[Outcome]) -> io::Result<PathBuf> {
    fs::create_dir_all(&arguments.out)?;
    let name = format!("{:?}-{seed}.json", arguments.matrix).to_lowercase();
    let file = arguments.out.join(name);
    let cells: Vec<_> = outcomes
        .iter()
        .map(|outcome| {
            let mut value = json!(outcome);
            value["holds"] = outcome.holds().into();
            value
        })
        .collect();
    let matrix = format!("{:?}", arguments.matrix).to_lowercase();
    let figures = report::figures(outcomes);
    let whole = json!({ "matrix": matrix, "seed": seed, "figures": figures, "cells": cells });
    fs::write(&file, serde_json::to_string_pretty(&whole)?)?;
    Ok(file)
}
