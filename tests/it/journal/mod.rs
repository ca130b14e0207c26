//! The journal on disk, as somebody meets it who runs the service: what goes, what cannot be used, what comes back.

mod followed;
mod old;
mod retention;
mod search;
mod unusable;
mod volume;

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Ended, Launch, Service};

/// A data directory that outlives the services in it.
struct Home(TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn directory(&self) -> PathBuf {
        self.0.path().join("data")
    }

    fn database(&self) -> PathBuf {
        self.directory().join("answerback.db")
    }

    async fn start(&self, args: &[&str]) -> Service {
        Launch::serve(&with(&self.directory(), args)).start().await
    }

    /// It does not start: how it ends.
    async fn start_in_vain(&self) -> Ended {
        Launch::serve(&with(&self.directory(), &[])).end().await
    }
}

fn with<'a>(directory: &'a Path, args: &[&'a str]) -> Vec<&'a str> {
    ["--data-dir", directory.to_str().unwrap()].iter().chain(args).copied().collect()
}

/// An endpoint that says back what it was sent, in UTF-8.
async fn echo(service: &Service) -> Value {
    service.open(json!({"encoding": "utf-8", "reply": {"echo": true}})).await
}

/// Sends each of these as a message of one connection, and waits for each to come back.
async fn say<'a>(service: &Service, listener: &Value, texts: impl IntoIterator<Item = &'a str>) {
    let mut peer = service.connect(listener).await;
    for text in texts {
        peer.send(text).await;
        assert_eq!(peer.read(text.len()).await, text.as_bytes());
    }
    peer.finish_sending().await;
    peer.read_to_end().await;
}

/// What was received, the oldest first.
async fn received(service: &Service) -> Vec<String> {
    let list = service.get("/messages?direction=received&limit=1000").await.expect(200).json();
    let items = list["items"].as_array().unwrap().iter();
    items.map(|message| message["text"].as_str().unwrap().to_owned()).collect()
}
