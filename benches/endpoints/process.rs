//! The servers as processes: started, found by the line they print, measured through `/proc`, ended.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::json;
use tempfile::TempDir;

use crate::http::Api;
use crate::reference;

/// A server that runs until this is dropped.
pub(crate) struct Server {
    pub(crate) oneshot: SocketAddr,
    pub(crate) echo: SocketAddr,
    child: Child,
    /// Held open, so that a server that prints more does not fail at it.
    _stdout: BufReader<ChildStdout>,
    /// Where its journal is, until it has ended.
    _home: Option<TempDir>,
}

/// Where answerback keeps its records, and what they survive.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Journal {
    Memory,
    Process,
    Power,
}

impl Journal {
    pub(crate) const ALL: [Self; 3] = [Self::Memory, Self::Process, Self::Power];

    /// The durability's own name, which is that of the server in the tables.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Process => "process",
            Self::Power => "power",
        }
    }
}

impl Server {
    /// Starts this binary as the bare tokio server.
    pub(crate) fn reference() -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(reference::ARGUMENT).stdin(Stdio::piped());
        let (child, stdout, line) = start(command)?;
        let (oneshot, echo) = line.split_once(' ').context("the reference server prints two addresses")?;
        Ok(Self { oneshot: oneshot.parse()?, echo: echo.parse()?, child, _stdout: stdout, _home: None })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The address of the endpoint of that name.
    pub(crate) fn endpoint(&self, name: &str) -> SocketAddr {
        if name == "echo" { self.echo } else { self.oneshot }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How answerback is started.
pub(crate) struct Answerback {
    program: String,
    arguments: Vec<String>,
}

impl Answerback {
    /// From a command line of the user, or what cargo built beside this benchmark.
    pub(crate) fn from(command: Option<&str>) -> Self {
        let mut words =
            command.unwrap_or(env!("CARGO_BIN_EXE_answerback")).split_whitespace().map(str::to_owned);
        Self { program: words.next().unwrap_or_default(), arguments: words.collect() }
    }

    /// Starts it with an empty journal of that kind and an endpoint of each kind. Neither a settings file nor
    /// variables of the user's own have a say.
    pub(crate) fn start(&self, journal: Journal, flags: &[String]) -> Result<(Server, Api)> {
        let home = TempDir::new_in(env!("CARGO_TARGET_TMPDIR"))?;
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).args(["serve", "--listen", "127.0.0.1:0"]);
        match journal {
            Journal::Memory => command.args(["--journal", "memory"]),
            _ => command.args(["--durability", journal.name(), "--retain-bytes", "16GiB"]),
        };
        command.args(flags).stdin(Stdio::null()).current_dir(&home);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("ANSWERBACK_") {
                command.env_remove(name);
            }
        }
        let (child, stdout, line) = start(command)?;
        let unknown = SocketAddr::from(([127, 0, 0, 1], 0));
        // From here on, an error ends the process.
        let mut server =
            Server { oneshot: unknown, echo: unknown, child, _stdout: stdout, _home: Some(home) };
        let address =
            line.strip_prefix("answerback: http://").with_context(|| format!("it printed {line:?}"))?;
        let mut api = Api::connect(address.parse()?)?;
        server.oneshot = open(&mut api, "oneshot", json!({}))?;
        server.echo = open(&mut api, "echo", json!({"reply": {"echo": true}}))?;
        Ok((server, api))
    }
}

/// Opens an endpoint with the queue that the reference server has.
fn open(api: &mut Api, name: &str, mut spec: serde_json::Value) -> Result<SocketAddr> {
    spec["host"] = json!("127.0.0.1");
    spec["port"] = json!(0);
    spec["backlog"] = json!(reference::BACKLOG);
    let listener = api.json("PUT", &format!("/listeners/{name}"), &spec.to_string())?;
    let port = listener["port"].as_u64().context("a listener has a port")?;
    Ok(SocketAddr::from(([127, 0, 0, 1], u16::try_from(port)?)))
}

/// Starts a server and reads the first line it prints.
fn start(mut command: Command) -> Result<(Child, BufReader<ChildStdout>, String)> {
    let said = format!("{command:?}");
    command.stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().with_context(|| format!("cannot start {said}"))?;
    let mut stdout = BufReader::new(child.stdout.take().context("no standard output")?);
    let mut line = String::new();
    stdout.read_line(&mut line)?;
    if line.is_empty() {
        let _ = child.kill();
        let status = child.wait()?;
        bail!("{said} ended ({status}) before it was ready; run it to see why");
    }
    Ok((child, stdout, line.trim_end().to_owned()))
}

/// One unit of CPU time in `/proc`: Linux shows it as 1/100 s to every program, whatever it counts in itself.
const TICK: Duration = Duration::from_millis(10);

fn ticks(text: &str) -> Result<Duration> {
    Ok(TICK * text.parse::<u32>()?)
}

/// User and system CPU time of a process so far.
pub(crate) fn cpu_time(pid: u32) -> Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .with_context(|| format!("process {pid} is gone: did it crash?"))?;
    // The name in parentheses may hold anything; after it, utime and stime are the 12th and 13th field.
    let (_, rest) = stat.rsplit_once(')').context("a stat line has a name")?;
    let mut fields = rest.split_whitespace().skip(11);
    let (user, system) = (fields.next().context("utime")?, fields.next().context("stime")?);
    Ok(ticks(user)? + ticks(system)?)
}

/// Resident memory of a process in KiB.
pub(crate) fn resident_kib(pid: u32) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))
        .with_context(|| format!("process {pid} is gone: did it crash?"))?;
    let line =
        status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("a process has a VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

/// CPU time of the whole machine since it started.
pub(crate) struct Machine {
    /// All processes and interrupts.
    pub(crate) busy: Duration,
    /// Taken by the host of a virtual machine.
    pub(crate) stolen: Duration,
}

impl Machine {
    pub(crate) fn now() -> Result<Self> {
        let stat = std::fs::read_to_string("/proc/stat")?;
        // user nice system idle iowait irq softirq steal
        let fields: Vec<&str> = stat.lines().next().unwrap_or_default().split_whitespace().skip(1).collect();
        let [user, nice, system, _idle, _iowait, irq, softirq, steal, ..] = fields[..] else {
            bail!("/proc/stat has too few fields");
        };
        let mut busy = Duration::ZERO;
        for field in [user, nice, system, irq, softirq] {
            busy += ticks(field)?;
        }
        Ok(Self { busy, stolen: ticks(steal)? })
    }
}
