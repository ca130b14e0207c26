//! The name or address and the port that a request is for.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// A name or an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    /// A name, in lower case. A final dot is part of it: `localhost.` is another name than `localhost`.
    Name(String),
    /// An address. However an IPv6 address is spelt, it is the same one.
    Ip(IpAddr),
}

/// `host[:port]` (RFC 3986, without user information).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authority {
    /// Who.
    pub host: Host,
    /// The port, if it was given.
    pub port: Option<u16>,
}

impl Authority {
    /// Reads the strict form: no user information, no blank, no empty port, IPv6 in brackets.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(rest) = text.strip_prefix('[') {
            let (address, rest) = rest.split_once(']')?;
            let host = Host::Ip(address.parse::<Ipv6Addr>().ok()?.into());
            return Some(Self { host, port: parse_port(rest)? });
        }
        let (name, port) = text.split_at(text.find(':').unwrap_or(text.len()));
        Some(Self { host: parse_host(name)?, port: parse_port(port)? })
    }

    /// The port, or what its absence means under `scheme_default`.
    pub(super) fn port_or(&self, scheme_default: u16) -> u16 {
        self.port.unwrap_or(scheme_default)
    }
}

impl fmt::Display for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Name(name) => f.write_str(name)?,
            Host::Ip(IpAddr::V4(ip)) => ip.fmt(f)?,
            Host::Ip(IpAddr::V6(ip)) => write!(f, "[{ip}]")?,
        }
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

/// Short and odd forms of IPv4 (`127.1`, `0x7f.1`, `2130706433`) are names here, and so are never allowed: browsers
/// write them out before they send them.
fn parse_host(text: &str) -> Option<Host> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    // 253 is the longest name that DNS knows (RFC 1035), one more for a final dot.
    if text.is_empty() || text.len() > 254 || !text.bytes().all(fits) {
        return None;
    }
    match text.parse::<Ipv4Addr>() {
        Ok(ip) => Some(Host::Ip(ip.into())),
        Err(_) => Some(Host::Name(text.to_ascii_lowercase())),
    }
}

/// `""` or `:1` to `:65535`, in digits, without a sign or leading zeros.
fn parse_port(text: &str) -> Option<Option<u16>> {
    let Some(digits) = text.strip_prefix(':') else { return text.is_empty().then_some(None) };
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0');
    if plain { digits.parse().ok().map(Some) } else { None }
}

/// One more `NAME[:PORT]` that the API answers to. Without a port: on every port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowedHost(Authority);

impl AllowedHost {
    /// Whether a request for `authority` is for this.
    pub(super) fn covers(&self, authority: &Authority) -> bool {
        let port_fits = match (self.0.port, authority.port) {
            (None, _) => true,
            (Some(wanted), Some(port)) => wanted == port,
            // The default port of http or https, as a proxy in front may speak either.
            (Some(wanted), None) => matches!(wanted, 80 | 443),
        };
        port_fits && self.0.host == authority.host
    }
}

impl FromStr for AllowedHost {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.contains("://") || text.contains('/') {
            return Err(format!(
                "`{text}` is a URL; write the host alone, e.g. answerback.example or answerback:7070"
            ));
        }
        if text.contains('*') {
            return Err(format!("`{text}` is a pattern; write each name out"));
        }
        match Authority::parse(text) {
            Some(Authority { host: Host::Name(name), .. })
                if name.starts_with('.') || name.ends_with('.') =>
            {
                Err(format!("`{text}` begins or ends with a dot; write the name without it"))
            }
            Some(authority) => Ok(Self(authority)),
            None => Err(format!(
                "`{text}` is no NAME[:PORT]; write e.g. answerback.example, 192.0.2.1:7070 or [::1]"
            )),
        }
    }
}

impl fmt::Display for AllowedHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_authority_reads_back_as_it_was_written() {
        for text in
            ["localhost", "localhost:7070", "127.0.0.1:1", "[::1]:65535", "[2001:db8::1]", "a_b.example"]
        {
            assert_eq!(Authority::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_setting_that_is_no_host_is_told_what_to_write() {
        let faults = [
            ("http://a.example", "URL"),
            ("a.example/", "URL"),
            ("*.example", "pattern"),
            (".example", "dot"),
            ("a.example.", "dot"),
            ("a b", "NAME[:PORT]"),
            ("", "NAME[:PORT]"),
            ("a:0", "NAME[:PORT]"),
            ("user@a", "NAME[:PORT]"),
        ];
        for (text, part) in faults {
            let fault = text.parse::<AllowedHost>().unwrap_err();
            assert!(fault.contains(part), "{text}: {fault}");
        }
        assert_eq!("A.Example:443".parse::<AllowedHost>().unwrap().to_string(), "a.example:443");
    }

    proptest! {
        #[test]
        fn whatever_is_read_reads_back_the_same(text in "[\\x20-\\x7e]{0,40}") {
            if let Some(authority) = Authority::parse(&text) {
                prop_assert_eq!(Authority::parse(&authority.to_string()), Some(authority));
            }
        }
    }
}
