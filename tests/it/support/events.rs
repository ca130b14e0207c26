//! A reader of the event stream that can be cut off and come again.

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::app::TestApp;
use super::contract::Contract;
use super::peer::PATIENCE;

/// An event as a browser would have it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Event {
    pub(crate) name: String,
    pub(crate) id: Option<String>,
    pub(crate) data: Value,
}

/// The stream. Dropping it cuts it off.
pub(crate) struct Events {
    response: Response<Incoming>,
    connection: tokio::task::JoinHandle<hyper::Result<()>>,
    read: Vec<u8>,
    /// As a browser keeps it.
    pub(crate) last_id: Option<String>,
}

impl Events {
    /// Follows `query`, behind the last event id if there is one.
    pub(crate) async fn follow(app: &TestApp, query: &str, last_id: Option<&str>) -> Self {
        let stream = TcpStream::connect(app.api).await.unwrap();
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        let connection = tokio::spawn(connection);
        let mut request = Request::get(format!("/events{query}")).header("host", app.api.to_string());
        if let Some(id) = last_id {
            request = request.header("last-event-id", id);
        }
        let response = sender.send_request(request.body(Empty::<Bytes>::new()).unwrap()).await.unwrap();
        assert_eq!(response.status(), 200, "{query}");
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { response, connection, read: Vec::new(), last_id: last_id.map(str::to_owned) }
    }

    /// The next event; `None` at the end of the stream.
    pub(crate) async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(end) = self.read.windows(2).position(|two| two == b"\n\n") {
                let block: Vec<u8> = self.read.drain(..end + 2).collect();
                if let Some(event) = self.event(std::str::from_utf8(&block).unwrap()) {
                    return Some(event);
                }
                continue;
            }
            let frame = timeout(PATIENCE, self.response.body_mut().frame()).await.expect("an event in time");
            let data = frame?.unwrap().into_data().unwrap();
            self.read.extend_from_slice(&data);
        }
    }

    /// The next event of this name, whatever comes before it.
    pub(crate) async fn next_named(&mut self, name: &str) -> Event {
        loop {
            let event = self.next().await.expect("the stream goes on");
            if event.name == name {
                return event;
            }
        }
    }

    fn event(&mut self, block: &str) -> Option<Event> {
        let (mut name, mut id, mut data) = (None, None, None);
        for line in block.lines().filter(|line| !line.starts_with(':') && !line.is_empty()) {
            let (field, value) = line.split_once(": ").unwrap();
            match field {
                "event" => name = Some(value.to_owned()),
                "id" => id = Some(value.to_owned()),
                "data" => data = Some(serde_json::from_str::<Value>(value).unwrap()),
                other => panic!("no field {other} is expected"),
            }
        }
        self.last_id = id.clone().or(self.last_id.take());
        let event = Event { name: name?, id, data: data? };
        let schema = match event.name.as_str() {
            "opened" | "closed" => "Connection",
            "message" => "Message",
            "listener" => "Listener",
            _ => return Some(event),
        };
        Contract::get().check_schema(schema, &event.data);
        Some(event)
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        self.connection.abort();
    }
}
