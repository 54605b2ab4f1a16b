//! This machine: its ports and its limits.

use std::{io::ErrorKind, net::SocketAddr};

use super::Finding;
use crate::config::Config;

/// Files beside the connections: database, log, keys, Kafka's nodes.
const OWN_FILES: u64 = 200;

pub(super) fn look(config: &Config, is_running: bool) -> Vec<Finding> {
    let tcp = config.tcp.filter(|_| config.roles.chat);
    let listeners = [("--http", Some(config.http)), ("--tcp", tcp)];
    let listeners = listeners.into_iter().filter_map(|(flag, address)| Some((flag, address?)));
    let mut findings: Vec<_> =
        listeners.map(|(flag, address)| port(flag, address, is_running)).collect();
    findings.extend(open_files(config.max_connections as u64));
    findings
}

fn port(flag: &str, address: SocketAddr, is_running: bool) -> Finding {
    const WHAT: &str = "ports";
    let place = format!("{flag} {address}");
    let Err(error) = std::net::TcpListener::bind(address) else {
        return Finding::good(WHAT, format!("{place} is free"));
    };
    let mends = match error.kind() {
        ErrorKind::AddrInUse if is_running => {
            return Finding::note(WHAT, format!("{place} is taken, probably by what is running"));
        }
        ErrorKind::AddrInUse => format!("stop what listens there, or choose another by {flag}"),
        ErrorKind::AddrNotAvailable => {
            format!("this machine has no such address: correct {flag}")
        }
        ErrorKind::PermissionDenied => {
            format!(
                "choose a port from 1024 on by {flag}, or give the program CAP_NET_BIND_SERVICE"
            )
        }
        _ => format!("correct {flag}"),
    };
    Finding::fault(WHAT, format!("{place}: {error}"), mends)
}

/// The limit that the program starts with. Where the system does not tell it, there is nothing
/// to say.
fn open_files(connections: u64) -> Option<Finding> {
    const WHAT: &str = "limits";
    let limits = std::fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    let limit = line.split_whitespace().next()?;
    let (most, needed) = (limit.parse().unwrap_or(u64::MAX), connections + OWN_FILES);
    if most >= needed {
        return Some(Finding::good(WHAT, format!("{limit} open files, {needed} may be needed")));
    }
    Some(Finding::fault(
        WHAT,
        format!("{limit} open files, but --max-connections {connections} may need {needed}"),
        format!(
            "raise it (LimitNOFILE={needed} in a unit, ulimit -n {needed} in a shell), or lower \
             --max-connections to {}",
            most.saturating_sub(OWN_FILES)
        ),
    ))
}
