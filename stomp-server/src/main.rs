//! `stomp-server`: a STOMP broker as a program.

mod banner;
mod cli;
mod doors;
mod serve;
mod standby;
mod tools;

use std::{
    io::{Read, Write},
    process::ExitCode,
};

use stomp_server::{
    auth::{MAX_PASSWORD, hash_password},
    program::{knobs::Settings, log},
};

use crate::{
    cli::{Options, Wish},
    doors::Doors,
};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let wish = match cli::wish(std::env::args_os()) {
        Ok(wish) => wish,
        Err(told) => {
            let _ = told.print();
            return ExitCode::from(u8::try_from(told.exit_code()).unwrap_or(2));
        }
    };
    match wish {
        Wish::Serve(settings) => start(*settings),
        Wish::Check(settings) => match cli::check(*settings) {
            Ok(told) => printed(&told),
            Err(faults) => refused(&faults),
        },
        Wish::Config => printed(&cli::commented()),
        Wish::HashPassword => said(print_hash()),
        Wish::Tool(tool) => said(tool.run()),
    }
}

/// Serves, unless something is wrong with the settings: then all of it is told.
fn start(mut settings: Settings) -> ExitCode {
    let options = Options::read(&mut settings);
    let doors = match Doors::open(&options) {
        Ok(doors) if settings.faults().is_empty() => doors,
        opened => {
            let more = opened.err().unwrap_or_default();
            more.into_iter().for_each(|fault| settings.fault(fault));
            return refused(settings.faults());
        }
    };
    let (options, filter) = options.take_log();
    let started = log::start(filter, options.log_format);
    let runtime = started.and_then(|()| {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        runtime.map_err(|error| format!("the runtime does not start: {error}"))
    });
    said(runtime.and_then(|runtime| {
        let outcome = runtime.block_on(serve::run(options, doors));
        // A thread that a library keeps is not waited for: all that counts was closed in time.
        runtime.shutdown_background();
        outcome
    }))
}

/// Faults of settings, all at once.
fn refused(faults: &[String]) -> ExitCode {
    for fault in faults {
        eprintln!("stomp-server: {fault}");
    }
    ExitCode::from(2)
}

fn printed(text: &str) -> ExitCode {
    match std::io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE, // nobody reads any more, so nobody need be told
    }
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
