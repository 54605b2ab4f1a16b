//! The matrix: which faults on which log, under which load, within which bounds.

use std::{ops::Range, time::Duration};

use rand::{Rng, rngs::StdRng};

use crate::{
    judge::Verdict,
    plan::{Fault, Fault::*, Step, after},
    publisher::Manner,
    sabotage::Sabotage,
};

/// What the instances keep their messages in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Log {
    Memory,
    Journal,
    /// The three nodes that all cells share.
    Kafka,
}

/// Who publishes and listens.
#[derive(Clone, Debug)]
pub(crate) struct Load {
    pub(crate) publishers: u16,
    pub(crate) manner: Manner,
    pub(crate) destinations: usize,
    pub(crate) subscribers: usize,
    /// Destinations of a subscriber; the first one listens to all.
    pub(crate) topics: usize,
    /// How long a subscriber stays on an instance, in milliseconds.
    pub(crate) stay: Range<u64>,
}

/// What must be reached beside the laws.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// The longest time that a publisher may wait for its next receipt.
    pub(crate) gap: Duration,
    /// Within which 99 of 100 reconnects are live and whole.
    pub(crate) move_p99: Option<Duration>,
    /// No message may turn out to have been logged without its receipt having come.
    pub(crate) no_unknown: bool,
    /// How long an instance may take to end after SIGTERM.
    pub(crate) end: Duration,
}

/// Which figure a cell is the measurement of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Figure {
    /// Nothing is hurt: what a receipt takes on Kafka, and in memory.
    CalmKafka,
    CalmMemory,
    InstanceKilled,
    Terminated,
    NodeKilled,
    NodePaused,
    Moves,
}

/// One row of the matrix.
#[derive(Clone)]
pub(crate) struct Cell {
    pub(crate) name: &'static str,
    pub(crate) log: Log,
    pub(crate) instances: usize,
    pub(crate) arguments: &'static [&'static str],
    pub(crate) load: Load,
    pub(crate) plan: fn(&mut StdRng) -> Vec<Step>,
    /// How long the load goes on after the last step.
    pub(crate) calm: Duration,
    pub(crate) bounds: Bounds,
    pub(crate) sabotage: Option<Sabotage>,
    pub(crate) figure: Option<Figure>,
    /// Part of the short run.
    pub(crate) in_smoke: bool,
}

/// From the issue, for one node of Kafka killed.
const NODE_KILLED: u64 = 6;
/// From the issue, for one node of Kafka paused or isolated.
const NODE_PAUSED: u64 = 8;
/// An instance that vanishes is noticed at once; one that stands still after 4 s of silence.
/// Logging in elsewhere takes its time on a busy machine.
const INSTANCE_GONE: u64 = 8;
const INSTANCE_SILENT: u64 = 15;

impl Cell {
    fn new(
        name: &'static str,
        log: Log,
        instances: usize,
        plan: fn(&mut StdRng) -> Vec<Step>,
    ) -> Self {
        let manner =
            Manner { window: 32, rate: 40, body: 200, retries: true, ids: true, roams: true };
        Self {
            name,
            log,
            instances,
            arguments: &[],
            load: Load {
                publishers: 5,
                manner,
                destinations: 8,
                subscribers: 6,
                topics: 3,
                stay: 1_500..5_000,
            },
            plan,
            calm: Duration::from_secs(3),
            bounds: Bounds {
                gap: Duration::from_secs(INSTANCE_GONE),
                move_p99: Some(Duration::from_secs(5)),
                no_unknown: false,
                end: Duration::from_secs(10),
            },
            sabotage: None,
            figure: None,
            in_smoke: false,
        }
    }

    fn kafka(name: &'static str, plan: fn(&mut StdRng) -> Vec<Step>) -> Self {
        Self::new(name, Log::Kafka, 3, plan)
    }

    fn journal(name: &'static str, plan: fn(&mut StdRng) -> Vec<Step>) -> Self {
        Self::new(name, Log::Journal, 1, plan)
    }

    fn memory(name: &'static str, plan: fn(&mut StdRng) -> Vec<Step>) -> Self {
        Self::new(name, Log::Memory, 1, plan)
    }

    fn within(mut self, seconds: u64) -> Self {
        self.bounds.gap = Duration::from_secs(seconds);
        self
    }

    /// A subscriber cannot be whole while the log is away; it is then bound by the gap alone.
    fn moves_when_it_can(mut self) -> Self {
        self.bounds.move_p99 = None;
        self
    }

    fn without_unknown_outcomes(mut self) -> Self {
        self.bounds.no_unknown = true;
        self
    }

    fn with(mut self, arguments: &'static [&'static str]) -> Self {
        self.arguments = arguments;
        self
    }

    /// The same with bounds that a busy machine keeps too. The short run judges changes by what is kept; how
    /// fast is asked by the full one.
    pub(crate) fn unhurried(mut self) -> Self {
        const TIMES: u32 = 5;
        self.bounds.gap *= TIMES;
        self.bounds.move_p99 = self.bounds.move_p99.map(|bound| bound * TIMES);
        self.bounds.end *= TIMES;
        self
    }

    fn in_smoke(mut self) -> Self {
        self.in_smoke = true;
        self
    }

    fn figure(mut self, figure: Figure) -> Self {
        self.figure = Some(figure);
        self
    }

    fn calm(mut self, seconds: u64) -> Self {
        self.calm = Duration::from_secs(seconds);
        self
    }

    fn sabotaged(mut self, sabotage: Sabotage) -> Self {
        self.sabotage = Some(sabotage);
        self
    }

    /// Whether clients come through proxies.
    pub(crate) fn is_proxied(&self, plan: &[Step]) -> bool {
        let hurts_sockets = |step: &Step| matches!(step.fault, SocketsAreCut | SocketsStall);
        self.sabotage.is_some() || plan.iter().any(hurts_sockets)
    }
}

/// All cells, in the order in which they run.
pub(crate) fn all() -> Vec<Cell> {
    let mut cells = instances_on_kafka();
    cells.extend(nodes_of_kafka());
    cells.extend(clients());
    cells.extend(embedded());
    cells.extend(sabotages());
    cells
}

fn instances_on_kafka() -> Vec<Cell> {
    vec![
        Cell::kafka("kafka: calm", |_| vec![])
            .without_unknown_outcomes()
            .figure(Figure::CalmKafka)
            .calm(6),
        Cell::kafka("kafka: kill -9 of an instance", |chance| {
            let who = chance.random_range(0..3);
            vec![pause(chance, Kill(who)), after(4_000, Start(who))]
        })
        .figure(Figure::InstanceKilled)
        .in_smoke(),
        Cell::kafka("kafka: kill -9 of two instances, one after the other", |chance| {
            let (one, other) = two_of(chance);
            vec![
                pause(chance, Kill(one)),
                pause(chance, Kill(other)),
                after(2_000, Start(one)),
                after(500, Start(other)),
            ]
        })
        .figure(Figure::InstanceKilled),
        Cell::kafka("kafka: kill -9 of all instances", |chance| {
            let restart = [Start(0), Start(1), Start(2)].map(|start| after(200, start));
            [vec![pause(chance, Kill(0)), after(0, Kill(1)), after(0, Kill(2))], restart.into()]
                .concat()
        })
        .within(20)
        .moves_when_it_can(),
        Cell::kafka("kafka: SIGTERM of an instance", |chance| {
            let who = chance.random_range(0..3);
            vec![pause(chance, Terminate(who)), after(2_000, Start(who))]
        })
        .figure(Figure::Terminated)
        .without_unknown_outcomes(),
        Cell::kafka("kafka: all instances are replaced, one by one", |chance| {
            let each = |who| [after(1_500, Terminate(who)), after(300, Start(who))];
            let first = pause(chance, SocketsAreLeft);
            [vec![first], (0..3).flat_map(each).collect()].concat()
        })
        .figure(Figure::Terminated)
        .without_unknown_outcomes(),
        Cell::kafka("kafka: an instance stands still", |chance| {
            let who = chance.random_range(0..3);
            vec![pause(chance, Freeze(who)), after(9_000, Thaw(who))]
        })
        .within(INSTANCE_SILENT)
        .moves_when_it_can(),
        Cell::kafka("kafka: kill -9 of an instance, replays from the log alone", |chance| {
            let who = chance.random_range(0..3);
            vec![pause(chance, Kill(who)), after(3_000, Start(who))]
        })
        .figure(Figure::InstanceKilled)
        .with(&["--ring", "4KiB"]),
        Cell::kafka("kafka: clocks jump by an hour, forth and back", |chance| {
            let (one, other) = two_of(chance);
            vec![
                pause(chance, ClockJumps(one, 3_600)),
                after(1_500, ClockJumps(other, -3_600)),
                after(3_000, ClockJumps(one, 0)),
                after(1_500, ClockJumps(other, 0)),
            ]
        })
        .moves_when_it_can(),
    ]
}

fn nodes_of_kafka() -> Vec<Cell> {
    vec![
        Cell::kafka("kafka: kill -9 of a node", |chance| {
            let node = chance.random_range(1..=3);
            vec![pause(chance, NodesDie(vec![node])), after(8_000, NodesReturn(vec![node]))]
        })
        .figure(Figure::NodeKilled)
        .within(NODE_KILLED)
        .moves_when_it_can()
        .in_smoke(),
        Cell::kafka("kafka: kill -9 of each node in turn", |chance| {
            let first: u32 = chance.random_range(0..3);
            let each = |turn: u32| {
                let node = (first + turn) % 3 + 1;
                [after(3_000, NodesDie(vec![node])), after(5_000, NodesReturn(vec![node]))]
            };
            (0..3).flat_map(each).collect()
        })
        .figure(Figure::NodeKilled)
        .within(NODE_KILLED)
        .moves_when_it_can(),
        Cell::kafka("kafka: a node stands still", |chance| {
            let node = chance.random_range(1..=3);
            vec![pause(chance, NodeFreezes(node)), after(12_000, NodesReturn(vec![node]))]
        })
        .figure(Figure::NodePaused)
        .within(NODE_PAUSED)
        .moves_when_it_can(),
        Cell::kafka("kafka: a node is cut off", |chance| {
            let node = chance.random_range(1..=3);
            vec![pause(chance, NodeIsCutOff(node)), after(12_000, NodesMeet)]
        })
        .figure(Figure::NodePaused)
        .within(NODE_PAUSED)
        .moves_when_it_can(),
        Cell::kafka("kafka: a node loses the controllers", |chance| {
            let node = chance.random_range(1..=3);
            vec![pause(chance, NodeLosesControllers(node)), after(12_000, NodesMeet)]
        })
        .figure(Figure::NodePaused)
        .within(NODE_PAUSED)
        .moves_when_it_can(),
        Cell::kafka("kafka: all nodes die and come back", |chance| {
            vec![pause(chance, NodesDie(vec![1, 2, 3])), after(1_000, NodesReturn(vec![1, 2, 3]))]
        })
        .within(30)
        .moves_when_it_can()
        .calm(5),
        Cell::kafka("kafka: a node's disk is full", |chance| {
            vec![pause(chance, DiskFills), after(9_000, DiskIsFreed)]
        })
        .within(NODE_PAUSED)
        .moves_when_it_can(),
        Cell::kafka("kafka: kill -9 of a node and of an instance", |chance| {
            let (node, who) = (chance.random_range(1..=3), chance.random_range(0..3));
            vec![
                pause(chance, NodesDie(vec![node])),
                after(chance.random_range(0..1_500), Kill(who)),
                after(6_000, Start(who)),
                after(1_000, NodesReturn(vec![node])),
            ]
        })
        .within(NODE_KILLED + INSTANCE_GONE)
        .moves_when_it_can(),
        Cell::kafka("kafka: SIGTERM while a node stands still", |chance| {
            let (node, who) = (chance.random_range(1..=3), chance.random_range(0..3));
            vec![
                pause(chance, NodeFreezes(node)),
                after(chance.random_range(0..1_000), Terminate(who)),
                after(4_000, NodesReturn(vec![node])),
                after(500, Start(who)),
            ]
        })
        .within(NODE_PAUSED + INSTANCE_GONE)
        .moves_when_it_can(),
    ]
}

fn clients() -> Vec<Cell> {
    let mut moves = Cell::kafka("kafka: 10,000 moves between instances", |_| {
        vec![after(0, UntilMoved(10_000))]
    });
    moves.load = Load { subscribers: 12, topics: 2, stay: 0..20, ..moves.load };
    vec![
        Cell::kafka("kafka: sockets are cut at random octets", cut).in_smoke(),
        Cell::kafka("kafka: sockets stall at random octets", |chance| {
            vec![pause(chance, SocketsStall), after(9_000, SocketsAreLeft)]
        })
        .within(INSTANCE_SILENT)
        .moves_when_it_can()
        .calm(8),
        Cell::kafka("kafka: cut sockets, killed instance, killed node", |chance| {
            let (node, who) = (chance.random_range(1..=3), chance.random_range(0..3));
            vec![
                pause(chance, SocketsAreCut),
                after(1_000, NodesDie(vec![node])),
                after(1_000, Kill(who)),
                after(6_000, Start(who)),
                after(500, NodesReturn(vec![node])),
                after(1_000, SocketsAreLeft),
            ]
        })
        .within(NODE_KILLED + INSTANCE_SILENT)
        .moves_when_it_can(),
        moves.figure(Figure::Moves),
    ]
}

fn embedded() -> Vec<Cell> {
    vec![
        Cell::journal("journal: kill -9, three times", |chance| {
            let each = |_| [pause(chance, Kill(0)), after(300, Start(0))];
            (0..3).flat_map(each).collect()
        })
        .in_smoke(),
        Cell::journal("journal: SIGTERM and a new start", |chance| {
            vec![pause(chance, Terminate(0)), after(300, Start(0))]
        })
        .without_unknown_outcomes(),
        Cell::journal("journal: sockets are cut at random octets", cut),
        Cell::journal("journal: its disk is full", |chance| {
            vec![pause(chance, JournalDiskFills), after(4_000, JournalDiskIsFreed)]
        })
        .within(12)
        .moves_when_it_can(),
        Cell::journal("journal: its clock jumps by an hour, forth and back", |chance| {
            vec![
                pause(chance, ClockJumps(0, 3_600)),
                after(2_500, ClockJumps(0, -3_600)),
                after(2_500, ClockJumps(0, 0)),
            ]
        }),
        Cell::memory("memory: calm", |_| vec![])
            .without_unknown_outcomes()
            .figure(Figure::CalmMemory)
            .calm(6),
        Cell::memory("memory: sockets are cut at random octets", cut),
        Cell::memory("memory: kill -9, and everybody is told", |chance| {
            vec![pause(chance, Kill(0)), after(300, Start(0))]
        }),
    ]
}

fn sabotages() -> Vec<Cell> {
    vec![
        Cell::journal("sabotage: ids are taken away", cut)
            .sabotaged(Sabotage::IdsTakenAway)
            .in_smoke(),
        Cell::journal("sabotage: deliveries are shuffled", |_| vec![])
            .sabotaged(Sabotage::Shuffled),
        Cell::journal("sabotage: a delivery is swallowed now and then", |_| vec![])
            .sabotaged(Sabotage::Swallowed),
        Cell::journal("sabotage: receipts for what nobody has", |_| vec![])
            .sabotaged(Sabotage::ForgedReceipts),
        one_ack(),
    ]
}

/// Without ids, because a receipt of a message with one waits until it has been read back, which
/// only happens when all copies have it: no setting of the producer can make such a receipt lie.
fn one_ack() -> Cell {
    let mut cell =
        Cell::kafka("sabotage: acks=1, followers stand still, the leader dies", |chance| {
            let leader: u32 = chance.random_range(0..3);
            let [one, other] = [1, 2].map(|step| (leader + step) % 3 + 1);
            let leader = leader + 1;
            vec![
                pause(chance, NodeFreezes(one)),
                after(0, NodeFreezes(other)),
                after(1_500, NodesDie(vec![leader])),
                after(0, NodesReturn(vec![one, other])),
                after(4_000, NodesReturn(vec![leader])),
            ]
        });
    let manner = Manner { retries: false, ids: false, roams: false, ..cell.load.manner };
    cell.load = Load { publishers: 8, manner, ..cell.load };
    cell.sabotaged(Sabotage::OneAck)
}

fn cut(chance: &mut StdRng) -> Vec<Step> {
    vec![pause(chance, SocketsAreCut), after(8_000, SocketsAreLeft)]
}

/// A fault at a moment of the seed's choice.
fn pause(chance: &mut StdRng, fault: Fault) -> Step {
    after(chance.random_range(1_500..3_000), fault)
}

/// Two different instances of three.
fn two_of(chance: &mut StdRng) -> (usize, usize) {
    let one = chance.random_range(0..3);
    (one, (one + chance.random_range(1..3)) % 3)
}

/// What a sabotage is caught by.
pub(crate) fn is_caught(sabotage: Sabotage, verdict: &Verdict) -> bool {
    match sabotage {
        Sabotage::IdsTakenAway => verdict.doubled > 0,
        Sabotage::Shuffled => verdict.disordered > 0,
        Sabotage::Swallowed | Sabotage::ForgedReceipts | Sabotage::OneAck => verdict.lost > 0,
    }
}
