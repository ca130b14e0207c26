//! Many clients, many listeners, many changes at once: nobody waits for another, and nothing is left behind.

use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering::Relaxed};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use crate::support::{End, Kept, Launch, PATIENCE, Peer, STANDARD_REPLY, Service, Tool, address};

/// How many listeners are created and deleted; `ANSWERBACK_TEST_CHURN` says otherwise.
const CHURN: usize = 10_000;

/// The clients of a test are descriptors of this process.
fn allow_many_clients() {
    let _ = rlimit::increase_nofile_limit(8_192);
}

/// Ports that the kernel gives to nobody who does not ask for them: the connections of other tests cannot have them.
fn quiet_ports(count: usize) -> Vec<u16> {
    static TAKEN: AtomicU16 = AtomicU16::new(0);
    let range = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap();
    let lowest: u16 = range.split_whitespace().next().unwrap().parse().unwrap();
    let below = std::iter::repeat_with(|| lowest - 1 - TAKEN.fetch_add(1, Relaxed));
    below.filter(|port| StdListener::bind(("127.0.0.1", *port)).is_ok()).take(count).collect()
}

fn metric(metrics: &str, name: &str) -> u64 {
    let line = metrics.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|value| value.trim().parse().ok()).unwrap_or_else(|| panic!("no {name} in {metrics}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_clients_wait_neither_for_one_that_never_reads_nor_for_one_that_sends_a_byte_now_and_then()
{
    allow_many_clients();
    let service = Arc::new(Launch::serve(&[]).start().await);
    let at = address(&service.open(json!({"reply": {"echo": true}, "limits": {"write": "1m"}})).await);
    let mut never_reads = Peer::connect(at).await;
    let stuck = tokio::spawn(async move {
        let flood = vec![b'x'; 1 << 20];
        for _ in 0..256 {
            // However long the others take: to be stuck is what it is here for.
            never_reads.0.write_all(&flood).await.unwrap();
        }
    });
    let (done, mut others_done) = mpsc::unbounded_channel();
    let now_and_then = tokio::spawn(async move {
        let mut peer = Peer::connect(at).await;
        let mut sent = 0_u8;
        for count in 1.. {
            if others_done.recv().await.is_none() {
                break;
            }
            if count % 50 == 0 {
                peer.send([b'a' + sent]).await;
                sent += 1;
            }
        }
        let echoed = peer.read(usize::from(sent)).await;
        (peer, echoed)
    });
    let started = Instant::now();
    let others = (0..998_usize).map(|n| {
        let done = done.clone();
        tokio::spawn(async move {
            let mut peer = Peer::connect(at).await;
            let message = format!("{n:064}");
            for _ in 0..3 {
                peer.send(&message).await;
                assert_eq!(peer.read(64).await, message.as_bytes());
            }
            let _ = done.send(());
            peer
        })
    });
    let others = join_all(others.collect::<Vec<_>>()).await;
    let took = started.elapsed();
    drop(done);
    assert!(took < Duration::from_secs(40), "998 clients took {took:?}");
    let (_slow, echoed) = now_and_then.await.unwrap();
    assert_eq!(echoed, b"abcdefghijklmnopqrs");
    assert!(!stuck.is_finished(), "its flood is more than anybody buffers");
    let open = metric(&service.get("/metrics").await.expect(200).text(), "answerback_connections_open ");
    assert_eq!((open, others.len()), (1_000, 998));
    stuck.abort();
}

/// Creates and deletes `count` listeners, half of them on the same port, while clients come in every way they do.
async fn churn(api: SocketAddr, port: u16, count: usize) {
    let mut api = Kept::connect(api).await;
    for round in 0..count {
        let asked = if round % 2 == 0 { port } else { 0 };
        let spec = json!({"port": asked, "host": "127.0.0.1", "name": format!("p{port}")}).to_string();
        let (status, body) = api.ask("POST", "/listeners", &spec).await;
        assert_eq!(status, 201, "{body}");
        let at = address(&serde_json::from_str(&body).unwrap());
        let mut clients = Vec::new();
        let kind = round / 2 % 4;
        match kind {
            0 => {}
            1 => clients.push(Peer::connect(at).await),
            2 => Peer::connect(at).await.reset(),
            _ => {
                let mut peer = Peer::connect(at).await;
                peer.send("hello").await;
                assert_eq!(peer.read(17).await, STANDARD_REPLY);
                clients.push(peer);
            }
        }
        let (status, body) = api.ask("DELETE", &format!("/listeners/p{port}"), "").await;
        assert_eq!(status, 204, "{body}");
        for mut peer in clients {
            let end = peer.read_to_end().await.1;
            assert!(end == if kind == 1 { End::Reset } else { End::Fin }, "{end:?}");
        }
    }
}

async fn churn_by_eight(service: &Service, ports: &[u16], count: usize) {
    let api = service.api;
    let workers = ports.iter().map(|&port| tokio::spawn(churn(api, port, count / ports.len())));
    for worker in join_all(workers.collect::<Vec<_>>()).await {
        worker.unwrap();
    }
    service.request("DELETE", "/connections", &[], "").await.expect(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn listeners_that_come_and_go_ten_thousand_times_leave_nothing_behind() {
    let count = std::env::var("ANSWERBACK_TEST_CHURN").map_or(CHURN, |text| text.parse().unwrap());
    let service = Launch::serve(&["--log", "warn"]).start().await;
    let before = (service.descriptors(), service.listening());
    assert_eq!(before.1, BTreeSet::from([service.api]));
    let ports = quiet_ports(8);
    churn_by_eight(&service, &ports, count / 10).await;
    let warm = service.resident_kib();
    churn_by_eight(&service, &ports, count).await;

    service.until_descriptors_are_down_to(before.0).await;
    assert_eq!(service.listening(), before.1, "no port is left open");
    let kept = service.resident_kib().saturating_sub(warm);
    assert!(kept < 16 * 1024, "{kept} KiB more than after a tenth of it ({warm} KiB)");
    let metrics = service.get("/metrics").await.expect(200).text();
    assert_eq!(metric(&metrics, "answerback_listeners "), 0);
    assert_eq!(metric(&metrics, "answerback_connections_open "), 0);
    for port in ports {
        StdListener::bind(("127.0.0.1", port)).unwrap();
    }
    let ended = service.terminate().await;
    let said = ended.said.err();
    assert!(ended.code == Some(0) && !said.contains("WARN") && !said.contains("ERROR"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_listeners_are_open_at_once() {
    let service = Launch::serve(&["--max-listeners", "1000"]).start().await;
    let (before, api, started) = (service.descriptors(), service.api, Instant::now());
    let opening = (0..8).map(|_| {
        tokio::spawn(async move {
            let (mut api, mut opened) = (Kept::connect(api).await, Vec::new());
            for _ in 0..125 {
                let (status, body) = api.ask("POST", "/listeners", r#"{"port":0,"host":"127.0.0.1"}"#).await;
                assert_eq!(status, 201, "{body}");
                opened.push(address(&serde_json::from_str(&body).unwrap()));
            }
            opened
        })
    });
    let opened = join_all(opening.collect::<Vec<_>>()).await;
    let took = started.elapsed();
    let opened: BTreeSet<SocketAddr> = opened.into_iter().flat_map(Result::unwrap).collect();
    assert!(took < Duration::from_secs(10), "a thousand POSTs took {took:?}");
    let mut listening = service.listening();
    assert!(listening.remove(&api) && listening == opened && opened.len() == 1_000);
    let items = service.get("/listeners").await.expect(200).json();
    assert_eq!(items["items"].as_array().unwrap().len(), 1_000);
    for at in opened {
        let mut peer = Peer::connect(at).await;
        peer.send("hello").await;
        assert_eq!(peer.read_to_end().await.0, STANDARD_REPLY);
    }
    service.request("POST", "/reset", &[], "").await.expect(204);
    assert_eq!(service.listening(), BTreeSet::from([api]));
    service.until_descriptors_are_down_to(before).await;
}

/// A few requests about one name, different for each worker and round; every answer keeps to the contract.
async fn quarrel(service: Arc<Service>, worker: usize, round: usize, ports: Vec<u16>) {
    for step in 0..12 {
        let turn = worker * 31 + round * 17 + step * 7;
        let spec = |more: Value| {
            let mut spec = json!({"host": "127.0.0.1", "port": ports[turn / 5 % ports.len()]});
            spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            spec
        };
        let answer = match turn % 6 {
            0 => service.json("POST", "/listeners", &spec(json!({"name": "gate"}))).await,
            1 => service.json("PUT", "/listeners/gate", &spec(json!({"reply": "ok"}))).await,
            2 => service.json("PUT", "/listeners/gate", &spec(json!({"port": 0}))).await,
            3 => service.json("PATCH", "/listeners/gate", &json!({"port": ports[turn % ports.len()]})).await,
            4 => service.delete("/listeners/gate").await,
            _ => {
                service
                    .json("PATCH", "/listeners/gate", &json!({"reply": {"echo": true}, "then": null}))
                    .await
            }
        };
        let status = answer.status.as_u16();
        assert!([200, 201, 204, 404, 409].contains(&status), "{turn}: {}", answer.text());
        if [200, 201].contains(&status) {
            // A client of whoever listens there by now, if anybody does.
            drop(TcpStream::connect(address(&answer.json())).await);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_of_one_name_by_sixteen_at_once_leave_what_the_api_says() {
    let service = Arc::new(Launch::serve(&[]).start().await);
    let ports = quiet_ports(3);
    for round in 0..6 {
        let workers =
            (0..16).map(|worker| tokio::spawn(quarrel(Arc::clone(&service), worker, round, ports.clone())));
        for worker in join_all(workers.collect::<Vec<_>>()).await {
            worker.unwrap();
        }
        // Everybody is silent: what is listed is what listens.
        let list = service.get("/listeners").await.expect(200).json();
        let mut listed: BTreeSet<_> = list["items"].as_array().unwrap().iter().map(address).collect();
        assert!(
            list["items"].as_array().unwrap().iter().all(|listener| listener["state"] == "open"),
            "{list}"
        );
        assert!(listed.insert(service.api) && service.listening() == listed, "{list}");
    }
    service.request("POST", "/reset", &[], "").await.expect(204);
    assert_eq!(service.listening(), BTreeSet::from([service.api]));
    for port in ports {
        StdListener::bind(("127.0.0.1", port)).unwrap();
    }
}

#[tokio::test]
async fn what_a_generator_makes_of_the_contract_is_answered_as_the_contract_says() {
    let Some(schemathesis) = Tool::find("schemathesis") else { return };
    // Ports that no other test is given by the kernel.
    let flags = ["--allow-ports", "20000-20999", "--max-listeners", "4000"];
    let service = Launch::serve(&flags).start().await;
    // No long poll is waited for.
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("schemathesis.toml");
    std::fs::write(&config, "[parameters]\n\"query.wait\" = \"1ms\"\n").unwrap();
    let contract = format!("http://{}/openapi.json", service.api);
    let flags = [
        "--config-file",
        config.to_str().unwrap(),
        "run",
        &contract,
        "--seed",
        "1",
        "--max-examples",
        "10",
        "--no-color",
        "--request-timeout",
        "20",
        // They wait for what the generator never does: for as long as a body says, or without end.
        "--exclude-path",
        "/expect",
        "--exclude-path",
        "/events",
        // What one field may be depends on another, which a schema cannot say.
        "--exclude-checks",
        "positive_data_acceptance",
    ];
    let ended = schemathesis.run_within(10 * PATIENCE, &flags, "").await;
    let said = ended.said.out();
    assert_eq!(ended.code, Some(0), "{said}\n{}", ended.said.err());
    let ended = service.terminate().await;
    assert_eq!(ended.code, Some(0));
    assert!(!ended.said.err().contains("panicked"), "{}", ended.said.err());
}
