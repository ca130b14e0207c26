//! The accept loop. It ends when it is told to, and for no other reason.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::connection;
use super::limits::ServerLimits;

/// Serves `router` on a bound listener until `stop`. The loop and every connection are tasks of `tasks`.
pub fn spawn(
    listener: TcpListener,
    router: Router,
    limits: ServerLimits,
    tasks: &TaskTracker,
    stop: CancellationToken,
) {
    let server = Server::new(router, limits, tasks.clone(), stop);
    tasks.spawn(async move { server.run(listener).await });
}

/// Where clients come from.
pub(super) trait Incoming: Send {
    fn next(&mut self) -> impl Future<Output = io::Result<(TcpStream, SocketAddr)>> + Send;
}

impl Incoming for TcpListener {
    async fn next(&mut self) -> io::Result<(TcpStream, SocketAddr)> {
        self.accept().await
    }
}

pub(super) struct Server {
    router: Router,
    permits: Arc<Semaphore>,
    limits: ServerLimits,
    tasks: TaskTracker,
    stop: CancellationToken,
    /// Whether the last client was refused for want of room.
    full: AtomicBool,
}

impl Server {
    pub(super) fn new(
        router: Router,
        limits: ServerLimits,
        tasks: TaskTracker,
        stop: CancellationToken,
    ) -> Self {
        let permits = Arc::new(Semaphore::new(limits.connections));
        Self { router, permits, limits, tasks, stop, full: AtomicBool::new(false) }
    }

    pub(super) async fn run(&self, mut incoming: impl Incoming) {
        let mut pause = Pause::new(self.limits.pause);
        loop {
            let accepted = tokio::select! {
                biased;
                () = self.stop.cancelled() => return,
                accepted = incoming.next() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => {
                    pause.reset();
                    self.take(stream, peer);
                }
                // The client's fault, and it is gone.
                Err(error) if is_of_client(&error) => {}
                Err(error) => {
                    let delay = pause.next();
                    tracing::warn!(%error, ?delay, "the API cannot accept; pausing");
                    tokio::select! {
                        () = self.stop.cancelled() => return,
                        () = tokio::time::sleep(delay) => {}
                    }
                }
            }
        }
    }

    fn take(&self, stream: TcpStream, peer: SocketAddr) {
        let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() else {
            // One line for a flood: the next one is written after there was room again.
            if !self.full.swap(true, Ordering::Relaxed) {
                tracing::warn!(%peer, limit = self.limits.connections, "too many connections to the API; refusing");
            }
            refuse(&stream);
            return;
        };
        self.full.store(false, Ordering::Relaxed);
        // An answer is written in one go: waiting for more to send would only delay it.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY was refused");
        }
        let serving =
            connection::serve(stream, peer, self.router.clone(), self.limits.clone(), self.stop.clone());
        self.tasks.spawn(async move {
            serving.await;
            drop(permit);
        });
    }
}

/// Nothing may wait here; a fresh connection's send buffer has room for these bytes.
fn refuse(stream: &TcpStream) {
    const ANSWER: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\n\
        retry-after: 1\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
    if let Err(error) = stream.try_write(ANSWER) {
        tracing::debug!(%error, "a refused client was gone before its answer");
    }
}

/// The connection died before it was accepted (accept(2) names these).
fn is_of_client(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}

/// How long to wait after the next error.
struct Pause {
    first: Duration,
    longest: Duration,
    next: Duration,
}

impl Pause {
    fn new((first, longest): (Duration, Duration)) -> Self {
        Self { first, longest, next: first }
    }

    fn next(&mut self) -> Duration {
        let now = self.next;
        self.next = (now * 2).min(self.longest);
        now
    }

    fn reset(&mut self) {
        self.next = self.first;
    }
}
