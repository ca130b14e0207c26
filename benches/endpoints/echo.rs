//! Echo clients: connections that stay, each sending a message and waiting for it to come back.

use std::io::ErrorKind;

use tokio::net::TcpStream;

use crate::load::{Fault, Load, PAYLOAD, Probe, fill};

/// The load of echo clients.
pub(crate) fn load() -> Load {
    Load { endpoint: "echo", client: |probe| Box::pin(client(probe)) }
}

/// One connection, message after message until the time is over. A connection that failed is not made
/// anew: its error is in the count, and the run is void.
async fn client(mut probe: Probe) -> Probe {
    let stream = match TcpStream::connect(probe.address).await {
        Ok(stream) if stream.set_nodelay(true).is_ok() => stream,
        _ => {
            probe.fail(Fault::Connect);
            return probe;
        }
    };
    let mut payload = [0; PAYLOAD];
    while let Some((number, begun)) = probe.begin() {
        fill(&mut payload, number);
        let outcome = exchange(&stream, &payload).await;
        probe.end(begun, outcome);
        if outcome.is_err() {
            break;
        }
    }
    probe
}

async fn exchange(stream: &TcpStream, payload: &[u8; PAYLOAD]) -> Result<(), Fault> {
    let mut sent = 0;
    while sent < payload.len() {
        match stream.try_write(&payload[sent..]) {
            Ok(n) => sent += n,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                stream.writable().await.map_err(|_| Fault::Reset)?;
            }
            Err(_) => return Err(Fault::Reset),
        }
    }
    // One byte of room more than is due, so that a byte too many is seen.
    let mut buffer = [0; PAYLOAD + 1];
    let mut got = 0;
    while got < payload.len() {
        stream.readable().await.map_err(|_| Fault::Reset)?;
        match stream.try_read(&mut buffer[got..]) {
            Ok(0) => return Err(Fault::Short),
            Ok(n) => got += n,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => return Err(Fault::Reset),
        }
    }
    if buffer[..got] == *payload { Ok(()) } else { Err(Fault::Wrong) }
}
