//! Clients that send until they cannot, and note what was answered.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::content::{Dice, HEAD, Id};

/// What an endpoint answers by default: `问题正在处理中...` in GBK.
const STANDARD_REPLY: [u8; 17] =
    [0xce, 0xca, 0xcc, 0xe2, 0xd5, 0xfd, 0xd4, 0xda, 0xb4, 0xa6, 0xc0, 0xed, 0xd6, 0xd0, 0x2e, 0x2e, 0x2e];

/// How long a client waits before it gives an answer up.
const PATIENCE: Duration = Duration::from_secs(20);

/// What the clients of one run sent, and what was answered.
#[derive(Default)]
pub(crate) struct Notes {
    /// Messages sent to the endpoint that answers once: whether the answer came, all of it.
    pub(crate) messages: HashMap<Id, bool>,
    /// Streams sent to the echo.
    pub(crate) streams: HashMap<Id, Stream>,
}

/// A stream: bytes that may have left, and bytes that came back.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Stream {
    pub(crate) sent: u64,
    pub(crate) answered: u64,
}

/// What all clients are told.
#[derive(Default)]
struct Orders {
    /// Nothing new is begun.
    stop: AtomicBool,
    /// What is answered from now on is noted as unanswered.
    discount: AtomicBool,
}

/// Clients at work.
pub(crate) struct Load {
    orders: Arc<Orders>,
    clients: Vec<JoinHandle<Notes>>,
}

impl Load {
    /// Sends clients to both endpoints: three of four to the one that answers once.
    pub(crate) fn start(oneshot: SocketAddr, echo: SocketAddr, run: u32, clients: u32, seed: u64) -> Self {
        let orders = Arc::new(Orders::default());
        let client = |client: u32| {
            let (orders, dice) =
                (Arc::clone(&orders), Dice::new(seed ^ u64::from(run) << 32 ^ u64::from(client)));
            let first = Id { run, client, number: 0 };
            thread::spawn(move || match client % 4 {
                0 => send_streams(echo, first, dice, &orders),
                _ => send_messages(oneshot, first, &orders),
            })
        };
        Self { clients: (0..clients).map(client).collect(), orders }
    }

    /// From now on no client begins anything new.
    pub(crate) fn stop(&self) {
        self.orders.stop.store(true, SeqCst);
    }

    /// From now on what is answered does not count: who says that it was answered may be wrong about it.
    pub(crate) fn discount(&self) {
        self.orders.discount.store(true, SeqCst);
    }

    /// What they noted, when all of them have ended: the service is dead, or answered them.
    pub(crate) fn notes(self) -> Notes {
        let mut all = Notes::default();
        for client in self.clients {
            let notes = client.join().unwrap_or_default();
            all.messages.extend(notes.messages);
            all.streams.extend(notes.streams);
        }
        all
    }
}

fn send_messages(endpoint: SocketAddr, mut id: Id, orders: &Orders) -> Notes {
    let mut notes = Notes::default();
    while !orders.stop.load(SeqCst) {
        id.number += 1;
        if let Some(answered) = send_message(endpoint, id) {
            notes.messages.insert(id, answered && !orders.discount.load(SeqCst));
        }
    }
    notes
}

/// Whether the answer came; `None` when nothing was sent.
pub(crate) fn send_message(endpoint: SocketAddr, id: Id) -> Option<bool> {
    let mut stream = TcpStream::connect_timeout(&endpoint, PATIENCE).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    if stream.write_all(&id.bytes(0, id.message_len())).is_err() {
        return Some(false);
    }
    let mut reply = [0; STANDARD_REPLY.len()];
    Some(stream.read_exact(&mut reply).is_ok() && reply == STANDARD_REPLY)
}

fn send_streams(endpoint: SocketAddr, mut id: Id, mut dice: Dice, orders: &Arc<Orders>) -> Notes {
    let mut notes = Notes::default();
    while !orders.stop.load(SeqCst) {
        id.number += 1;
        let Ok(stream) = TcpStream::connect_timeout(&endpoint, PATIENCE) else { continue };
        if let Some(seen) = send_stream(&stream, id, dice.roll(HEAD as u64, 1 << 20), &mut dice, orders) {
            notes.streams.insert(id, seen);
        }
    }
    notes
}

/// Sends a stream in pieces of random sizes without waiting for what comes back, which another thread reads.
fn send_stream(
    stream: &TcpStream,
    id: Id,
    len: u64,
    dice: &mut Dice,
    orders: &Arc<Orders>,
) -> Option<Stream> {
    for side in [TcpStream::set_read_timeout, TcpStream::set_write_timeout] {
        side(stream, Some(PATIENCE)).ok()?;
    }
    let mut back = stream.try_clone().ok()?;
    let answered = Arc::new(AtomicU64::new(0));
    let (seen, told) = (Arc::clone(&answered), Arc::clone(orders));
    let reader = thread::spawn(move || {
        let mut buffer = vec![0; 64 << 10];
        let mut at = 0;
        while let Ok(n @ 1..) = back.read(&mut buffer) {
            // What comes back wrong was not answered, and is seen to be missing.
            if buffer.get(..n) != Some(&id.bytes(at, n)) {
                return;
            }
            at += n as u64;
            if !told.discount.load(SeqCst) {
                seen.store(at, SeqCst);
            }
        }
    });
    let mut sent = 0;
    let mut out = stream;
    while sent < len && !orders.stop.load(SeqCst) {
        // Small ones as often as large ones, up to 64 KiB.
        let most = 16 << dice.roll(0, 13);
        // The first piece says whose stream it is: a death right behind it leaves a record that can be told.
        let least = if sent == 0 { HEAD as u64 } else { 1 };
        let piece = usize::try_from(dice.roll(1, most).max(least).min(len - sent)).unwrap_or(1);
        let bytes = id.bytes(sent, piece);
        sent += piece as u64;
        if out.write_all(&bytes).is_err() {
            break;
        }
    }
    let _ = stream.shutdown(Shutdown::Write);
    let _ = reader.join();
    Some(Stream { sent, answered: answered.load(SeqCst) })
}
