//! The commands that move a chat in and out.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{BrokerChoice, DatabaseChoice, Fault, Faults, PlaceArgs, UNREAD};

/// Where a chat is kept.
#[derive(Clone, Debug)]
pub struct Place {
    /// The folder with the secret and the lock.
    pub data: PathBuf,
    /// Accounts, rooms and history.
    pub database: DatabaseChoice,
}

/// What is to be moved.
#[derive(Clone, Debug)]
pub enum Transfer {
    /// Write the chat to a file.
    Export {
        /// Where it is kept.
        place: Place,
        /// To be made.
        file: PathBuf,
        /// Also the hashes of passwords.
        passwords: bool,
    },
    /// Take a chat from a file.
    Import {
        /// Where it is to be kept.
        place: Place,
        /// What `Export` wrote.
        file: PathBuf,
    },
    /// Make people, rooms and messages to look at.
    Demo(Place),
    /// Copy the embedded chat into an archive.
    Backup {
        /// Where it is kept.
        place: Place,
        /// The log.
        broker: BrokerChoice,
        /// To be made.
        file: PathBuf,
    },
}

#[derive(Subcommand)]
pub(super) enum TransferCommand {
    /// Write users, rooms, members, messages and markers to a file of JSON lines; broken off, it
    /// goes on where it was
    Export(ExportArgs),
    /// Take what `export` wrote into rooms that are not there yet; broken off, it goes on where it
    /// was. No server may run on the same --data
    Import(FileArgs),
    /// Fill the database with people, rooms and a year of messages to look at
    Demo(PlaceArgs),
    /// Copy the chat into a tar archive while the server runs (SQLite)
    Backup(BackupArgs),
}

#[derive(Args)]
pub(super) struct FileArgs {
    /// The file
    file: PathBuf,
    #[command(flatten)]
    place: PlaceArgs,
}

#[derive(Args)]
pub(super) struct ExportArgs {
    #[command(flatten)]
    file: FileArgs,
    /// Also the hashes of passwords, so that people can log in where it is imported
    #[arg(long)]
    passwords: bool,
}

#[derive(Args)]
pub(super) struct BackupArgs {
    #[command(flatten)]
    file: FileArgs,
    /// sqlite:PATH [default: sqlite:DATA/log.db]
    #[arg(long, env = "CHAT_BROKER")]
    broker: Option<String>,
}

impl TransferCommand {
    pub(super) fn checked(self) -> Result<Transfer, Fault> {
        match self {
            Self::Export(args) => {
                let (place, file) = args.file.checked()?;
                Ok(Transfer::Export { place, file, passwords: args.passwords })
            }
            Self::Import(args) => {
                args.checked().map(|(place, file)| Transfer::Import { place, file })
            }
            Self::Demo(args) => place(args).map(Transfer::Demo),
            Self::Backup(args) => args.checked(),
        }
    }
}

impl FileArgs {
    fn checked(self) -> Result<(Place, PathBuf), Fault> {
        Ok((place(self.place)?, self.file))
    }
}

impl BackupArgs {
    fn checked(self) -> Result<Transfer, Fault> {
        let (place, file) = self.file.checked()?;
        let mut faults = Faults::default();
        let broker = match self.broker.as_deref() {
            None => BrokerChoice::Sqlite(place.data.join("log.db")),
            Some(text) => faults.take(BrokerChoice::parse(text)).unwrap_or(BrokerChoice::Memory),
        };
        faults.none()?;
        Ok(Transfer::Backup { place, broker, file })
    }
}

fn place(args: PlaceArgs) -> Result<Place, Fault> {
    let mut faults = Faults::default();
    let database = faults.take(args.database()).unwrap_or(UNREAD);
    faults.none()?;
    Ok(Place { data: args.data, database })
}
