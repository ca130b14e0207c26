//! A TCP client that speaks bytes and tells a FIN from a RST.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Longer than anything here takes: a test that hangs fails instead.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Nobody listens there, now or soon: a port that is given back may be another test's for a while.
pub(crate) async fn refused(address: SocketAddr) {
    let refuses = async {
        while TcpStream::connect(address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, refuses).await.unwrap_or_else(|_| panic!("{address} is open"));
}

/// How a stream ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Fin,
    Reset,
}

/// A client.
pub(crate) struct Peer(pub(crate) TcpStream);

impl Peer {
    /// Connects.
    #[track_caller]
    pub(crate) fn connect(address: SocketAddr) -> impl Future<Output = Self> {
        let caller = std::panic::Location::caller();
        async move {
            let stream = timeout(PATIENCE, TcpStream::connect(address)).await;
            let stream = stream.unwrap_or_else(|_| panic!("{caller}: connecting takes for ever"));
            Self(stream.unwrap_or_else(|e| panic!("{caller}: cannot connect to {address}: {e}")))
        }
    }

    /// The client's own address.
    pub(crate) fn address(&self) -> SocketAddr {
        self.0.local_addr().unwrap()
    }

    /// Sends all of it.
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        timeout(PATIENCE, self.0.write_all(bytes.as_ref())).await.unwrap().unwrap();
    }

    /// Says that nothing more will come.
    pub(crate) async fn finish_sending(&mut self) {
        self.0.shutdown().await.unwrap();
    }

    /// Reads exactly this many bytes.
    pub(crate) async fn read(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        timeout(PATIENCE, self.0.read_exact(&mut bytes)).await.expect("bytes in time").unwrap();
        bytes
    }

    /// Reads to the end, and says which end it was.
    pub(crate) async fn read_to_end(&mut self) -> (Vec<u8>, End) {
        let mut bytes = Vec::new();
        let mut buffer = vec![0; 64 * 1024];
        loop {
            match timeout(PATIENCE, self.0.read(&mut buffer)).await.expect("an end in time") {
                Ok(0) => return (bytes, End::Fin),
                Ok(n) => bytes.extend_from_slice(&buffer[..n]),
                Err(e) if e.kind() == ErrorKind::ConnectionReset => return (bytes, End::Reset),
                Err(e) => panic!("neither FIN nor RST: {e}"),
            }
        }
    }

    /// Ends the connection with a RST.
    pub(crate) fn reset(self) {
        self.0.set_zero_linger().unwrap();
    }
}
