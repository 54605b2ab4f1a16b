//! Who may read what is nobody's business.

use std::path::Path;

use super::Finding;
use crate::{app::SECRET, config::Config};

const WHAT: &str = "secrets";

pub(super) fn look(config: &Config) -> Vec<Finding> {
    let own = [config.data.join(SECRET), config.push.vapid_key.clone()];
    let files = own.iter().chain(&config.secret_files);
    let mut findings: Vec<_> = open_to_others(&config.data, "700").into_iter().collect();
    findings.extend(files.filter_map(|file| open_to_others(file, "600")));
    if findings.is_empty() {
        findings.push(Finding::good(WHAT, "the data folder and all keys are for their owner only"));
    }
    findings
}

#[cfg(unix)]
fn open_to_others(path: &Path, wanted: &str) -> Option<Finding> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = std::fs::metadata(path).ok()?.permissions().mode() & 0o777;
    let path = path.display();
    (mode & 0o077 != 0).then(|| {
        Finding::fault(
            WHAT,
            format!("{path} is open to other users of this machine (mode {mode:o})"),
            format!("chmod {wanted} {path}"),
        )
    })
}

#[cfg(not(unix))]
fn open_to_others(_: &Path, _: &str) -> Option<Finding> {
    None
}
