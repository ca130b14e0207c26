//! The bare tokio server that the endpoints are compared with: it answers, and records nothing.

use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr};

use anyhow::Result;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use crate::oneshot::STANDARD_REPLY;

/// The argument that makes this binary the reference server.
pub(crate) const ARGUMENT: &str = "--as-the-reference-server";

/// Connections that may wait to be accepted, here and at the endpoints compared: more than there are
/// clients, so that no connect is ever delayed by a full queue.
pub(crate) const BACKLOG: u32 = 4_096;

/// Bytes read at once by an echo: tokio's own copy loop takes 8 KiB, most programs 4 to 16.
const ECHO_BUFFER: usize = 8 * 1024;

/// Serves one-shot and echo clients, each on a port of its own, until standard input ends: so it never
/// outlives the benchmark that started it. Prints one line with the two addresses.
pub(crate) fn run() -> Result<()> {
    let _ = rlimit::increase_nofile_limit(u64::MAX);
    // Default workers: one a core, as in the program it is compared with.
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let guard = runtime.enter();
    let (oneshot, echo) = (listen()?, listen()?);
    drop(guard);
    println!("{} {}", oneshot.local_addr()?, echo.local_addr()?);
    runtime.spawn(accept(oneshot, answer));
    runtime.spawn(accept(echo, send_back));
    let mut stdin = std::io::stdin().lock();
    while matches!(stdin.read(&mut [0; 64]), Ok(n) if n > 0) {}
    Ok(())
}

fn listen() -> Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
    Ok(socket.listen(BACKLOG)?)
}

async fn accept<F: Future<Output = ()> + Send + 'static>(listener: TcpListener, serve: fn(TcpStream) -> F) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::spawn(serve(stream));
            }
            // Nothing to be done about it here; the client sees it as an error and counts it.
            Err(_) => tokio::task::yield_now().await,
        }
    }
}

async fn answer(mut stream: TcpStream) {
    let mut buffer = [0; 4096];
    if let Ok(1..) = stream.read(&mut buffer).await {
        let _ = stream.write_all(&STANDARD_REPLY).await;
    }
}

async fn send_back(mut stream: TcpStream) {
    let _ = stream.set_nodelay(true);
    let mut buffer = vec![0; ECHO_BUFFER];
    while let Ok(n @ 1..) = stream.read(&mut buffer).await {
        if stream.write_all(&buffer[..n]).await.is_err() {
            return;
        }
    }
}
