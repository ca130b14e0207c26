//! A TCP stream whose waiting has an end.
//!
//! hyper has one timer for the head of a request, and it starts when hyper begins to wait for one: a connection may be
//! idle as long as a head may take, no longer and no shorter. The two are told apart here, where the bytes come in: no
//! byte yet is idle, the first one starts the head's time.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};

use super::limits::ServerLimits;

/// Whether a request is being answered on the connection: then reading is no waiting for a head.
#[derive(Debug, Clone, Default)]
pub(super) struct Busy(Arc<AtomicBool>);

impl Busy {
    pub(super) fn set(&self, busy: bool) {
        self.0.store(busy, Ordering::Release);
    }

    fn is(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// What reading waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Awaited {
    /// The very first byte.
    First,
    /// The rest of a head.
    Head,
    /// The first byte of another request.
    Next,
    /// Whatever the request that is being answered still sends.
    Any,
}

/// The stream.
pub(super) struct Paced {
    tcp: TcpStream,
    busy: Busy,
    header: Duration,
    idle: Duration,
    awaited: Awaited,
    reading: Deadline,
    writing: Deadline,
    write: Duration,
    /// Bytes that were written since the write deadline was set.
    progress: usize,
    late: bool,
}

/// Bytes within [`ServerLimits::write`] that count as progress. Far below what any client takes that is alive.
const PROGRESS: usize = 16 * 1024;

impl Paced {
    pub(super) fn new(tcp: TcpStream, busy: Busy, limits: &ServerLimits) -> Self {
        let mut reading = Deadline::default();
        reading.set(limits.header);
        Self {
            tcp,
            busy,
            header: limits.header,
            idle: limits.idle,
            awaited: Awaited::First,
            reading,
            writing: Deadline::default(),
            write: limits.write,
            progress: 0,
            late: false,
        }
    }

    /// Whether the stream was ended because half a head had come and the rest had not.
    pub(super) fn was_late(&self) -> bool {
        self.late
    }

    pub(super) fn into_inner(self) -> TcpStream {
        self.tcp
    }

    /// Follows what hyper does: it reads for a request that is being answered, or waits for the next.
    fn follow(&mut self) {
        match (self.busy.is(), self.awaited) {
            (true, _) => {
                self.awaited = Awaited::Any;
                self.reading.clear();
            }
            (false, Awaited::Any) => {
                self.awaited = Awaited::Next;
                self.reading.set(self.idle);
            }
            (false, Awaited::First | Awaited::Head | Awaited::Next) => {}
        }
    }

    fn received(&mut self) {
        match self.awaited {
            Awaited::First => self.awaited = Awaited::Head,
            Awaited::Next => {
                self.awaited = Awaited::Head;
                self.reading.set(self.header);
            }
            Awaited::Head | Awaited::Any => {}
        }
    }

    fn write_stalls(&mut self, cx: &mut Context<'_>) -> bool {
        if !self.writing.is_set() {
            self.progress = 0;
            self.writing.set(self.write);
        }
        if self.writing.poll(cx).is_pending() {
            return false;
        }
        let stalls = self.progress < PROGRESS;
        self.progress = 0;
        self.writing.set(self.write);
        // Set anew, it must be polled to wake this task again.
        stalls || self.writing.poll(cx).is_ready()
    }

    fn wrote(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match written {
            Poll::Ready(Ok(size)) => {
                self.progress = self.progress.saturating_add(size);
                Poll::Ready(Ok(size))
            }
            Poll::Pending if self.write_stalls(cx) => Poll::Ready(Err(io::Error::new(
                io::ErrorKind::TimedOut,
                "the client does not read its answer",
            ))),
            other => other,
        }
    }
}

impl AsyncRead for Paced {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        this.follow();
        let before = buf.filled().len();
        if let Poll::Ready(read) = Pin::new(&mut this.tcp).poll_read(cx, buf) {
            if read.is_ok() && buf.filled().len() > before {
                this.received();
            }
            // There is always something to read from a client that trickles fast enough.
            if this.awaited != Awaited::Head || !this.reading.has_passed() {
                return Poll::Ready(read);
            }
        } else {
            ready!(this.reading.poll(cx));
        }
        this.late = this.awaited == Awaited::Head;
        if this.late {
            return Poll::Ready(Err(io::Error::new(
                io::ErrorKind::TimedOut,
                "the head of the request is late",
            )));
        }
        // As if the client had closed: hyper then does so too, in order.
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Paced {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.tcp).poll_write(cx, buf);
        self.wrote(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.tcp).poll_write_vectored(cx, bufs);
        self.wrote(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp.is_write_vectored()
    }

    /// hyper flushes when it has written all it has: nothing is left that could stall.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.writing.clear();
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}

/// A point in time to wait for. Setting it is cheap; the timer is only touched when there is something to wait for.
#[derive(Default)]
struct Deadline {
    at: Option<Instant>,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Deadline {
    fn set(&mut self, after: Duration) {
        self.at = Some(Instant::now() + after);
    }

    fn clear(&mut self) {
        self.at = None;
    }

    fn is_set(&self) -> bool {
        self.at.is_some()
    }

    fn has_passed(&self) -> bool {
        self.at.is_some_and(|at| at <= Instant::now())
    }

    /// Ready when it has passed; never if it is not set.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(at) = self.at else { return Poll::Pending };
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(at)));
        if sleep.deadline() != at {
            sleep.as_mut().reset(at);
        }
        sleep.as_mut().poll(cx)
    }
}
