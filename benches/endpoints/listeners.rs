//! How fast listeners are opened and closed over the API, and what they cost.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use socket2::{Domain, Protocol, Socket, Type};

use crate::args::Args;
use crate::http::Api;
use crate::process::{self, Answerback, Journal};
use crate::stats::Report;

/// The first port tried: below the range that kernels take ports for outgoing connections from.
const FIRST_PORT: u16 = 12_000;

/// The last port tried.
const LAST_PORT: u16 = 32_000;

/// Most memory a listener may cost, in KiB.
const LIMIT_KIB: f64 = 8.0;

/// Longest a listener may take to open, in seconds: a thousand in half a second.
const LIMIT_SECONDS: f64 = 0.0005;

/// Listeners opened and closed before the clock starts.
const REHEARSAL: usize = 16;

/// Measures each of the numbers asked for on a server of its own.
pub(crate) fn run(program: &Answerback, args: &Args, report: &mut Report) -> Result<()> {
    println!("\nlisteners, each opened by a POST of its own over one connection, then deleted by one");
    println!(
        "  {:<7} {:>6} {:>10} {:>9} {:>9} {:>11} {:>10} {:>9} {:>10} {:>14}",
        "journal",
        "count",
        "opened in",
        "each",
        "KiB each",
        "kernel each",
        "closed in",
        "each",
        "KiB left",
        "ports skipped"
    );
    for &journal in &args.journals {
        for &count in &args.listeners {
            let seconds = measure(program, journal, count, report)?;
            let title = format!("{}: {count} listeners opened", journal.name());
            report.at_most(&title, seconds, "s", LIMIT_SECONDS * count as f64);
        }
    }
    Ok(())
}

/// Seconds to open that many listeners.
fn measure(program: &Answerback, journal: Journal, count: usize, report: &mut Report) -> Result<f64> {
    let most = (count + 100).to_string();
    let (server, mut api) = program.start(journal, &["--max-listeners".to_owned(), most])?;
    let mut ports = Ports { next: FIRST_PORT, skipped: 0 };
    let rehearsal = open(&mut api, &mut ports, REHEARSAL)?;
    close(&mut api, &rehearsal)?;
    let kernel = kernel_alone(count)?;

    ports = Ports { next: FIRST_PORT, skipped: 0 };
    let before = process::resident_kib(server.pid())?;
    let started = Instant::now();
    let opened = open(&mut api, &mut ports, count)?;
    let opening = started.elapsed();
    let open_now = process::resident_kib(server.pid())?;

    for listener in [opened.first(), opened.get(count / 2), opened.last()].into_iter().flatten() {
        TcpStream::connect((Ipv4Addr::LOCALHOST, listener.port)).context("a listener does not accept")?;
    }
    let started = Instant::now();
    close(&mut api, &opened)?;
    let closing = started.elapsed();
    let left = process::resident_kib(server.pid())?;
    for listener in &opened {
        if TcpListener::bind((Ipv4Addr::LOCALHOST, listener.port)).is_err() {
            report.fault(&format!("port {} is not free after its listener was deleted", listener.port));
            break;
        }
    }

    let kib = (open_now as f64 - before as f64) / count as f64;
    report.at_most(&format!("{}: a listener of {count}", journal.name()), kib, "KiB", LIMIT_KIB);
    let each = |time: Duration| format!("{:.1} us", time.as_secs_f64() * 1e6 / count as f64);
    println!(
        "  {:<7} {count:>6} {:>8.3} s {:>9} {kib:>9.2} {:>11} {:>8.3} s {:>9} {:>10} {:>14}",
        journal.name(),
        opening.as_secs_f64(),
        each(opening),
        each(kernel),
        closing.as_secs_f64(),
        each(closing),
        left as i64 - before as i64,
        ports.skipped,
    );
    Ok(opening.as_secs_f64())
}

/// The ports to use, one after the other.
struct Ports {
    next: u16,
    skipped: usize,
}

struct Opened {
    id: String,
    port: u16,
}

/// Opens listeners that have all defaults but the address, which is loopback.
fn open(api: &mut Api, ports: &mut Ports, count: usize) -> Result<Vec<Opened>> {
    let mut opened = Vec::with_capacity(count);
    while opened.len() < count {
        let port = ports.next;
        ensure!(port < LAST_PORT, "too many ports are taken by other programs");
        ports.next += 1;
        let answer = api.call("POST", "/listeners", &format!(r#"{{"host":"127.0.0.1","port":{port}}}"#))?;
        match answer.status {
            201 => opened.push(Opened { id: id(&answer.body)?, port }),
            // Some other program's.
            409 => ports.skipped += 1,
            status => bail!("POST /listeners: {status} {}", String::from_utf8_lossy(&answer.body)),
        }
    }
    Ok(opened)
}

fn id(body: &[u8]) -> Result<String> {
    let listener: Value = serde_json::from_slice(body)?;
    Ok(listener["id"].as_str().context("a listener has an id")?.to_owned())
}

fn close(api: &mut Api, listeners: &[Opened]) -> Result<()> {
    for listener in listeners {
        let answer = api.call("DELETE", &format!("/listeners/{}", listener.id), "")?;
        ensure!(answer.status == 204, "DELETE of a listener: {}", answer.status);
    }
    Ok(())
}

/// How long the system calls alone take, for as many sockets held open at once. A few ports may be taken.
fn kernel_alone(count: usize) -> Result<Duration> {
    let mut held = Vec::with_capacity(count);
    let mut port = FIRST_PORT;
    let started = Instant::now();
    while held.len() < count {
        ensure!(port < LAST_PORT, "too many ports are taken by other programs");
        let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        if socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into()).is_ok() {
            socket.listen(128)?;
            held.push(socket);
        }
        port += 1;
    }
    Ok(started.elapsed())
}
