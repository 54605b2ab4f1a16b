//! The file of users: names, hashes, rules.
//!
//! ```toml
//! [default]                      # whoever logs in by token or certificate and is not listed
//! subscribe = ["/topic/public.#"]
//!
//! [[user]]
//! name = "ann"
//! hash = "$argon2id$…"           # of `stomp-server hash-password`; none: token or certificate only
//! send = ["/topic/chat.*", "/queue/orders"]
//! subscribe = ["/topic/chat.#"]
//! ```

use std::{collections::HashMap, sync::Arc};

use serde::Deserialize;

use super::{
    hashing::check_hash,
    is_user_name,
    rules::{Rights, Rule},
};

/// Who there is, and what they may do.
#[derive(Debug, Default)]
pub(super) struct Book {
    users: HashMap<String, Entry>,
    default: Rights,
    decoy: Option<Arc<str>>,
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) hash: Option<Arc<str>>,
    rights: Rights,
}

impl Book {
    /// Reads the text of a file. All faults are told at once; none of them shows a hash.
    pub(super) fn parse(text: &str, separator: char) -> Result<Self, Vec<String>> {
        let file: File = toml::from_str(text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            let line = text.get(..at).unwrap_or_default().matches('\n').count() + 1;
            vec![format!("line {line}: {}", error.message())]
        })?;
        let mut faults = Vec::new();
        let mut book = Self {
            default: rights(
                "default",
                &file.default.send,
                &file.default.subscribe,
                separator,
                &mut faults,
            ),
            ..Self::default()
        };
        for user in file.user {
            book.add(user, separator, &mut faults);
        }
        if faults.is_empty() { Ok(book) } else { Err(faults) }
    }

    fn add(&mut self, user: UserInFile, separator: char, faults: &mut Vec<String>) {
        let name = user.name;
        if !is_user_name(&name) {
            faults.push(format!("user {name:?}: a name is 1 to 128 letters, digits, . _ @ or -"));
        }
        if let Some(Err(fault)) = user.hash.as_deref().map(check_hash) {
            faults.push(format!("user {name}: {fault}; make one with stomp-server hash-password"));
        }
        let rights = rights(&name, &user.send, &user.subscribe, separator, faults);
        let hash: Option<Arc<str>> = user.hash.map(Into::into);
        if self.decoy.is_none() {
            self.decoy.clone_from(&hash);
        }
        if self.users.insert(name.clone(), Entry { hash, rights }).is_some() {
            faults.push(format!("user {name} is there twice"));
        }
    }

    pub(super) fn entry(&self, name: &str) -> Option<&Entry> {
        self.users.get(name)
    }

    /// What is hashed against for a name that is not there, so that both cost the same.
    pub(super) fn decoy(&self) -> Option<Arc<str>> {
        self.decoy.clone()
    }

    /// What somebody of this name may do.
    pub(super) fn rights(&self, name: &str) -> &Rights {
        self.users.get(name).map_or(&self.default, |entry| &entry.rights)
    }

    pub(super) fn len(&self) -> usize {
        self.users.len()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    default: RightsInFile,
    #[serde(default)]
    user: Vec<UserInFile>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RightsInFile {
    #[serde(default)]
    send: Vec<String>,
    #[serde(default)]
    subscribe: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UserInFile {
    name: String,
    hash: Option<String>,
    #[serde(default)]
    send: Vec<String>,
    #[serde(default)]
    subscribe: Vec<String>,
}

fn rights(
    whose: &str,
    send: &[String],
    subscribe: &[String],
    separator: char,
    faults: &mut Vec<String>,
) -> Rights {
    let mut rules = |texts: &[String]| {
        let mut rules = Vec::new();
        for text in texts {
            match Rule::parse(text, separator) {
                Ok(rule) => rules.push(rule),
                Err(fault) => faults.push(format!("{whose}, rule {text:?}: {fault}")),
            }
        }
        rules
    };
    Rights { send: rules(send), subscribe: rules(subscribe) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::Intent;

    const HASH: &str = "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$Zl2WJSm2THR4ApYLvKKyYA";

    #[test]
    fn a_file_says_who_may_do_what() {
        let text = format!(
            "[default]\nsubscribe = ['/topic/public']\n\
             [[user]]\nname = 'ann'\nhash = '{HASH}'\nsend = ['/topic/a.*']\n\
             [[user]]\nname = 'door'\n"
        );
        let book = Book::parse(&text, '.').unwrap();
        assert_eq!(book.len(), 2);
        assert!(book.rights("ann").allow(Intent::Send("/topic/a.b"), '.'));
        assert!(!book.rights("ann").allow(Intent::Subscribe("/topic/public"), '.'));
        assert!(book.rights("stranger").allow(Intent::Subscribe("/topic/public"), '.'));
        assert!(!book.rights("door").allow(Intent::Subscribe("/topic/public"), '.'));
        assert!(book.entry("door").is_some_and(|door| door.hash.is_none()));
    }

    #[test]
    fn all_faults_are_told_at_once() {
        let faults = Book::parse(
            "[[user]]\nname = 'a/b'\nhash = 'hunter2'\nsend = ['/topic/a*', 'x']\n\
             [[user]]\nname = 'ann'\n[[user]]\nname = 'ann'\n",
            '.',
        )
        .unwrap_err();
        assert_eq!(faults.len(), 5, "{faults:?}");
    }

    #[test]
    fn a_fault_names_its_line_and_never_shows_a_hash() {
        for text in [
            format!("[[user]]\nname = 'ann'\nhsh = '{HASH}'\n"),
            format!("[[user]]\nname = 'ann'\nhash = '{HASH}\n"),
            format!("[[user]]\nname = 1\nhash = '{HASH}'\n"),
            "[[user]]\nname = 'ann'\nhash = 'hunter2'\n".to_owned(),
            "[users]\n".to_owned(),
        ] {
            let faults = Book::parse(&text, '.').unwrap_err().join("\n");
            assert!(!faults.contains("Zl2WJ") && !faults.contains("hunter2"), "{faults}");
        }
        let faults = Book::parse("[default]\nread = []\n", '.').unwrap_err();
        assert!(faults[0].starts_with("line 2: unknown field `read`"), "{faults:?}");
    }
}
