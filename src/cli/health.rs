//! `answerback health`: asks a running answerback whether it is ready. Made for `HEALTHCHECK`.

use std::io::Write;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::header::HOST;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::USAGE;
use super::command::complain;
use super::hints::reachable;
use crate::client::authority;
use crate::config::{self, Inputs};
use crate::telemetry::printable_json;

/// How long the whole question may take. Docker's own limit is 30 s: a shorter one names the reason.
const PATIENCE: Duration = Duration::from_secs(3);

/// Bytes of an answer that are read: enough for a reason.
const LONGEST_ANSWER: usize = 4_096;

const AFTER_HELP: &str = "\
Without --url it asks ANSWERBACK_URL, or else the address of the settings that `serve` would use here.

Examples:
  answerback health
  answerback health --url http://127.0.0.1:7070";

#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Args {
    /// Where the API is [default: the address that `serve` would use here] [env: ANSWERBACK_URL]
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// Say it as JSON
    #[arg(long)]
    json: bool,
}

/// A question that is ready to be asked.
pub struct Health {
    /// `HOST:PORT`.
    authority: String,
    is_json: bool,
}

pub(super) fn prepare(args: Args) -> Result<Health, ExitCode> {
    let Args { url, json: is_json } = args;
    let variable = || std::env::var("ANSWERBACK_URL").ok().filter(|url| !url.is_empty());
    let authority = match url.or_else(variable) {
        Some(url) => authority(&url),
        None => default_authority(),
    };
    authority.map(|authority| Health { authority, is_json }).map_err(|fault| {
        complain(&fault);
        ExitCode::from(USAGE)
    })
}

/// Where the API would be of a service that was started here.
pub(super) fn default_authority() -> Result<String, String> {
    address_of(config::listen_address(&Inputs::of_process(Vec::new(), None)))
}

fn address_of(listen: Result<SocketAddr, config::ConfigError>) -> Result<String, String> {
    match listen {
        Ok(address) if address.port() == 0 => {
            Err("the kernel chose the API's port, so nobody here knows it; give it with --url".to_owned())
        }
        Ok(address) => Ok(reachable(address).to_string()),
        Err(fault) => Err(fault.to_string()),
    }
}

impl Health {
    /// Prints `ok` when the API is ready, the reason when it is not.
    pub(super) async fn run(self) -> ExitCode {
        let authority = &self.authority;
        let answer = match tokio::time::timeout(PATIENCE, ask(authority)).await {
            Ok(answer) => answer.map_err(|e| format!("{e:#}")),
            Err(_) => Err(format!("no answer within {} seconds", PATIENCE.as_secs())),
        };
        let fault = match answer {
            Ok((StatusCode::OK, _)) => None,
            Ok((status, reason)) => Some(format!("{status}: {}", reason.trim())),
            Err(reason) => Some(reason),
        };
        self.say(fault.as_deref());
        if let Some(fault) = fault {
            complain(&format!("http://{authority} is not ready: {fault}"));
            return ExitCode::FAILURE;
        }
        ExitCode::SUCCESS
    }

    /// The word for programs. Whether anybody reads it is no part of the answer.
    fn say(&self, fault: Option<&str>) {
        let word = match (self.is_json, fault) {
            (true, None) => serde_json::json!({"ready": true}).to_string(),
            (true, Some(fault)) => {
                printable_json(&serde_json::json!({"ready": false, "detail": fault}).to_string())
            }
            (false, None) => "ok".to_owned(),
            (false, Some(_)) => return,
        };
        let _ = writeln!(std::io::stdout(), "{word}");
    }
}

async fn ask(authority: &str) -> anyhow::Result<(StatusCode, String)> {
    let stream = TcpStream::connect(authority).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let request = Request::get("/readyz").header(HOST, authority).body(Empty::<Bytes>::new())?;
    let exchange = async {
        let answer = sender.send_request(request).await?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), LONGEST_ANSWER).collect().await;
        let reason =
            body.map(|body| String::from_utf8_lossy(&body.to_bytes()).into_owned()).unwrap_or_default();
        anyhow::Ok((status, reason))
    };
    // The connection has no end of its own while the answer is read: whichever is first.
    let mut exchange = std::pin::pin!(exchange);
    tokio::select! {
        answer = &mut exchange => answer,
        closed = connection => { closed?; exchange.await }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    #[test]
    fn a_wildcard_is_asked_on_loopback_and_a_port_of_the_kernels_choice_is_unknown() {
        assert_eq!(address_of(Ok("0.0.0.0:1".parse().unwrap())).as_deref(), Ok("127.0.0.1:1"));
        assert_eq!(address_of(Ok("[::]:1".parse().unwrap())).as_deref(), Ok("[::1]:1"));
        assert!(address_of(Ok("127.0.0.1:0".parse().unwrap())).unwrap_err().contains("--url"));
    }

    async fn answered(answer: &'static str) -> anyhow::Result<(StatusCode, String)> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let authority = listener.local_addr().unwrap().to_string();
        let server = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 512];
            let n = stream.read(&mut request).await.unwrap();
            stream.write_all(answer.as_bytes()).await.unwrap();
            String::from_utf8_lossy(&request[..n]).into_owned()
        };
        let (asked, answer) = tokio::join!(server, ask(&authority));
        assert!(asked.starts_with("GET /readyz HTTP/1.1\r\n"), "{asked}");
        assert!(asked.contains(&format!("host: {authority}\r\n")), "{asked}");
        answer
    }

    #[tokio::test]
    async fn the_answer_is_its_status_and_its_reason() {
        let ready = answered("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
        assert_eq!(ready, (StatusCode::OK, "ok".into()));
        let not = answered("HTTP/1.1 503 Unavailable\r\nconnection: close\r\n\r\nthe journal is full")
            .await
            .unwrap();
        assert_eq!(not, (StatusCode::SERVICE_UNAVAILABLE, "the journal is full".into()));
    }

    #[tokio::test]
    async fn what_is_no_http_is_an_error() {
        assert!(answered("\u{1b}[31m no\n").await.is_err());
        assert!(answered("").await.is_err());
    }
}
