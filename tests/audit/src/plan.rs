//! What is done to a cell, and when: data, so that it can be told and repeated.

use std::{fmt, time::Duration};

/// One fault, or the end of one. Instances count from 0, nodes of Kafka from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// kill -9 of an instance.
    Kill(usize),
    /// SIGTERM to an instance, and its end.
    Terminate(usize),
    /// An instance starts again.
    Start(usize),
    /// An instance stands still (SIGSTOP).
    Freeze(usize),
    /// It goes on.
    Thaw(usize),
    /// kill -9 of nodes, at once.
    NodesDie(Vec<u32>),
    /// A node stands still (SIGSTOP).
    NodeFreezes(u32),
    /// Nodes start again, or go on.
    NodesReturn(Vec<u32>),
    /// Nothing reaches or leaves a node.
    NodeIsCutOff(u32),
    /// A node serves clients, but no controller hears of it.
    NodeLosesControllers(u32),
    /// All nodes are reached again.
    NodesMeet,
    /// The disk of a node is full.
    DiskFills,
    /// There is room again, and the node is started.
    DiskIsFreed,
    /// The disk of the journal is full.
    JournalDiskFills,
    /// There is room again.
    JournalDiskIsFreed,
    /// New connections are cut behind a random octet.
    SocketsAreCut,
    /// New connections stand still behind a random octet.
    SocketsStall,
    /// New connections are left in peace.
    SocketsAreLeft,
    /// An instance's wall clock jumps to so many seconds from the true time.
    ClockJumps(usize, i64),
    /// Nothing is done until subscribers have moved so often.
    UntilMoved(usize),
}

/// A fault, so long after the one before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) after: Duration,
    pub(crate) fault: Fault,
}

/// Shorthand for plans.
pub(crate) fn after(milliseconds: u64, fault: Fault) -> Step {
    Step { after: Duration::from_millis(milliseconds), fault }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kill(instance) => write!(f, "instance {instance} is killed"),
            Self::Terminate(instance) => write!(f, "instance {instance} is told to end"),
            Self::Start(instance) => write!(f, "instance {instance} starts"),
            Self::Freeze(instance) => write!(f, "instance {instance} stands still"),
            Self::Thaw(instance) => write!(f, "instance {instance} goes on"),
            Self::NodesDie(nodes) => write!(f, "nodes {nodes:?} are killed"),
            Self::NodeFreezes(node) => write!(f, "node {node} stands still"),
            Self::NodesReturn(nodes) => write!(f, "nodes {nodes:?} are back"),
            Self::NodeIsCutOff(node) => write!(f, "node {node} is cut off"),
            Self::NodeLosesControllers(node) => write!(f, "node {node} loses the controllers"),
            Self::NodesMeet => write!(f, "the nodes meet again"),
            Self::DiskFills => write!(f, "a node's disk is full"),
            Self::DiskIsFreed => write!(f, "the node's disk has room, and it starts"),
            Self::JournalDiskFills => write!(f, "the journal's disk is full"),
            Self::JournalDiskIsFreed => write!(f, "the journal's disk has room"),
            Self::SocketsAreCut => write!(f, "sockets are cut"),
            Self::SocketsStall => write!(f, "sockets stall"),
            Self::SocketsAreLeft => write!(f, "sockets are left in peace"),
            Self::ClockJumps(instance, to) => write!(f, "instance {instance}: clock {to:+} s"),
            Self::UntilMoved(times) => write!(f, "subscribers have moved {times} times"),
        }
    }
}
