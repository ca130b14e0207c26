//! The loads that are compared: slices on all servers in turn.

use std::net::SocketAddr;

use anyhow::{Context, Result};

use crate::args::Args;
use crate::http::Api;
use crate::load::{self, Load, PAYLOAD, Shape, Slice};
use crate::process::{self, Answerback, Journal, Server};
use crate::stats::{self, Goal, Report, Round};

/// Cores that others may take from a slice before its round counts as disturbed. A quiet machine shows 0.03 to
/// 0.08: kernel threads that work for clients and servers, but in nobody's name.
const QUIET: f64 = 0.15;

/// The servers compared, all running; the one whose slice it is has the machine to itself, since the others
/// have nothing to do.
pub(crate) struct Servers {
    names: Vec<&'static str>,
    /// In the order of the names; the first is the reference.
    all: Vec<Server>,
    recorders: Vec<Recorder>,
}

/// A server that records.
struct Recorder {
    /// Its place among all.
    index: usize,
    journal: Journal,
    /// Where its control API is.
    api: SocketAddr,
    /// Messages that it has answered, by endpoint.
    answered: Vec<(&'static str, u64)>,
}

/// What is run.
pub(crate) struct Contest {
    pub(crate) title: &'static str,
    pub(crate) load: Load,
    pub(crate) clients: usize,
    /// The ratio each journal is to reach, if one was set.
    pub(crate) goal: fn(Journal) -> Option<Goal>,
    /// By how many microseconds an answer may come later than from the reference, where that was set.
    pub(crate) delay: fn(Journal) -> Option<f64>,
}

impl Servers {
    /// Starts the reference twice, and answerback with each journal that was asked for.
    pub(crate) fn start(program: &Answerback, journals: &[Journal]) -> Result<Self> {
        let mut names = vec!["tokio", "again"];
        let mut all = vec![Server::reference()?, Server::reference()?];
        let mut recorders = Vec::new();
        for &journal in journals {
            let (server, api) = program.start(journal, &[])?;
            recorders.push(Recorder { index: all.len(), journal, api: api.host, answered: Vec::new() });
            names.push(journal.name());
            all.push(server);
        }
        Ok(Self { names, all, recorders })
    }

    /// Whether the endpoints counted every byte that was answered: who records less has an easy race.
    pub(crate) fn check_records(&self, report: &mut Report) -> Result<()> {
        println!();
        for recorder in &self.recorders {
            recorder.check(report)?;
        }
        println!("resident memory afterwards:");
        for (name, server) in self.names.iter().zip(&self.all) {
            println!("  {name:<10} {:>8} KiB", process::resident_kib(server.pid())?);
        }
        Ok(())
    }

    /// Runs all rounds of one load, prints its table and notes how the goals were met.
    pub(crate) fn run(&mut self, contest: &Contest, args: &Args, report: &mut Report) -> Result<()> {
        let (title, clients) = (contest.title, contest.clients);
        let shape =
            Shape { clients, threads: args.threads.min(clients), run_up: args.run_up, length: args.slice };
        let mut rounds = Vec::new();
        while rounds.len() < 2 * args.rounds
            && rounds.iter().filter(|round| quiet(round)).count() < args.rounds
        {
            rounds.push(self.round(&contest.load, shape, rounds.len() % 2 == 1)?);
        }
        for recorder in &mut self.recorders {
            let answered = rounds.iter().map(|round| round[recorder.index].done).sum();
            recorder.answered.push((contest.load.endpoint, answered));
        }
        let faults = stats::faults(&self.names, &rounds);
        let total = rounds.len();
        let disturbed = total - rounds.iter().filter(|round| quiet(round)).count();
        // Chosen by what others did, never by a result.
        rounds.sort_by(|a, b| disturbance(a).total_cmp(&disturbance(b)));
        rounds.truncate(args.rounds);
        stats::table(title, &self.names, &rounds);
        println!("  {disturbed} of {total} rounds were disturbed; these are the {} calmest", rounds.len());
        for (name, fault, count) in faults {
            report.fault(&format!("{title}: {count} operations on {name} {fault}"));
        }
        for &Recorder { index, journal, .. } in &self.recorders {
            let title = format!("{}: {title}", journal.name());
            if let Some(goal) = (contest.goal)(journal) {
                report.ratio(&title, stats::ratios(&rounds, index).median, goal);
            }
            if let Some(most) = (contest.delay)(journal) {
                report.at_most(
                    &format!("{title}, later by"),
                    stats::delays(&rounds, index).median,
                    "us",
                    most,
                );
            }
        }
        Ok(())
    }

    /// The slices of one round, in the order of the names.
    fn round(&self, load: &Load, shape: Shape, backwards: bool) -> Result<Round> {
        let on = |server: &Server| load::slice(load, server.endpoint(load.endpoint), server.pid(), shape);
        if !backwards {
            return self.all.iter().map(on).collect();
        }
        let mut round = self.all.iter().rev().map(on).collect::<Result<Round>>()?;
        round.reverse();
        Ok(round)
    }
}

impl Recorder {
    fn check(&self, report: &mut Report) -> Result<()> {
        // A new connection: the other was idle for minutes, and a server may close such a one.
        let mut api = Api::connect(self.api)?;
        for endpoint in ["oneshot", "echo"] {
            let of_it = self.answered.iter().filter(|(name, _)| *name == endpoint);
            let answered = of_it.map(|(_, done)| done).sum::<u64>() * PAYLOAD as u64;
            let listener = api.json("GET", &format!("/listeners/{endpoint}"), "")?;
            let received = listener["received"]["bytes"].as_u64().context("a listener counts bytes")?;
            let name = self.journal.name();
            println!(
                "{name}, {endpoint}: {answered} bytes were answered, {received} are on record as received"
            );
            if answered != received {
                report.fault("these two should be the same");
            }
        }
        Ok(())
    }
}

fn quiet(round: &Round) -> bool {
    disturbance(round) <= QUIET
}

fn disturbance(round: &Round) -> f64 {
    round.iter().map(Slice::disturbance).fold(0.0, f64::max)
}
