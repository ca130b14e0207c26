//! One request over a connection of its own.

use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

use super::contract::Contract;

/// What the service answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    asked: String,
}

impl Answer {
    /// The body as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|e| panic!("{}: the answer is no JSON ({e}): {}", self.asked, self.text()))
    }

    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Asserts the status, showing the body when it is another.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{}: {}", self.asked, self.text());
        self
    }

    /// Asserts that it is the problem with this status and code, and returns it.
    #[track_caller]
    pub(crate) fn problem(self, status: u16, code: &str) -> Value {
        let answer = self.expect(status);
        assert_eq!(answer.headers[CONTENT_TYPE], "application/problem+json", "{}", answer.asked);
        let problem = answer.json();
        assert_eq!((&problem["code"], &problem["status"]), (&code.into(), &status.into()), "{problem}");
        assert!(
            problem["detail"].as_str().is_some_and(|d| d.len() > 10),
            "a problem says what to do: {problem}"
        );
        problem
    }

    /// A header's value, empty if it is not there.
    pub(crate) fn header(&self, name: &str) -> String {
        self.headers.get(name).map(|v| v.to_str().unwrap().to_owned()).unwrap_or_default()
    }
}

/// Sends a request to `address` and checks the answer against the contract.
pub(crate) async fn send(address: SocketAddr, mut request: Request<Full<Bytes>>) -> Answer {
    let (method, path) = (request.method().to_string(), request.uri().to_string());
    let asked = format!("{method} {}", request.uri());
    if !request.headers().contains_key("host") {
        request.headers_mut().insert("host", address.to_string().parse().unwrap());
    }
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    let connection = tokio::spawn(connection);
    let response = sender.send_request(request).await.unwrap_or_else(|e| panic!("{asked}: no answer: {e}"));
    let (head, body) = response.into_parts();
    let body = body.collect().await.unwrap_or_else(|e| panic!("{asked}: half an answer: {e}")).to_bytes();
    drop(sender);
    let _ = connection.await;
    let content_type = head.headers.get(CONTENT_TYPE).map(|v| v.to_str().unwrap());
    let named =
        |(name, value): (&HeaderName, &HeaderValue)| (name.to_string(), value.to_str().unwrap().to_owned());
    let headers: Vec<_> = head.headers.iter().map(named).collect();
    Contract::get().check(&method, &path, head.status.as_u16(), content_type, Some(&headers), &body);
    Answer { status: head.status, headers: head.headers, body, asked }
}
