//! A whole service for one test.

use std::net::SocketAddr;
use std::sync::Arc;

use answerback::app::{App, StartError};
use answerback::config::Config;
use answerback::store::Journal;
use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::http::{Answer, send};
use super::peer::Peer;

/// A running service. Dropping it ends it.
pub(crate) struct TestApp {
    pub(crate) api: SocketAddr,
    app: Option<App>,
    /// Where its journal is, for as long as it runs.
    _home: Option<TempDir>,
}

impl TestApp {
    /// A service with all defaults, on a port of the kernel's choice.
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| ()).await
    }

    /// A service with changed settings.
    pub(crate) async fn start_with(change: impl FnOnce(&mut Config)) -> Self {
        let home = tempfile::tempdir().unwrap();
        let app = App::start(config(&home, change)).await.unwrap();
        Self { api: app.api_addr(), app: Some(app), _home: Some(home) }
    }

    /// A service with changed settings over a journal that is there already, or why it cannot be.
    pub(crate) async fn start_over(
        journal: Arc<dyn Journal>,
        change: impl FnOnce(&mut Config),
    ) -> Result<Self, StartError> {
        let home = tempfile::tempdir().unwrap();
        let app = App::start_over(config(&home, change), journal).await?;
        Ok(Self { api: app.api_addr(), app: Some(app), _home: Some(home) })
    }

    /// The same door to a service that somebody else has started, and ends.
    pub(crate) const fn at(api: SocketAddr) -> Self {
        Self { api, app: None, _home: None }
    }

    /// Every route of the API.
    pub(crate) fn routes(&self) -> &[(&'static str, &'static str)] {
        self.app.as_ref().map(App::routes).unwrap_or_default()
    }

    /// The endpoints of its settings.
    pub(crate) fn endpoints(&self) -> &[SocketAddr] {
        self.app.as_ref().map(App::endpoints).unwrap_or_default()
    }

    /// Begins to stop.
    pub(crate) fn shutdown(&self) {
        self.app.as_ref().unwrap().shutdown();
    }

    /// Stops, and waits for the end.
    pub(crate) async fn stop(mut self) {
        let app = self.app.take().unwrap();
        app.shutdown();
        app.join().await;
    }

    /// A request with these headers and this body.
    pub(crate) async fn request(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        send(self.api, request.body(Full::new(body.into())).unwrap()).await
    }

    /// `GET`.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.request("GET", path, &[], "").await
    }

    /// `DELETE`.
    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.request("DELETE", path, &[], "").await
    }

    /// A method with a JSON body.
    pub(crate) async fn json(&self, method: &str, path: &str, body: &Value) -> Answer {
        self.request(method, path, &[("content-type", "application/json")], body.to_string()).await
    }

    /// Opens a listener on loopback, on a port of the kernel's choice unless `spec` says otherwise.
    pub(crate) async fn open(&self, mut spec: Value) -> Value {
        let members = spec.as_object_mut().unwrap();
        members.entry("port").or_insert(json!(0));
        members.entry("host").or_insert(json!("127.0.0.1"));
        self.json("POST", "/listeners", &spec).await.expect(201).json()
    }

    /// A client on a listener that `open` returned.
    pub(crate) async fn connect(&self, listener: &Value) -> Peer {
        Peer::connect(address(listener)).await
    }

    /// All connections of a listener, oldest first.
    pub(crate) async fn connections(&self, listener: &Value) -> Vec<Value> {
        let path = format!("/connections?order=asc&listener={}", listener["id"].as_str().unwrap());
        let list = self.get(&path).await.expect(200).json();
        list["items"].as_array().unwrap().clone()
    }

    /// The listener's only connection, once it has ended.
    pub(crate) async fn only_closed_connection(&self, listener: &Value) -> Value {
        let id = listener["id"].as_str().unwrap();
        let path = format!("/connections?listener={id}&state=closed&after=start&wait=20s");
        let list = self.get(&path).await.expect(200).json();
        let items = list["items"].as_array().unwrap();
        assert_eq!(items.len(), 1, "one ended connection: {list}");
        items[0].clone()
    }
}

/// The defaults, but for the addresses and the place of its files: tests run side by side.
fn config(home: &TempDir, change: impl FnOnce(&mut Config)) -> Config {
    let listen = SocketAddr::from(([127, 0, 0, 1], 0));
    let mut config = Config { listen, data_dir: home.path().join("data"), ..Config::default() };
    change(&mut config);
    config
}

/// Where a client reaches a listener.
pub(crate) fn address(listener: &Value) -> SocketAddr {
    let port = u16::try_from(listener["port"].as_u64().unwrap()).unwrap();
    let host = listener["host"].as_str().unwrap().parse().unwrap();
    SocketAddr::new(host, port)
}

impl Drop for TestApp {
    fn drop(&mut self) {
        if let Some(app) = &self.app {
            app.shutdown();
        }
    }
}
