//! The secret of this installation.

use std::{io, path::Path};

/// Bytes of the secret, before it is written in hex.
const SECRET: usize = 32;

/// Read, or made where there is none. Only the owner may read the file.
pub(crate) fn own_secret(file: &Path) -> io::Result<Vec<u8>> {
    match std::fs::read(file) {
        Ok(secret) if secret.len() >= SECRET => Ok(secret),
        Ok(_) => Err(io::Error::other("the secret in this file is shorter than 32 bytes")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => match make_secret(file) {
            // Another process has just made it.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => std::fs::read(file),
            made => made,
        },
        Err(error) => Err(error),
    }
}

fn make_secret(file: &Path) -> io::Result<Vec<u8>> {
    use std::io::Write as _;
    let secret = rand::random::<[u8; SECRET]>();
    let hex = secret.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    // Whole or not at all, also for a process that looks at the same moment.
    let draft = file.with_extension(format!("{}.new", std::process::id()));
    let mut out = options.open(&draft)?;
    out.write_all(hex.as_bytes())?;
    out.sync_all()?;
    let placed = std::fs::hard_link(&draft, file);
    std::fs::remove_file(&draft)?;
    placed?;
    Ok(hex.into_bytes())
}
