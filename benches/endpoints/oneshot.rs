//! One-shot clients: connect, send, read the reply to its end, close.

use std::io::ErrorKind;
use std::net::SocketAddr;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpStream;

use crate::load::{Fault, Load, PAYLOAD, Probe, fill};

/// What an endpoint answers by default: `问题正在处理中...` in GBK.
pub(crate) const STANDARD_REPLY: [u8; 17] =
    [0xce, 0xca, 0xcc, 0xe2, 0xd5, 0xfd, 0xd4, 0xda, 0xb4, 0xa6, 0xc0, 0xed, 0xd6, 0xd0, 0x2e, 0x2e, 0x2e];

/// The load of one-shot clients.
pub(crate) fn load() -> Load {
    Load { endpoint: "oneshot", client: |probe| Box::pin(client(probe)) }
}

/// One client, again and again until the time is over.
async fn client(mut probe: Probe) -> Probe {
    let mut payload = [0; PAYLOAD];
    while let Some((number, begun)) = probe.begin() {
        fill(&mut payload, number);
        let outcome = talk(probe.address, &payload).await;
        probe.end(begun, outcome);
    }
    probe
}

async fn talk(address: SocketAddr, payload: &[u8; PAYLOAD]) -> Result<(), Fault> {
    let (stream, sent) = connect_and_send(address, payload)?;
    if !sent {
        send_when_connected(&stream, payload).await?;
    }
    read_reply(&stream).await
}

/// On loopback the handshake is over when `connect` returns, so the payload can follow at once: one
/// wake-up of the client is saved, and with it the client's share of the CPU.
fn connect_and_send(address: SocketAddr, payload: &[u8]) -> Result<(TcpStream, bool), Fault> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM.nonblocking(), Some(Protocol::TCP));
    let socket = socket.map_err(|_| Fault::Connect)?;
    if let Err(error) = socket.connect(&address.into())
        && error.kind() != ErrorKind::WouldBlock
        && error.raw_os_error() != Some(EINPROGRESS)
    {
        return Err(Fault::Connect);
    }
    let sent = match socket.send(payload) {
        Ok(n) if n == payload.len() => true,
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) => false,
        Ok(_) => return Err(Fault::Short),
        Err(_) => return Err(Fault::Connect),
    };
    let stream = TcpStream::from_std(socket.into()).map_err(|_| Fault::Connect)?;
    Ok((stream, sent))
}

/// `EINPROGRESS` of Linux, which `std::io::ErrorKind` has no stable name for.
const EINPROGRESS: i32 = 115;

async fn send_when_connected(stream: &TcpStream, payload: &[u8]) -> Result<(), Fault> {
    loop {
        stream.writable().await.map_err(|_| Fault::Connect)?;
        match stream.try_write(payload) {
            Ok(n) if n == payload.len() => return Ok(()),
            Ok(_) => return Err(Fault::Short),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => return Err(Fault::Connect),
        }
    }
}

/// The reply must be all there, and nothing after it but the end of the stream.
async fn read_reply(stream: &TcpStream) -> Result<(), Fault> {
    let mut buffer = [0; 64];
    let mut got = 0;
    loop {
        stream.readable().await.map_err(|_| Fault::Reset)?;
        match stream.try_read(&mut buffer[got..]) {
            Ok(0) if buffer[..got] == STANDARD_REPLY => return Ok(()),
            Ok(0) if got < STANDARD_REPLY.len() => return Err(Fault::Short),
            Ok(0) => return Err(Fault::Wrong),
            Ok(n) => got += n,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => return Err(Fault::Reset),
        }
    }
}
