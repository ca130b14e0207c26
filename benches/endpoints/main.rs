//! How close an endpoint that records everything comes to a server that records nothing.
//!
//! `cargo bench` measures, `cargo bench -- --only oneshot --rounds 15` measures a part of it longer,
//! and `cargo bench -- --help` lists the options. Nothing but loopback is used; every loop is bounded in
//! count or time. A slow machine is never a failure: the exit code is 1 only when a client got a wrong
//! answer or none, or a server could not be used.
//!
//! # What is compared with what
//!
//! Five servers run beside each other, each a process of its own:
//!
//! | name | what it is |
//! |---|---|
//! | `tokio` | this same binary as a bare tokio server: accept, read, write, close (or echo), as short as a user would write it, with no record, no limit and no clock: the most that this runtime gives |
//! | `again` | the same once more, in a second process |
//! | `memory` | the release binary, `serve --journal memory`, its endpoints opened over its API |
//! | `process` | the same with its journal on disk, `--durability process`, which is what it is by default |
//! | `power` | the same with `--durability power`: each answer waits for the disk |
//!
//! All have `SO_REUSEADDR`, a backlog of 4,096 (so that a burst of connects measures the server and not
//! its queue) and as many runtime workers as the machine has cores.
//!
//! # The loads
//!
//! - **one-shot**, with 1, 16 and 128 clients at work: connect, send 64 bytes, read to the end, close.
//!   An operation counts when the answer was the standard reply, all 17 bytes of it, and then the end.
//! - **echo**, 128 connections: send 64 bytes that differ each time, read them back, compare.
//! - **idle**, 5,000 connections held open: what each adds to the server's resident memory, once without
//!   a single byte sent, once after one message was echoed to each (so that buffers that are kept show).
//!   With answerback that includes the records of those connections and messages: the journal is memory here.
//! - **listeners**: 1,000 and 10,000 of them with each journal, each opened by a `POST /listeners` of its own over one
//!   keep-alive connection, one after the other; then each deleted again. What the kernel alone takes for as
//!   many `socket`, `bind`, `listen` is measured beside it.
//!
//! # Why the slices alternate
//!
//! A machine is not the same from minute to minute: clocks, caches, neighbours. So the servers are not
//! measured one after the other but in slices of 1.5 s: A B C D E, E D C B A, and so on, and each slice is
//! compared with the slice of `tokio` of its own round. The table gives the median of these ratios, with
//! the least and the greatest. Each slice has a run-up of 0.3 s that does not count.
//!
//! # How to read `again`
//!
//! `again` is `tokio` itself, so its ratio ought to be 1.000. How far it is from that, and how far its least
//! and greatest are apart, is the noise of this very run: no claim about answerback is finer than that.
//!
//! Client and servers share the cores. So operations per second fall with the client's own cost too, and the
//! steadiest figure is the server's CPU time per operation (user and system, from `/proc/PID/stat`), beside
//! which the client's is printed.
//!
//! # Other programs
//!
//! The line `beside` tells how many cores other programs used meanwhile, and how many the host of a virtual
//! machine took away. A round that lost more than 0.15 cores to them is disturbed; for each such round one more
//! is run, up to twice as many as asked for, and the calmest are shown. They are chosen by what others did,
//! never by a result. When that was not enough the tables say so, and a run on a quiet machine is worth more.

mod args;
mod echo;
mod http;
mod idle;
mod listeners;
mod load;
mod oneshot;
mod process;
mod reference;
mod rounds;
mod stats;

use std::process::ExitCode;

use anyhow::Result;

use crate::args::{Args, Scenario};
use crate::process::{Answerback, Journal};
use crate::rounds::{Contest, Servers};
use crate::stats::{Goal, Report};

/// By how many microseconds the answer to a lone client may come later than from a server that records nothing.
const LONE_DELAY: f64 = 100.0;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words.first().is_some_and(|w| w == reference::ARGUMENT) {
        return exit(reference::run().map(|()| ExitCode::SUCCESS));
    }
    match Args::parse(words) {
        Ok(Some(args)) => exit(run(&args)),
        Ok(None) => {
            println!("{}", args::HELP);
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("endpoints: {why}\n\n{}", args::HELP);
            ExitCode::from(2)
        }
    }
}

fn exit(outcome: Result<ExitCode>) -> ExitCode {
    outcome.unwrap_or_else(|error| {
        eprintln!("endpoints: {error:#}");
        ExitCode::FAILURE
    })
}

/// Runs the scenarios asked for, prints a table for each and the summary against the goals.
fn run(args: &Args) -> Result<ExitCode> {
    let _ = rlimit::increase_nofile_limit(u64::MAX);
    let program = Answerback::from(args.server.as_deref());
    let mut report = Report::default();
    let cores = std::thread::available_parallelism()?;
    println!("{cores} cores, {} load threads, {} rounds of {:?}", args.threads, args.rounds, args.slice);
    let contests: Vec<Contest> =
        contests().into_iter().filter(|(of, _)| args.wants(*of)).map(|(_, c)| c).collect();
    if !contests.is_empty() {
        let mut servers = Servers::start(&program, &args.journals)?;
        for contest in &contests {
            servers.run(contest, args, &mut report)?;
        }
        servers.check_records(&mut report)?;
    }
    if args.wants(Scenario::Idle) {
        idle::run(&program, args, &mut report)?;
    }
    if args.wants(Scenario::Listeners) {
        listeners::run(&program, args, &mut report)?;
    }
    Ok(report.finish())
}

/// The loads whose rates are compared, with what each journal is to reach.
fn contests() -> [(Scenario, Contest); 4] {
    let none = |_| None;
    let contest = |title, load, clients, goal| Contest { title, load, clients, goal, delay: |_| None };
    let lone: fn(Journal) -> Option<f64> = |journal| (journal == Journal::Process).then_some(LONE_DELAY);
    [
        (Scenario::Lone, Contest { delay: lone, ..contest("one-shot, 1 client", oneshot::load(), 1, none) }),
        (
            Scenario::Oneshot,
            contest("one-shot, 16 clients", oneshot::load(), 16, |journal| match journal {
                Journal::Memory => Some(Goal { must: 0.90, want: 0.95 }),
                _ => None,
            }),
        ),
        (
            Scenario::Oneshot,
            contest("one-shot, 128 clients", oneshot::load(), 128, |journal| {
                Some(match journal {
                    Journal::Memory => Goal { must: 0.90, want: 0.95 },
                    Journal::Process => Goal { must: 0.75, want: 0.85 },
                    Journal::Power => Goal { must: 0.55, want: 0.65 },
                })
            }),
        ),
        (
            Scenario::Echo,
            contest("echo, 128 connections", echo::load(), 128, |journal| match journal {
                Journal::Memory => Some(Goal { must: 0.85, want: 0.90 }),
                Journal::Process => Some(Goal { must: 0.50, want: 0.60 }),
                Journal::Power => None,
            }),
        ),
    ]
}
