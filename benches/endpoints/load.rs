//! The load generator: many clients on few threads, for one slice of time.
//!
//! A thread is a tokio runtime of its own with its share of the clients as tasks, so nothing is shared
//! between threads while the clock runs. What a client measured stays in its [`Probe`] until the end.

use std::net::SocketAddr;
use std::pin::Pin;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use tokio::task::JoinSet;

use crate::process::{self, Machine};

/// Bytes of a client's message.
pub(crate) const PAYLOAD: usize = 64;

/// How long after the end of a slice an operation may still take, before it counts as lost.
const GRACE: Duration = Duration::from_secs(5);

/// After so many failures of one client it gives up: the run is void anyway, and an error loop is no load.
const PATIENCE: u64 = 100;

/// A kind of client, and which of a server's endpoints it talks to.
pub(crate) struct Load {
    pub(crate) endpoint: &'static str,
    pub(crate) client: fn(Probe) -> Pin<Box<dyn Future<Output = Probe> + Send>>,
}

/// How an operation went wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fault {
    Connect,
    Reset,
    Short,
    Wrong,
    Lost,
}

/// The time in which operations count.
#[derive(Clone, Copy)]
pub(crate) struct Window {
    pub(crate) from: Instant,
    pub(crate) until: Instant,
}

/// One client's share of a slice: where to go, until when, and what was seen.
pub(crate) struct Probe {
    pub(crate) address: SocketAddr,
    window: Window,
    number: u64,
    /// Nanoseconds each counted operation took.
    latencies: Vec<u32>,
    /// Operations that succeeded, the run-up and the last one after the end included.
    done: u64,
    faults: Vec<Fault>,
}

impl Probe {
    fn new(address: SocketAddr, window: Window, client: usize) -> Self {
        // The client's index in the upper half: no two messages of a slice are alike.
        let number = (client as u64) << 32;
        Self { address, window, number, latencies: Vec::with_capacity(4096), done: 0, faults: Vec::new() }
    }

    /// The number of the next operation and the time it begins, or `None` when the time is over.
    pub(crate) fn begin(&mut self) -> Option<(u64, Instant)> {
        let now = Instant::now();
        if now >= self.window.until || self.faults.len() as u64 >= PATIENCE {
            return None;
        }
        self.number += 1;
        Some((self.number, now))
    }

    /// Notes how the operation that began then ended now.
    pub(crate) fn end(&mut self, begun: Instant, outcome: Result<(), Fault>) {
        let now = Instant::now();
        match outcome {
            Err(fault) => self.fail(fault),
            Ok(()) => {
                self.done += 1;
                if now >= self.window.from && now < self.window.until {
                    self.latencies.push((now - begun).as_nanos().try_into().unwrap_or(u32::MAX));
                }
            }
        }
    }

    /// Notes a failure.
    pub(crate) fn fail(&mut self, fault: Fault) {
        self.faults.push(fault);
    }
}

/// Fills a message with the hexadecimal digits of its number, again and again: text in any encoding that
/// extends ASCII, and different from every other message.
pub(crate) fn fill(payload: &mut [u8; PAYLOAD], number: u64) {
    for (i, byte) in payload.iter_mut().enumerate() {
        let digit = (number >> (4 * (15 - i % 16))) & 15;
        *byte = b"0123456789abcdef"[digit as usize];
    }
}

/// What one slice showed.
#[derive(Debug)]
pub(crate) struct Slice {
    /// Operations per second.
    pub(crate) rate: f64,
    /// Nanoseconds of every counted operation, in ascending order.
    pub(crate) latencies: Vec<u32>,
    /// CPU microseconds of the server per operation.
    pub(crate) server_cpu: f64,
    /// CPU microseconds of the load generator per operation.
    pub(crate) client_cpu: f64,
    /// Cores that other processes used, and cores that the host took away.
    pub(crate) beside: f64,
    pub(crate) stolen: f64,
    /// All operations that succeeded, also those outside the counted time.
    pub(crate) done: u64,
    pub(crate) faults: Vec<Fault>,
}

impl Slice {
    /// Cores that clients and server did not have, because somebody else did.
    pub(crate) fn disturbance(&self) -> f64 {
        self.beside + self.stolen
    }
}

/// The shape of a slice.
#[derive(Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) clients: usize,
    pub(crate) threads: usize,
    pub(crate) run_up: Duration,
    pub(crate) length: Duration,
}

/// Runs one slice of a load against one address; `pid` is the server, for its CPU time.
pub(crate) fn slice(load: &Load, address: SocketAddr, pid: u32, shape: Shape) -> Result<Slice> {
    let from = Instant::now() + shape.run_up;
    let window = Window { from, until: from + shape.length };
    let (mut before, mut after) = (None, None);
    let mut probes = Vec::new();
    std::thread::scope(|scope| -> Result<()> {
        let threads: Vec<_> = (0..shape.threads)
            .map(|index| scope.spawn(move || thread(load, address, window, share(shape, index))))
            .collect();
        wait_until(window.from)?;
        before = Some(Moment::now(pid)?);
        wait_until(window.until)?;
        after = Some(Moment::now(pid)?);
        for thread in threads {
            probes.extend(thread.join().map_err(|_| anyhow!("a load thread panicked"))??);
        }
        Ok(())
    })?;
    let before = before.context("no start of the slice")?;
    let after = after.context("no end of the slice")?;
    Ok(sum_up(probes, &before, &after, shape))
}

/// Which clients a thread runs: dealt out in turn, like cards.
fn share(shape: Shape, index: usize) -> Vec<usize> {
    (index..shape.clients).step_by(shape.threads).collect()
}

/// A thread's clients, run to the end of the slice. A client that does not come back is a lost operation.
fn thread(load: &Load, address: SocketAddr, window: Window, clients: Vec<usize>) -> Result<Vec<Probe>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let count = clients.len();
        let mut tasks: JoinSet<Probe> =
            clients.into_iter().map(|client| (load.client)(Probe::new(address, window, client))).collect();
        let mut probes = Vec::new();
        let hard_end = tokio::time::Instant::from_std(window.until + GRACE);
        while let Ok(Some(probe)) = tokio::time::timeout_at(hard_end, tasks.join_next()).await {
            probes.push(probe?);
        }
        for client in probes.len()..count {
            let mut lost = Probe::new(address, window, client);
            lost.fail(Fault::Lost);
            probes.push(lost);
        }
        Ok(probes)
    })
}

/// Waits on a timer: nothing spins, so the cores belong to clients and servers.
pub(crate) fn wait_until(when: Instant) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    runtime.block_on(async { tokio::time::sleep_until(when.into()).await });
    Ok(())
}

/// The clocks that a slice is measured with, at one of its ends.
struct Moment {
    at: Instant,
    server: Duration,
    client: Duration,
    machine: Machine,
}

impl Moment {
    fn now(server: u32) -> Result<Self> {
        Ok(Self {
            at: Instant::now(),
            server: process::cpu_time(server)?,
            client: process::cpu_time(std::process::id())?,
            machine: Machine::now()?,
        })
    }
}

fn sum_up(probes: Vec<Probe>, before: &Moment, after: &Moment, shape: Shape) -> Slice {
    let mut latencies: Vec<u32> = probes.iter().flat_map(|probe| probe.latencies.iter().copied()).collect();
    latencies.sort_unstable();
    let elapsed = (after.at - before.at).as_secs_f64();
    let count = latencies.len().max(1) as f64;
    let server = after.server.saturating_sub(before.server).as_secs_f64();
    let client = after.client.saturating_sub(before.client).as_secs_f64();
    let busy = after.machine.busy.saturating_sub(before.machine.busy).as_secs_f64();
    let stolen = after.machine.stolen.saturating_sub(before.machine.stolen).as_secs_f64();
    Slice {
        rate: latencies.len() as f64 / shape.length.as_secs_f64(),
        server_cpu: server * 1e6 / count,
        client_cpu: client * 1e6 / count,
        beside: (busy - server - client).max(0.0) / elapsed,
        stolen: stolen / elapsed,
        done: probes.iter().map(|probe| probe.done).sum(),
        faults: probes.into_iter().flat_map(|probe| probe.faults).collect(),
        latencies,
    }
}
