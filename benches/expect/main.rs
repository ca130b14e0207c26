//! How long after the message that decides it an expectation is answered, alone and among a thousand that wait.
//!
//! `cargo bench --bench expect`. A client sends a line; the time is from before it is sent until the answer to `POST /expect` has
//! been read here, so the way there and back is in it. The others wait for lines that never come.

#[path = "../endpoints/http.rs"]
mod http;

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::json;

use crate::http::Api;

/// Expectations that are decided, one after the other.
const TIMES: usize = 200;

fn main() -> ExitCode {
    let is_measured = std::env::args().any(|word| word == "--bench");
    match run(if is_measured { &[0, 100, 999] } else { &[0, 10] }) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("expect: {error:#}");
            ExitCode::FAILURE
        }
    }
}

struct Service(Child);

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn run(crowds: &[usize]) -> Result<()> {
    println!("milliseconds from the message to the answer, {TIMES} times");
    println!("  {:<26} {:>8} {:>8} {:>8} {:>8}", "others that wait", "least", "median", "99 %", "greatest");
    for others in crowds {
        measure(*others)?;
    }
    Ok(())
}

fn measure(others: usize) -> Result<()> {
    let home = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let mut command = Command::new(env!("CARGO_BIN_EXE_answerback"));
    command.args(["serve", "--listen", "127.0.0.1:0"]).current_dir(&home);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let stdout = child.stdout.take().context("no standard output")?;
    let service = Service(child);
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line)?;
    let address = line.trim_end().strip_prefix("answerback: http://").context("it did not start")?;
    let address: SocketAddr = address.parse()?;
    let mut api = Api::connect(address)?;
    let spec = json!({"port": 0, "host": "127.0.0.1", "reply": null, "then": "keep",
                      "framing": {"type": "delimiter", "delimiters": ["\n"]}});
    let listener = api.json("POST", "/listeners", &spec.to_string())?;
    let port = u16::try_from(listener["port"].as_u64().context("a listener has a port")?)?;
    let mut client = TcpStream::connect(("127.0.0.1", port))?;
    client.set_nodelay(true)?;
    let never = json!({"match": {"equals": "never"}, "within": "60s"}).to_string();
    let waiting = (0..others).map(|_| asked(address, &never)).collect::<Result<Vec<_>>>()?;
    let mut times = Vec::with_capacity(TIMES);
    for n in 0..TIMES {
        let wanted = json!({"match": {"equals": format!("line {n}")}, "within": "30s"}).to_string();
        let mut asked = BufReader::new(asked(address, &wanted)?);
        // That it waits is seen by nothing from outside; this is far longer than a request takes to arrive.
        std::thread::park_timeout(Duration::from_millis(20));
        let began = Instant::now();
        client.write_all(format!("line {n}\n").as_bytes())?;
        let mut status = String::new();
        asked.read_line(&mut status)?;
        times.push(began.elapsed().as_secs_f64() * 1e3);
        ensure!(status.starts_with("HTTP/1.1 200"), "{status}");
    }
    drop((waiting, service));
    times.sort_by(f64::total_cmp);
    let at = |part: usize| times.get((TIMES * part / 100).min(TIMES - 1)).copied().unwrap_or_default();
    println!("  {others:<26} {:>8.2} {:>8.2} {:>8.2} {:>8.2}", at(0), at(50), at(99), at(100));
    Ok(())
}

/// A connection on which that was asked.
fn asked(address: SocketAddr, body: &str) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    write!(
        stream,
        "POST /expect HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )?;
    Ok(stream)
}
