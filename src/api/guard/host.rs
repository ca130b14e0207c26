//! Is the request for us at all.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use axum::http::header::HOST;
use axum::http::{HeaderMap, Uri};

use crate::api::error::ApiError;

use super::authority::{AllowedHost, Authority, Host};

/// The hosts that the API answers to.
#[derive(Debug, Clone)]
pub(super) struct Hosts {
    api_addr: SocketAddr,
    allowed: Vec<AllowedHost>,
}

impl Hosts {
    pub(super) fn new(api_addr: SocketAddr, allowed: Vec<AllowedHost>) -> Self {
        Self { api_addr, allowed }
    }

    /// The authority that the request is for.
    ///
    /// # Errors
    /// 400 if there is not exactly one, 421 if it is none of ours.
    pub(super) fn check(&self, uri: &Uri, headers: &HeaderMap) -> Result<Authority, ApiError> {
        let authority = the_host(headers)?;
        check_target(uri, &authority)?;
        if self.allows(&authority) { Ok(authority) } else { Err(self.refusal(&authority)) }
    }

    fn allows(&self, authority: &Authority) -> bool {
        self.is_own(authority) || self.allowed.iter().any(|allowed| allowed.covers(authority))
    }

    fn is_own(&self, authority: &Authority) -> bool {
        let bound = self.api_addr.ip().to_canonical();
        if !bound.is_loopback() {
            return match &authority.host {
                Host::Ip(_) => true,
                Host::Name(name) => name == "localhost",
            };
        }
        let own = match &authority.host {
            Host::Name(name) => name == "localhost",
            Host::Ip(ip) => [bound, Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()].contains(ip),
        };
        own && authority.port_or(HTTP) == self.api_addr.port()
    }

    fn refusal(&self, authority: &Authority) -> ApiError {
        let own = match self.api_addr.ip() {
            ip if ip.is_unspecified() => SocketAddr::new(local_like(ip), self.api_addr.port()),
            _ => self.api_addr,
        };
        ApiError::host_not_allowed(format!(
            "this service does not answer as {authority}; use http://{own}, or start it with --allow-host {authority}"
        ))
    }
}

/// What a `Host` without a port means.
const HTTP: u16 = 80;

fn local_like(ip: IpAddr) -> IpAddr {
    if ip.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() }
}

fn the_host(headers: &HeaderMap) -> Result<Authority, ApiError> {
    let mut hosts = headers.get_all(HOST).iter();
    let Some(host) = hosts.next() else {
        return Err(ApiError::malformed_request("the request has no Host header; send exactly one"));
    };
    if hosts.next().is_some() {
        return Err(ApiError::malformed_request(
            "the request has more than one Host header; send exactly one",
        ));
    }
    host.to_str().ok().and_then(Authority::parse).ok_or_else(|| {
        ApiError::malformed_request(
            "the Host header is no NAME[:PORT]; send the host and port of this service",
        )
    })
}

/// A request target in absolute form (`GET http://host/path`) names an authority of its own: it must be the same.
fn check_target(uri: &Uri, host: &Authority) -> Result<(), ApiError> {
    let Some(target) = uri.authority() else { return Ok(()) };
    if uri.scheme_str() != Some("http") {
        return Err(ApiError::malformed_request(
            "this service is no proxy; send the path alone as the target",
        ));
    }
    match Authority::parse(target.as_str()) {
        Some(target) if target == *host => Ok(()),
        _ => Err(ApiError::malformed_request(
            "the target of the request and its Host differ; send the path alone",
        )),
    }
}
