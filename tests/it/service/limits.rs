//! The limits of a request: each breach has its answer, and nobody else waits for it.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::json;
use tokio::time::timeout;

use super::{raw, status};
use crate::support::{Launch, Peer, STANDARD_REPLY, Service};

/// Reads to the end; what came, and after how long it ended.
async fn to_the_end(mut peer: Peer, since: Instant) -> (String, Duration) {
    let (answer, _) = peer.read_to_end().await;
    (String::from_utf8_lossy(&answer).into_owned(), since.elapsed())
}

async fn sent(api: SocketAddr, request: &str) -> (String, Duration) {
    let mut peer = Peer::connect(api).await;
    let since = Instant::now();
    peer.send(request).await;
    to_the_end(peer, since).await
}

/// Sends a byte of a header each time that nothing has come for a while.
async fn trickled(api: SocketAddr) -> (String, Duration) {
    let mut peer = Peer::connect(api).await;
    let since = Instant::now();
    peer.send("GET /listeners HTTP/1.1\r\nhost: ").await;
    loop {
        let came = timeout(Duration::from_millis(200), peer.0.readable()).await;
        if came.is_ok() || since.elapsed() > Duration::from_secs(15) {
            return to_the_end(peer, since).await;
        }
        peer.send("a").await;
    }
}

#[track_caller]
fn between(took: Duration, from: u64, to: u64) {
    let seconds = Duration::from_secs(from)..Duration::from_secs(to);
    assert!(seconds.contains(&took), "{took:?} is not between {from} s and {to} s");
}

#[tokio::test]
async fn whoever_sends_too_slowly_is_sent_away_and_nobody_waits_for_it() {
    let service = Launch::serve(&[]).start().await;
    let api = service.api;
    let head = format!("POST /listeners HTTP/1.1\r\nhost: {api}\r\ncontent-type: application/json\r\n");
    let length = format!("{head}content-length: 100\r\n\r\n{{\"port\":");
    let chunked = format!("{head}transfer-encoding: chunked\r\n\r\n8\r\n{{\"port\":");
    let (half, nothing, trickle, slow, slow_chunk, others) = tokio::join!(
        sent(api, "GET /listeners HTTP/1.1\r\nhost: 127"),
        sent(api, ""),
        trickled(api),
        sent(api, &length),
        sent(api, &chunked),
        others_are_served(&service),
    );
    between(half.1, 4, 8);
    assert_eq!(status(&half.0), 408, "half a header: {}", half.0);
    between(nothing.1, 4, 8);
    assert_eq!(nothing.0, "", "nothing sent, nothing answered");
    between(trickle.1, 4, 8);
    assert!([0, 408].contains(&status(&trickle.0)), "a header byte by byte: {}", trickle.0);
    for (answer, took) in [slow, slow_chunk] {
        between(took, 8, 15);
        assert_eq!(status(&answer), 408, "a slow body: {answer}");
        assert!(answer.contains("\"code\":\"timeout\""), "{answer}");
    }
    between(others, 0, 5);
}

/// How long 200 requests of others take meanwhile.
async fn others_are_served(service: &Service) -> Duration {
    let since = Instant::now();
    for _ in 0..200 {
        service.get("/listeners").await.expect(200);
    }
    since.elapsed()
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let service = Launch::serve(&[]).start().await;
    let get = |path: &str, fields: &str| {
        format!("GET {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n{fields}\r\n", service.api)
    };
    let many: String = (0..70).map(|n| format!("x-{n}: y\r\n")).collect();
    let few: String = (0..60).map(|n| format!("x-{n}: y\r\n")).collect();
    let long = |size: usize| format!("x: {}\r\n", "y".repeat(size));
    for (request, expected) in [
        (get("/listeners", &few), 200),
        (get("/listeners", &long(10_000)), 200),
        (get("/listeners", &many), 431),
        (get("/listeners", &long(20 * 1024)), 431),
        (get(&format!("/{}", "y".repeat(20 * 1024)), ""), 431),
        (get("/nothing", &many), 431),
        (get("/healthz", &long(20 * 1024)), 431),
    ] {
        let (status, answer) = raw(service.api, &request).await;
        assert_eq!(status, expected, "{} bytes: {answer}", request.len());
        assert!(status != 431 || answer.contains("\"code\":\"headers-too-large\""), "{answer}");
    }
    // Beyond what is buffered at all: the answer has no body, and it is one.
    let huge =
        get("/listeners", &(0..100).map(|n| format!("x-{n}: {}\r\n", "y".repeat(1_000))).collect::<String>());
    let (status, answer) = raw(service.api, &huge).await;
    assert!((400..500).contains(&status), "{answer}");
    service.get("/listeners").await.expect(200);
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_before_it_is_read() {
    let service = Launch::serve(&[]).start().await;
    let head = |method: &str, path: &str| {
        format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-type: application/json\r\n",
            service.api
        )
    };
    let mut chunked = head("POST", "/listeners") + "transfer-encoding: chunked\r\n\r\n";
    for _ in 0..48 {
        chunked += &format!("10000\r\n{}\r\n", " ".repeat(0x10000));
    }
    chunked += "0\r\n\r\n";
    for request in [
        chunked,
        head("POST", "/listeners") + "content-length: 3145728\r\n\r\n",
        head("POST", "/listeners") + "content-length: 3145728\r\nexpect: 100-continue\r\n\r\n",
        head("PUT", "/listeners/gate") + "content-length: 99999999999\r\n\r\n",
        head("PATCH", "/listeners/gate") + "content-length: 3145728\r\n\r\n",
        head("POST", "/reset") + "content-length: 3145728\r\n\r\n",
        head("DELETE", "/connections") + "content-length: 3145728\r\n\r\n",
        head("POST", "/nothing") + "content-length: 3145728\r\n\r\n",
    ] {
        let (status, answer) = raw(service.api, &request).await;
        assert_eq!(status, 413, "{:.80}: {answer}", request);
        assert!(answer.contains("\"code\":\"body-too-large\""), "{answer}");
    }
    assert_eq!(service.get("/listeners").await.expect(200).json()["items"], json!([]));
}

#[tokio::test]
async fn what_is_no_http_is_answered_briefly_and_harms_nobody() {
    let service = Launch::serve(&[]).start().await;
    let host = format!("host: {}\r\n", service.api);
    for (bytes, statuses) in [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n".to_vec(), &[400][..]),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), &[400, 505, 0]),
        (b"hello\r\n\r\n".to_vec(), &[400]),
        (b"GET /listeners\r\n\r\n".to_vec(), &[400]),
        (format!("GET /listeners HTTP/1.1\r\n{host}a b: c\r\n\r\n").into_bytes(), &[400]),
        (format!("GET /listeners HTTP/1.1\r\n{host}a: b\0c\r\n\r\n").into_bytes(), &[400]),
        (format!("GET /listeners HTTP/1.1\r\n{host}: c\r\n\r\n").into_bytes(), &[400]),
        (format!("GET /listeners HTTP/9.9\r\n{host}\r\n").into_bytes(), &[400, 505]),
        (
            format!("POST /reset HTTP/1.1\r\n{host}content-length: 1\r\ncontent-length: 2\r\n\r\n")
                .into_bytes(),
            &[400],
        ),
        (format!("POST /reset HTTP/1.1\r\n{host}content-length: -1\r\n\r\n").into_bytes(), &[400]),
        (format!("POST /reset HTTP/1.1\r\n{host}transfer-encoding: gzip\r\n\r\n").into_bytes(), &[400, 501]),
    ] {
        let (status, answer) = raw(service.api, &bytes).await;
        assert!(statuses.contains(&status), "{:?}: {answer}", String::from_utf8_lossy(&bytes));
    }
    service.get("/listeners").await.expect(200);
}

#[tokio::test]
async fn requests_that_come_in_one_go_are_answered_in_turn() {
    let service = Launch::serve(&[]).start().await;
    let get = |path: &str, more: &str| format!("GET {path} HTTP/1.1\r\nhost: {}\r\n{more}\r\n", service.api);
    let requests = get("/listeners", "") + &get("/nothing", "") + &get("/healthz", "connection: close\r\n");
    let (_, answers) = raw(service.api, requests).await;
    let statuses: Vec<_> = answers.split("HTTP/1.1 ").skip(1).map(|answer| &answer[..3]).collect();
    assert_eq!(statuses, ["200", "404", "200"], "{answers}");
}

#[tokio::test]
async fn more_clients_than_the_api_takes_keep_nobody_out_for_long() {
    let service = Launch::serve(&["--open", "127.0.0.1:0"]).start().await;
    let endpoint = service.opened(1).await[0];
    let (api, since) = (service.api, Instant::now());
    let mut silent = Vec::new();
    // Before the first has had its time.
    for _ in 0..14 {
        silent.extend(join_all((0..95).map(|_| Peer::connect(api))).await);
    }
    // The endpoint does not depend on the API.
    let mut peer = Peer::connect(endpoint).await;
    peer.send("hello").await;
    assert_eq!(peer.read_to_end().await.0, STANDARD_REPLY);
    // Those beyond the limit are told at once; the others hold their places until their time is over.
    let mut told = 0;
    for peer in silent {
        let (answer, took) = to_the_end(peer, since).await;
        assert!(took < Duration::from_secs(30), "{took:?}");
        told += u32::from(status(&answer) == 503);
        assert!(answer.is_empty() || answer.contains("retry-after: 1\r\n"), "{answer}");
    }
    assert!((20..60).contains(&told), "{told} were told to come back");
    service.get("/listeners").await.expect(200);
}

#[tokio::test]
async fn three_hundred_requests_at_once_are_all_answered() {
    let service = Launch::serve(&[]).start().await;
    let api = service.api;
    let request = format!("GET /listeners HTTP/1.1\r\nhost: {api}\r\nconnection: close\r\n\r\n");
    let asking = (0..300).map(|_| tokio::spawn(raw(api, request.clone())));
    for asked in asking.collect::<Vec<_>>() {
        let (status, answer) = asked.await.unwrap();
        assert!([200, 503].contains(&status), "{answer}");
    }
    service.get("/listeners").await.expect(200);
}
