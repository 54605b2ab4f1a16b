//! A copy of an embedded chat, taken while it runs.

use std::{
    fs::File,
    path::{Path, PathBuf},
};

use super::Failure;
use crate::{
    app::SECRET,
    config::{BrokerChoice, DatabaseChoice},
    store::sql::copy_sqlite,
};

/// Writes database, log and secret into one tar archive; unpacked into an empty data folder it is
/// the chat of the moment when the backup began. Returns the archive's length in octets.
///
/// The database is copied before the log, each of one moment: what the log has and the database
/// has not yet is taken over when the copy is started.
///
/// # Errors
/// When something is not kept in files here (MySQL and Kafka have tools of their own), when the
/// archive exists, or when the disk fails.
pub async fn backup(
    data: &Path,
    database: &DatabaseChoice,
    broker: &BrokerChoice,
    to: &Path,
) -> Result<u64, Failure> {
    let DatabaseChoice::Sqlite(database) = database else {
        return Err("this database is backed up by its own tools, e.g. mariadb-dump \
             --single-transaction; nothing else of this process needs a copy but its data folder"
            .into());
    };
    let BrokerChoice::Sqlite(log) = broker else {
        return Err("this log is not a file: backup is for --broker sqlite:PATH".into());
    };
    if to.exists() {
        return Err(format!("{} exists: name another file, or move it away", to.display()).into());
    }
    let part = beside(to, ".part");
    let copies =
        [(beside(to, ".chat.db"), database, "chat.db"), (beside(to, ".log.db"), log, "log.db")];
    let done = collect(data, &copies, &part).await;
    for (copy, ..) in &copies {
        let _ = std::fs::remove_file(copy); // it may not have been made
    }
    if let Err(error) = done {
        let _ = std::fs::remove_file(&part);
        return Err(error);
    }
    std::fs::rename(&part, to)?;
    Ok(std::fs::metadata(to)?.len())
}

async fn collect(
    data: &Path,
    copies: &[(PathBuf, &PathBuf, &str)],
    part: &Path,
) -> Result<(), Failure> {
    for (copy, original, _) in copies {
        if !original.exists() {
            return Err(
                format!("{} is not there: start the server once", original.display()).into()
            );
        }
        let _ = std::fs::remove_file(copy); // of an attempt that was broken off
        copy_sqlite(original, copy).await?;
    }
    let mut archive = tar::Builder::new(private(part)?);
    for (copy, _, name) in copies {
        archive.append_path_with_name(copy, name)?;
    }
    for secret in std::fs::read_dir(data)? {
        let path = secret?.path();
        let Some(name) = path.file_name().filter(|name| is_secret(name)) else { continue };
        archive.append_path_with_name(&path, name)?;
    }
    archive.into_inner()?.sync_all()?;
    Ok(())
}

/// Without its keys a copy would end every session and every push subscription.
fn is_secret(name: &std::ffi::OsStr) -> bool {
    name == SECRET || Path::new(name).extension().is_some_and(|kind| kind == "key" || kind == "pem")
}

/// The archive holds secrets and what people say.
fn private(path: &Path) -> std::io::Result<File> {
    let mut options = File::options();
    options.create(true).truncate(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}
