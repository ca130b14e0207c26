//! What a session needs of a socket.

use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, Interest};
use tokio::net::TcpStream;

/// A byte stream that can end with a reset.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    /// When it is dropped, the client is to see a RST instead of a FIN.
    fn reset_on_drop(&self);

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

    fn poll_write_last(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write(cx, bytes)
    }
}
