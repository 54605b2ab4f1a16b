//! What a process does.

use crate::config::{BrokerChoice, DatabaseChoice};

const ROLES: &str = "api, chat, store and notify";

/// The roles of one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Roles {
    /// Accounts, rooms, history and sending over REST.
    pub api: bool,
    /// Sessions: STOMP, live rooms.
    pub chat: bool,
    /// The log, written behind into SQL.
    pub store: bool,
    /// Pushes to whoever is not there.
    pub notify: bool,
}

impl Roles {
    /// One process does everything.
    pub const ALL: Self = Self { api: true, chat: true, store: true, notify: true };
    const NONE: Self = Self { api: false, chat: false, store: false, notify: false };

    /// Reads the words of `--role`.
    pub(crate) fn parse(words: &[String]) -> Result<Self, String> {
        let mut roles = Self::NONE;
        for word in words {
            match word.trim() {
                "all" => roles = Self::ALL,
                "api" => roles.api = true,
                "chat" => roles.chat = true,
                "store" => roles.store = true,
                "notify" => roles.notify = true,
                other => {
                    return Err(format!("--role {other}: roles are {ROLES}, or all."));
                }
            }
        }
        if roles == Self::NONE {
            return Err(format!("--role: roles are {ROLES}, or all."));
        }
        Ok(roles)
    }

    /// Whether somebody else has to do a part of it.
    pub fn are_some(self) -> bool {
        self != Self::ALL
    }

    /// Whether people come to this process, to talk or to ask.
    pub(crate) fn serve_people(self) -> bool {
        self.api || self.chat
    }

    /// Says what keeps such processes from working together, and what mends it.
    pub(crate) fn faults(self, database: &DatabaseChoice, broker: &BrokerChoice) -> Vec<String> {
        let mut faults = Vec::new();
        if !self.are_some() {
            return faults;
        }
        if matches!(database, DatabaseChoice::Sqlite(_)) {
            faults.push(
                "--role: a SQLite database belongs to one process: use --role all, or share one \
                 with --database mysql://…."
                    .into(),
            );
        }
        if !broker.is_shared() {
            faults.push(
                "--role: this log belongs to one process: use --role all, or share one with \
                 --broker kafka://…."
                    .into(),
            );
        }
        faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(words: &[&str]) -> Result<Roles, String> {
        Roles::parse(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn roles_are_a_list_or_all() {
        assert_eq!(parsed(&["all"]), Ok(Roles::ALL));
        assert_eq!(parsed(&["api", "chat", "store", "notify"]), Ok(Roles::ALL));
        assert_eq!(parsed(&["chat"]), Ok(Roles { chat: true, ..Roles::NONE }));
        assert!(parsed(&["chat", "talk"]).unwrap_err().contains("talk"));
        assert!(parsed(&[""]).is_err());
    }
}
