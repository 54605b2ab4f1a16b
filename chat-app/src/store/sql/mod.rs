//! Rooms, accounts and history in SQL: one file per aggregate.
//!
//! Every statement is written once, for SQLite, MySQL 8 and MariaDB alike; what they spell
//! differently stands in `dialect`, what their drivers differ in, in `driver`. How a query is
//! added is told in `docs/storage.md`.

mod accounts;
mod census;
mod copy;
mod devices;
mod dialect;
mod doors;
mod driver;
mod export;
mod history;
mod import;
mod list;
mod log_moves;
mod log_store;
mod migrations;
mod outbox;
mod people;
mod presence;
mod push_due;
mod push_jobs;
mod push_look;
#[cfg(test)]
mod push_tests;
mod reading;
mod retry;
mod rooms;
mod rooms_read;
mod rooms_write;
mod rows;
#[cfg(test)]
mod tests;

pub(crate) use self::migrations::{SchemaStep, StepState};
pub(crate) use self::{
    copy::copy_sqlite,
    export::Export,
    import::{ImportBatch, ImportRoom, Place},
    retry::is_about_the_data,
};
use self::{
    dialect::Dialect,
    driver::{Pool, Transaction},
    migrations::SchemaError,
};
use crate::{config::DatabaseChoice, ports::StoreResult};

/// A database, by its connections for writing and for reading. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Sql {
    dialect: Dialect,
    read: Pool,
    write: Pool,
}

/// Why a database cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    #[error(transparent)]
    Schema(#[from] SchemaError),
    #[error(transparent)]
    Connect(#[from] sqlx::Error),
}

impl Sql {
    /// Connects (a SQLite file is made if need be), and brings the schema up to date.
    ///
    /// # Errors
    /// Also when the schema is newer than this program.
    pub(crate) async fn open(choice: &DatabaseChoice) -> Result<Self, OpenError> {
        let (dialect, write, read) = driver::connect(choice).await?;
        migrations::run(dialect, &write).await?;
        Ok(Self { dialect, read, write })
    }

    /// Connects, and changes nothing.
    ///
    /// # Errors
    /// If it does not answer.
    pub(crate) async fn look(choice: &DatabaseChoice) -> Result<Self, sqlx::Error> {
        let (dialect, write, read) = driver::connect(choice).await?;
        Ok(Self { dialect, read, write })
    }

    /// How far the schema is.
    pub(crate) async fn schema(&self) -> Result<Vec<SchemaStep>, sqlx::Error> {
        migrations::steps(self.dialect, &self.read).await
    }

    /// The time there, in milliseconds since 1970.
    pub(crate) async fn now_ms(&self) -> Result<i64, sqlx::Error> {
        let mut query = driver::Builder::new("SELECT ");
        query.push(self.dialect.now_ms());
        query.build_query_scalar().fetch_one(&self.read).await
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

    /// A transaction that writes.
    async fn begin(&self) -> StoreResult<Transaction> {
        Ok(self.write.begin_with(self.dialect.begin_write()).await?)
    }

    /// A snapshot: everything read in it is of one moment.
    async fn snapshot(&self) -> StoreResult<Transaction> {
        Ok(self.read.begin_with(self.dialect.begin_read()).await?)
    }
}

#[cfg(test)]
impl Sql {
    pub(crate) async fn count_dead(&self) -> i64 {
        let count = sqlx::query_scalar("SELECT count(*) FROM dead_records");
        count.fetch_one(&self.read).await.expect("a count")
    }
}
