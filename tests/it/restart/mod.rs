//! A service that is stopped, and started over the same journal.
//!
//! Each test has an address of its own: between two lives of a service, a port that is free must not go to a client or a
//! listener of another test.

mod back;
mod failed;
mod open;
mod refused;

use std::net::SocketAddr;
use std::sync::Arc;

use answerback::app::StartError;
use answerback::config::Config;
use answerback::domain::{ListenerId, Timestamp};
use answerback::store::{Journal, ListenerRecord};
use serde_json::{Value, json};

use crate::support::{Moody, Peer, TestApp, address};

/// A journal, and the address of those who are started over it.
struct World {
    journal: Arc<Moody>,
    host: &'static str,
}

impl World {
    fn new(host: &'static str) -> Self {
        Self { journal: Arc::default(), host }
    }

    async fn start(&self) -> TestApp {
        self.start_with(|_| ()).await
    }

    async fn start_with(&self, change: impl FnOnce(&mut Config)) -> TestApp {
        self.try_start(change).await.unwrap()
    }

    async fn try_start(&self, change: impl FnOnce(&mut Config)) -> Result<TestApp, StartError> {
        TestApp::start_over(Arc::clone(&self.journal) as Arc<dyn Journal>, change).await
    }

    async fn restart(&self, app: TestApp) -> TestApp {
        app.stop().await;
        self.start().await
    }

    /// Opens a listener on the address of this test.
    async fn open(&self, app: &TestApp, mut spec: Value) -> Value {
        spec["host"] = json!(self.host);
        app.open(spec).await
    }

    /// An address of this test that `--open` can be given.
    fn endpoint(&self, port: u16) -> SocketAddr {
        SocketAddr::new(self.host.parse().unwrap(), port)
    }

    /// What the journal keeps of a listener.
    async fn kept(&self, listener: &Value) -> Option<ListenerRecord> {
        let id = ListenerId::parse(listener["id"].as_str().unwrap());
        self.journal.listeners().await.unwrap().into_iter().find(|record| Some(record.id) == id)
    }

    /// As if the listener had been opened so many seconds earlier.
    async fn age(&self, listener: &Value, seconds: i64) {
        let mut record = self.kept(listener).await.unwrap();
        record.opened_at = Timestamp::from_micros(record.opened_at.as_micros() - seconds * 1_000_000);
        self.journal.keep(record).await;
    }
}

async fn listed(app: &TestApp) -> Vec<Value> {
    app.get("/listeners").await.expect(200).json()["items"].as_array().unwrap().clone()
}

async fn show(app: &TestApp, listener: &Value) -> Value {
    app.get(&format!("/listeners/{}", listener["id"].as_str().unwrap())).await.expect(200).json()
}

/// The listener once it is in this state.
async fn once(app: &TestApp, listener: &Value, state: &str) -> Value {
    loop {
        let now = show(app, listener).await;
        if now["state"] == state {
            return now;
        }
        tokio::task::yield_now().await;
    }
}

/// A client asks and is answered to the end.
async fn ask(listener: &Value) -> Vec<u8> {
    let mut peer = Peer::connect(address(listener)).await;
    peer.send("x").await;
    peer.read_to_end().await.0
}
