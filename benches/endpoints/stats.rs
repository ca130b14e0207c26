//! Medians, ratios and the lines that are printed.

use std::collections::BTreeMap;
use std::process::ExitCode;

use crate::load::{Fault, Slice};

/// The least, the middle and the greatest of some figures.
#[derive(Clone, Copy)]
pub(crate) struct Spread {
    pub(crate) least: f64,
    pub(crate) median: f64,
    pub(crate) greatest: f64,
}

impl Spread {
    pub(crate) fn of(figures: impl IntoIterator<Item = f64>) -> Self {
        let mut sorted: Vec<f64> = figures.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let middle = sorted.len() / 2;
        let median = match sorted.len() {
            0 => f64::NAN,
            n if n % 2 == 1 => sorted[middle],
            _ => f64::midpoint(sorted[middle - 1], sorted[middle]),
        };
        Self {
            least: sorted.first().copied().unwrap_or(f64::NAN),
            median,
            greatest: sorted.last().copied().unwrap_or(f64::NAN),
        }
    }
}

/// The value below which a share of the sorted latencies lies, in microseconds.
fn quantile(sorted: &[u32], share: f64) -> f64 {
    let index = ((sorted.len() as f64 * share).ceil() as usize).clamp(1, sorted.len().max(1)) - 1;
    sorted.get(index).map_or(f64::NAN, |&nanoseconds| f64::from(nanoseconds) / 1000.0)
}

/// Ratio that must be reached, and the one wished for.
#[derive(Clone, Copy)]
pub(crate) struct Goal {
    pub(crate) must: f64,
    pub(crate) want: f64,
}

/// All that is told at the end.
#[derive(Default)]
pub(crate) struct Report {
    lines: Vec<String>,
    faults: u64,
}

impl Report {
    /// A goal that is a ratio to be reached.
    pub(crate) fn ratio(&mut self, title: &str, measured: f64, goal: Goal) {
        let verdict = match measured {
            m if m >= goal.want => "reached, and what was wished for",
            m if m >= goal.must => "reached",
            _ => "MISSED",
        };
        let Goal { must, want } = goal;
        self.lines.push(format!("{title:<36} {measured:>9.3}     at least {must:.2} ({want:.2})  {verdict}"));
    }

    /// A goal that is a figure to stay below.
    pub(crate) fn at_most(&mut self, title: &str, measured: f64, unit: &str, limit: f64) {
        let verdict = if measured <= limit { "reached" } else { "MISSED" };
        self.lines.push(format!("{title:<36} {measured:>9.3} {unit:<3} at most {limit} {unit}  {verdict}"));
    }

    /// Something that must not happen: it makes the exit code 1.
    pub(crate) fn fault(&mut self, what: &str) {
        println!("  ERROR: {what}");
        self.faults += 1;
    }

    /// Prints the summary. A goal that was missed is no failure; a wrong answer is.
    pub(crate) fn finish(self) -> ExitCode {
        println!("\nmeasured against the goals (what is in parentheses is wished for)");
        for line in &self.lines {
            println!("  {line}");
        }
        if self.faults == 0 {
            return ExitCode::SUCCESS;
        }
        println!("  VOID: there were errors, see above");
        ExitCode::FAILURE
    }
}

/// The server that the others are compared with, as an index into a round.
const REFERENCE: usize = 0;

/// One slice of each server, in the order of their names.
pub(crate) type Round = Vec<Slice>;

/// How a server's rates compare with those of the reference, each with that of its own round.
pub(crate) fn ratios(rounds: &[Round], server: usize) -> Spread {
    Spread::of(rounds.iter().map(|round| round[server].rate / round[REFERENCE].rate))
}

/// By how many microseconds the median latency of a server is above that of the reference, in each round.
pub(crate) fn delays(rounds: &[Round], server: usize) -> Spread {
    let median = |slice: &Slice| quantile(&slice.latencies, 0.50);
    Spread::of(rounds.iter().map(|round| median(&round[server]) - median(&round[REFERENCE])))
}

/// What went wrong on which server, and how often.
pub(crate) fn faults(names: &[&'static str], rounds: &[Round]) -> Vec<(&'static str, &'static str, usize)> {
    let mut counts = BTreeMap::new();
    for (name, slice) in rounds.iter().flat_map(|round| names.iter().zip(round)) {
        for fault in &slice.faults {
            *counts.entry((*name, describe(*fault))).or_default() += 1;
        }
    }
    counts.into_iter().map(|((name, fault), count)| (name, fault, count)).collect()
}

fn describe(fault: Fault) -> &'static str {
    match fault {
        Fault::Connect => "could not connect",
        Fault::Reset => "were reset",
        Fault::Short => "ended too early",
        Fault::Wrong => "got wrong bytes",
        Fault::Lost => "never ended",
    }
}

/// Prints the table of one load.
pub(crate) fn table(title: &str, names: &[&str], rounds: &[Round]) {
    println!("\n{title}");
    println!(
        "  {:<10} {:>8} {:>17}   {:>6} {:>13} {:>8} {:>8} {:>9} {:>9}",
        "server",
        "ops/s",
        "(least-greatest)",
        "ratio",
        "(least-gr.)",
        "p50 us",
        "p99 us",
        "srv us/op",
        "cli us/op"
    );
    for (server, name) in names.iter().enumerate() {
        let median =
            |figure: fn(&Slice) -> f64| Spread::of(rounds.iter().map(|round| figure(&round[server]))).median;
        let rate = Spread::of(rounds.iter().map(|round| round[server].rate));
        let ratio = ratios(rounds, server);
        println!(
            "  {name:<10} {:>8.0} {:>17}   {:>6.3} {:>13} {:>8.1} {:>8.1} {:>9.2} {:>9.2}",
            rate.median,
            format!("({:.0}-{:.0})", rate.least, rate.greatest),
            ratio.median,
            format!("({:.3}-{:.3})", ratio.least, ratio.greatest),
            median(|slice| quantile(&slice.latencies, 0.50)),
            median(|slice| quantile(&slice.latencies, 0.99)),
            median(|slice| slice.server_cpu),
            median(|slice| slice.client_cpu),
        );
    }
    let beside = Spread::of(rounds.iter().flatten().map(|slice| slice.beside));
    let stolen = Spread::of(rounds.iter().flatten().map(|slice| slice.stolen));
    println!(
        "  beside: other programs used {:.2} cores (at most {:.2} in a slice), the host took {:.2} (at most {:.2})",
        beside.median, beside.greatest, stolen.median, stolen.greatest,
    );
}
