//! The schema, step by step, for each database.

use std::{borrow::Cow, fmt};

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

/// One step, as a database has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SchemaStep {
    version: i64,
    /// None where this version of the program does not know it.
    name: Option<&'static str>,
    pub(crate) state: StepState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StepState {
    Done,
    /// Begun, and not finished.
    Half,
    /// Still to be done.
    Open,
}

impl StepState {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Half => "half",
            Self::Open => "open",
        }
    }
}

impl SchemaStep {
    /// The steps of a database that is not there yet.
    pub(crate) fn none_done() -> Vec<Self> {
        joined(&[])
    }

    /// What no start can mend.
    pub(crate) fn fault(&self) -> Option<SchemaError> {
        match (self.name, self.state) {
            (None, _) => Some(SchemaError::Newer(self.version)),
            (_, StepState::Half) => Some(SchemaError::Half(self.version)),
            _ => None,
        }
    }
}

impl fmt::Display for SchemaStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name {
            Some(name) => f.write_str(name),
            None => write!(f, "{:04} (of a newer version)", self.version),
        }
    }
}

/// How far a schema is: the steps that are known here, and those that are not.
pub(super) async fn steps(dialect: Dialect, pool: &Pool) -> Result<Vec<SchemaStep>, sqlx::Error> {
    let tables: i64 = sqlx::query_scalar(match dialect {
        Dialect::Sqlite => "SELECT count(*) FROM sqlite_master WHERE name = '_sqlx_migrations'",
        Dialect::MySql => {
            "SELECT count(*) FROM information_schema.tables \
             WHERE table_schema = DATABASE() AND table_name = '_sqlx_migrations'"
        }
    })
    .fetch_one(pool)
    .await?;
    if tables == 0 {
        return Ok(SchemaStep::none_done());
    }
    let applied: Vec<(i64, i64)> = sqlx::query_as(
        "SELECT version, CASE WHEN success THEN 1 ELSE 0 END FROM _sqlx_migrations ORDER BY version",
    )
    .fetch_all(pool)
    .await?;
    Ok(joined(&applied))
}

/// `applied`: versions, with 1 where they were finished.
fn joined(applied: &[(i64, i64)]) -> Vec<SchemaStep> {
    let state = |version| match applied.iter().find(|(done, _)| *done == version) {
        Some((_, 1)) => StepState::Done,
        Some(_) => StepState::Half,
        None => StepState::Open,
    };
    let known = STEPS.iter().map(|step| (step.version, Some(step.name)));
    let is_known = |version: i64| STEPS.iter().any(|step| step.version == version);
    let newer = applied.iter().map(|(version, _)| *version).filter(|version| !is_known(*version));
    let mut steps: Vec<_> = known
        .chain(newer.map(|version| (version, None)))
        .map(|(version, name)| SchemaStep { version, name, state: state(version) })
        .collect();
    steps.sort_by_key(|step| step.version);
    steps
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
