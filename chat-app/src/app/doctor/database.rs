//! The database: whether it answers, how far its schema is, and what time it is there.

use std::time::{Duration, SystemTime};

use super::Finding;
use crate::{
    app::migrate::{Verdict, verdict},
    config::DatabaseChoice,
    store::sql::Sql,
};

const WHAT: &str = "database";
/// Who is online, and when a push is due, goes by the database's clock; how long a token lives, by
/// this machine's. Apart by more than that, people notice.
const CLOCKS_APART: Duration = Duration::from_secs(5);

pub(super) async fn look(database: &DatabaseChoice) -> Vec<Finding> {
    if let DatabaseChoice::Sqlite(path) = database
        && !path.exists()
    {
        return vec![Finding::note(WHAT, format!("{database} is not there; a start makes it"))];
    }
    let sql = match Sql::look(database).await {
        Ok(sql) => sql,
        Err(error) => return vec![unreachable(database, &error)],
    };
    let mut findings = vec![schema(database, &sql).await];
    if matches!(database, DatabaseChoice::MySql(_)) {
        findings.push(clock(&sql).await);
    }
    sql.close().await;
    findings
}

fn unreachable(database: &DatabaseChoice, error: &sqlx::Error) -> Finding {
    let mends = match database {
        DatabaseChoice::Sqlite(_) => "restore the file from a backup, or name another --database",
        DatabaseChoice::MySql(_) => {
            "start it, let this machine reach it, or correct address, user, password and name in \
             --database"
        }
    };
    Finding::fault(WHAT, format!("{database} cannot be used: {error}"), mends)
}

async fn schema(database: &DatabaseChoice, sql: &Sql) -> Finding {
    let steps = match sql.schema().await {
        Ok(steps) => steps,
        Err(error) => return unreachable(database, &error),
    };
    match verdict(&steps) {
        Verdict::UpToDate => Finding::good(WHAT, format!("{database}, its schema is up to date")),
        Verdict::Behind(open) => Finding::note(
            WHAT,
            format!("{database}: {open} steps of its schema are to be done; a start does them"),
        ),
        Verdict::Broken(why) => Finding::fault(
            WHAT,
            format!("{database}: {why}"),
            "`chat-app migrate status` shows the steps",
        ),
    }
}

async fn clock(sql: &Sql) -> Finding {
    const WHAT: &str = "clock";
    let there = match sql.now_ms().await {
        Ok(there) => Duration::from_millis(u64::try_from(there).unwrap_or_default()),
        Err(error) => {
            return Finding::fault(WHAT, format!("the database tells no time: {error}"), "mend it");
        }
    };
    let here = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let apart = here.abs_diff(there);
    let told = format!("{} ms apart from the database's", apart.as_millis());
    if apart <= CLOCKS_APART {
        Finding::good(WHAT, told)
    } else {
        Finding::fault(WHAT, told, "let both machines take their time from the same NTP servers")
    }
}
