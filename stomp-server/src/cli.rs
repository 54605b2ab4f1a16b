//! What was asked for on the command line: a server, a check of its settings, or a tool.

mod access;
mod broker;
mod check;
mod options;
mod table;

use std::ffi::OsString;

use clap::{ArgMatches, FromArgMatches, Subcommand};
use stomp_server::program::knobs::Settings;

use self::table::PROGRAM;
pub(crate) use self::{access::Access, broker::BrokerChoice, check::check, options::Options};
use crate::tools::Tool;

/// What the program was asked to do.
#[derive(Debug)]
pub(crate) enum Wish {
    /// Serve with these settings.
    Serve(Box<Settings>),
    /// Say whether these settings would do.
    Check(Box<Settings>),
    /// Print the commented default file.
    Config,
    /// Read a password and print its hash.
    HashPassword,
    /// An everyday tool.
    Tool(Box<Tool>),
}

/// Reads the command line.
///
/// # Errors
/// Where it has no form that is known, or asks for help: clap knows what to print.
pub(crate) fn wish(args: impl IntoIterator<Item = OsString>) -> Result<Wish, clap::Error> {
    let matches = command().try_get_matches_from(args)?;
    Ok(match matches.subcommand() {
        None => Wish::Serve(settings(&matches)),
        Some(("check", matches)) => Wish::Check(settings(matches)),
        Some(("config", _)) => Wish::Config,
        Some(("hash-password", _)) => Wish::HashPassword,
        Some(_) => Wish::Tool(Box::new(Tool::from_arg_matches(&matches)?)),
    })
}

/// The commented default file.
pub(crate) fn commented() -> String {
    PROGRAM.commented()
}

fn settings(matches: &ArgMatches) -> Box<Settings> {
    Box::new(PROGRAM.settings(matches))
}

fn command() -> clap::Command {
    let command = clap::Command::new(PROGRAM.name)
        .version(env!("CARGO_PKG_VERSION"))
        .max_term_width(100)
        .args_conflicts_with_subcommands(true)
        .args(PROGRAM.args())
        .subcommand(
            clap::Command::new("config")
                .about("Print a TOML file with every setting, its default and its reason"),
        )
        .subcommand(
            clap::Command::new("check")
                .about("Say what is wrong with the settings, and with the files that they name, without starting")
                .args(PROGRAM.args()),
        )
        .subcommand(
            clap::Command::new("hash-password")
                .about("Read a password from standard input and print its hash, for a file of users"),
        );
    // Last, for the tools bring a sentence of their own along.
    Tool::augment_subcommands(command)
        .about("A STOMP 1.2 broker that never loses a message it has receipted")
}
