//! The log: readable by machines, and never a place where somebody's bytes turn up.

use data_encoding::{BASE64, HEXLOWER};
use serde_json::{Value, json};

use crate::support::Launch;

/// What is sent in every way there is, and must not be found.
const MARKER: &str = "zxqv-payload-7731";

#[tokio::test]
async fn nothing_that_is_sent_to_an_endpoint_or_the_api_is_logged_at_the_finest_level() {
    for format in ["text", "json"] {
        let args = ["--log", "trace", "--log-format", format, "--token", "secret-zxqv-token"];
        let service = Launch::serve(&args).start().await;
        let bearer = [("authorization", "Bearer secret-zxqv-token"), ("content-type", "application/json")];
        let reply = json!({"port": 0, "host": "127.0.0.1", "reply": MARKER, "encoding": "utf-8"}).to_string();
        let listener = service.request("POST", "/listeners", &bearer, reply).await.expect(201).json();
        let mut peer = service.connect(&listener).await;
        peer.send(MARKER).await;
        assert_eq!(peer.read_to_end().await.0, MARKER.as_bytes());
        let read = format!("/connections?contains={MARKER}");
        assert!(service.request("GET", &read, &bearer, "").await.expect(200).text().contains(MARKER));
        service.request("GET", &format!("/{MARKER}"), &bearer, "").await.expect(404);
        service
            .request("POST", "/listeners", &bearer, format!("{{\"port\":\"{MARKER}\"}}"))
            .await
            .expect(422);
        service.request("POST", "/listeners", &bearer, format!("{{{MARKER}")).await.expect(400);
        let wrong = format!("Bearer {MARKER}");
        service.request("GET", "/listeners", &[("authorization", &wrong)], "").await.expect(401);
        service.request("GET", "/listeners", &[("host", MARKER)], "").await.expect(421);
        service.request("GET", "/listeners", &[("cookie", MARKER)], "").await.expect(401);
        super::raw(service.api, format!("{MARKER}\r\n\r\n")).await;
        let ended = service.terminate().await;
        let log = ended.said.err();
        assert!(log.lines().count() > 5, "{log}");
        for secret in [MARKER, "secret-zxqv-token"] {
            let bytes = secret.as_bytes();
            for form in
                [secret.to_owned(), HEXLOWER.encode(bytes), BASE64.encode(bytes), format!("{bytes:?}")]
            {
                assert!(!log.contains(&form) && !ended.said.out().contains(&form), "{form} in:\n{log}");
            }
        }
    }
}

#[tokio::test]
async fn a_log_for_machines_is_one_object_a_line_from_the_first_to_the_last() {
    let launch = Launch::new(["serve", "--listen", "0.0.0.0:0", "--log-format", "json", "--log", "debug"]);
    let service = launch.env("ANSWERBACK_NOTHING", "1").start().await;
    service.get("/listeners").await.expect(401);
    service.get("/healthz").await.expect(200);
    let ended = service.terminate().await;
    let log = ended.said.err();
    let objects: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("no JSON ({e}): {line}")))
        .collect();
    assert!(objects.len() > 3 && objects.iter().all(|line| line["level"].is_string()), "{log}");
    assert!(
        objects.iter().all(|line| line["timestamp"].as_str().is_some_and(|at| at.ends_with('Z'))),
        "{log}"
    );
}

#[tokio::test]
async fn what_clients_send_cannot_steer_a_terminal_or_forge_a_line() {
    let service = Launch::serve(&["--log", "trace"]).start().await;
    let evil = "\u{1b}]0;owned\u{7}";
    super::raw(
        service.api,
        format!("GET /{evil} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", service.api),
    )
    .await;
    super::raw(service.api, format!("{evil}\n2026-01-01T00:00:00Z ERROR forged\r\n\r\n")).await;
    let log = service.terminate().await.said.err();
    assert!(!log.contains(['\u{1b}', '\u{7}']) && !log.contains("forged"), "{log}");
}
