//! Out of file descriptors: accepting pauses, the API stays in reach, and all goes on when there are some again.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::{Kept, Launch, STANDARD_REPLY, Service, address};

/// All descriptors of the process. Half of them are for listeners and their clients, as it is few.
const LIMIT: u32 = 100;
const LISTENERS: usize = 30;
/// More than are left.
const CLIENTS: usize = 48;

struct Exhausted {
    service: Service,
    kept: Kept,
    listeners: Vec<Value>,
    clients: Vec<TcpStream>,
}

/// A service whose listeners and clients hold all that they may.
async fn exhausted() -> Exhausted {
    let service = Launch::serve_with_descriptors(LIMIT, &[]).start().await;
    let mut listeners = Vec::new();
    for _ in 0..LISTENERS {
        listeners.push(service.open(json!({})).await);
    }
    let kept = Kept::connect(service.api).await;
    let mut clients = Vec::new();
    for listener in listeners.iter().cycle().take(CLIENTS) {
        // Whoever is one too many waits, or is reset at once.
        clients.extend(TcpStream::connect(address(listener)).await);
    }
    service.program.until(|said| said.err().contains("accepting pauses")).await;
    assert!(service.descriptors() < LIMIT as usize, "some are left for the API: {}", service.descriptors());
    Exhausted { service, kept, listeners, clients }
}

fn metric(metrics: &str, name: &str) -> u64 {
    let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {name} in {metrics}")).parse().unwrap()
}

fn pauses(metrics: &str) -> u64 {
    metric(metrics, "answerback_accept_pauses_total")
}

/// Waits until every client has been taken in or turned away, and has gone.
async fn all_have_gone(kept: &mut Kept, clients: usize) {
    loop {
        let metrics = kept.ask("GET", "/metrics", "").await.1;
        let refused = metric(&metrics, "answerback_connections_refused_total{reason=\"total_limit\"}");
        let seen = metric(&metrics, "answerback_connections_total") + refused;
        if seen == clients as u64 && metric(&metrics, "answerback_connections_open") == 0 {
            return;
        }
    }
}

#[tokio::test]
async fn accepting_pauses_without_spinning_and_goes_on_when_clients_leave() {
    let Exhausted { service, mut kept, listeners, clients } = exhausted().await;
    for _ in 0..20 {
        let since = Instant::now();
        assert_eq!(kept.ask("GET", "/listeners", "").await.0, 200);
        assert!(since.elapsed() < Duration::from_secs(1), "{:?}", since.elapsed());
    }
    let (status, problem) = kept.ask("POST", "/listeners", r#"{"port":0,"host":"127.0.0.1"}"#).await;
    assert!(status == 503 && problem.contains("\"fd-limit\""), "{status} {problem}");

    // A long poll that nothing answers is a window of two seconds.
    let before = (service.processor_ticks(), pauses(&kept.ask("GET", "/metrics", "").await.1));
    let (status, _) = kept.ask("GET", "/connections?listener=nobody&after=start&wait=2s", "").await;
    assert_eq!(status, 200);
    let after = (service.processor_ticks(), pauses(&kept.ask("GET", "/metrics", "").await.1));
    assert!(before.1 > 0 && after.1 > before.1, "{before:?} {after:?}");
    assert!(after.0 - before.0 < 40, "a fifth of a processor at the most: {before:?} {after:?}");
    assert!(after.1 - before.1 < 100 * CLIENTS as u64, "{before:?} {after:?}");

    drop(clients);
    let gone = timeout(Duration::from_secs(10), all_have_gone(&mut kept, CLIENTS)).await;
    gone.expect("accepting goes on, and finds that they have gone");
    for listener in &listeners {
        let mut peer = service.connect(listener).await;
        peer.send("hello").await;
        assert_eq!(peer.read_to_end().await.0, STANDARD_REPLY);
    }
    service.get("/listeners").await.expect(200);
    assert_eq!(service.terminate().await.code, Some(0));
}

#[tokio::test]
async fn being_out_of_descriptors_is_logged_about_once_a_second_however_many_listeners_there_are() {
    let Exhausted { service, mut kept, clients, .. } = exhausted().await;
    let (status, _) = kept.ask("GET", "/connections?listener=nobody&after=start&wait=3s", "").await;
    assert_eq!(status, 200);
    let log = service.program.said().err();
    let lines = log.lines().filter(|line| line.contains("accepting pauses")).count();
    assert!(lines < 10, "{lines} lines in three seconds from {LISTENERS} listeners:\n{log}");
    drop(clients);
}

#[tokio::test]
async fn the_api_is_in_reach_while_clients_hold_every_descriptor() {
    let Exhausted { service, clients, .. } = exhausted().await;
    for _ in 0..5 {
        let asked = timeout(Duration::from_secs(1), service.get("/listeners")).await;
        asked.expect("a new connection to the API is answered within a second").expect(200);
    }
    drop(clients);
}

#[tokio::test]
async fn accepting_goes_on_by_itself_when_the_process_has_descriptors_again() {
    let Some(prlimit) = crate::support::Tool::find("prlimit") else { return };
    let service = Launch::serve(&[]).start().await;
    let listener = service.open(json!({})).await;
    let pid = service.program.pid().to_string();
    let limit = async |soft: usize| {
        let ended = prlimit.run(&["--pid", &pid, &format!("--nofile={soft}:")], "").await;
        assert_eq!(ended.code, Some(0), "{}", ended.said.err());
    };
    let kept = Kept::connect(service.api).await;
    // What it has it may keep. Numbers below this are in use for ever, so the next client is one too many, and waits.
    limit(3).await;
    let mut peer = service.connect(&listener).await;
    peer.send("hello").await;
    let said = service.program.until(|said| said.err().contains("accepting pauses")).await.err();
    assert!(said.contains("os error 24"), "EMFILE itself: {said}");
    limit(1000).await;
    assert_eq!(peer.read_to_end().await.0, STANDARD_REPLY);
    drop(kept);
    assert_eq!(service.terminate().await.code, Some(0));
}

#[tokio::test]
async fn more_clients_than_descriptors_are_served_one_after_the_other() {
    let service = Launch::serve_with_descriptors(LIMIT, &[]).start().await;
    service.program.until(|said| said.err().contains("max_connections is lowered")).await;
    let listener = service.open(json!({})).await;
    let mut clients = Vec::new();
    for _ in 0..LIMIT {
        clients.push(service.connect(&listener).await);
    }
    service.get("/listeners").await.expect(200);
    for mut client in clients {
        client.send("?").await;
        assert_eq!(client.read_to_end().await.0, STANDARD_REPLY);
    }
}
