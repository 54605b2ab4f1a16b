//! What a start would find wrong with files and folders, without one.

use std::path::Path;

use stomp_server::auth::jwt;

use super::{SECRET, open, push};
use crate::{
    config::{BrokerChoice, Config, DatabaseChoice, KeySource},
    service::own_secret,
};

/// Everything that is wrong with the files that the settings name, each with what mends it.
pub fn check(config: &Config) -> Vec<String> {
    let mut faults = Vec::new();
    let mut note = |outcome: Result<(), String>| faults.extend(outcome.err());
    note(folder_can_be(&config.data));
    if let DatabaseChoice::Sqlite(path) = &config.database {
        note(file_can_be("--database", path, &config.data));
    }
    if let BrokerChoice::Sqlite(path) = &config.broker {
        note(file_can_be("--broker", path, &config.data));
    }
    note(own_key(&config.data.join(SECRET)));
    note(issuer_keys(config));
    note(open::tls(config).map(drop));
    push::check(&config.push).into_iter().for_each(|fault| note(Err(fault)));
    faults
}

/// The folder is there or can be made: what is nearest to it is a folder that can be written.
fn folder_can_be(data: &Path) -> Result<(), String> {
    let absolute = std::path::absolute(data);
    let absolute = absolute.map_err(|error| format!("--data {}: {error}", data.display()))?;
    let there = absolute.ancestors().find(|folder| folder.exists());
    is_writable("--data", there.unwrap_or(Path::new("/")))
}

/// A file of SQLite can be made or opened. The data folder is made at the start, others are not.
fn file_can_be(flag: &str, path: &Path, data: &Path) -> Result<(), String> {
    if path.is_dir() {
        return Err(format!("{flag}: {} is a folder; name a file in it", path.display()));
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    match folder.unwrap_or(Path::new(".")) {
        folder if folder == data => Ok(()),
        folder => is_writable(flag, folder),
    }
}

fn is_writable(flag: &str, folder: &Path) -> Result<(), String> {
    match std::fs::metadata(folder) {
        Err(error) => Err(format!("{flag}: the folder {}: {error}; make it", folder.display())),
        Ok(found) if !found.is_dir() => {
            Err(format!("{flag}: {} is no folder; name another place", folder.display()))
        }
        Ok(found) if found.permissions().readonly() => {
            Err(format!("{flag}: the folder {} cannot be written", folder.display()))
        }
        Ok(_) => Ok(()),
    }
}

fn own_key(file: &Path) -> Result<(), String> {
    if !file.exists() {
        return Ok(()); // it is made at the start
    }
    own_secret(file)
        .map(drop)
        .map_err(|error| format!("the key {} cannot be used: {error}", file.display()))
}

fn issuer_keys(config: &Config) -> Result<(), String> {
    let Some(issuer) = &config.access.issuer else { return Ok(()) };
    let KeySource::File(path) = &issuer.keys else { return Ok(()) };
    let fault = |error: &dyn std::fmt::Display| format!("--jwt-jwks {}: {error}", path.display());
    let text = std::fs::read_to_string(path).map_err(|error| fault(&error))?;
    jwt::Tokens::from_jwks(&text).map(drop).map_err(|error| fault(&error))
}
