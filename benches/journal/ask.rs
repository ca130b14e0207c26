//! The service is started on a full journal, and asked. What an answer takes includes reading its JSON here.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use answerback::store::{Cursor, Position};
use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::fill::{Filled, payload};
use crate::http::Api;
use crate::take::take;

/// How often each question is asked.
const TIMES: usize = 21;

struct Service {
    child: Child,
    api: Api,
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn start(directory: &Path) -> Result<Service> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_answerback"));
    command.args([
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--retain-bytes",
        "1TiB",
        "--min-free-disk",
        "0",
        "--data-dir",
    ]);
    command.arg(directory).current_dir(directory);
    let began = Instant::now();
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let mut line = String::new();
    BufReader::new(child.stdout.take().context("no standard output")?).read_line(&mut line)?;
    let address = line.trim_end().strip_prefix("answerback: http://").context("it did not start")?;
    let address: SocketAddr = address.parse()?;
    println!("\nready {:.1} ms after it was started", milliseconds(began.elapsed()));
    Ok(Service { child, api: Api::connect(address)? })
}

/// Asks everything, and checks every answer.
pub(crate) fn ask(directory: &Path, filled: &Filled) -> Result<()> {
    let Service { api, child } = &mut start(directory)?;
    let pid = child.id();
    println!("  {:<58} {:>8} {:>8} {:>8}", "milliseconds", "least", "median", "greatest");
    let full = |count: usize| move |page: &Value| items(page) == count;
    let page = measure(api, "connections, the newest 100", "/connections?limit=100", full(100))?;
    let newest = position(&page["items"][0])?;
    let middle = cursor(newest / 2);
    let after = |path: &str| format!("{path}&after={middle}");
    measure(api, "connections, 100 from the middle", &after("/connections?limit=100"), full(100))?;
    measure(
        api,
        "connections, 100 from the middle, oldest first",
        &after("/connections?limit=100&order=asc"),
        full(100),
    )?;
    measure(api, "messages, the newest 100", "/messages?limit=100&order=desc", full(100))?;
    measure(api, "messages, 100 from the middle", &after("/messages?limit=100"), full(100))?;
    let (staying, count) = filled.staying;
    let of_one = format!("/connections/{staying}/messages?limit=100");
    let expected = usize::try_from(count)?.min(100);
    measure(api, "messages of one client, far apart, the first 100", &of_one, full(expected))?;
    measure(
        api,
        "messages of one client, far apart, the newest 100",
        &format!("{of_one}&order=desc"),
        full(expected),
    )?;
    take(api.host, pid, filled.messages)?;
    println!();
    let one = payload(filled.clients / 3);
    let serial = std::str::from_utf8(&one)?.split("serial ").nth(1).unwrap_or_default().trim();
    let has = |text: &str| format!("/messages?limit=100&order=desc&contains={text}");
    measure(api, "messages that have what one has", &has(serial), full(1))?;
    measure(api, "messages that have what none has", &has("no-such-thing-anywhere"), full(0))?;
    measure(api, "messages that have what all have", &has("status%3Dok"), full(100))?;
    measure(api, "connections that have what one has", &format!("/connections?contains={serial}"), full(1))?;
    measure(api, "connections from one address, the newest", "/connections?limit=1&peer=10.0.0.77", full(1))?;
    measure(
        api,
        "connections from an address that never came",
        "/connections?limit=1&peer=10.9.9.9",
        full(0),
    )?;
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let peak = status.lines().find(|line| line.starts_with("VmHWM")).context("a process has a peak")?;
    println!(
        "  resident memory at its peak, {} messages on record:{}",
        filled.messages,
        &peak["VmHWM:".len()..]
    );
    Ok(())
}

fn measure(api: &mut Api, title: &str, path: &str, is_right: impl Fn(&Value) -> bool) -> Result<Value> {
    let mut times = Vec::with_capacity(TIMES);
    let mut page = Value::Null;
    for _ in 0..TIMES {
        let began = Instant::now();
        page = api.json("GET", path, "")?;
        times.push(milliseconds(began.elapsed()));
        ensure!(is_right(&page), "GET {path}: {}", brief(&page));
    }
    times.sort_by(f64::total_cmp);
    println!("  {title:<58} {:>8.2} {:>8.2} {:>8.2}", times[0], times[TIMES / 2], times[TIMES - 1]);
    Ok(page)
}

fn items(page: &Value) -> usize {
    page["items"].as_array().map_or(0, Vec::len)
}

fn brief(page: &Value) -> String {
    page.to_string().chars().take(300).collect()
}

/// Cursors are positions; that of an item is known from its own.
fn position(item: &Value) -> Result<u64> {
    let cursor = item["cursor"].as_str().context("an item has a cursor")?;
    Ok(Cursor::parse(cursor).map_err(anyhow::Error::msg)?.0.0)
}

fn cursor(position: u64) -> String {
    Cursor(Position(position)).to_string()
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
