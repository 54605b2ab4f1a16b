//! The chat server's program: arguments in, exit code out.

use std::process::ExitCode;

use chat_app::{
    app::{self, App},
    config::{self, Command, Config},
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

fn failed(error: &dyn std::error::Error) -> ExitCode {
    eprintln!("chat-app: {error}");
    ExitCode::FAILURE
}
