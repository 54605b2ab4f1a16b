//! The whole chat as JSON lines, of one moment.

use std::{
    fs::{File, OpenOptions},
    io::{BufRead, BufReader, BufWriter, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use super::{
    Failure,
    progress::bar,
    record::{Record, VERSION},
};
use crate::store::sql::{Export, Sql};

/// Writes users, rooms, members, messages and markers to `path`; returns how many messages.
///
/// What is read is of one moment, also while the server runs. It is written beside the file and
/// named at the end; an attempt that was broken off is gone on with behind its last whole line
/// (what it had written is then of its own, earlier moment).
///
/// # Errors
/// When the file exists, or the disk or the database fails.
pub(crate) async fn export_from(sql: &Sql, path: &Path, passwords: bool) -> Result<u64, Failure> {
    if path.exists() {
        return Err(format!("{} exists: name another file, or move it away", path.display()).into());
    }
    let part = part_of(path);
    let (file, after) = go_on(&part)?;
    let mut out = BufWriter::new(file);
    if after.is_none() {
        let name = format!("{:032x}", rand::random::<u128>());
        write(&mut out, &Record::Header { version: VERSION, name: Some(name) })?;
    }
    let mut export = Export::begin(sql, after, passwords).await?;
    let progress = bar(export.count().await?, "rows").with_message("export");
    let mut messages = 0;
    loop {
        let records = export.next().await?;
        if records.is_empty() {
            break;
        }
        for record in &records {
            write(&mut out, record)?;
            messages += u64::from(matches!(record, Record::Message(_)));
        }
        progress.inc(records.len() as u64);
    }
    let file = out.into_inner().map_err(|error| error.into_error())?;
    file.sync_all()?;
    std::fs::rename(&part, path)?;
    progress.finish_and_clear();
    Ok(messages)
}

/// `chat-app export`: writes everything to a file that is not there yet.
///
/// # Errors
/// When the file exists, or the disk or the database fails.
pub async fn export(
    database: &crate::config::DatabaseChoice,
    path: &Path,
    passwords: bool,
) -> Result<u64, Failure> {
    let sql = Sql::open(database).await?;
    let done = export_from(&sql, path, passwords).await;
    sql.close().await;
    done
}

fn write(out: &mut impl Write, record: &Record) -> Result<(), Failure> {
    serde_json::to_writer(&mut *out, record)?;
    out.write_all(b"\n")?;
    Ok(())
}

fn part_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".part");
    name.into()
}

/// The file to write to, and the last record that is whole in it.
fn go_on(part: &Path) -> Result<(File, Option<Record>), Failure> {
    let mut file =
        OpenOptions::new().create(true).truncate(false).read(true).write(true).open(part)?;
    let (mut whole, mut last) = (0, None);
    let mut line = String::new();
    let mut reader = BufReader::new(&file);
    loop {
        line.clear();
        let read = reader.read_line(&mut line)?;
        if read == 0 || !line.ends_with('\n') {
            break;
        }
        whole += read as u64;
        last = Some(Record::parse(&line)?);
    }
    file.set_len(whole)?;
    file.seek(SeekFrom::End(0))?;
    Ok((file, last))
}
