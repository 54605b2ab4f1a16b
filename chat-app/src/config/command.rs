//! The commands and their words; what is a setting stands in the table.

use std::{path::PathBuf, time::Duration};

use clap::{Args, Subcommand, ValueEnum};
use stomp_server::program::knobs::units;

use super::{
    NotificationsAction,
    table::{BACKUP, PLACE, PROGRAM},
};

#[derive(Subcommand)]
pub(super) enum SubCommand {
    /// Run the server (also without any command)
    Serve,
    /// Print every setting as it holds, where it comes from, and its reason; a TOML file
    Config,
    /// Say what is wrong with the settings, and with the files that they name, without starting
    Check,
    /// Look for what keeps the server from working well here: database, log, ports, clocks,
    /// limits, secrets; exit code 1 if anything is at fault
    Doctor,
    /// Look after the schema of the database
    Migrate { action: MigrateAction },
    /// Print a token for a user, alone on the last line; an unknown user is made
    Token(TokenArgs),
    /// Write users, rooms, members, messages and markers to a file of JSON lines; broken off, it
    /// goes on where it was
    Export(ExportArgs),
    /// Take what `export` wrote into rooms that are not there yet; broken off, it goes on where it
    /// was. No server may run on the same --data
    Import(FileArgs),
    /// Fill the database with people, rooms and a year of messages to look at
    Demo,
    /// Copy the chat into a tar archive while the server runs (SQLite)
    Backup(FileArgs),
    /// Pushes that wait or were given up
    Notifications(NotificationsArgs),
}

/// What can be done with the schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum MigrateAction {
    /// Do all steps that are still to be done (a start does too)
    Up,
    /// Show the steps; exit code 1 if any is to be done, or not known to this version
    Status,
}

#[derive(Args)]
pub(super) struct TokenArgs {
    /// Whose
    pub(super) user: String,
    /// service: with the rights of a back end
    #[arg(long, value_parser = ["service"])]
    pub(super) scope: Option<String>,
    /// How long it lasts, e.g. 30d, 12h, 90s
    #[arg(long, default_value = "30d", value_parser = units::time)]
    pub(super) ttl: Duration,
}

#[derive(Args)]
pub(super) struct FileArgs {
    /// The file
    pub(super) file: PathBuf,
}

#[derive(Args)]
pub(super) struct ExportArgs {
    /// The file
    pub(super) file: PathBuf,
    /// Also the hashes of passwords, so that people can log in where it is imported
    #[arg(long)]
    pub(super) passwords: bool,
}

#[derive(Args)]
pub(super) struct NotificationsArgs {
    pub(super) action: NotificationsAction,
    /// Which of them, by the numbers that list shows
    pub(super) ids: Vec<i64>,
}

/// All of it for clap, each command with the flags that it needs.
pub(super) fn command() -> clap::Command {
    let command = clap::Command::new(PROGRAM.name)
        .version(env!("CARGO_PKG_VERSION"))
        .max_term_width(100)
        .args_conflicts_with_subcommands(true)
        .args(PROGRAM.args());
    let mut command = SubCommand::augment_subcommands(command).about(env!("CARGO_PKG_DESCRIPTION"));
    for name in ["serve", "config", "check", "doctor"] {
        command = command.mut_subcommand(name, |command| command.args(PROGRAM.args()));
    }
    for name in ["migrate", "token", "export", "import", "demo", "notifications"] {
        command = command.mut_subcommand(name, |command| command.args(PROGRAM.args_of(PLACE)));
    }
    command.mut_subcommand("backup", |command| command.args(PROGRAM.args_of(BACKUP)))
}
