//! What the program says of itself when it serves.

use std::{io::Write, net::SocketAddr};

use stomp_server::broker::Durability;

use crate::doors::Doors;

/// Prints addresses, how the broker is, and who may log in.
pub(crate) fn print(addresses: &[(&str, SocketAddr)], broker: &str, doors: &Doors) {
    let mut lines = vec![format!("stomp-server {}", env!("CARGO_PKG_VERSION"))];
    for (what, address) in addresses {
        let (scheme, path) = match (*what, doors.tls.is_some()) {
            ("STOMP", false) => ("tcp", ""),
            ("STOMP", true) => ("tls", ""),
            (_, false) => ("ws", "/ws"),
            (_, true) => ("wss", "/ws"),
        };
        lines.push(format!("  {what:<10} {scheme}://{address}{path}"));
        if *what == "WebSocket" {
            let scheme = if doors.tls.is_some() { "https" } else { "http" };
            lines.push(format!("  {:<10} {scheme}://{address}/", "Admin"));
        }
    }
    lines.push(format!("  broker     {broker}"));
    lines.push(format!("  login      {}\n", doors.who));
    // Nobody may be reading any more; that is no reason not to serve.
    let _ = std::io::stdout().write_all(lines.join("\n").as_bytes());
}

/// What a receipt survives.
pub(crate) fn survives(durability: Durability) -> &'static str {
    match durability {
        Durability::Memory => "memory: a receipt ends with this process",
        Durability::Disk => "disk: a receipt survives this process and a loss of power",
        Durability::Replicated => "replicated: a receipt survives the loss of a node",
    }
}
