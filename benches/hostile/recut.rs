//! A long record that is cut anew, over the API.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use answerback::app::App;
use answerback::config::{Config, JournalSetting};
use answerback::store::{Cursor, Position};

use crate::Memory;

/// How many there are.
pub(crate) const LINES: usize = 3;

/// A framing as the API takes it, and its name here.
fn line(n: usize) -> (&'static str, Value) {
    let hex = |text: String| json!({"hex": text});
    let near = |count| hex(format!("{}62", "61".repeat(count)));
    match n {
        0 => ("fixed: 1", json!({"type": "fixed", "size": 1, "max": 1})),
        1 => {
            let all: Vec<_> = [hex("61".to_owned())].into_iter().chain((49..64).map(near)).collect();
            ("delimiter: each byte one, or 63 more", json!({"type": "delimiter", "delimiters": all}))
        }
        _ => {
            let all: Vec<_> = (48..64).map(near).collect();
            (
                "delimiter: 16 that nearly match",
                json!({"type": "delimiter", "delimiters": all, "max": "16MiB"}),
            )
        }
    }
}

/// Prints a line.
pub(crate) fn measure(n: usize, size: usize) -> Result<()> {
    // As few as a small machine has: whoever takes one takes half.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let listen = SocketAddr::from(([127, 0, 0, 1], 0));
    let config = Config { listen, journal: JournalSetting::Memory, ..Config::default() };
    let app = runtime.block_on(App::start(config))?;
    let (name, framing) = line(n);
    let id = record(app.api_addr(), size)?;
    // Behind nearly all of it, so that all of it is cut for a page of few.
    let after = Cursor(Position(size as u64 - 8));
    let framing: String = framing.to_string().bytes().map(|byte| format!("%{byte:02x}")).collect();
    let path = format!("/connections/{id}/messages?direction=received&framing={framing}&after={after}");
    let (api, memory, is_done) = (app.api_addr(), Memory::watch()?, AtomicBool::new(false));
    let (took, waited) = std::thread::scope(|scope| {
        let others = scope.spawn(|| others(api, &is_done));
        let began = Instant::now();
        let cut = ask(api, "GET", &path, "");
        let took = began.elapsed();
        is_done.store(true, Relaxed);
        let waited = others.join().map_err(|_| anyhow::anyhow!("the other client"))?;
        cut.and_then(|_| Ok((took, waited?)))
    })?;
    let each = took.as_nanos() as f64 / size as f64;
    println!("{name:44} {each:9.1} {:9} {:10.1}", memory.held()?, waited.as_secs_f64() * 1e3);
    app.shutdown();
    runtime.block_on(app.join());
    Ok(())
}

/// The longest that another client waits for the shortest of answers.
fn others(api: SocketAddr, is_done: &AtomicBool) -> Result<Duration> {
    let mut longest = Duration::ZERO;
    while !is_done.load(Relaxed) {
        let began = Instant::now();
        ask(api, "GET", "/healthz", "")?;
        longest = longest.max(began.elapsed());
    }
    Ok(longest)
}

/// A connection that sent so many bytes, in messages that are as large as they can be.
fn record(api: SocketAddr, size: usize) -> Result<String> {
    let framing = json!({"type": "until_close", "max": "16MiB"});
    let limits = json!({"stored_bytes": "16MiB"});
    let spec = json!({"port": 0, "host": "127.0.0.1", "framing": framing, "reply": null, "limits": limits});
    let listener = ask(api, "POST", "/listeners", &spec.to_string())?;
    let port = listener["port"].as_u64().context("a port")?;
    let mut client = TcpStream::connect(("127.0.0.1", u16::try_from(port)?))?;
    client.write_all(&vec![b'a'; size])?;
    client.shutdown(Shutdown::Write)?;
    client.read_to_end(&mut Vec::new())?;
    let list = ask(api, "GET", "/connections?state=closed&after=start&wait=20s", "")?;
    ensure!(list["items"][0]["received"]["messages"] == 1, "{list}");
    Ok(list["items"][0]["id"].as_str().context("an id")?.to_owned())
}

fn ask(api: SocketAddr, method: &str, path: &str, body: &str) -> Result<Value> {
    let mut stream = TcpStream::connect(api)?;
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {api}\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").context("no answer")?;
    ensure!(head.starts_with("HTTP/1.1 2"), "{answer}");
    Ok(serde_json::from_str(body.trim()).unwrap_or(Value::Null))
}
