//! What to make of a database's refusal.

use sqlx::error::ErrorKind;

use crate::ports::{StoreError, StoreResult};

/// Attempts at a transaction that meets others.
const ATTEMPTS: usize = 8;

/// MySQL's and MariaDB's codes for a deadlock and for a lock that was waited for in vain.
const CONTENTION: [&str; 2] = ["1213", "1205"];

/// Makes a whole transaction again where another one was in its way: a deadlock has two sides,
/// and one of them is asked to step back. A row that another transaction made first is seen by
/// the next attempt.
pub(super) async fn retried<T, F>(transaction: impl Fn() -> F) -> StoreResult<T>
where
    F: Future<Output = StoreResult<T>>,
{
    let mut attempt = 1;
    loop {
        match transaction().await {
            Err(error) if attempt < ATTEMPTS && (is_contention(&error) || is_taken(&error)) => {
                tracing::debug!(%error, attempt, "a transaction met another one");
                attempt += 1;
            }
            outcome => return outcome,
        }
    }
}

/// Whether the same at once may go well: others were in the way.
fn is_contention(error: &StoreError) -> bool {
    let StoreError::Away(sqlx::Error::Database(error)) = error else { return false };
    let mysql = error.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>();
    mysql.is_some_and(|error| CONTENTION.contains(&error.number().to_string().as_str()))
}

fn is_taken(error: &StoreError) -> bool {
    matches!(error, StoreError::Away(sqlx::Error::Database(error))
        if error.kind() == ErrorKind::UniqueViolation)
}

/// Whether the database refuses what it was given, so that trying the same again cannot help.
pub(crate) fn is_about_the_data(error: &StoreError) -> bool {
    match error {
        StoreError::Away(sqlx::Error::Database(error)) => {
            !matches!(error.kind(), ErrorKind::Other) || is_refused_value(&**error)
        }
        StoreError::Away(_) => false,
        StoreError::Unreadable(_) => true,
    }
}

/// MySQL's class of errors for values: too long, out of range, of no such character (SQLSTATE
/// 22xxx).
fn is_refused_value(error: &dyn sqlx::error::DatabaseError) -> bool {
    error
        .try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>()
        .and_then(|error| error.code())
        .is_some_and(|state| state.starts_with("22"))
}
