//! Cutting a node off from all others, by a table of the packet filter that ends with its owner.

use std::{
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

/// What is known of a node: where it listens, and the user that only it runs as. By its ports
/// alone, the connections that it opens itself could not be told from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) client_port: u16,
    pub(crate) controller_port: u16,
    pub(crate) user: u32,
}

/// The tables of all audits begin with this; the number of their process follows.
const TABLE: &str = "stomp_audit_";

/// A table that drops packets. Dropped itself, it is deleted.
pub(crate) struct Isolation {
    table: String,
}

impl Isolation {
    /// Whether tables can be made here.
    pub(crate) fn is_possible() -> Result<(), String> {
        let probe = Self { table: format!("{TABLE}{}_probe", std::process::id()) };
        nft(&format!("add table inet {}\n", probe.table))
    }

    /// Cuts the node with this index off, from everybody or from controllers only.
    pub(crate) fn of(nodes: &[Node], node: usize, controllers_only: bool) -> Result<Self, String> {
        let isolation = Self { table: format!("{TABLE}{}", std::process::id()) };
        nft(&rules(&isolation.table, nodes, node, controllers_only))?;
        Ok(isolation)
    }

    /// Deletes what audits that were killed have left behind.
    pub(crate) fn delete_orphans() {
        let Ok(output) = Command::new("nft").args(["list", "tables"]).output() else { return };
        for line in String::from_utf8_lossy(&output.stdout).lines() {
            let Some(name) = line.split(' ').next_back() else { continue };
            let Some(rest) = name.strip_prefix(TABLE) else { continue };
            let owner = rest.split('_').next().unwrap_or_default();
            if !Path::new("/proc").join(owner).exists() {
                let _ = nft(&format!("delete table inet {name}\n"));
            }
        }
    }
}

impl Drop for Isolation {
    fn drop(&mut self) {
        let _ = nft(&format!("delete table inet {}\n", self.table));
    }
}

fn rules(table: &str, nodes: &[Node], node: usize, controllers_only: bool) -> String {
    let Node { client_port, controller_port, user } = nodes[node];
    let controllers: Vec<_> = nodes.iter().map(|node| node.controller_port.to_string()).collect();
    let controllers = controllers.join(", ");
    let (outgoing, incoming) = if controllers_only {
        (
            format!("meta skuid {user} tcp dport {{ {controllers} }} drop"),
            format!("tcp dport {controller_port} drop"),
        )
    } else {
        (
            format!("meta skuid {user} drop"),
            format!("tcp dport {{ {client_port}, {controller_port} }} drop"),
        )
    };
    format!(
        "table inet {table} {{\n\
         chain outgoing {{ type filter hook output priority 0; {outgoing}; }}\n\
         chain incoming {{ type filter hook input priority 0; {incoming}; }}\n\
         }}\n"
    )
}

fn nft(rules: &str) -> Result<(), String> {
    let missing = |error: std::io::Error| format!("no nft: {error}");
    let mut child = Command::new("nft")
        .args(["-f", "-"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(missing)?;
    if let Some(mut input) = child.stdin.take() {
        input.write_all(rules.as_bytes()).map_err(missing)?;
    }
    let output = child.wait_with_output().map_err(missing)?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("nft: {}", said.lines().next().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_cut_off_by_its_user_and_its_ports() {
        let node = |number: u16| Node {
            client_port: 9000 + number,
            controller_port: 9100 + number,
            user: 64_200 + u32::from(number),
        };
        let nodes = [node(1), node(2), node(3)];
        let whole = rules("t", &nodes, 1, false);
        assert!(whole.contains("meta skuid 64202 drop"), "{whole}");
        assert!(whole.contains("tcp dport { 9002, 9102 } drop"), "{whole}");
        let controllers = rules("t", &nodes, 1, true);
        assert!(
            controllers.contains("meta skuid 64202 tcp dport { 9101, 9102, 9103 } drop"),
            "{controllers}"
        );
        assert!(controllers.contains("tcp dport 9102 drop"), "{controllers}");
    }
}
