//! A SQLite file copied while others write to it.

use std::path::Path;

use sqlx::{Connection as _, SqliteConnection, sqlite::SqliteConnectOptions};

use crate::ports::{StoreError, StoreResult};

/// Writes the file, as it is at one moment, to a new one.
pub(crate) async fn copy_sqlite(from: &Path, to: &Path) -> StoreResult<()> {
    let to = to.to_str().ok_or_else(|| StoreError::Unreadable("a path that is not text".into()))?;
    let options = SqliteConnectOptions::new().filename(from);
    let mut connection = SqliteConnection::connect_with(&options).await?;
    sqlx::query("PRAGMA busy_timeout = 30000").execute(&mut connection).await?;
    sqlx::query("VACUUM INTO ?").bind(to).execute(&mut connection).await?;
    connection.close().await?;
    Ok(())
}
