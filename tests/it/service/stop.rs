//! Signals: everything under way finishes, within a bounded time, and a second signal does not wait for it.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use super::status;
use crate::support::{End, Kept, Launch, Peer, Service, address};

/// The longest that a reply may be. The kernel takes in a few of them for a client that does not read.
const LONG_REPLY: usize = 1 << 20;

/// A client in the middle of a reply that it does not read, and how many it has been sent or promised.
async fn in_the_middle_of_a_reply(service: &Service) -> (Peer, usize) {
    let reply = json!({"name": "long", "reply": "a".repeat(LONG_REPLY), "then": "keep"});
    let listener = service.open(reply).await;
    let mut peer = service.connect(&listener).await;
    let mut after = "start".to_owned();
    for replies in 0..32 {
        peer.send("x").await;
        let path = format!("/messages?listener=long&direction=sent&after={after}&wait=1s&payload=none");
        let list = service.get(&path).await.expect(200).json();
        if list["items"] == json!([]) {
            // Not even looked at: the reply before is still being sent.
            return (peer, replies);
        }
        assert_eq!(list["items"][0]["size"], json!(LONG_REPLY), "on record before it leaves");
        list["next"].as_str().unwrap().clone_into(&mut after);
    }
    panic!("the kernel buffers 32 MiB for a client that does not read")
}

/// A long poll that the service is waiting with.
async fn in_the_middle_of_a_long_poll(service: &Service) -> Peer {
    let mut peer = Peer::connect(service.api).await;
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nhost: {}\r\n\r\n", service.api);
    let health = service.get("/healthz").await.expect(200).body.len();
    // Both in one segment: once the first is answered the second is being looked at.
    peer.send(get("/healthz") + &get("/connections?listener=nobody-yet&after=start&wait=50s")).await;
    let mut answer = Vec::new();
    while !answer.windows(4).any(|w| w == b"\r\n\r\n") {
        answer.extend(peer.read(1).await);
    }
    peer.read(health).await;
    peer
}

async fn nobody_is_let_in(at: SocketAddr) {
    let refused = async { while TcpStream::connect(at).await.is_ok() {} };
    timeout(Duration::from_secs(10), refused).await.expect("a port that lets nobody in");
}

#[tokio::test]
async fn the_first_signal_lets_everything_under_way_finish() {
    for signal in ["TERM", "INT"] {
        let service = Launch::serve(&[]).start().await;
        let echo = service.open(json!({"reply": {"echo": true}, "name": "echo"})).await;
        service.open(json!({"name": "nobody-yet"})).await;
        let mut idle = service.connect(&echo).await;
        idle.send("ping").await;
        assert_eq!(idle.read(4).await, b"ping");
        let (mut reading, replies) = in_the_middle_of_a_reply(&service).await;
        let mut polling = in_the_middle_of_a_long_poll(&service).await;
        let mut kept = Peer::connect(service.api).await;

        service.program.signal(signal);
        let (answer, _) = polling.read_to_end().await;
        let answer = String::from_utf8(answer).unwrap();
        assert_eq!(status(&answer), 200, "{signal}: {answer}");
        let list: Value = serde_json::from_str(answer.split("\r\n\r\n").nth(1).unwrap()).unwrap();
        assert_eq!(list["items"], json!([]), "{signal}: a poll that found nothing");
        assert_eq!(idle.read_to_end().await, (vec![], End::Fin), "{signal}: an idle client");
        nobody_is_let_in(address(&echo)).await;
        nobody_is_let_in(service.api).await;
        let (reply, end) = reading.read_to_end().await;
        // The message that was waiting meanwhile has its reply as well.
        assert_eq!((reply.len(), end), ((replies + 1) * LONG_REPLY, End::Fin), "{signal}: whole replies");
        kept.read_to_end().await;
        drop((idle, reading, polling, kept));
        let started = Instant::now();
        let ended = service.program.ended().await;
        let said = ended.said.err();
        assert_eq!(ended.code, Some(0), "{signal}: {said}");
        assert!(started.elapsed() < Duration::from_secs(4), "{signal}: {:?}", started.elapsed());
        assert!(said.contains(&format!("SIG{signal}")) && said.contains("stopped"), "{said}");
    }
}

#[tokio::test]
async fn clients_that_go_on_talking_get_whole_replies_and_then_the_end() {
    let service = Launch::serve(&[]).start().await;
    let at = address(&service.open(json!({"reply": {"echo": true}})).await);
    let (said, mut heard) = tokio::sync::mpsc::unbounded_channel();
    let talking = (0..100_u8).map(|n| {
        let said = said.clone();
        tokio::spawn(async move {
            let (mut client, mut replies) = (TcpStream::connect(at).await.unwrap(), 0);
            // Until the service ends it, which may cross with the next message.
            while client.write_all(&[n; 64]).await.is_ok() {
                let mut reply = [0; 64];
                match client.read_exact(&mut reply).await {
                    Ok(_) => assert_eq!(reply, [n; 64]),
                    Err(_) => break,
                }
                replies += 1;
                let _ = said.send(());
            }
            let mut rest = Vec::new();
            let _ = client.read_to_end(&mut rest).await;
            assert!(rest.is_empty(), "no reply by halves: {} bytes", rest.len());
            replies
        })
    });
    let talking: Vec<_> = talking.collect();
    for _ in 0..1_000 {
        heard.recv().await.unwrap();
    }
    let ended = service.terminate().await;
    assert_eq!(ended.code, Some(0), "{}", ended.said.err());
    let mut replies = 0;
    for client in talking {
        replies += client.await.unwrap();
    }
    assert!(replies >= 1_000, "{replies}");
}

#[tokio::test]
async fn a_delete_that_waits_for_clients_is_answered_and_holds_nothing_up() {
    let service = Launch::serve(&[]).start().await;
    let listener = service.open(json!({"name": "gate", "reply": null, "then": "keep"})).await;
    let mut peer = service.connect(&listener).await;
    let mut kept = Kept::connect(service.api).await;
    let closing = tokio::spawn(async move { kept.ask("DELETE", "/listeners/gate?drain=50s", "").await });
    while service.get("/listeners/gate").await.expect(200).json()["state"] == "open" {}
    let started = Instant::now();
    assert_eq!(service.terminate().await.code, Some(0));
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
    assert_eq!(closing.await.unwrap().0, 204);
    peer.read_to_end().await;
}

#[tokio::test]
async fn a_client_that_never_reads_is_waited_for_as_long_as_the_grace_lasts() {
    let service = Launch::serve(&[]).start().await;
    let (mut stuck, _) = in_the_middle_of_a_reply(&service).await;
    let mut half = Peer::connect(service.api).await;
    half.send("GET /listeners HTTP/1.1\r\nhost:").await;
    let started = Instant::now();
    let ended = service.terminate().await;
    let took = started.elapsed();
    assert_eq!(ended.code, Some(0), "{}", ended.said.err());
    assert!((4..9).contains(&took.as_secs()), "{took:?}");
    assert_eq!(stuck.read_to_end().await.1, End::Reset);
    drop(half);
}

#[tokio::test]
async fn a_second_signal_stops_at_once() {
    for (first, second) in [("TERM", "TERM"), ("INT", "INT"), ("TERM", "INT")] {
        let service = Launch::serve(&[]).start().await;
        let (stuck, _) = in_the_middle_of_a_reply(&service).await;
        service.program.signal(first);
        service.program.until(|said| said.err().contains("a second signal stops at once")).await;
        let started = Instant::now();
        service.program.signal(second);
        let ended = service.program.ended().await;
        let said = ended.said.err();
        assert_eq!(ended.code, Some(1), "{first} {second}: {said}");
        assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
        assert!(said.contains(&format!("SIG{second} again")), "{said}");
        drop(stuck);
    }
}

#[tokio::test]
async fn with_nobody_there_it_stops_promptly_and_gives_its_ports_back() {
    let service = Launch::serve(&["--open", "127.0.0.1:0"]).start().await;
    let (api, endpoint) = (service.api, service.opened(1).await[0]);
    let mut answered = Peer::connect(endpoint).await;
    answered.send("hello").await;
    // It has had its reply and its FIN, and does not close: the endpoint still listens to it.
    assert_eq!(answered.read_to_end().await.1, End::Fin);
    let started = Instant::now();
    assert_eq!(service.terminate().await.code, Some(0));
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
    for address in [api, endpoint] {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_reuseaddr(true).unwrap();
        socket.bind(address).unwrap();
        socket.listen(1).unwrap();
    }
}
