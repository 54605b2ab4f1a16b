//! Which database, which log.

use std::{
    fmt,
    path::{Path, PathBuf},
};

/// Where accounts, rooms and history are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DatabaseChoice {
    /// A file of this machine.
    Sqlite(PathBuf),
    /// A MySQL 8 or MariaDB 10.11 that several processes share.
    MySql(DatabaseUrl),
}

/// `mysql://user:password@host:port/database`. `Debug` does not show it: it holds a password.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseUrl(String);

/// Which log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum BrokerChoice {
    /// Ends with the process. (It also stands in for one that has a fault.)
    #[default]
    Memory,
    /// A journal in this SQLite file.
    Sqlite(PathBuf),
    /// Apache Kafka, by some of its nodes (`host:port[,host:port]`); processes share it.
    Kafka(String),
}

/// Stands in for one that has a fault, until all faults are told.
impl Default for DatabaseChoice {
    fn default() -> Self {
        Self::Sqlite(PathBuf::new())
    }
}

impl DatabaseChoice {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if let Some(path) = sqlite_path(text) {
            return Ok(Self::Sqlite(path));
        }
        if text.strip_prefix("mysql://").is_some_and(|rest| rest.contains('/')) {
            return Ok(Self::MySql(DatabaseUrl(text.to_owned())));
        }
        Err("a database is like sqlite:PATH or mysql://user:password@host:3306/name".to_owned())
    }
}

impl DatabaseUrl {
    /// The whole of it, for whoever connects.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("mysql://…")
    }
}

/// Without what is in front of the host.
impl fmt::Display for DatabaseChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => path.display().fmt(f),
            Self::MySql(url) => {
                let address = url.0.rsplit('@').next().unwrap_or_default();
                let address = address.split('?').next().unwrap_or_default();
                write!(f, "mysql://{}", address.trim_start_matches("mysql://"))
            }
        }
    }
}

impl BrokerChoice {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if text == "memory" {
            return Ok(Self::Memory);
        }
        if let Some(nodes) = text.strip_prefix("kafka://").filter(|nodes| !nodes.is_empty()) {
            return if cfg!(feature = "kafka") {
                Ok(Self::Kafka(nodes.to_owned()))
            } else {
                Err("this program was built without Kafka".to_owned())
            };
        }
        sqlite_path(text)
            .map(Self::Sqlite)
            .ok_or_else(|| "a log is like sqlite:PATH, kafka://host:9092 or memory".to_owned())
    }

    /// Whether several processes can have it.
    pub(crate) fn is_shared(&self) -> bool {
        matches!(self, Self::Kafka(_))
    }
}

fn sqlite_path(text: &str) -> Option<PathBuf> {
    let path = text.strip_prefix("sqlite:")?;
    (!path.is_empty()).then(|| Path::new(path).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_databases_password_is_never_shown() {
        let choice = DatabaseChoice::parse("mysql://chat:s3cret@db:3306/chat?ssl-mode=REQUIRED");
        let choice = choice.unwrap();
        assert_eq!(choice.to_string(), "mysql://db:3306/chat");
        assert!(!format!("{choice:?}").contains("s3cret"));
        let nearly = DatabaseChoice::parse("postgres://chat:s3cret@db/chat").unwrap_err();
        assert!(!nearly.contains("s3cret") && nearly.contains("mysql://"), "{nearly}");
    }
}
