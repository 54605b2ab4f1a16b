//! Rooms, accounts and history in SQL: one file per aggregate.
//!
//! Statements keep to what SQLite, MySQL 8 and MariaDB have in common; what they spell
//! differently stands in `dialect`, and so do the types of the driver.

mod accounts;
mod dialect;
mod history;
mod log_store;
mod outbox;
mod rooms;
mod rooms_read;
mod rooms_write;
mod rows;

use std::path::Path;

use self::dialect::{Pool, Transaction};
use crate::ports::StoreResult;

/// A database: one connection that writes, several that read.
///
/// SQLite lets one transaction write at a time; queueing for the one connection is fair,
/// while several would meet each other's locks.
#[derive(Clone, Debug)]
pub(crate) struct Sql {
    read: Pool,
    write: Pool,
}

impl Sql {
    /// Opens the file, makes it if need be, and brings its schema up to date.
    ///
    /// # Errors
    /// Also when the schema is newer than this program.
    pub(crate) async fn open(
        path: &Path,
    ) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let write = dialect::connect(path, 1).await?;
        dialect::migrator().run(&write).await?;
        let read = dialect::connect(path, dialect::READERS).await?;
        Ok(Self { read, write })
    }

    pub(crate) async fn close(&self) {
        self.read.close().await;
        self.write.close().await;
    }

    /// Whether the database answers.
    pub(crate) async fn ping(&self) -> StoreResult<()> {
        sqlx::query("SELECT 1").execute(&self.read).await?;
        Ok(())
    }

    async fn begin(&self) -> StoreResult<Transaction> {
        Ok(self.write.begin_with(dialect::BEGIN_WRITE).await?)
    }

    /// A snapshot: everything read in it is of one moment.
    async fn snapshot(&self) -> StoreResult<Transaction> {
        Ok(self.read.begin().await?)
    }
}

#[cfg(test)]
impl Sql {
    pub(crate) async fn count_dead(&self) -> i64 {
        let count = sqlx::query_scalar("SELECT count(*) FROM dead_records");
        count.fetch_one(&self.read).await.expect("a count")
    }
}
