//! The chat server's program: arguments in, exit code out.

use std::{error::Error, io::Write as _, process::ExitCode};

use chat_app::{
    app::{self, App},
    config::{self, Command, Config, Fault, Transfer, Wish},
    transfer,
};
use stomp_server::program::{knobs::Settings, log, signals::Signals};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let Wish { command, log, log_format } = match config::parse(std::env::args_os()) {
        Ok(wish) => wish,
        Err(fault) => return fault.told(),
    };
    if let Err(error) = log::start(log, log_format) {
        return failed(&*Box::<dyn Error + Send + Sync>::from(error));
    }
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error),
    };
    let done = match command {
        Command::Serve(config) => runtime.block_on(serve(*config)),
        Command::Print(text) => printed(&text),
        Command::Check { config, settings } => match checked(&config, *settings) {
            Ok(told) => printed(&told),
            Err(fault) => return fault.told(),
        },
        Command::Token(request) => runtime.block_on(async {
            println!("{}", app::token(&request).await?);
            Ok(())
        }),
        Command::Doctor(config) => runtime.block_on(app::doctor(&config)),
        Command::Migrate { place, action } => runtime.block_on(app::migrate(&place, action)),
        Command::Notifications(request) => runtime.block_on(app::notifications(&request)),
        Command::Transfer(transfer) => runtime.block_on(moved(transfer)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&*error),
    }
}

async fn serve(config: Config) -> Result<(), Box<dyn Error + Send + Sync>> {
    // From the first moment on: a SIGHUP that nobody listens to would end the process.
    let mut signals = Signals::new()?;
    let drain = config.drain;
    let app = App::start(config).await?;
    print!("{}", app.banner());
    signals.until_told_to_end(|| app.reload()).await;
    tracing::info!("stopping: sessions are told, what was received is answered");
    app.stop(drain).await;
    Ok(())
}

fn checked(config: &Config, mut settings: Settings) -> Result<String, Fault> {
    app::check(config).into_iter().for_each(|fault| settings.fault(fault));
    settings.verdict().map_err(Fault::of)
}

fn printed(text: &str) -> Result<(), Box<dyn Error + Send + Sync>> {
    Ok(std::io::stdout().write_all(text.as_bytes())?)
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

fn failed(error: &dyn Error) -> ExitCode {
    eprintln!("chat-app: {error}");
    ExitCode::FAILURE
}
