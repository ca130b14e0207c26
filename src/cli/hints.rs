//! What to type next.

use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::app::TokenHint;
use crate::domain::{PortSet, Timestamp};

/// What has been opened, and who may open more.
pub(super) struct Place<'a> {
    /// The API's resolved address.
    pub(super) api: SocketAddr,
    /// The endpoints' resolved addresses.
    pub(super) endpoints: &'a [SocketAddr],
    /// The ports that may be opened.
    pub(super) allow_ports: &'a PortSet,
    /// What callers of the API must show.
    pub(super) token: &'a TokenHint,
}

/// Lines that can be pasted into a shell. The only place that shows a token which was made at start.
pub(super) fn for_people(place: &Place<'_>) -> String {
    let api = format!("http://{}", reachable(place.api));
    let auth = match place.token {
        TokenHint::NotNeeded => "",
        TokenHint::Given | TokenHint::Made(_) => " -H \"authorization: Bearer $ANSWERBACK_TOKEN\"",
    };
    let mut lines = vec![String::new()];
    for endpoint in place.endpoints {
        lines.push(format!("  open         {endpoint}"));
    }
    if let TokenHint::Made(token) = place.token {
        lines.push(format!(
            "  the token    made for this run, shown only here; the lines below expect it in $ANSWERBACK_TOKEN\n  \
             {:12} curl -H 'authorization: Bearer {}' {api}/connections",
            "",
            token.expose()
        ));
    }
    let next = next_port(place);
    if let Some(client) =
        place.endpoints.first().copied().or(next.map(|port| (Ipv4Addr::LOCALHOST, port).into()))
    {
        let client = reachable(client);
        if place.endpoints.is_empty() {
            lines.push(open_port(&api, auth, client.port()));
        }
        lines.push(format!(
            "  be a client  echo hello | nc {} {} | iconv -f gbk -t utf-8",
            client.ip(),
            client.port()
        ));
    }
    lines.push(format!("  see it       curl{auth} {api}/connections"));
    if let Some(port) = next.filter(|_| !place.endpoints.is_empty()) {
        lines.push(open_port(&api, auth, port));
    }
    lines.push(format!("  the page     {api}/"));
    lines.push(format!("  the API      {api}/docs"));
    lines.push("  stop         Ctrl-C\n\n".to_owned());
    lines.join("\n")
}

/// For a log that machines read: the token, if one was made, since nobody would know it otherwise.
pub(super) fn for_machines(place: &Place<'_>, now: Timestamp) -> Option<String> {
    let TokenHint::Made(token) = place.token else { return None };
    let line = serde_json::json!({
        "timestamp": now.to_string(),
        "level": "INFO",
        "message": "the API asks for a token; it was made for this run and is shown only here",
        "try": format!("curl -H 'authorization: Bearer {}' http://{}/connections", token.expose(), reachable(place.api)),
    });
    Some(format!("{line}\n"))
}

fn open_port(api: &str, auth: &str, port: u16) -> String {
    let mut line = "  open a port  curl -X POST".to_owned();
    // Writing to a string cannot fail.
    let _ =
        write!(line, "{auth} -H 'content-type: application/json' -d '{{\"port\":{port}}}' {api}/listeners");
    line
}

/// A port for the example that can be opened, as far as is known here.
fn next_port(place: &Place<'_>) -> Option<u16> {
    let taken = |port: u16| port == place.api.port() || place.endpoints.iter().any(|e| e.port() == port);
    [8080, 9000, 9001, 10_000].into_iter().find(|port| place.allow_ports.contains(*port) && !taken(*port))
}

/// The address at which a client on this machine reaches `address`: where that is a wildcard, loopback.
pub(super) fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Secret;

    fn said(api: &str, endpoints: &[&str], token: &TokenHint) -> String {
        let endpoints: Vec<_> = endpoints.iter().map(|text| text.parse().unwrap()).collect();
        let allow_ports = &PortSet::default();
        for_people(&Place { api: api.parse().unwrap(), endpoints: &endpoints, allow_ports, token })
    }

    #[test]
    fn wildcards_are_shown_as_addresses_that_can_be_called() {
        let said = said("[::]:7070", &["0.0.0.0:8080"], &TokenHint::NotNeeded);
        assert!(said.contains("curl http://[::1]:7070/connections"), "{said}");
        assert!(said.contains("nc 127.0.0.1 8080"), "{said}");
        assert!(said.contains(r#"-d '{"port":9000}' http://[::1]:7070/listeners"#), "{said}");
    }

    #[test]
    fn without_an_endpoint_the_first_hint_opens_one() {
        let said = said("127.0.0.1:8080", &[], &TokenHint::NotNeeded);
        let (open, client) =
            (said.find(r#"{"port":9000}"#).unwrap(), said.find("nc 127.0.0.1 9000").unwrap());
        assert!(open < client, "{said}");
    }

    #[test]
    fn a_token_that_was_made_is_shown_once_and_a_given_one_never() {
        let made = TokenHint::Made(Secret::new("swordfish"));
        assert_eq!(said("0.0.0.0:7070", &["0.0.0.0:8080"], &made).matches("swordfish").count(), 1);
        let given = said("0.0.0.0:7070", &[], &TokenHint::Given);
        assert_eq!(given.matches("Bearer $ANSWERBACK_TOKEN").count(), 2, "{given}");
    }

    #[test]
    fn a_log_for_machines_gets_the_token_as_one_object_and_nothing_else() {
        let (endpoints, allow_ports) = (&[][..], &PortSet::default());
        let place = |token| Place { api: "0.0.0.0:7070".parse().unwrap(), endpoints, allow_ports, token };
        let (made, now) = (TokenHint::Made(Secret::new("swordfish")), Timestamp::from_micros(0));
        let line = for_machines(&place(&made), now).unwrap();
        let object: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert!(object["try"].as_str().unwrap().contains("Bearer swordfish' http://127.0.0.1:7070/"));
        assert_eq!(for_machines(&place(&TokenHint::Given), now), None);
    }
}
