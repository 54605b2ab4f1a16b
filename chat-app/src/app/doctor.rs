//! What keeps the server from working well here, each with what mends it.

mod database;
mod log;
mod machine;
mod secrets;

use std::fmt;

use super::{check, folder::is_occupied};
use crate::config::Config;

/// One thing that was looked at.
struct Finding {
    what: &'static str,
    outcome: Outcome,
}

enum Outcome {
    Good(String),
    /// Nothing is wrong, but it is to be known.
    Note(String),
    Fault {
        is: String,
        mends: String,
    },
}

impl Finding {
    fn good(what: &'static str, is: impl Into<String>) -> Self {
        Self { what, outcome: Outcome::Good(is.into()) }
    }

    fn note(what: &'static str, is: impl Into<String>) -> Self {
        Self { what, outcome: Outcome::Note(is.into()) }
    }

    fn fault(what: &'static str, is: impl Into<String>, mends: impl Into<String>) -> Self {
        Self { what, outcome: Outcome::Fault { is: is.into(), mends: mends.into() } }
    }

    fn is_fault(&self) -> bool {
        matches!(self.outcome, Outcome::Fault { .. })
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = self.what;
        match &self.outcome {
            Outcome::Good(is) => write!(f, "ok     {what:<9} {is}"),
            Outcome::Note(is) => write!(f, "note   {what:<9} {is}"),
            Outcome::Fault { is, mends } => {
                write!(f, "FAULT  {what:<9} {is}\n       {:<9} -> {mends}", "")
            }
        }
    }
}

/// Looks at everything that a server with these settings would need, changes nothing of it, and
/// prints what there is to say.
///
/// # Errors
/// If anything is at fault.
pub async fn doctor(config: &Config) -> Result<(), super::Failure> {
    let is_running = is_occupied(&config.data);
    let mut faults = 0;
    let mut tell = |findings: Vec<Finding>| {
        for finding in findings {
            println!("{finding}");
            faults += usize::from(finding.is_fault());
        }
    };
    tell(files(config, is_running));
    tell(secrets::look(config));
    tell(machine::look(config, is_running));
    tell(database::look(&config.database).await);
    tell(log::look(config).await);
    match faults {
        0 => Ok(()),
        1 => Err("1 fault was found".into()),
        faults => Err(format!("{faults} faults were found").into()),
    }
}

fn files(config: &Config, is_running: bool) -> Vec<Finding> {
    let mends = "mend the file or folder, or name another one";
    let faults = check(config);
    let mut findings: Vec<_> =
        faults.into_iter().map(|fault| Finding::fault("files", fault, mends)).collect();
    if findings.is_empty() {
        findings.push(Finding::good("files", "all that are named can be used"));
    }
    if is_running {
        let data = config.data.display();
        findings.push(Finding::note("files", format!("a chat-app is running on {data}")));
    }
    findings
}
