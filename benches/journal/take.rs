//! All of it taken away: exported in each form, and told again as events. It is read as it comes and counted, not kept.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

use anyhow::{Context, Result, ensure};

/// Takes all of it, and says what of it and how fast.
pub(crate) fn take(api: SocketAddr, pid: u32, messages: u64) -> Result<()> {
    println!("\n  {:<28} {:>10} {:>8} {:>10} {:>14}", "taken away", "MiB", "s", "MiB/s", "messages/s");
    for format in ["ndjson", "hexdump", "pcapng"] {
        row(api, format, &format!("/export?format={format}"), messages, None)?;
    }
    row(api, "events", "/events?after=start&event=message&payload=hex", messages, Some(("id: ", messages)))?;
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let peak = status.lines().find(|line| line.starts_with("VmHWM")).context("a process has a peak")?;
    println!("  resident memory at its peak, with that:{}", &peak["VmHWM:".len()..]);
    Ok(())
}

fn row(api: SocketAddr, title: &str, path: &str, messages: u64, until: Option<(&str, u64)>) -> Result<()> {
    let began = Instant::now();
    let bytes = read(api, path, until)?;
    let (mib, seconds) = (bytes as f64 / f64::from(1 << 20), began.elapsed().as_secs_f64());
    ensure!(bytes > messages * 64, "{path} has {bytes} bytes: not all is there");
    println!(
        "  {title:<28} {mib:>10.1} {seconds:>8.2} {:>10.1} {:>14.0}",
        mib / seconds,
        messages as f64 / seconds
    );
    Ok(())
}

/// Reads an answer to its end, or until that many lines began so. How many bytes that were, chunk heads and all.
fn read(api: SocketAddr, path: &str, until: Option<(&str, u64)>) -> Result<u64> {
    let mut stream = TcpStream::connect(api)?;
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {api}\r\nconnection: close\r\n\r\n")?;
    let mut stream = BufReader::with_capacity(256 << 10, stream);
    let mut line = String::new();
    stream.read_line(&mut line)?;
    ensure!(line.starts_with("HTTP/1.1 200"), "{path}: {line}");
    let Some((prefix, wanted)) = until else { return Ok(std::io::copy(&mut stream, &mut std::io::sink())?) };
    let (mut bytes, mut seen, mut line) = (0, 0, Vec::new());
    // The first is that of `ready`.
    while seen <= wanted {
        line.clear();
        let read = stream.by_ref().take(1 << 20).read_until(b'\n', &mut line)?;
        ensure!(read > 0, "{path} ended after {seen} of {wanted}");
        bytes += read as u64;
        seen += u64::from(line.starts_with(prefix.as_bytes()));
    }
    Ok(bytes)
}
