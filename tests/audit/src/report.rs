//! What a run came to: a table for people, JSON for programs, one line for everybody.

use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::{
    book::{Figures, percentile},
    cells::Cell,
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
            "{:<8} {:<62} {:>6} {:>7} {:>5} {:>5} {:>5} {:>5} {:>5} {:>6.1} {:>6.0} {:>6.0} {:>5} {:>5.0}",
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
            self.move_p50.as_secs_f64() * 1e3,
            self.move_p99.as_secs_f64() * 1e3,
            self.memory_growth >> 20,
            self.took.as_secs_f64(),
        )
    }
}

/// The heading of the table whose rows are [`Outcome::line`].
pub(crate) fn heading() -> String {
    format!(
        "{:<8} {:<62} {:>6} {:>7} {:>5} {:>5} {:>5} {:>5} {:>5} {:>6} {:>6} {:>6} {:>5} {:>5}",
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
mv50, mv99: a move to another\n\
instance until whole, in ms; MiB: memory that an instance kept; s: the whole cell";

fn seconds<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(time.as_secs_f64())
}
