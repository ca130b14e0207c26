//! Accepting clients: a loop that survives whatever `accept` says.

use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use crate::domain::{CloseReason, ClosedBy, Closing, Connection, ConnectionId, SelfClose, Timestamp};
use crate::store::Record;
use crate::wire::Client;

use super::Shared;
use super::bind::{EMFILE, out_of_descriptors};
use super::ending::finish;
use super::listener::Listener;
use super::place::Place;
use super::session;
use super::stream::Stream;

/// The first pause when nothing can be accepted, doubled up to the last (NATS' `ACCEPT_MIN_SLEEP`, `ACCEPT_MAX_SLEEP`).
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LAST_PAUSE: Duration = Duration::from_secs(1);

/// A listening socket, or one that holds a port, counted as long as it is open.
pub(super) struct Counted<S> {
    pub(super) socket: S,
    shared: Arc<Shared>,
}

/// A listening socket.
pub(super) type CountedSocket = Counted<TcpListener>;

impl<S> Counted<S> {
    /// Counts `socket`.
    pub(super) fn new(socket: S, shared: Arc<Shared>) -> Self {
        shared.totals.sockets.fetch_add(1, Relaxed);
        Self { socket, shared }
    }
}

impl<S> Drop for Counted<S> {
    fn drop(&mut self) {
        self.shared.totals.sockets.fetch_sub(1, Relaxed);
    }
}

/// The task that accepts the clients of one gate.
pub(super) struct Acceptor {
    listener: Arc<Listener>,
    shared: Arc<Shared>,
    socket: Arc<CountedSocket>,
    stop: CancellationToken,
    opening: u64,
    refusals: Refusals,
}

impl Acceptor {
    /// The acceptor of the listener's opening number `opening`.
    pub(super) fn new(
        listener: Arc<Listener>,
        shared: Arc<Shared>,
        socket: Arc<CountedSocket>,
        stop: CancellationToken,
        opening: u64,
    ) -> Self {
        Self { listener, shared, socket, stop, opening, refusals: Refusals::default() }
    }

    /// Accepts until it is stopped, or until all are served that the listener serves in its life.
    pub(super) async fn run(mut self) {
        let stop = self.stop.clone();
        let mut stopped = pin!(stop.cancelled());
        let mut pause = FIRST_PAUSE;
        while !served_all(&self.listener) {
            let accepted = tokio::select! {
                biased;
                () = &mut stopped => return,
                accepted = self.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => {
                    pause = FIRST_PAUSE;
                    self.welcome(stream, peer);
                }
                Err(error) if concerns_one_client(&error) => {}
                Err(error) => {
                    self.report(&error);
                    tokio::select! {
                        biased;
                        () = &mut stopped => return,
                        () = tokio::time::sleep(pause) => pause = (pause * 2).min(LAST_PAUSE),
                    }
                }
            }
        }
        let Self { listener, shared, socket, opening, .. } = self;
        // The last client has come: the port is given up at once, the clients finish. Not in this task, which whoever
        // stops the gate waits for.
        drop(socket);
        let tasks = shared.tasks.clone();
        tasks.spawn(finish(listener, shared, opening, SelfClose::MaxConnectionsTotal));
    }

    /// The next client; or, while the descriptors that clients may hold are all held, the error of one too many. Whoever
    /// comes then waits in the kernel's queue.
    async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        if self.shared.totals.descriptors() >= self.shared.config.descriptors {
            return Err(io::Error::from_raw_os_error(EMFILE));
        }
        // Each client is a record.
        poll_fn(|cx| self.shared.recorder.poll_room(cx)).await;
        self.socket.socket.accept().await
    }

    /// Counts a pause, and says so: once a second at the most, however many listeners pause.
    fn report(&self, error: &io::Error) {
        let totals = &self.shared.totals;
        let pauses = totals.pauses.fetch_add(1, Relaxed) + 1;
        let now = self.shared.clock.now().as_micros();
        let last = totals.pause_said.load(Relaxed);
        let is_due = now - last >= 1_000_000 || now < last;
        if is_due && totals.pause_said.compare_exchange(last, now, Relaxed, Relaxed).is_ok() {
            let cause = if out_of_descriptors(error) { "out of file descriptors" } else { "accept failed" };
            tracing::warn!(listener = %self.listener.id, %error, pauses, "{cause}: accepting pauses");
        }
    }

    /// Takes a client in, or turns it away with a reset.
    fn welcome(&mut self, stream: TcpStream, peer: SocketAddr) {
        let now = self.shared.clock.now();
        if !self.admit() {
            if self.refusals.admit(now) {
                let (opened, id) = self.opened(&stream, peer, now);
                let closing = Closing { at: now, by: ClosedBy::Endpoint, reason: CloseReason::Limit };
                self.shared.recorder.note(vec![opened, Record::Closed { connection: id, closing }]);
            }
            return stream.reset_on_drop();
        }
        let (opened, id) = self.opened(&stream, peer, now);
        // Nothing is answered yet: the first reply waits for the journal, and so for this record before it.
        self.shared.recorder.note(vec![opened]);
        self.shared.totals.all.arrived();
        self.listener.counters.arrived();
        let number = self.listener.served.fetch_add(1, Relaxed) + 1;
        let place = Place::new(Arc::clone(&self.listener), Arc::clone(&self.shared), id);
        self.listener.sessions.spawn(session::serve(
            stream,
            place,
            id,
            Client { address: peer, number, port: self.listener.address().port() },
        ));
    }

    fn admit(&self) -> bool {
        let totals = &self.shared.totals;
        let config = &self.shared.config;
        if !totals.all.enter(config.max_connections) {
            totals.refused_by_total.fetch_add(1, Relaxed);
            return false;
        }
        // A task that was waiting for a client when the last descriptor was given away gets one all the same.
        if totals.descriptors() > config.descriptors {
            totals.all.leave();
            totals.refused_by_total.fetch_add(1, Relaxed);
            return false;
        }
        if !self.listener.counters.enter(u64::from(self.listener.spec().draft().limits.connections)) {
            totals.all.leave();
            totals.refused_by_listener.fetch_add(1, Relaxed);
            return false;
        }
        true
    }

    fn opened(&self, stream: &TcpStream, peer: SocketAddr, now: Timestamp) -> (Record, ConnectionId) {
        let mut local = self.listener.address();
        if local.ip().is_unspecified() {
            local = stream.local_addr().unwrap_or(local);
        }
        let plain = |address: SocketAddr| SocketAddr::new(address.ip().to_canonical(), address.port());
        let connection = Connection {
            id: self.shared.ids.connection(now),
            listener: self.listener.reference(),
            peer: plain(peer),
            local: plain(local),
            opened_at: now,
        };
        let id = connection.id;
        (Record::Opened(Box::new(connection)), id)
    }
}

/// Whether all clients have come that the listener serves in its life.
pub(super) fn served_all(listener: &Listener) -> bool {
    let most = listener.spec().draft().max_connections_total;
    most.is_some_and(|most| listener.served.load(Relaxed) >= most)
}

/// Refusals that go on record in one second. A flood of refused clients must not push what served ones said out of a
/// bounded journal; the metrics count them all.
const RECORDED_REFUSALS: u32 = 20;

/// How many refusals went on record in the present second.
#[derive(Debug, Default)]
struct Refusals {
    second: i64,
    recorded: u32,
}

impl Refusals {
    /// Whether one more goes on record.
    fn admit(&mut self, now: Timestamp) -> bool {
        let second = now.as_micros().div_euclid(1_000_000);
        if second != self.second {
            *self = Self { second, recorded: 0 };
        }
        self.recorded = self.recorded.saturating_add(1);
        self.recorded <= RECORDED_REFUSALS
    }
}

/// Errors of `accept` that are the fate of one client and not of the socket (accept(2): "treat them like EAGAIN").
fn concerns_one_client(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionAborted
            | ErrorKind::ConnectionReset
            | ErrorKind::ConnectionRefused
            | ErrorKind::Interrupted
            | ErrorKind::HostUnreachable
            | ErrorKind::NetworkUnreachable
            | ErrorKind::NetworkDown
    )
}
