//! The schema, step by step, for each database.

use std::borrow::Cow;

use sqlx::{
    SqlSafeStr,
    migrate::{MigrateError, Migration, MigrationType, Migrator},
};

use super::{dialect::Dialect, driver::Pool};

/// One step: its number, its name, and what it says to each database. Steps that were released
/// never change.
struct Step {
    version: i64,
    name: &'static str,
    sqlite: &'static str,
    mysql: &'static str,
}

macro_rules! step {
    ($version:literal, $name:literal) => {
        Step {
            version: $version,
            name: $name,
            sqlite: include_str!(concat!("../../../migrations/sqlite/", $name, ".sql")),
            mysql: include_str!(concat!("../../../migrations/mysql/", $name, ".sql")),
        }
    };
}

const STEPS: &[Step] = &[
    step!(1, "0001_rooms"),
    step!(2, "0002_changes"),
    step!(3, "0003_people"),
    step!(4, "0004_push"),
    step!(20, "0020_import"),
    step!(21, "0021_import_pairs"),
];

/// Why the schema could not be brought up to date.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SchemaError {
    #[error(
        "its schema has step {0}, which this version of the program does not know: a newer one has \
         used it. Start that version, or restore a backup from before"
    )]
    Newer(i64),
    #[error(
        "its schema stopped in the middle of step {0}: restore a backup from before it, and start \
         again"
    )]
    Half(i64),
    #[error("its schema cannot be brought up to date: {0}")]
    Other(#[from] MigrateError),
}

/// Brings the schema up to date. Processes that start together wait for each other.
pub(super) async fn run(dialect: Dialect, pool: &Pool) -> Result<(), SchemaError> {
    migrator(dialect).run(pool).await.map_err(|error| match error {
        MigrateError::VersionMissing(step) => SchemaError::Newer(step),
        MigrateError::Dirty(step) => SchemaError::Half(step),
        error => SchemaError::Other(error),
    })
}

fn migrator(dialect: Dialect) -> Migrator {
    let step = |step: &Step| {
        let sql = match dialect {
            Dialect::Sqlite => step.sqlite,
            Dialect::MySql => step.mysql,
        };
        let name = Cow::Borrowed(step.name);
        Migration::new(step.version, name, MigrationType::Simple, sql.into_sql_str(), false)
    };
    Migrator::with_migrations(STEPS.iter().map(step).collect())
}
