//! The chat server's program: arguments in, exit code out.

use std::process::ExitCode;

use chat_app::{
    app::{self, App},
    config::{self, Command, Config, Transfer},
    transfer,
};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let command = match config::parse(std::env::args_os()) {
        Ok(command) => command,
        Err(fault) => return fault.told(),
    };
    tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_env("CHAT_LOG")
                .unwrap_or_else(|_| "info,sqlx=warn".into()),
        )
        .with_writer(std::io::stderr)
        .init();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error),
    };
    let done = match command {
        Command::Serve(config) => runtime.block_on(serve(*config)),
        Command::Token(request) => runtime.block_on(async {
            println!("{}", app::token(&request).await?);
            Ok(())
        }),
        Command::Notifications(request) => runtime.block_on(app::notifications(&request)),
        Command::Transfer(transfer) => runtime.block_on(moved(transfer)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&*error),
    }
}

async fn serve(config: Config) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let drain = config.drain;
    let app = App::start(config).await?;
    print!("{}", app.banner());
    app::asked_to_stop().await;
    tracing::info!("stopping: sessions are told, what was received is answered");
    app.stop(drain).await;
    Ok(())
}

async fn moved(transfer: Transfer) -> Result<(), transfer::Failure> {
    match transfer {
        Transfer::Export { place, file, passwords } => {
            let messages = transfer::export(&place.database, &file, passwords).await?;
            println!("{messages} messages are in {}", file.display());
        }
        Transfer::Import { place, file } => {
            let done = transfer::import(&place.data, &place.database, &file).await?;
            println!(
                "{} messages in {} rooms; {} rooms were there and left as they are; {} lines in all",
                done.messages, done.rooms, done.passed_over, done.lines
            );
        }
        Transfer::Demo(place) => {
            let (made, who) = transfer::demo(&place.data, &place.database).await?;
            println!("{} messages in {} rooms", made.messages, made.rooms);
            println!("Start the server and log in as {who}, password {}", transfer::DEMO_PASSWORD);
        }
        Transfer::Backup { place, broker, file } => {
            let octets = transfer::backup(&place.data, &place.database, &broker, &file).await?;
            println!("{octets} bytes; restore: tar -xf {} -C NEW-DATA-FOLDER", file.display());
        }
    }
    Ok(())
}

fn failed(error: &dyn std::error::Error) -> ExitCode {
    eprintln!("chat-app: {error}");
    ExitCode::FAILURE
}
