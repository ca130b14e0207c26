//! What a session needs of a socket.

use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

#[cfg(any(target_os = "linux", target_os = "android"))]
use socket2::SockFilter;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, Interest};
use tokio::net::TcpStream;

/// A byte stream that can end with a reset.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    /// When it is dropped, the client is to see a RST instead of a FIN.
    fn reset_on_drop(&self);

    /// Nothing that the client sends arrives any more, not even an acknowledgement; or it does again.
    fn turn_deaf(&self, deaf: bool);

    /// No more than about so many bytes wait to be read: the client is soon told when it is not.
    fn narrow_window(&self, bytes: usize);

    /// Writes bytes that a FIN follows at once. The kernel may hold them back until then, so that both leave in one
    /// segment.
    fn poll_write_last(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>>;
}

/// `MSG_MORE` of Linux (send(2)): more is to come. Here it is the FIN: reply and FIN then cross in one segment, which
/// spares both ends a part of the work that a client costs who is answered once.
#[cfg(any(target_os = "linux", target_os = "android"))]
const MORE_FOLLOWS: i32 = 0x8000;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const MORE_FOLLOWS: i32 = 0;

impl Stream for TcpStream {
    fn reset_on_drop(&self) {
        // It can only fail on a socket that is gone, where there is nobody to tell.
        let _ = self.set_zero_linger();
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn turn_deaf(&self, deaf: bool) {
        // A filter of one instruction, `ret #0` (BPF_RET | BPF_K): no byte of any segment is let through.
        const NOTHING: [SockFilter; 1] = [SockFilter::new(0x06, 0, 0, 0)];
        let socket = SockRef::from(self);
        let turned = if deaf { socket.attach_filter(&NOTHING) } else { socket.detach_filter() };
        if let Err(error) = turned {
            tracing::warn!(%error, "the system takes no socket filter: a half-open connection is only not read");
        }
    }

    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    fn turn_deaf(&self, _: bool) {
        tracing::warn!("this system has no socket filters: a half-open connection is only not read");
    }

    fn narrow_window(&self, bytes: usize) {
        // If it does not, the client notices later.
        let _ = SockRef::from(self).set_recv_buffer_size(bytes);
    }

    fn poll_write_last(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.poll_write_ready(cx))?;
            let sent = self
                .try_io(Interest::WRITABLE, || SockRef::from(&*self).send_with_flags(bytes, MORE_FOLLOWS));
            match sent {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                result => return Poll::Ready(result),
            }
        }
    }
}

#[cfg(test)]
impl Stream for tokio::io::DuplexStream {
    fn reset_on_drop(&self) {}

    fn turn_deaf(&self, _: bool) {}

    fn narrow_window(&self, _: usize) {}

    fn poll_write_last(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write(cx, bytes)
    }
}
