//! What only the kernel's own tables show: closed windows and segments that nobody acknowledges.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::AsyncWriteExt;

use crate::support::{End, PATIENCE, Peer, TestApp};

use super::{change, endpoint};

/// The client's end of a connection as the kernel's table has it (proc(5), `/proc/net/tcp`).
#[derive(Debug)]
struct Socket {
    /// Bytes that were sent and are not acknowledged.
    unacknowledged: u64,
    /// The timer that runs: 1 retransmits, 4 probes a closed window.
    timer: u64,
}

fn socket(peer: &Peer, listener: SocketAddr) -> Option<Socket> {
    let of = |address: SocketAddr| match address.ip() {
        std::net::IpAddr::V4(ip) => {
            format!("{:08X}:{:04X}", u32::from_ne_bytes(ip.octets()), address.port())
        }
        std::net::IpAddr::V6(_) => unreachable!("these tests use IPv4"),
    };
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let (local, remote) = (of(peer.address()), of(listener));
    let line = table.lines().find(|line| {
        let mut words = line.split_whitespace().skip(1);
        words.next() == Some(&local) && words.next() == Some(&remote)
    })?;
    let words: Vec<_> = line.split_whitespace().collect();
    let number = |text: &str| u64::from_str_radix(text, 16).unwrap();
    let (queue, _) = words[4].split_once(':').unwrap();
    let (timer, _) = words[5].split_once(':').unwrap();
    Some(Socket { unacknowledged: number(queue), timer: number(timer) })
}

/// Looks until the client's kernel is in that state; it gets there by itself.
fn until(peer: &Peer, listener: SocketAddr, what: impl Fn(&Socket) -> bool) {
    let began = Instant::now();
    loop {
        let socket = socket(peer, listener).expect("the connection is in the table");
        if what(&socket) {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "it is {socket:?}");
        std::thread::yield_now();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_not_read_sees_a_window_of_zero_and_goes_on_when_it_opens() {
    let app = TestApp::start().await;
    let listener = endpoint(&app, json!([{"type": "stop_reading"}])).await;
    let address =
        SocketAddr::from(([127, 0, 0, 1], u16::try_from(listener["port"].as_u64().unwrap()).unwrap()));
    let mut peer = app.connect(&listener).await;
    let mut sent = 0;
    let chunk = [b'x'; 16 << 10];
    // Until nothing is taken any more.
    while let Ok(written) = tokio::time::timeout(Duration::from_millis(300), peer.0.write(&chunk)).await {
        sent += written.unwrap();
        assert!(sent < 64 << 20, "it takes everything");
    }
    until(&peer, address, |socket| socket.timer == 4);
    change(&app, &listener, json!([])).await;
    peer.finish_sending().await;
    let (_, end) = peer.read_to_end().await;
    assert_eq!(end, End::Fin);
    assert_eq!(app.only_closed_connection(&listener).await["received"]["bytes"], sent);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_talks_to_a_half_open_connection_is_not_acknowledged_until_it_is_one_again() {
    let app = TestApp::start().await;
    let listener = endpoint(&app, json!([])).await;
    let address =
        SocketAddr::from(([127, 0, 0, 1], u16::try_from(listener["port"].as_u64().unwrap()).unwrap()));
    let mut peer = app.connect(&listener).await;
    peer.send("one").await;
    assert_eq!(peer.read(10).await, b"0123456789");
    change(&app, &listener, json!([{"type": "half_open"}])).await;
    // The change reaches the connection by itself. What was taken before it is answered.
    let mut lost = 0;
    loop {
        peer.send("two").await;
        let answer = tokio::time::timeout(Duration::from_millis(300), peer.read(10)).await;
        if answer.is_err() {
            lost += 3;
            break;
        }
    }
    until(&peer, address, |socket| socket.unacknowledged == lost && socket.timer == 1);
    change(&app, &listener, json!([])).await;
    // The kernel sends it again.
    assert_eq!(peer.read(10).await, b"0123456789");
}

#[tokio::test]
async fn a_half_open_connection_ends_with_a_reset() {
    let app = TestApp::start().await;
    let limits = json!({"idle": "200ms"});
    let spec = json!({"reply": "a", "faults": [{"type": "half_open"}], "limits": limits});
    let listener = app.open(spec).await;
    let mut peer = app.connect(&listener).await;
    assert_eq!(peer.read_to_end().await, (Vec::new(), End::Reset));
    assert_eq!(app.only_closed_connection(&listener).await["close_reason"], "idle_timeout");
}
