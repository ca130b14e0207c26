//! What a connection costs that is open and says nothing.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::args::Args;
use crate::load::{self, PAYLOAD};
use crate::process::{self, Answerback, Journal, Server};
use crate::stats::Report;

/// Most resident memory an idle connection may cost, in KiB.
const LIMIT_KIB: f64 = 4.0;

/// Connections opened, used and closed before the first look at the memory, so that what is set up once is
/// not counted as a cost of each.
const REHEARSAL: usize = 64;

/// How long a server may take to settle before its memory is read.
const SETTLE: Duration = Duration::from_secs(1);

/// How long a client waits for its echo.
const PATIENCE: Duration = Duration::from_secs(10);

/// What was done with a connection before it fell silent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    Untouched,
    Echoed,
}

/// Measures both servers, each freshly started for each of the two uses.
pub(crate) fn run(program: &Answerback, args: &Args, report: &mut Report) -> Result<()> {
    println!("\nidle, {} connections", args.idle);
    println!(
        "  {:<10} {:<32} {:>12} {:>14} {:>12}",
        "server", "before it", "KiB before", "KiB while idle", "KiB each"
    );
    // Room for the rehearsal, of which some may still be closing.
    let most = (args.idle + 2 * REHEARSAL).to_string();
    let flags = ["--max-connections", &most, "--max-connections-per-listener", &most].map(str::to_owned);
    for (usage, label) in [(Use::Untouched, "nothing"), (Use::Echoed, "one message echoed")] {
        let tokio = Server::reference()?;
        measure("tokio", &tokio, usage, label, args.idle)?;
        drop(tokio);
        let (server, _api) = program.start(Journal::Memory, &flags)?;
        let each = measure("answerback", &server, usage, label, args.idle)?;
        report.at_most(&format!("an idle connection, {label}"), each, "KiB", LIMIT_KIB);
    }
    Ok(())
}

/// KiB of resident memory for each connection.
fn measure(name: &str, server: &Server, usage: Use, label: &str, count: usize) -> Result<f64> {
    let failed = || format!("an idle connection to {name}");
    for _ in 0..REHEARSAL {
        echoed(server.echo).with_context(failed)?;
    }
    load::wait_until(Instant::now() + SETTLE)?;
    let before = process::resident_kib(server.pid())?;
    let mut held = Vec::with_capacity(count);
    for _ in 0..count {
        held.push(match usage {
            Use::Untouched => TcpStream::connect(server.echo).with_context(failed)?,
            Use::Echoed => echoed(server.echo).with_context(failed)?,
        });
    }
    // They are accepted in turn: when this one has its answer, all have been.
    let last = echoed(server.echo).with_context(failed)?;
    load::wait_until(Instant::now() + SETTLE)?;
    let while_idle = process::resident_kib(server.pid())?;
    for stream in held.iter().chain([&last]) {
        ensure!(still_open(stream), "{name} closed a connection that was to be held");
    }
    let each = (while_idle as f64 - before as f64) / count as f64;
    println!("  {name:<10} {label:<32} {before:>12} {while_idle:>14} {each:>12.3}");
    Ok(each)
}

/// A connection over which one message has gone and come back.
fn echoed(address: SocketAddr) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let (mut message, mut back) = ([0; PAYLOAD], [0; PAYLOAD]);
    load::fill(&mut message, u64::from(stream.local_addr()?.port()));
    stream.write_all(&message)?;
    stream.read_exact(&mut back)?;
    ensure!(message == back, "the echo differs");
    Ok(stream)
}

fn still_open(stream: &TcpStream) -> bool {
    let nothing_to_read = |error: std::io::Error| error.kind() == ErrorKind::WouldBlock;
    stream.set_nonblocking(true).is_ok() && stream.peek(&mut [0]).is_err_and(nothing_to_read)
}
