//! The folder that everything is kept in.

use std::{
    fs::{File, TryLockError},
    path::Path,
};

use super::Failure;

/// The file with the secret of our own tokens.
pub(crate) const SECRET: &str = "token.key";

/// Makes the folder, for its owner only: it holds secrets and what people say.
pub(super) fn prepare(data: &Path) -> Result<(), Failure> {
    let mut folder = std::fs::DirBuilder::new();
    folder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut folder, 0o700);
    folder
        .create(data)
        .map_err(|error| format!("the folder {} cannot be made: {error}", data.display()).into())
}

/// Makes the folder and keeps everybody else out of it, as long as the file lives.
pub(crate) fn occupy(data: &Path) -> Result<File, Failure> {
    prepare(data)?;
    lock(data)
}

/// Two processes on one folder would take the log over twice.
pub(super) fn lock(data: &Path) -> Result<File, Failure> {
    let path = data.join("lock");
    let file = File::options().create(true).truncate(false).write(true).open(&path)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(format!(
            "another chat-app uses the folder {}: stop it, or give this one its own --data",
            data.display()
        )
        .into()),
        Err(TryLockError::Error(error)) => Err(error.into()),
    }
}

/// Whether a process is using the folder; nothing is made to find out.
pub(super) fn is_occupied(data: &Path) -> bool {
    let file = File::options().write(true).open(data.join("lock"));
    file.is_ok_and(|file| matches!(file.try_lock(), Err(TryLockError::WouldBlock)))
}
