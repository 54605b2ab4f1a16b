//! What a run came to: a table for people, JSON for programs, one line for everybody.

use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::{
    book::{Figures, percentile},
    cells::{Cell, Figure},
    judge::Verdict,
    plan::Step,
};

/// One thing that happened, and when.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Told {
    #[serde(serialize_with = "seconds")]
    pub(crate) at: Duration,
    pub(crate) what: String,
}

/// What became of one cell.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Outcome {
    pub(crate) cell: &'static str,
    pub(crate) seed: u64,
    pub(crate) planned: Vec<String>,
    pub(crate) happened: Vec<Told>,
    pub(crate) is_sabotage: bool,
    #[serde(skip)]
    figure: Option<Figure>,
    /// Why it does not hold; empty: it holds.
    pub(crate) faults: Vec<String>,
    pub(crate) verdict: Verdict,
    pub(crate) receipted: u64,
    pub(crate) delivered: u64,
    /// Messages that were logged without their receipt having come.
    pub(crate) unknown: u64,
    /// Connections that ended without the clients' doing.
    pub(crate) ends: u64,
    pub(crate) refusals: Vec<String>,
    #[serde(serialize_with = "seconds")]
    pub(crate) longest_gap: Duration,
    #[serde(serialize_with = "seconds")]
    pub(crate) round_trip_p50: Duration,
    #[serde(serialize_with = "seconds")]
    pub(crate) round_trip_p99: Duration,
    pub(crate) moves: usize,
    #[serde(serialize_with = "seconds")]
    pub(crate) move_p50: Duration,
    #[serde(serialize_with = "seconds")]
    pub(crate) move_p99: Duration,
    /// From SIGTERM to the end of the process, the longest.
    #[serde(serialize_with = "seconds")]
    pub(crate) longest_end: Duration,
    /// Until everything was receipted and had come everywhere.
    #[serde(serialize_with = "seconds")]
    pub(crate) drained: Duration,
    /// What the instance that grew most holds more than before it was used, in octets.
    pub(crate) memory_growth: u64,
    #[serde(serialize_with = "seconds")]
    pub(crate) took: Duration,
}

impl Outcome {
    pub(crate) fn of(cell: &Cell, seed: u64, plan: &[Step]) -> Self {
        Self {
            cell: cell.name,
            seed,
            planned: plan.iter().map(|step| format!("{:?} {}", step.after, step.fault)).collect(),
            is_sabotage: cell.sabotage.is_some(),
            figure: cell.figure,
            ..Self::default()
        }
    }

    /// One that could not be played.
    pub(crate) fn not_played(cell: &Cell, seed: u64, why: String) -> Self {
        let faults = vec![format!("not played: {why}")];
        Self { faults, ..Self::of(cell, seed, &[]) }
    }

    pub(crate) fn told(&mut self, told: Told) {
        self.happened.push(told);
    }

    pub(crate) fn holds(&self) -> bool {
        self.faults.is_empty()
    }

    pub(crate) fn measured(&mut self, figures: &Figures) {
        self.receipted = figures.receipted;
        self.delivered = figures.delivered;
        self.unknown = figures.unknown;
        self.ends = figures.ends;
        self.refusals.clone_from(&figures.refusals);
        self.longest_gap = figures.longest_gap;
        self.round_trip_p50 = percentile(&figures.round_trips, 50);
        self.round_trip_p99 = percentile(&figures.round_trips, 99);
        self.moves = figures.moves.len();
        self.move_p50 = percentile(&figures.moves, 50);
        self.move_p99 = percentile(&figures.moves, 99);
    }

    /// Compares with what the cell has to reach.
    pub(crate) fn compare(&mut self, cell: &Cell) {
        let bounds = &cell.bounds;
        if !self.verdict.is_clean() {
            let examples = self.verdict.examples.join("; ");
            self.faults.push(format!("a promise was broken: {examples}"));
        }
        if self.receipted == 0 || self.delivered == 0 {
            self.faults.push("nothing went through".to_owned());
        }
        if self.longest_gap > bounds.gap {
            self.faults.push(format!(
                "{:.1} s without a receipt, not {:?}",
                self.longest_gap.as_secs_f64(),
                bounds.gap
            ));
        }
        if let Some(most) = bounds.move_p99.filter(|most| self.move_p99 > *most) {
            let p99 = self.move_p99.as_secs_f64();
            self.faults.push(format!("moves took {p99:.1} s at p99, not {most:?}"));
        }
        if bounds.no_unknown && self.unknown > 0 {
            self.faults.push(format!("{} outcomes were unknown", self.unknown));
        }
        if self.longest_end > bounds.end {
            self.faults.push(format!("SIGTERM took {:?}", self.longest_end));
        }
    }

    /// One line, when the cell is over.
    pub(crate) fn line(&self) -> String {
        let verdict = &self.verdict;
        format!(
            "{:<8} {:<62} {:>6} {:>7} {:>5} {:>5} {:>5} {:>5} {:>5} {:>6.1} {:>5.1} {:>6.0} {:>6.0} {:>5} {:>5.0}",
            if self.holds() { "holds" } else { "DOES NOT" },
            self.cell,
            self.receipted,
            self.delivered,
            verdict.lost,
            verdict.doubled + verdict.unreceipted_twice,
            verdict.disordered + verdict.strange,
            verdict.told,
            self.unknown,
            self.longest_gap.as_secs_f64(),
            self.round_trip_p50.as_secs_f64() * 1e3,
            self.move_p50.as_secs_f64() * 1e3,
            self.move_p99.as_secs_f64() * 1e3,
            self.memory_growth >> 20,
            self.took.as_secs_f64(),
        )
    }
}

/// What was asked for in figures, as far as cells were played that measure it.
pub(crate) fn figures(outcomes: &[Outcome]) -> Vec<String> {
    let of = |figure| {
        let played = |outcome: &&Outcome| outcome.figure == Some(figure) && outcome.receipted > 0;
        let found: Vec<_> = outcomes.iter().filter(played).collect();
        (!found.is_empty()).then_some(found)
    };
    let longest = |cells: &[&Outcome], what: fn(&Outcome) -> Duration| {
        cells.iter().map(|cell| what(cell)).max().unwrap_or_default().as_secs_f64()
    };
    let mut lines = Vec::new();
    for (figure, what, goal) in [
        (Figure::NodeKilled, "a node of Kafka killed", 6),
        (Figure::NodePaused, "a node paused, cut off, or without controllers", 8),
    ] {
        lines.extend(of(figure).map(|cells| {
            let gap = longest(&cells, |cell| cell.longest_gap);
            format!("longest wait for a receipt, {what}: {gap:.1} s (goal {goal} s)")
        }));
    }
    lines.extend(of(Figure::InstanceKilled).map(|cells| {
        let p99 = longest(&cells, |cell| cell.move_p99);
        format!("an instance killed: moves live and whole within {p99:.2} s at p99 (goal 5 s)")
    }));
    lines.extend(of(Figure::Terminated).map(|cells| {
        let unknown: u64 = cells.iter().map(|cell| cell.unknown).sum();
        let end = longest(&cells, |cell| cell.longest_end);
        format!(
            "SIGTERM under load: {unknown} unknown outcomes, end within {end:.1} s (goal 0, 10 s)"
        )
    }));
    lines.extend(of(Figure::Moves).map(|cells| {
        let moves: usize = cells.iter().map(|cell| cell.moves).sum();
        let holes: usize = cells.iter().map(|cell| cell.verdict.lost).sum();
        format!("{moves} moves between instances: {holes} holes (goal 0)")
    }));
    if let (Some(kafka), Some(memory)) = (of(Figure::CalmKafka), of(Figure::CalmMemory)) {
        let p50 = |cells: &[&Outcome]| longest(cells, |cell| cell.round_trip_p50) * 1e3;
        let (kafka, memory) = (p50(&kafka), p50(&memory));
        lines.push(format!(
            "SEND to RECEIPT, p50: {kafka:.1} ms on three nodes, {memory:.1} ms in memory (goal: 5 ms \
             more, on one node)"
        ));
    }
    lines
}

/// The heading of the table whose rows are [`Outcome::line`].
pub(crate) fn heading() -> String {
    format!(
        "{:<8} {:<62} {:>6} {:>7} {:>5} {:>5} {:>5} {:>5} {:>5} {:>6} {:>5} {:>6} {:>6} {:>5} {:>5}",
        "",
        "cell",
        "sent",
        "deliv.",
        "lost",
        "twice",
        "order",
        "told",
        "unkn.",
        "gap s",
        "rt50",
        "mv50",
        "mv99",
        "MiB",
        "s"
    )
}

/// What the columns mean.
pub(crate) const LEGEND: &str = "\
sent: receipted messages; deliv.: deliveries; lost, twice, order: broken promises (must be 0, but for sabotage); \
told: recovered:false;\n\
unkn.: retries that the log had already; gap: the longest wait of a publisher for its next receipt; \
rt50: SEND to RECEIPT;\n\
mv50, mv99: a move to another instance until whole, in ms; MiB: memory that an instance kept; s: the whole cell";

fn seconds<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(time.as_secs_f64())
}
