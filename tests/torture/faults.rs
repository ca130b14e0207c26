//! What else happens to a journal, once each.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::Verdict;
use crate::args::Args;
use crate::check::{Checked, Findings};
use crate::content::{Dice, Id};
use crate::disk::Disk;
use crate::load::{Load, send_message};
use crate::service::{Launch, Service};

/// How long the service may take to notice.
const PATIENCE: Duration = Duration::from_secs(30);

/// Who is asked whether anything is acknowledged while nothing may be; no client of the load has such a number.
const PROBE: u32 = 1 << 30;

/// The disk is filled under load and given back.
pub(crate) fn disk_full(args: &Args) -> Result<Verdict> {
    let disk = match Disk::new(64) {
        Ok(disk) => disk,
        Err(error) => return Ok(Verdict::Skipped(format!("{error:#}"))),
    };
    let launch = Launch::program(&disk.directory(), "process");
    let service = launch.start()?;
    let load = Load::start(service.oneshot, service.echo, 1, args.clients, args.seed);
    let ballast = disk.root().join("ballast");
    fill(&ballast)?;
    until_ready(&service, false)?;
    let probe = Id { run: 1, client: PROBE, number: 1 };
    let while_full = send_message(service.oneshot, probe);
    let answer = service.api()?.call("POST", "/listeners", r#"{"host":"127.0.0.1","port":0}"#)?;
    let refused = String::from_utf8_lossy(&answer.body).into_owned();
    let listed = service.api()?.call("GET", "/connections?limit=1", "")?.status;
    fs::remove_file(&ballast)?;
    let again = until_ready(&service, true)?;
    load.stop();
    let mut notes = load.notes();
    let after = Id { number: 2, ..probe };
    let recovered = send_message(service.oneshot, after);
    notes.messages.extend([(probe, while_full == Some(true)), (after, recovered == Some(true))]);
    service.kill()?;
    let findings = judge(&launch, &notes)?;
    ensure!(while_full != Some(true), "a message was answered while the disk was full");
    ensure!(
        answer.status == 503 && refused.contains("journal-unavailable"),
        "POST: {} {refused}",
        answer.status
    );
    ensure!(listed == 200, "what is on record could not be read while the disk was full: {listed}");
    ensure!(recovered == Some(true), "nothing is answered although there is room again");
    Ok(add(&findings, &format!("writable {} ms after there was room", again.as_millis())))
}

/// A flush fails once, in the middle of the load.
pub(crate) fn flush_error(args: &Args) -> Result<Verdict> {
    if Command::new("strace").arg("-V").stdout(Stdio::null()).status().is_err() {
        return Ok(Verdict::Skipped("this needs strace".to_owned()));
    }
    let home = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let mut dice = Dice::new(args.seed ^ 2);
    let (first, last) = (dice.roll(30, 60), dice.roll(60, 70));
    let failing = format!("inject=fdatasync,fsync:error=EIO:when={first}..{last}");
    let under =
        ["strace", "-D", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fdatasync,fsync", "-e", &failing];
    let plain = Launch::program(home.path(), "power");
    let traced = Launch { under: under.map(str::to_owned).to_vec(), ..Launch::program(home.path(), "power") };
    let service = traced.start()?;
    let load = Load::start(service.oneshot, service.echo, 1, args.clients, args.seed);
    let noticed = until_ready(&service, false);
    let again = until_ready(&service, true)?;
    load.stop();
    let mut notes = load.notes();
    let after = Id { run: 1, client: PROBE, number: 1 };
    let recovered = send_message(service.oneshot, after);
    notes.messages.insert(after, recovered == Some(true));
    service.kill()?;
    let findings = judge(&plain, &notes)?;
    noticed.context("the flush failed and nobody noticed")?;
    ensure!(recovered == Some(true), "nothing is answered although flushes work again");
    Ok(add(&findings, &format!("flushes {first} to {last} failed, writable after {} ms", again.as_millis())))
}

/// The directory belongs to one process.
pub(crate) fn second_process(_: &Args) -> Result<Verdict> {
    let home = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let launch = Launch::program(home.path(), "process");
    let first = launch.start()?;
    let (status, said) = launch.start_in_vain()?;
    ensure!(status.code() == Some(1), "the second ended with {status}");
    ensure!(said.contains(&first.pid().to_string()), "the first is not named: {said}");
    let answered = send_message(first.oneshot, Id { run: 1, client: 0, number: 1 });
    ensure!(answered == Some(true), "the first does not answer any more");
    Ok(Verdict::Passed(said.trim().to_owned()))
}

/// A client is connected when the service dies.
pub(crate) fn crash(_: &Args) -> Result<Verdict> {
    let home = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let launch = Launch::program(home.path(), "process");
    let service = launch.start()?;
    let mut client = std::net::TcpStream::connect(service.echo)?;
    client.write_all(b"still here")?;
    let mut back = [0; 10];
    std::io::Read::read_exact(&mut client, &mut back)?;
    service.kill()?;
    let service = launch.start()?;
    let listed = service.api()?.json("GET", "/connections?listener=echo", "")?;
    let connection = &listed["items"][0];
    ensure!(connection["close_reason"] == "crash" && connection["state"] == "closed", "it is {connection}");
    ensure!(connection["received"]["bytes"] == 10 && connection["sent"]["bytes"] == 10, "it is {connection}");
    Ok(Verdict::Passed("closed, with the reason `crash` and both messages".to_owned()))
}

/// Writes until there is no room.
fn fill(ballast: &Path) -> Result<()> {
    let mut file = fs::File::create(ballast)?;
    let mut piece = vec![0; 1 << 20];
    while !piece.is_empty() {
        if file.write_all(&piece).is_err() {
            piece.truncate(piece.len() / 2);
        }
    }
    Ok(())
}

/// Waits until the service says of itself that it is ready, or that it is not; says how long that took.
fn until_ready(service: &Service, ready: bool) -> Result<Duration> {
    let began = Instant::now();
    let mut api = service.api()?;
    while began.elapsed() < PATIENCE {
        let answer = api.call("GET", "/readyz", "")?;
        if (answer.status == 200) == ready {
            return Ok(began.elapsed());
        }
        // Nothing tells when it changes.
        std::thread::park_timeout(Duration::from_millis(2));
    }
    bail!("after {PATIENCE:?} it is still {}", if ready { "not ready" } else { "ready" })
}

/// Starts it once more and compares what is on record with the notes.
fn judge(launch: &Launch, notes: &crate::load::Notes) -> Result<Findings> {
    let mut findings = Findings { deaths: 1, ..Findings::default() };
    let service = launch.start()?;
    findings.slowest_start = service.ready.as_millis();
    Checked::default().go_on(&mut service.api()?, notes, &mut findings)?;
    Ok(findings)
}

fn add(findings: &Findings, seen: &str) -> Verdict {
    match findings.must_have_lost_nothing() {
        Verdict::Passed(summary) => Verdict::Passed(format!("{seen}; {summary}")),
        other => other,
    }
}
