//! Nothing acknowledged is ever lost: shown by killing the service, cutting its power and filling its disk.
//!
//! `make torture` runs it long, `cargo test --test torture` short; `cargo test --test torture -- --help` lists the options.
//! What is measured is not time but loss: how many messages were answered and are not on record afterwards.
//!
//! # How it works
//!
//! Clients send messages whose every byte follows from a number, and note what was answered. In the middle of that the
//! service dies. It is started again on the same directory, and everything on record is read through its API and compared
//! with the notes: what was answered must be there once, whole, unaltered, in order; what was not may be there or not, but
//! never twice and never altered. The directory is the same over many deaths, so damage would add up.
//!
//! # What shows that it would notice
//!
//! A test that finds no loss proves nothing unless it finds one where there is one. So the same is done to a service that
//! answers before it records (this binary, with a switch that no user can reach), and power is cut under the durability that
//! does not promise to survive that. If these lose nothing, the run has failed.

mod args;
mod check;
mod content;
mod disk;
mod faults;
#[path = "../../benches/endpoints/http.rs"]
mod http;
mod load;
mod power;
mod service;

use std::process::ExitCode;

use anyhow::Result;

use crate::args::Args;
use crate::check::Findings;

/// What came of one scenario.
pub(crate) enum Verdict {
    /// It went as it must; what was seen.
    Passed(String),
    /// It did not.
    Failed(String),
    /// It cannot be done here, and why.
    Skipped(String),
}

/// What is done, and under which name.
type Scenario = (&'static str, &'static str, fn(&Args) -> Result<Verdict>);

const SCENARIOS: [Scenario; 8] = [
    ("kill", "SIGKILL at random moments loses nothing", kill),
    ("kill-control", "a service that answers before it records loses some", kill_control),
    ("power", "power cuts lose nothing with --durability power", power::survives),
    ("power-control", "power cuts lose some with --durability process", power::control),
    ("disk-full", "a full disk: nothing is acknowledged, and it recovers", faults::disk_full),
    ("flush-error", "a flush that fails is never taken for one that worked", faults::flush_error),
    ("second-process", "a second process on the directory does not start", faults::second_process),
    ("closed-after-crash", "who was connected when it died is closed as `crash`", faults::crash),
];

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words.first().is_some_and(|word| word == service::ANSWERING_EARLY) {
        return exit(service::serve_answering_early(&words).map(|()| true));
    }
    if let Some(code) = disk::run_with_mounts_of_our_own(&words) {
        return code;
    }
    match Args::parse(&words) {
        Ok(Some(args)) => exit(run(&args)),
        Ok(None) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("torture: {why}\n\n{}", args::HELP);
            ExitCode::from(2)
        }
    }
}

fn exit(outcome: Result<bool>) -> ExitCode {
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("torture: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs what was asked for; whether all of it went as it must.
fn run(args: &Args) -> Result<bool> {
    println!("seed {}", args.seed);
    let (mut passed, mut failed) = (0, 0);
    for (name, title, scenario) in SCENARIOS {
        if !args.wants(name) {
            continue;
        }
        println!("\n{name}: {title}");
        let verdict = scenario(args).unwrap_or_else(|error| Verdict::Failed(format!("{error:#}")));
        match verdict {
            Verdict::Passed(seen) => {
                passed += 1;
                println!("  passed: {seen}");
            }
            Verdict::Failed(why) => {
                failed += 1;
                println!("  FAILED: {why}");
            }
            Verdict::Skipped(why) => println!("  SKIPPED: {why}"),
        }
    }
    println!("\n{passed} passed, {failed} failed");
    Ok(failed == 0)
}

fn kill(args: &Args) -> Result<Verdict> {
    let findings = service::kill_again_and_again(args, service::Kind::Program, args.kills, false)?;
    Ok(findings.must_have_lost_nothing())
}

fn kill_control(args: &Args) -> Result<Verdict> {
    let findings = service::kill_again_and_again(args, service::Kind::AnsweringEarly, args.kills, true)?;
    Ok(findings.must_have_lost_some())
}

impl Findings {
    /// The verdict where nothing may be lost.
    pub(crate) fn must_have_lost_nothing(&self) -> Verdict {
        if self.faults.is_empty() && self.lost == 0 && self.answered > 0 {
            Verdict::Passed(self.summary())
        } else {
            let told: Vec<_> = self.faults.iter().chain(&self.losses).map(String::as_str).collect();
            Verdict::Failed(format!("{}\n    {}", self.summary(), told.join("\n    ")))
        }
    }

    /// The verdict on a control: it must lose some, and nothing worse.
    pub(crate) fn must_have_lost_some(&self) -> Verdict {
        if self.faults.is_empty() && self.lost > 0 {
            Verdict::Passed(self.summary())
        } else {
            let why = if self.lost == 0 { "nothing was lost: this proves nothing. " } else { "" };
            Verdict::Failed(format!("{why}{}\n    {}", self.summary(), self.faults.join("\n    ")))
        }
    }
}
