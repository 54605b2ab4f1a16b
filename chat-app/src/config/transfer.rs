//! The commands that move a chat in and out.

use std::path::PathBuf;

use super::{BrokerChoice, DatabaseChoice};

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
