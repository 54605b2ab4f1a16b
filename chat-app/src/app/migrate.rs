//! The schema, brought up to date or looked at by hand.

use super::{Failure, folder::prepare, open};
use crate::{
    config::{DatabaseChoice, MigrateAction, Place},
    store::sql::{SchemaStep, Sql, StepState},
};

/// Brings the schema up to date, or tells how far it is.
///
/// # Errors
/// If the database cannot be used, or was used by a newer version; of the status also if steps
/// are still to be done.
pub async fn migrate(place: &Place, action: MigrateAction) -> Result<(), Failure> {
    match action {
        MigrateAction::Up => up(place).await,
        MigrateAction::Status => status(&place.database).await,
    }
}

async fn up(place: &Place) -> Result<(), Failure> {
    prepare(&place.data)?;
    let before = schema(&place.database).await?;
    let sql = open::database(&place.database).await?;
    let mut done = 0;
    for step in before.iter().filter(|step| step.state == StepState::Open) {
        println!("done     {step}");
        done += 1;
    }
    println!("{done} steps were done; the schema of {} is up to date", place.database);
    sql.close().await;
    Ok(())
}

async fn status(database: &DatabaseChoice) -> Result<(), Failure> {
    let steps = schema(database).await?;
    for step in &steps {
        println!("{:<8} {step}", step.state.word());
    }
    match verdict(&steps) {
        Verdict::UpToDate => Ok(()),
        Verdict::Behind(open) => Err(format!(
            "{open} steps are to be done in {database}: `chat-app migrate up` or the next start \
             does them"
        )
        .into()),
        Verdict::Broken(why) => {
            Err(format!("the database {database} cannot be used: {why}").into())
        }
    }
}

/// What the steps come to.
pub(super) enum Verdict {
    UpToDate,
    /// So many steps are to be done.
    Behind(usize),
    /// No start can help.
    Broken(String),
}

pub(super) fn verdict(steps: &[SchemaStep]) -> Verdict {
    if let Some(fault) = steps.iter().find_map(SchemaStep::fault) {
        return Verdict::Broken(fault.to_string());
    }
    match steps.iter().filter(|step| step.state == StepState::Open).count() {
        0 => Verdict::UpToDate,
        open => Verdict::Behind(open),
    }
}

/// How far the schema is. A file that is not there is not made.
pub(super) async fn schema(database: &DatabaseChoice) -> Result<Vec<SchemaStep>, Failure> {
    if let DatabaseChoice::Sqlite(path) = database
        && !path.exists()
    {
        return Ok(SchemaStep::none_done());
    }
    let unusable =
        |error: &dyn std::fmt::Display| format!("the database {database} cannot be used: {error}");
    let sql = Sql::look(database).await.map_err(|error| unusable(&error))?;
    let steps = sql.schema().await.map_err(|error| unusable(&error))?;
    sql.close().await;
    Ok(steps)
}
