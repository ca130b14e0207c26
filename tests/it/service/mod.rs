//! The program as a process, as whoever starts it and whoever calls it sees it.

mod command;
mod descriptors;
mod guard;
mod limits;
mod log;
mod stop;
mod token;

use std::net::SocketAddr;

use crate::support::{Peer, Service};

/// The only line on standard output.
fn address_line(service: &Service) -> String {
    format!("answerback: http://{}\n", service.api)
}

/// Sends bytes as they are to the API, and reads to the end: the status (0 without an answer), and all of the answer.
async fn raw(api: SocketAddr, request: impl AsRef<[u8]>) -> (u16, String) {
    let mut peer = Peer::connect(api).await;
    peer.send(request).await;
    let (answer, _) = peer.read_to_end().await;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    (status(&answer), answer)
}

/// The status of an answer as it came over the wire; 0 if it is none.
fn status(answer: &str) -> u16 {
    let code = answer.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3));
    code.and_then(|code| code.parse().ok()).unwrap_or_default()
}
