//! What the benches share: an interleaved harness and its medians of ratios.
//!
//! A lone number says more of the machine and its neighbours than of the code. So every bench asks
//! how one thing compares to another: all entries of a [`Contest`] run in turn, round after round,
//! and what is told is the median of the rounds' ratios.

pub mod plain;
pub mod process;
pub mod wire;

use std::{
    fmt,
    hint::black_box,
    time::{Duration, Instant},
};

pub mod frames;

/// How long one entry runs in a round.
const TURN: Duration = Duration::from_micros(500);
const ROUNDS: usize = 401;

/// Entries that are compared with each other.
pub struct Contest<'a> {
    question: &'static str,
    entries: Vec<Entry<'a>>,
}

struct Entry<'a> {
    name: &'static str,
    work: Box<dyn FnMut() -> usize + 'a>,
}

impl<'a> Contest<'a> {
    /// A contest that answers `question`.
    pub fn new(question: &'static str) -> Self {
        Self { question, entries: vec![] }
    }

    /// Adds an entry. `work` does its piece once and tells of how many units it was made: only
    /// times per unit are compared.
    pub fn entry(mut self, name: &'static str, work: impl FnMut() -> usize + 'a) -> Self {
        self.entries.push(Entry { name, work: Box::new(work) });
        self
    }

    /// Runs all entries in turn and prints the time per unit of each.
    pub fn run(mut self) -> Outcome {
        let repeats: Vec<usize> = self.entries.iter_mut().map(calibrate).collect();
        let mut times = vec![vec![]; self.entries.len()];
        for _ in 0..rounds() {
            for (index, entry) in self.entries.iter_mut().enumerate() {
                times[index].push(nanoseconds_a_unit(entry, repeats[index]));
            }
        }
        let names = self.entries.iter().map(|entry| entry.name).collect();
        let outcome = Outcome { names, times };
        println!("\n{}", self.question);
        for (name, times) in outcome.names.iter().zip(&outcome.times) {
            println!("    {:10.1} ns  {name}", median(times.clone()));
        }
        outcome
    }
}

/// Fewer for a quick look: `BENCH_ROUNDS=5`.
fn rounds() -> usize {
    std::env::var("BENCH_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(ROUNDS)
}

fn calibrate(entry: &mut Entry<'_>) -> usize {
    let start = Instant::now();
    let mut repeats = 0;
    while start.elapsed() < TURN {
        black_box((entry.work)());
        repeats += 1;
    }
    repeats
}

fn nanoseconds_a_unit(entry: &mut Entry<'_>, repeats: usize) -> f64 {
    let start = Instant::now();
    let units: usize = (0..repeats).map(|_| black_box((entry.work)())).sum();
    start.elapsed().as_nanos() as f64 / units as f64
}

/// The times of a contest, a row for each entry.
pub struct Outcome {
    names: Vec<&'static str>,
    times: Vec<Vec<f64>>,
}

impl Outcome {
    /// How many times as fast `name` is as `other`: the median of the rounds' ratios.
    pub fn speed(&self, name: &str, other: &str) -> f64 {
        let (ours, theirs) = (self.times_of(name), self.times_of(other));
        median(ours.iter().zip(theirs).map(|(ours, theirs)| theirs / ours).collect())
    }

    fn times_of(&self, name: &str) -> &[f64] {
        let index = self.names.iter().position(|entry| *entry == name);
        &self.times[index.unwrap_or_else(|| panic!("no entry {name}"))]
    }
}

/// One line of answer, and whether it is good enough.
pub struct Answer {
    /// What is told.
    pub what: &'static str,
    /// The ratio or count.
    pub value: f64,
    /// What it must reach.
    pub floor: Bound,
}

/// Which side of a number is good.
#[derive(Clone, Copy)]
pub enum Bound {
    /// This or more.
    AtLeast(f64),
    /// This or less.
    AtMost(f64),
}

impl Bound {
    fn holds(self, value: f64) -> bool {
        match self {
            Self::AtLeast(floor) => value >= floor,
            Self::AtMost(ceiling) => value <= ceiling,
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = if self.floor.holds(self.value) { "ok  " } else { "MISS" };
        let (sign, bound) = match self.floor {
            Bound::AtLeast(floor) => (">=", floor),
            Bound::AtMost(ceiling) => ("<=", ceiling),
        };
        write!(formatter, "{mark} {:8.2} ({sign} {bound})  {}", self.value, self.what)
    }
}

/// Prints the answers one below the other.
pub fn report(answers: &[Answer]) {
    println!("\nAnswers (medians of ratios of {} interleaved rounds)", rounds());
    for answer in answers {
        println!("    {answer}");
    }
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}
