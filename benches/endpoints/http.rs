//! As much of an HTTP client as the control API needs: one keep-alive connection, one request at a time.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// How long an answer may take. None here is asked to wait.
const PATIENCE: Duration = Duration::from_secs(30);

/// A connection to the control API.
pub(crate) struct Api {
    stream: BufReader<TcpStream>,
    pub(crate) host: SocketAddr,
    request: String,
}

/// Status and body of an answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

impl Api {
    pub(crate) fn connect(host: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(host)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { stream: BufReader::new(stream), host, request: String::new() })
    }

    /// One request and its answer, whatever its status.
    pub(crate) fn call(&mut self, method: &str, path: &str, body: &str) -> Result<Answer> {
        self.request.clear();
        std::fmt::write(
            &mut self.request,
            format_args!(
                "{method} {path} HTTP/1.1\r\nhost: {}\r\ncontent-length: {}\r\n",
                self.host,
                body.len()
            ),
        )?;
        if !body.is_empty() {
            self.request.push_str("content-type: application/json\r\n");
        }
        self.request.push_str("\r\n");
        self.request.push_str(body);
        self.stream.get_mut().write_all(self.request.as_bytes())?;
        self.answer().with_context(|| format!("{method} {path}"))
    }

    /// One request whose answer must be a success with a JSON body.
    pub(crate) fn json(&mut self, method: &str, path: &str, body: &str) -> Result<Value> {
        let answer = self.call(method, path, body)?;
        let text = String::from_utf8_lossy(&answer.body);
        ensure!((200..300).contains(&answer.status), "{method} {path}: {} {text}", answer.status);
        Ok(serde_json::from_slice(&answer.body)?)
    }

    fn answer(&mut self) -> Result<Answer> {
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        let status = line.split(' ').nth(1).with_context(|| format!("no status in {line:?}"))?.parse()?;
        let (mut length, mut is_chunked) = (0, false);
        loop {
            line.clear();
            ensure!(self.stream.read_line(&mut line)? > 0, "the connection ended within the headers");
            let Some((name, value)) = line.split_once(':') else { break };
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse()?;
            }
            is_chunked |= name.eq_ignore_ascii_case("transfer-encoding");
        }
        if is_chunked {
            return Ok(Answer { status, body: self.chunks()? });
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body)?;
        Ok(Answer { status, body })
    }

    /// A body in pieces, each behind its length. What is cut short is an error.
    fn chunks(&mut self) -> Result<Vec<u8>> {
        let (mut body, mut line) = (Vec::new(), String::new());
        loop {
            line.clear();
            self.stream.read_line(&mut line)?;
            let size =
                usize::from_str_radix(line.trim_end(), 16).with_context(|| format!("a chunk of {line:?}"))?;
            let begin = body.len();
            body.resize(begin + size + 2, 0);
            self.stream.read_exact(body.get_mut(begin..).unwrap_or_default())?;
            ensure!(body.ends_with(b"\r\n"), "a chunk without its end");
            body.truncate(begin + size);
            if size == 0 {
                return Ok(body);
            }
        }
    }
}
