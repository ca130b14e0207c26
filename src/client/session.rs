//! The client.

use std::time::Duration;

use hyper::Method;
use hyper::body::Bytes;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::address::escaped;
use super::door::{Answer, Ask, Door};
use super::error::{Error, Unmet};
use super::events::Events;
use super::expectation::Expectation;
use super::kinds::{ExportFormat, HangUp};
use super::known::{Applied, Connection, Forgotten, Listener, Message, Outcome, Page, Sent};
use super::query::Query;
use super::spec::Spec;
use crate::api::types::Problem;
use crate::domain::format_duration;

/// How long an answer may take that waits for nothing.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long the next piece of an export may take: a filter may pass over a whole journal.
const PATIENCE_OF_EXPORTS: Duration = Duration::from_secs(300);

/// A client of one service. It is cheap to clone, and holds nothing open.
///
/// A whole test, with the service in its own process:
///
/// ```
/// use answerback::app::App;
/// use answerback::client::{Client, Expectation, Query, Spec};
/// use answerback::config::{Config, JournalSetting};
/// use std::io::{Read, Write};
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let listen = ([127, 0, 0, 1], 0).into();
/// let app = App::start(Config { listen, journal: JournalSetting::Memory, ..Config::default() }).await?;
/// let client = Client::new(&format!("http://{}", app.api_addr()), None)?;
///
/// let spec = Spec::port(0).host("127.0.0.1").encoding("utf-8").reply("ACCEPTED\n");
/// let server = client.open(spec).await?;
///
/// // The code under test.
/// let mut shop = std::net::TcpStream::connect(server.address())?;
/// shop.write_all(b"ORDER 4711\n")?;
/// let mut answer = String::new();
/// shop.read_to_string(&mut answer)?;
/// assert_eq!(answer, "ACCEPTED\n");
///
/// let order = Expectation::message(serde_json::json!({"starts_with": "ORDER "})).on(&server.id);
/// let outcome = client.expect(order).await?;
/// assert_eq!(outcome.evidence[0].text, "ORDER 4711\n");
/// let seen = client.connections(&Query::new().listener(&server.id)).await?;
/// assert_eq!(seen.items[0].peer, shop.local_addr()?);
/// client.close(&server.id, None).await?;
/// # app.shutdown();
/// # app.join().await;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Client {
    door: Door,
}

impl Client {
    /// Of the API at this address, such as `http://127.0.0.1:7070`, with this token if it asks for one. Nothing is sent
    /// yet.
    ///
    /// # Errors
    /// An address that is none, or a token that cannot be one.
    pub fn new(url: &str, token: Option<&str>) -> Result<Self, Error> {
        Door::new(url, token).map(|door| Self { door })
    }

    /// The API's address.
    pub fn url(&self) -> String {
        self.door.url()
    }

    /// Any request, with its answer as JSON or as what is made of it; an empty answer is `null`.
    ///
    /// # Errors
    /// No answer, or one that is an error.
    pub async fn ask<T: DeserializeOwned>(
        &self,
        method: &str,
        path: &str,
        query: &Query,
        body: Option<&Value>,
    ) -> Result<T, Error> {
        let method = Method::from_bytes(method.as_bytes())
            .map_err(|_| Error::Address(format!("`{method}` is no method")))?;
        let patience = PATIENCE + query.waits();
        self.answer(method, query.of(path), body, patience).await?.json().await
    }

    async fn answer(
        &self,
        method: Method,
        path: String,
        body: Option<&Value>,
        patience: Duration,
    ) -> Result<Answer, Error> {
        let body = body.map(|body| body.to_string().into_bytes());
        self.door.ask(Ask { method, path, body, last_event_id: None, patience }).await
    }

    async fn get<T: DeserializeOwned>(&self, path: &str, query: &Query) -> Result<T, Error> {
        self.ask("GET", path, query, None).await
    }

    /// Opens a port. It accepts clients before this returns.
    ///
    /// # Errors
    /// No answer, or why it cannot be.
    pub async fn open(&self, spec: impl Into<Spec>) -> Result<Listener, Error> {
        self.ask("POST", "/listeners", &Query::new(), Some(&spec.into().into_json())).await
    }

    /// Makes the listener of this name as the spec says, whether or not it is there.
    ///
    /// # Errors
    /// No answer, or why it cannot be.
    pub async fn put(&self, name: &str, spec: impl Into<Spec>) -> Result<Listener, Error> {
        self.ask("PUT", &listener(name), &Query::new(), Some(&spec.into().into_json())).await
    }

    /// Changes a listener, by id or name, by a JSON Merge Patch of its spec.
    ///
    /// # Errors
    /// No answer, or why it cannot be.
    pub async fn change(&self, key: &str, patch: &Value) -> Result<Listener, Error> {
        self.ask("PATCH", &listener(key), &Query::new(), Some(patch)).await
    }

    /// All listeners.
    ///
    /// # Errors
    /// No answer, or one that is an error.
    pub async fn listeners(&self) -> Result<Vec<Listener>, Error> {
        self.get("/listeners", &Query::new()).await.map(|page: Page<Listener>| page.items)
    }

    /// One listener, by id or name.
    ///
    /// # Errors
    /// No answer, or one that is an error.
    pub async fn listener(&self, key: &str) -> Result<Listener, Error> {
        self.get(&listener(key), &Query::new()).await
    }

    /// Closes a port: when this returns, it is free, and its clients are gone. With `drain` they may finish first.
    ///
    /// # Errors
    /// No answer, or one that is an error.
    pub async fn close(&self, key: &str, drain: Option<Duration>) -> Result<(), Error> {
        let query = drain.map(|time| Query::new().with("drain", format_duration(time))).unwrap_or_default();
        let patience = PATIENCE + drain.unwrap_or_default();
        let answer = self.answer(Method::DELETE, query.of(&listener(key)), None, patience).await;
        answer.map(|_| ())
    }

    /// Connections, the newest first.
    ///
    /// # Errors
    /// No answer, or one that is an error.
    pub async fn connections(&self, query: &Query) -> Result<Page<Connection>, Error> {
        self.get("/connections", query).await
    }

    /// One connection, with the first of its messages.
    ///
    /// # Errors
    /// No answer, or one that is an error.
    pub async fn connection(&self, id: &str) -> Result<Connection, Error> {
        self.get(&connection(id), &Query::new()).await
    }

    /// Messages of all connections, the oldest first.
    ///
    /// # Errors
    /// No answer, or one that is an error.
    pub async fn messages(&self, query: &Query) -> Result<Page<Message>, Error> {
        self.get("/messages", query).await
    }

    /// Messages of one connection, the oldest first.
    ///
    /// # Errors
    /// No answer, or one that is an error.
    pub async fn messages_of(&self, id: &str, query: &Query) -> Result<Page<Message>, Error> {
        self.get(&format!("{}/messages", connection(id)), query).await
    }

    /// Sends to a client that is connected: a text, or any reply of the API but echo, such as `json!({"hex": "06"})`.
    ///
    /// # Errors
    /// No answer, or why it cannot be.
    pub async fn send(&self, id: &str, message: impl Into<Value>) -> Result<Sent, Error> {
        let path = format!("{}/send", connection(id));
        self.ask("POST", &path, &Query::new(), Some(&message.into())).await
    }

    /// Hangs up on a client.
    ///
    /// # Errors
    /// No answer, or why it cannot be.
    pub async fn hang_up(&self, id: &str, how: HangUp) -> Result<(), Error> {
        let path = format!("{}/close", connection(id));
        let body = json!({"how": how.as_str()});
        self.ask("POST", &path, &Query::new(), Some(&body)).await.map(|_: Value| ())
    }

    /// Waits until it has happened.
    ///
    /// # Errors
    /// [`Error::Unmet`] when it has not, with what came nearest; or no answer, or another error.
    pub async fn expect(&self, expectation: impl Into<Expectation>) -> Result<Outcome, Error> {
        let expectation = expectation.into();
        let patience = PATIENCE + expectation.waits();
        let asked = self.answer(Method::POST, "/expect".to_owned(), Some(expectation.json()), patience);
        match asked.await {
            Ok(mut answer) => answer.json().await,
            Err(Error::Problem(problem)) => Err(self.unmet(*problem)),
            Err(fault) => Err(fault),
        }
    }

    /// The same as the API tells it: whether it was met, and the outcome.
    ///
    /// # Errors
    /// No answer, or one that is another error.
    pub(crate) async fn expect_json(&self, expectation: Expectation) -> Result<(bool, Value), Error> {
        let patience = PATIENCE + expectation.waits();
        let asked = self.answer(Method::POST, "/expect".to_owned(), Some(expectation.json()), patience);
        match asked.await {
            Ok(mut answer) => Ok((true, answer.json().await?)),
            Err(Error::Problem(mut problem)) => match problem.expectation.take() {
                Some(outcome) => Ok((false, outcome)),
                None => Err(Error::Problem(problem)),
            },
            Err(fault) => Err(fault),
        }
    }

    /// A problem with what came of an expectation is that it was not met.
    fn unmet(&self, mut problem: Problem) -> Error {
        match problem.expectation.take().map(serde_json::from_value) {
            Some(Ok(outcome)) => Error::Unmet(Box::new(Unmet { detail: problem.detail, outcome })),
            Some(Err(fault)) => self.door.foreign(fault.to_string()),
            None => Error::Problem(Box::new(problem)),
        }
    }

    /// Forgets the connections of a query, but for those that are open.
    ///
    /// # Errors
    /// No answer, or one that is an error.
    pub async fn forget(&self, query: &Query) -> Result<Forgotten, Error> {
        self.ask("DELETE", "/connections", query, None).await
    }

    /// All listeners as one document.
    ///
    /// # Errors
    /// No answer, or one that is an error.
    pub async fn config(&self) -> Result<Value, Error> {
        self.get("/config", &Query::new()).await
    }

    /// Makes all listeners of a document so; with `prune` it closes those that it does not name.
    ///
    /// # Errors
    /// No answer, or why it cannot be: nothing is changed then.
    pub async fn apply(&self, document: &Value, prune: bool) -> Result<Applied, Error> {
        let query = if prune { Query::new().with("prune", "true") } else { Query::new() };
        self.ask("PUT", "/config", &query, Some(document)).await
    }

    /// Closes all listeners and forgets all records.
    ///
    /// # Errors
    /// No answer, or one that is an error.
    pub async fn reset(&self) -> Result<(), Error> {
        self.ask("POST", "/reset", &Query::new(), None).await
    }

    /// Whether the service can do its work.
    ///
    /// # Errors
    /// No answer, or why it cannot.
    pub async fn ready(&self) -> Result<(), Error> {
        self.get("/readyz", &Query::new()).await.map(|_: Value| ())
    }

    /// Records to take away, piece by piece, however much there is.
    ///
    /// # Errors
    /// No answer, or one that is an error.
    pub async fn export(&self, format: ExportFormat, query: &Query) -> Result<Download, Error> {
        let path = query.clone().with("format", format.as_str()).of("/export");
        self.answer(Method::GET, path, None, PATIENCE_OF_EXPORTS).await.map(Download)
    }

    /// What happens from now on, or behind `after`.
    ///
    /// # Errors
    /// No answer, or one that is an error.
    pub async fn events(&self, query: &Query, after: Option<&str>) -> Result<Events, Error> {
        Events::follow(&self.door, query, after.map(str::to_owned)).await
    }
}

/// Bytes that are on their way. Dropping it ends that.
pub struct Download(Answer);

impl Download {
    /// The next piece; `None` at the end.
    ///
    /// # Errors
    /// The connection broke, or nothing came for too long: what came before is not all.
    pub async fn piece(&mut self) -> Result<Option<Bytes>, Error> {
        self.0.piece().await
    }
}

fn listener(key: &str) -> String {
    format!("/listeners/{}", escaped(key))
}

fn connection(id: &str) -> String {
    format!("/connections/{}", escaped(id))
}
