//! A journal is filled.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use answerback::domain::{
    Charset, CloseReason, ClosedBy, Closing, Connection, ConnectionId, Direction, Durability, IdSource,
    ListenerRef, Message, SystemClock, Tally, Timestamp,
};
use answerback::store::{DATABASE, Journal, Position, Record, SqliteJournal, SqliteOptions, Urgency};
use anyhow::{Context, Result};
use bytes::Bytes;

/// Clients that are connected throughout.
const STAYING: usize = 10;

/// After so many one-shot clients one of them says something.
const EVERY: u64 = 100;

/// Clients whose records are written together.
const TOGETHER: u64 = 256;

/// The beginning of time in this journal, in microseconds since 1970: a day of 2026.
const BEGIN: i64 = 1_790_000_000_000_000;

/// What was written.
pub(crate) struct Filled {
    pub(crate) messages: u64,
    /// Connections of one-shot clients.
    pub(crate) clients: u64,
    /// One that was connected throughout, and how many messages it has.
    pub(crate) staying: (ConnectionId, u64),
}

/// The message of a one-shot client.
pub(crate) fn payload(number: u64) -> Bytes {
    format!("unit {:05} temp={:<6} status=ok serial {number:016x}    \r\n", number % 99_991, number % 3_571)
        .into()
}

struct Writer {
    ids: IdSource,
    listener: Arc<ListenerRef>,
    records: Vec<Record>,
    reply: Bytes,
    /// Records so far: the microsecond of the next.
    at: i64,
}

impl Writer {
    fn now(&mut self) -> Timestamp {
        self.at += 1;
        Timestamp::from_micros(BEGIN + self.at)
    }

    fn open(&mut self, number: u64) -> ConnectionId {
        let at = self.now();
        let id = self.ids.connection(at);
        let ip = Ipv4Addr::from(0x0a00_0000 + u32::try_from(number % 250_000).unwrap_or(0));
        let connection = Connection {
            id,
            listener: Arc::clone(&self.listener),
            peer: SocketAddr::from((ip, 40_000)),
            local: SocketAddr::from((Ipv4Addr::LOCALHOST, 9_000)),
            opened_at: at,
        };
        self.records.push(Record::Opened(Box::new(connection)));
        id
    }

    fn exchange(&mut self, id: ConnectionId, tally: &mut Tally, payload: Bytes) {
        let at = self.now();
        let seq = tally.messages + 1;
        let message = |direction, offset, payload: Bytes| {
            let size = payload.len() as u64;
            let charset = Charset::Fixed(encoding_rs::UTF_8);
            let (connection, sha256, note) = (id, None, None);
            Record::Message(Message {
                connection,
                direction,
                seq,
                offset,
                at,
                size,
                payload,
                sha256,
                charset,
                note,
            })
        };
        let reply = self.reply.clone();
        let answered = reply.len() as u64 * tally.messages;
        tally.messages += 1;
        let offset = tally.bytes;
        tally.bytes += payload.len() as u64;
        self.records.push(message(Direction::Received, offset, payload));
        self.records.push(message(Direction::Sent, answered, reply));
    }

    fn close(&mut self, connection: ConnectionId) {
        let closing = Closing { at: self.now(), by: ClosedBy::Endpoint, reason: CloseReason::Replied };
        self.records.push(Record::Closed { connection, closing });
    }
}

/// Writes so many messages into a new journal in `directory`.
pub(crate) fn fill(directory: &Path, messages: u64) -> Result<Filled> {
    let options = SqliteOptions {
        directory: directory.to_owned(),
        durability: Durability::Process,
        retain_bytes: 1 << 40,
        retain_messages: None,
        retain_age: None,
        min_free_disk: 0,
        first: Position(1),
    };
    let journal = SqliteJournal::open(&options, Arc::new(SystemClock))?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let ids = IdSource::new(1);
    let listener = Arc::new(ListenerRef { id: ids.listener(Timestamp::from_micros(BEGIN)), name: None });
    let reply = Bytes::from_static("问题正在处理中...".as_bytes());
    let mut writer = Writer { ids, listener, records: Vec::new(), reply, at: 0 };
    let staying: Vec<ConnectionId> = (0..STAYING).map(|_| writer.open(1)).collect();
    let mut tallies = [Tally::default(); STAYING];
    let (began, mut written, mut clients) = (Instant::now(), 0, 0);
    let mut pending = Vec::new();
    while written < messages {
        let id = writer.open(clients);
        writer.exchange(id, &mut Tally::default(), payload(clients));
        writer.close(id);
        clients += 1;
        written += 2;
        if clients % EVERY == 0 {
            let who = (clients / EVERY) as usize % STAYING;
            writer.exchange(staying[who], &mut tallies[who], Bytes::from_static(b"still here\n"));
            written += 2;
        }
        if clients % TOGETHER == 0 {
            pending.push(journal.append(std::mem::take(&mut writer.records), Urgency::Now));
            // Two batches under way: one is written while the next is made.
            if pending.len() > 2 {
                runtime.block_on(pending.remove(0))?;
            }
        }
    }
    pending.push(journal.append(writer.records, Urgency::Now));
    for commit in pending {
        runtime.block_on(commit)?;
    }
    let elapsed = began.elapsed();
    let counted = journal.status().bytes;
    runtime.block_on(journal.close())?;
    let size = fs::metadata(directory.join(DATABASE)).context("the database")?.len();
    println!(
        "{written} messages of {clients} clients written in {:.1} s: {:.0} a second\n\
         the file has {:.1} MiB, {:.1} bytes a message; counted towards --retain-bytes: {:.1} MiB",
        elapsed.as_secs_f64(),
        written as f64 / elapsed.as_secs_f64(),
        size as f64 / f64::from(1 << 20),
        size as f64 / written as f64,
        counted as f64 / f64::from(1 << 20),
    );
    Ok(Filled { messages: written, clients, staying: (staying[1], 2 * tallies[1].messages) })
}
