//! What is let through and what is not, as tables.

use std::net::SocketAddr;

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};

use super::{Guard, GuardConfig, TokenDigest};

const LOOPBACK: &str = "127.0.0.1:7070";
const OK: u16 = 200;

fn guard(api_addr: &str, allow_hosts: &[&str], token: Option<&str>) -> Guard {
    Guard::new(GuardConfig {
        api_addr: api_addr.parse::<SocketAddr>().unwrap(),
        allow_hosts: allow_hosts.iter().map(|host| host.parse().unwrap()).collect(),
        token: token.map(|token| TokenDigest::of(token).unwrap()),
    })
}

/// `headers` is one header a line.
#[track_caller]
fn status(guard: &Guard, line: &str, headers: &str) -> u16 {
    let (method, target) = line.split_once(' ').unwrap();
    let mut map = HeaderMap::new();
    for header in headers.lines().map(str::trim).filter(|header| !header.is_empty()) {
        let (name, value) = header.split_once(':').unwrap();
        map.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value.trim()).unwrap());
    }
    let (method, target) = (method.parse::<Method>().unwrap(), target.parse::<Uri>().unwrap());
    guard.check(&method, &target, &map).map_or_else(|refusal| refusal.status().as_u16(), |()| OK)
}

#[track_caller]
fn hosts(guard: &Guard, cases: &[(&str, u16)]) {
    for (host, expected) in cases {
        assert_eq!(status(guard, "GET /listeners", &format!("host: {host}")), *expected, "Host: {host}");
    }
}

#[test]
fn on_loopback_only_the_names_of_loopback_with_the_right_port_are_ours() {
    let cases = [
        ("127.0.0.1:7070", OK),
        ("localhost:7070", OK),
        ("LocalHost:7070", OK),
        ("[::1]:7070", OK),
        ("[0:0:0:0:0:0:0:1]:7070", OK),
        ("127.0.0.1", 421),
        ("127.0.0.1:7071", 421),
        ("127.0.0.1:80", 421),
        ("localhost", 421),
        ("localhost.:7070", 421),
        ("127.0.0.1.:7070", 421),
        ("localhost.evil.example:7070", 421),
        ("evillocalhost:7070", 421),
        ("127.0.0.1.evil.example:7070", 421),
        ("127.0.0.1.nip.io:7070", 421),
        ("evil.example:7070", 421),
        ("evil.example", 421),
        ("127.0.0.2:7070", 421),
        ("0.0.0.0:7070", 421),
        ("[::]:7070", 421),
        ("[::ffff:127.0.0.1]:7070", 421),
        ("192.168.1.5:7070", 421),
        ("127.1:7070", 421),
        ("2130706433:7070", 421),
        ("0x7f.0.0.1:7070", 421),
        ("0177.0.0.1:7070", 421),
        ("", 400),
        (":7070", 400),
        ("127.0.0.1:", 400),
        ("127.0.0.1:07070", 400),
        ("127.0.0.1:+7070", 400),
        ("127.0.0.1:7070a", 400),
        ("127.0.0.1:70700", 400),
        ("127.0.0.1:0", 400),
        ("127.0.0.1:7070:7070", 400),
        ("user@127.0.0.1:7070", 400),
        ("127.0.0.1:7070@evil.example", 400),
        ("127.0.0.1:7070/", 400),
        ("http://127.0.0.1:7070", 400),
        ("127.0.0.1:7070, evil.example", 400),
        ("127.0.0.1 :7070", 400),
        ("::1", 400),
        ("[::1", 400),
        ("[::1]7070", 400),
        ("[127.0.0.1]:7070", 400),
        ("[fe80::1%25lo]:7070", 400),
        ("%6cocalhost:7070", 400),
    ];
    hosts(&guard(LOOPBACK, &[], None), &cases);
}

#[test]
fn on_the_default_port_of_http_a_host_needs_no_port() {
    hosts(
        &guard("127.0.0.1:80", &[], None),
        &[("127.0.0.1", OK), ("localhost:80", OK), ("localhost:443", 421)],
    );
}

#[test]
fn another_loopback_address_is_ours_when_it_is_bound() {
    hosts(&guard("127.0.0.2:7070", &[], None), &[("127.0.0.2:7070", OK), ("127.0.0.3:7070", 421)]);
    hosts(
        &guard("[::1]:7070", &[], None),
        &[("[::1]:7070", OK), ("localhost:7070", OK), ("[::2]:7070", 421)],
    );
}

#[test]
fn off_loopback_addresses_are_ours_and_names_are_not() {
    let cases = [
        ("192.168.1.5:7070", OK),
        ("10.0.0.1", OK),
        ("[2001:db8::1]:8443", OK),
        ("0.0.0.0:7070", OK),
        ("localhost:9999", OK),
        ("127.0.0.1:9999", OK),
        ("answerback:7070", 421),
        ("evil.example:7070", 421),
        ("192.168.1.5.evil.example", 421),
        ("3232235781:7070", 421),
    ];
    for bound in ["0.0.0.0:7070", "[::]:7070", "192.168.1.5:7070"] {
        hosts(&guard(bound, &[], None), &cases);
    }
}

#[test]
fn allowed_hosts_are_ours_too_and_nothing_like_them() {
    let cases = [
        ("answerback:1", OK),
        ("ANSWERBACK", OK),
        ("ab.example:8443", OK),
        ("ab.example", 421),
        ("ab.example:7070", 421),
        ("tls.example", OK),
        ("tls.example:443", OK),
        ("x.answerback", 421),
        ("answerback.", 421),
        ("192.0.2.7:5", OK),
        ("192.0.2.8:5", 421),
    ];
    let allowed = ["Answerback", "ab.example:8443", "tls.example:443", "192.0.2.7"];
    hosts(&guard(LOOPBACK, &allowed, None), &cases);
}

#[test]
fn a_request_has_one_host_and_its_target_no_other() {
    let guard = guard(LOOPBACK, &[], None);
    let host = "host: 127.0.0.1:7070";
    let two = format!("{host}\n{host}");
    let cases = [
        ("GET /listeners", "", 400),
        ("GET /listeners", two.as_str(), 400),
        ("GET /listeners", "x-forwarded-host: 127.0.0.1:7070", 400),
        ("GET http://127.0.0.1:7070/listeners", host, OK),
        ("GET http://evil.example/listeners", host, 400),
        ("GET http://localhost:7070/listeners", host, 400),
        ("GET http://user@127.0.0.1:7070/listeners", host, 400),
        ("GET ftp://127.0.0.1:7070/listeners", host, 400),
        ("GET http://evil.example/listeners", "host: evil.example", 421),
        ("CONNECT 127.0.0.1:7070", host, 400),
        ("OPTIONS *", host, OK),
        ("GET /no-such-path", "host: evil.example", 421),
        ("BREW /healthz", "host: evil.example", 421),
    ];
    for (line, headers, expected) in cases {
        assert_eq!(status(&guard, line, headers), expected, "{line}\n{headers}");
    }
}

#[test]
fn pages_from_elsewhere_are_refused() {
    let guard = guard(LOOPBACK, &[], None);
    let navigation = "sec-fetch-mode: navigate\nsec-fetch-dest: document";
    let link = |site: &str| format!("sec-fetch-site: {site}\n{navigation}");
    let framed = "sec-fetch-site: cross-site\nsec-fetch-mode: navigate\nsec-fetch-dest: iframe";
    let cases = [
        ("GET", "", OK),
        ("GET", "origin: http://127.0.0.1:7070", OK),
        ("POST", "origin: http://127.0.0.1:7070", OK),
        ("POST", "origin: http://127.0.0.1:7070\nsec-fetch-site: same-origin", OK),
        ("POST", "origin: https://127.0.0.1:7070", OK),
        ("POST", "origin: http://localhost:7070", 403),
        ("POST", "origin: http://127.0.0.1:3000", 403),
        ("POST", "origin: http://127.0.0.1", 403),
        ("POST", "origin: http://127.0.0.1:7070/", 403),
        ("POST", "origin: http://127.0.0.1:7070.evil.example", 403),
        ("POST", "origin: http://user@127.0.0.1:7070", 403),
        ("POST", "origin: HTTP://127.0.0.1:7070", 403),
        ("POST", "origin: //127.0.0.1:7070", 403),
        ("POST", "origin: null", 403),
        ("POST", "origin:", 403),
        ("POST", "origin: chrome-extension://abc", 403),
        ("POST", "origin: file://", 403),
        ("POST", "origin: http://127.0.0.1:7070\norigin: http://evil.example", 403),
        ("GET", "origin: http://evil.example", 403),
        ("OPTIONS", "origin: http://evil.example\naccess-control-request-method: POST", 403),
        ("GET", "sec-fetch-site: none", OK),
        ("GET", "sec-fetch-site: same-origin", OK),
        ("GET", "sec-fetch-site: same-site", 403),
        ("GET", "sec-fetch-site: cross-site", 403),
        ("GET", "sec-fetch-site: Same-Origin", 403),
        ("GET", "sec-fetch-site: ", 403),
        ("GET", "sec-fetch-site: none\nsec-fetch-site: cross-site", 403),
        ("GET", "sec-fetch-site: cross-site\nsec-fetch-mode: no-cors\nsec-fetch-dest: image", 403),
        ("GET", "sec-fetch-site: cross-site\nsec-fetch-mode: cors\nsec-fetch-dest: empty", 403),
        ("GET", framed, 403),
        ("GET", &link("cross-site"), OK),
        ("GET", &link("same-site"), OK),
        ("POST", &link("cross-site"), 403),
        ("HEAD", &link("cross-site"), 403),
        ("GET", &format!("{}\nsec-fetch-dest: image", link("cross-site")), 403),
        ("GET", &format!("{}\norigin: http://evil.example", link("cross-site")), 403),
    ];
    for (method, headers, expected) in cases {
        let headers = format!("host: 127.0.0.1:7070\n{headers}");
        assert_eq!(status(&guard, &format!("{method} /reset"), &headers), expected, "{method}\n{headers}");
    }
}

#[test]
fn behind_a_proxy_that_speaks_tls_the_page_of_the_allowed_host_may_ask() {
    let guard = guard(LOOPBACK, &["tls.example"], None);
    let cases = [
        ("host: tls.example\norigin: https://tls.example", OK),
        ("host: tls.example:443\norigin: https://tls.example", OK),
        ("host: tls.example\norigin: https://tls.example:443", OK),
        ("host: tls.example:8443\norigin: https://tls.example:8443", OK),
        ("host: tls.example:8443\norigin: https://tls.example", 403),
        ("host: tls.example\norigin: https://other.example", 403),
    ];
    for (headers, expected) in cases {
        assert_eq!(status(&guard, "POST /reset", headers), expected, "{headers}");
    }
}

#[test]
fn a_token_is_asked_for_where_data_is_to_be_had() {
    let guard = guard("0.0.0.0:7070", &[], Some("s3cret"));
    let good = "authorization: Bearer s3cret";
    let twice = format!("{good}\n{good}");
    let cases = [
        ("GET /listeners", "", 401),
        ("GET /listeners", good, OK),
        ("GET /listeners", "authorization: bearer s3cret", OK),
        ("GET /listeners", "authorization: Bearer  s3cret", OK),
        ("GET /listeners", "authorization: Bearer s3cre", 401),
        ("GET /listeners", "authorization: Bearer s3crets", 401),
        ("GET /listeners", "authorization: Bearer S3CRET", 401),
        ("GET /listeners", "authorization: Bearer", 401),
        ("GET /listeners", "authorization: Bearer ", 401),
        ("GET /listeners", "authorization: Basic s3cret", 401),
        ("GET /listeners", "authorization: s3cret", 401),
        ("GET /listeners", twice.as_str(), 401),
        ("GET /listeners?token=s3cret", "", 401),
        ("GET /metrics", "", 401),
        ("GET /no-such-path", "", 401),
        ("POST /reset", "", 401),
        ("POST /reset", good, OK),
        ("GET /healthz", "", OK),
        ("HEAD /readyz", "", OK),
        ("POST /healthz", "", 401),
        ("GET /healthz/", "", 401),
        ("GET /healthzz", "", 401),
        ("GET /openapi.yaml", "", OK),
        ("GET /openapi.json", "", OK),
        ("GET /docs", "", OK),
        ("GET /docs/app.js", "", OK),
        ("GET /ui/0/app.js", "", OK),
        ("GET /ui", "", 401),
        ("GET /docsx", "", 401),
        ("GET /", "", OK),
    ];
    for (line, headers, expected) in cases {
        let headers = format!("host: 192.168.1.5:7070\n{headers}");
        assert_eq!(status(&guard, line, &headers), expected, "{line}\n{headers}");
    }
}

#[test]
fn what_has_a_body_and_changes_something_is_json() {
    let guard = guard(LOOPBACK, &[], None);
    let cases = [
        ("POST /listeners", "content-length: 2\ncontent-type: application/json", OK),
        ("POST /listeners", "content-length: 2\ncontent-type: application/json; charset=utf-8", OK),
        ("PATCH /listeners/a", "content-length: 2\ncontent-type: application/merge-patch+json", OK),
        ("POST /listeners", "content-length: 2", 415),
        ("POST /listeners", "transfer-encoding: chunked", 415),
        ("POST /listeners", "content-length: 2\ncontent-type: text/plain", 415),
        ("POST /listeners", "content-length: 2\ncontent-type: application/x-www-form-urlencoded", 415),
        ("POST /listeners", "content-length: 2\ncontent-type: multipart/form-data; boundary=x", 415),
        ("POST /listeners", "content-length: 2\ncontent-type: text/plain; a=application/json", 415),
        ("POST /listeners", "content-type: application/json\ncontent-type: text/plain", 415),
        ("POST /reset", "", OK),
        ("POST /reset", "content-length: 0", OK),
        ("POST /reset", "content-length: 0\ncontent-type: application/x-www-form-urlencoded", 415),
        ("DELETE /connections", "", OK),
        ("DELETE /connections", "content-length: 2\ncontent-type: text/plain", 415),
        ("GET /connections", "content-type: text/plain", OK),
    ];
    for (line, headers, expected) in cases {
        let headers = format!("host: 127.0.0.1:7070\n{headers}");
        assert_eq!(status(&guard, line, &headers), expected, "{line}\n{headers}");
    }
}

#[test]
fn the_first_check_that_fails_answers() {
    let guard = guard("127.0.0.1:7070", &[], Some("s3cret"));
    let body = "content-length: 2\ncontent-type: text/plain";
    let (host, origin) = ("host: 127.0.0.1:7070", "origin: http://evil.example");
    let token = "authorization: Bearer s3cret";
    assert_eq!(status(&guard, "POST /reset", &format!("host: evil.example\n{origin}\n{body}")), 421);
    assert_eq!(status(&guard, "POST /reset", &format!("{host}\n{origin}\n{body}")), 403);
    assert_eq!(status(&guard, "POST /reset", &format!("{host}\n{body}")), 401);
    assert_eq!(status(&guard, "POST /reset", &format!("{host}\n{token}\n{body}")), 415);
}
