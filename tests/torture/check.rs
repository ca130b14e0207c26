//! What is on record, compared with what the clients noted.

use std::collections::{BTreeMap, HashSet};

use anyhow::{Context, Result};
use data_encoding::BASE64;
use serde_json::Value;

use crate::content::Id;
use crate::http::Api;
use crate::load::Notes;

/// Faults that are told one by one; more of them say nothing new.
const TOLD: usize = 12;

/// What was found over all runs.
#[derive(Default)]
pub(crate) struct Findings {
    pub(crate) deaths: u32,
    /// Messages and streams of which something was answered.
    pub(crate) answered: u64,
    /// Of these, those of which something that was answered is not on record.
    pub(crate) lost: u64,
    /// The first of these.
    pub(crate) losses: Vec<String>,
    /// On record without an answer: the service died in between.
    pub(crate) unanswered: u64,
    pub(crate) bytes: u64,
    /// The longest that it took to be ready again, in milliseconds.
    pub(crate) slowest_start: u128,
    /// What must not be, even where losses are expected.
    pub(crate) faults: Vec<String>,
}

impl Findings {
    pub(crate) fn summary(&self) -> String {
        format!(
            "{} deaths, {} answered ({} bytes checked), {} lost, {} on record unanswered, ready again within {} ms",
            self.deaths, self.answered, self.bytes, self.lost, self.unanswered, self.slowest_start
        )
    }

    fn lost(&mut self, what: String) {
        self.lost += 1;
        if self.losses.len() < TOLD {
            self.losses.push(what);
        }
    }

    fn fault(&mut self, what: String) {
        if self.faults.len() < TOLD {
            self.faults.push(what);
        }
    }
}

/// How far the records of one directory were checked.
#[derive(Default)]
pub(crate) struct Checked {
    messages: Option<String>,
    connections: Option<String>,
}

impl Checked {
    /// Reads what came since the last time, and judges it by the notes of that time.
    pub(crate) fn go_on(&mut self, api: &mut Api, notes: &Notes, findings: &mut Findings) -> Result<()> {
        let open = api.json("GET", "/connections?state=open&limit=1", "")?;
        if !open["items"].as_array().is_some_and(Vec::is_empty) {
            findings.fault(format!("a connection is open that nobody has: {open}"));
        }
        self.messages(api, notes, findings)?;
        self.streams(api, notes, findings)
    }

    fn messages(&mut self, api: &mut Api, notes: &Notes, findings: &mut Findings) -> Result<()> {
        let mut found = HashSet::new();
        let path = "/messages?listener=oneshot&direction=received&limit=1000&payload=base64";
        pages(api, path, &mut self.messages, |message| {
            let text = message["base64"].as_str().context("a message has its bytes")?;
            let bytes = BASE64.decode(text.as_bytes())?;
            let Some(id) = Id::of(&bytes).filter(|id| notes.messages.contains_key(id)) else {
                findings.fault(format!("nobody sent what is on record: {message}"));
                return Ok(());
            };
            if bytes != id.bytes(0, id.message_len()) {
                findings.fault(format!("{id:?} was altered"));
            }
            if !found.insert(id) {
                findings.fault(format!("{id:?} is on record twice"));
            }
            findings.bytes += bytes.len() as u64;
            Ok(())
        })?;
        for (id, answered) in &notes.messages {
            let is_there = found.contains(id);
            findings.answered += u64::from(*answered);
            if *answered && !is_there {
                findings.lost(format!("{id:?}, answered, is not on record"));
            }
            findings.unanswered += u64::from(!answered && is_there);
        }
        Ok(())
    }

    fn streams(&mut self, api: &mut Api, notes: &Notes, findings: &mut Findings) -> Result<()> {
        let mut connections = Vec::new();
        pages(
            api,
            "/connections?listener=echo&limit=500&payload=none",
            &mut self.connections,
            |connection| {
                connections.push(connection["id"].as_str().context("a connection has an id")?.to_owned());
                Ok(())
            },
        )?;
        let mut found: BTreeMap<Id, u64> = BTreeMap::new();
        for connection in connections {
            let mut read = |direction: &str| -> Result<Vec<u8>> {
                let path = format!("/connections/{connection}/payload?direction={direction}");
                Ok(api.call("GET", &path, "")?.body)
            };
            let (received, sent) = (read("received")?, read("sent")?);
            // Nothing was received: a head arrives as one piece.
            if received.is_empty() {
                continue;
            }
            let Some(id) = Id::of(&received) else {
                findings.fault(format!("a stream begins like none that was sent: {received:02x?}"));
                continue;
            };
            let Some(noted) = notes.streams.get(&id) else {
                findings.fault(format!("nobody sent the stream {id:?}"));
                continue;
            };
            let kept = received.len() as u64;
            if kept > noted.sent || received != id.bytes(0, received.len()) {
                findings.fault(format!("{id:?} was altered: {kept} bytes on record, {} sent", noted.sent));
            }
            if sent != id.bytes(0, sent.len()) || sent.len() > received.len() {
                findings.fault(format!("the echo of {id:?} is on record as something else"));
            }
            findings.bytes += kept + sent.len() as u64;
            if found.insert(id, kept.min(sent.len() as u64)).is_some() {
                findings.fault(format!("{id:?} is on record twice"));
            }
        }
        for (id, noted) in &notes.streams {
            let kept = found.get(id).copied().unwrap_or(0);
            findings.answered += u64::from(noted.answered > 0);
            if kept < noted.answered {
                findings.lost(format!("{id:?}: {kept} bytes on record, {} answered", noted.answered));
            }
            findings.unanswered += u64::from(kept > noted.answered);
        }
        Ok(())
    }
}

/// Goes through a list from where it was left, to its end.
fn pages(
    api: &mut Api,
    path: &str,
    cursor: &mut Option<String>,
    mut each: impl FnMut(&Value) -> Result<()>,
) -> Result<()> {
    loop {
        let after = cursor.as_deref().unwrap_or("start");
        // With a wait a page says where to go on even when it is the last.
        let page = api.json("GET", &format!("{path}&order=asc&wait=1ms&after={after}"), "")?;
        anyhow::ensure!(page["evicted_before"].is_null(), "records were evicted: {}", page["evicted_before"]);
        let items = page["items"].as_array().context("a page has items")?;
        for item in items {
            each(item)?;
        }
        *cursor = Some(page["next"].as_str().context("a page says where to go on")?.to_owned());
        if items.is_empty() {
            return Ok(());
        }
    }
}
