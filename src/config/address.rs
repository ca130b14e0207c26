//! Addresses as people write them.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Reads `PORT`, `IP:PORT`, `[IPV6]:PORT` or `localhost:PORT`; `host` is meant where only a port is given.
pub(super) fn address(text: &str, host: IpAddr) -> Result<SocketAddr, String> {
    let port = |part: &str| part.parse::<u16>().ok().filter(|_| !part.starts_with('+'));
    if let Some(port) = port(text) {
        return Ok(SocketAddr::from((host, port)));
    }
    if let Some(port) = text.strip_prefix("localhost:").and_then(port) {
        return Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    }
    text.parse().map_err(|_| format!("`{text}` is no address; {}", hint(text)))
}

fn hint(text: &str) -> &'static str {
    if text.parse::<IpAddr>().is_ok() {
        "it has no port: write 127.0.0.1:7070 or [::1]:7070"
    } else if text.parse::<u64>().is_ok() {
        "a port is at most 65535"
    } else if text.contains("://") {
        "write it without a scheme, like 127.0.0.1:7070"
    } else {
        "write PORT, IP:PORT or [IPV6]:PORT, like 8080, 127.0.0.1:7070 or [::1]:7070"
    }
}
