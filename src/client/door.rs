//! One request over a connection of its own.

use std::pin::Pin;
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::address::authority;
use super::error::Error;
use crate::api::types::Problem;

/// How long a machine may take to let a client in: one that is there does so in milliseconds.
const TO_CONNECT: Duration = Duration::from_secs(3);
/// Bytes of an answer that are read at once. A page of a list is some 4 MiB; what has no bound is read piece by piece.
const LONGEST_ANSWER: usize = 64 << 20;
/// Characters of a foreign answer that are quoted.
const QUOTED: usize = 300;

/// Where the API is, and what opens it.
#[derive(Clone)]
pub(super) struct Door {
    authority: String,
    token: Option<HeaderValue>,
}

/// What is asked.
pub(super) struct Ask {
    pub(super) method: Method,
    /// With its query.
    pub(super) path: String,
    /// JSON.
    pub(super) body: Option<Vec<u8>>,
    /// Where a stream of events goes on.
    pub(super) last_event_id: Option<String>,
    /// How long the beginning of the answer, and each further part of it, may take.
    pub(super) patience: Duration,
}

impl Door {
    pub(super) fn new(url: &str, token: Option<&str>) -> Result<Self, Error> {
        let authority = authority(url).map_err(Error::Address)?;
        let header = |token: &str| {
            let mut value = HeaderValue::from_str(&format!("Bearer {token}"))
                .map_err(|_| Error::Address("the token has characters that no token has".to_owned()))?;
            value.set_sensitive(true);
            Ok(value)
        };
        Ok(Self { authority, token: token.map(header).transpose()? })
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.authority)
    }

    /// Sends it, and waits for the beginning of the answer. An answer that is an error is one here too.
    pub(super) async fn ask(&self, ask: Ask) -> Result<Answer, Error> {
        let patience = ask.patience;
        let begun = timeout(patience, self.begin(ask)).await;
        let (status, mut answer) = begun.map_err(|_| self.timed_out(patience))??;
        if (200..300).contains(&status) {
            return Ok(answer);
        }
        let body = answer.all().await?;
        match serde_json::from_slice::<Problem>(&body) {
            Ok(problem) => Err(Error::Problem(Box::new(problem))),
            Err(_) => {
                let said: String = String::from_utf8_lossy(&body).trim().chars().take(QUOTED).collect();
                Err(self.foreign(format!("{status} {said}")))
            }
        }
    }

    async fn begin(&self, ask: Ask) -> Result<(u16, Answer), Error> {
        let unreachable = |cause| Error::Unreachable { url: self.url(), cause };
        let connected = timeout(TO_CONNECT, TcpStream::connect(&self.authority)).await;
        let stream = connected.map_err(|_| self.timed_out(TO_CONNECT))?.map_err(unreachable)?;
        // A request is one small segment; waiting for more gains nothing.
        let _ = stream.set_nodelay(true);
        let broken = |cause| Error::Broken { url: self.url(), cause };
        let (mut sender, connection) = handshake(TokioIo::new(stream)).await.map_err(broken)?;
        let mut connection: Link = Box::pin(connection);
        let patience = ask.patience;
        let request = self.request(ask)?;
        let mut sending = std::pin::pin!(sender.send_request(request));
        // The connection has no end of its own while the answer is awaited: whichever is first.
        let (response, link) = tokio::select! {
            response = &mut sending => (response, Some(connection)),
            _ = &mut connection => (sending.await, None),
        };
        let (head, body) = response.map_err(broken)?.into_parts();
        Ok((head.status.as_u16(), Answer { door: self.clone(), patience, body, link, _sender: sender }))
    }

    fn request(&self, ask: Ask) -> Result<Request<Full<Bytes>>, Error> {
        let mut request = Request::builder().method(ask.method).uri(ask.path).header(HOST, &self.authority);
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, token);
        }
        if let Some(id) = ask.last_event_id {
            request = request.header("last-event-id", id);
        }
        if ask.body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let body = Full::new(ask.body.unwrap_or_default().into());
        request.body(body).map_err(|fault| Error::Address(fault.to_string()))
    }

    fn timed_out(&self, patience: Duration) -> Error {
        Error::TimedOut { url: self.url(), patience }
    }

    pub(super) fn foreign(&self, detail: String) -> Error {
        Error::Foreign { url: self.url(), detail }
    }
}

type Link = Pin<Box<dyn Future<Output = hyper::Result<()>> + Send>>;

/// An answer that is being read. Dropping it ends its connection.
pub(super) struct Answer {
    door: Door,
    patience: Duration,
    body: Incoming,
    /// What moves the bytes; `None` when it has done so.
    link: Option<Link>,
    /// Dropped, it would end the connection.
    _sender: SendRequest<Full<Bytes>>,
}

impl Answer {
    /// The next piece; `None` at the end.
    pub(super) async fn piece(&mut self) -> Result<Option<Bytes>, Error> {
        let patience = self.patience;
        let next = timeout(patience, self.frame()).await;
        next.map_err(|_| self.door.timed_out(patience))?
    }

    async fn frame(&mut self) -> Result<Option<Bytes>, Error> {
        loop {
            let frame = match &mut self.link {
                Some(link) => tokio::select! {
                    frame = self.body.frame() => frame,
                    // What it read last is still to come, and so is its fault.
                    _ = link => {
                        self.link = None;
                        continue;
                    }
                },
                None => self.body.frame().await,
            };
            match frame {
                None => return Ok(None),
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        return Ok(Some(data));
                    }
                }
                Some(Err(cause)) => return Err(Error::Broken { url: self.door.url(), cause }),
            }
        }
    }

    /// All of it.
    pub(super) async fn all(&mut self) -> Result<Vec<u8>, Error> {
        let mut all = Vec::new();
        while let Some(piece) = self.piece().await? {
            all.extend_from_slice(&piece);
            if all.len() > LONGEST_ANSWER {
                return Err(self.door.foreign(format!("it is longer than {LONGEST_ANSWER} bytes")));
            }
        }
        Ok(all)
    }

    /// All of it, as JSON; an empty one is `null`.
    pub(super) async fn json<T: DeserializeOwned>(&mut self) -> Result<T, Error> {
        let body = self.all().await?;
        let body = if body.is_empty() { &b"null"[..] } else { &body };
        serde_json::from_slice(body).map_err(|fault| self.door.foreign(fault.to_string()))
    }

    pub(super) fn foreign(&self, detail: String) -> Error {
        self.door.foreign(detail)
    }
}
