//! `stomp-server check`: what a start would find, without one.

use std::path::Path;

use stomp_server::program::knobs::Settings;

use super::{BrokerChoice, Options};
use crate::doors::Doors;

/// Everything that is wrong with the settings and with the files that they name; else what
/// there is to tell.
///
/// # Errors
/// All faults, each with what mends it.
pub(crate) fn check(mut settings: Settings) -> Result<String, Vec<String>> {
    let options = Options::read(&mut settings);
    if let Err(faults) = Doors::open(&options) {
        faults.into_iter().for_each(|fault| settings.fault(fault));
    }
    if let BrokerChoice::Sqlite(path) = &options.broker
        && let Err(fault) = check_journal(path)
    {
        settings.fault(fault);
    }
    settings.verdict()
}

/// Whether there is a folder in which the journal could be made or opened.
fn check_journal(path: &Path) -> Result<(), String> {
    let mends = "name another by --broker sqlite:PATH";
    if path.is_dir() {
        return Err(format!("the journal {} is a folder; {mends}", path.display()));
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    match std::fs::metadata(folder) {
        Err(error) => {
            Err(format!("the journal's folder {}: {error}; make it, or {mends}", folder.display()))
        }
        Ok(found) if !found.is_dir() => {
            Err(format!("the journal's folder {} is none; {mends}", folder.display()))
        }
        Ok(found) if found.permissions().readonly() => {
            Err(format!("the journal's folder {} cannot be written; {mends}", folder.display()))
        }
        Ok(_) => Ok(()),
    }
}
