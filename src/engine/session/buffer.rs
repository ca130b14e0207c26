//! Reading without a buffer of one's own: into the worker thread's, and only what came is copied.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, ReadBuf};

/// Bytes read at once at most. As large as loopback's own segments; one buffer a worker thread, not a connection.
pub(super) const SCRATCH: usize = 64 * 1024;

/// Messages up to this size share a block of memory with their neighbours, which in a journal go when they go: one
/// allocation for hundreds of small messages instead of two for each.
const SMALL: usize = 1024;
/// The size of such a block.
const BLOCK: usize = 64 * 1024;

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; SCRATCH]);
    static SHELF: RefCell<BytesMut> = RefCell::new(BytesMut::new());
}

/// A copy of `bytes` that lasts.
fn keep(bytes: &[u8]) -> Bytes {
    if bytes.len() > SMALL {
        return Bytes::copy_from_slice(bytes);
    }
    SHELF.with_borrow_mut(|shelf| {
        if shelf.capacity() < bytes.len() {
            *shelf = BytesMut::with_capacity(BLOCK);
        }
        shelf.extend_from_slice(bytes);
        shelf.split().freeze()
    })
}

/// Reads what is there, `most` bytes of it at most. No bytes are the end of the stream.
pub(super) fn poll_read(
    stream: Pin<&mut impl AsyncRead>,
    most: usize,
    cx: &mut Context<'_>,
) -> Poll<io::Result<Bytes>> {
    BUFFER.with_borrow_mut(|buffer| {
        let mut buffer = ReadBuf::new(buffer.get_mut(..most.min(SCRATCH)).unwrap_or_default());
        ready!(stream.poll_read(cx, &mut buffer))?;
        Poll::Ready(Ok(keep(buffer.filled())))
    })
}
