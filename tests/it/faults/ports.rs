//! `refuse`: a port that is closed, and held.

use std::io::ErrorKind;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;

use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{Moody, PATIENCE, STANDARD_REPLY, TestApp, address};

use super::{change, endpoint};

/// Whether who connects is refused, by a RST to its SYN.
async fn refuses(listener: &Value) -> bool {
    match TcpStream::connect(address(listener)).await {
        Ok(_) => false,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
            true
        }
    }
}

#[tokio::test]
async fn a_port_refuses_while_its_clients_are_served_and_opens_again_a_hundred_times() {
    let app = TestApp::start().await;
    let listener = endpoint(&app, json!([])).await;
    let mut peer = app.connect(&listener).await;
    for _ in 0..100 {
        change(&app, &listener, json!([{"type": "refuse"}])).await;
        assert!(refuses(&listener).await);
        peer.send("a").await;
        assert_eq!(peer.read(10).await, b"0123456789");
        change(&app, &listener, json!([])).await;
        let mut other = app.connect(&listener).await;
        other.send("b").await;
        assert_eq!(other.read(10).await, b"0123456789");
    }
    let shown = app.get(&format!("/listeners/{}", listener["id"].as_str().unwrap())).await.json();
    assert_eq!((&shown["state"], &shown["connections"]["total"]), (&json!("open"), &json!(101)));
}

#[tokio::test]
async fn a_refusing_port_is_held_and_given_back_when_its_listener_goes() {
    let app = TestApp::start().await;
    for (port, faults) in [(0, json!([{"type": "refuse"}])), (1, json!([{"type": "refuse"}]))] {
        // A port of one's own choice is held in another way than one that the kernel chose.
        let port = if port == 0 { 0 } else { free_port() };
        let listener = app.open(json!({"port": port, "faults": faults})).await;
        assert!(refuses(&listener).await);
        let taken = json!({"port": listener["port"], "host": "127.0.0.1"});
        assert_eq!(app.json("POST", "/listeners", &taken).await.status, 409);
        // Rust's standard library sets SO_REUSEADDR, as most servers do.
        let other = std::net::TcpListener::bind(address(&listener)).unwrap_err();
        assert_eq!(other.kind(), ErrorKind::AddrInUse, "no other program gets it");
        let id = listener["id"].as_str().unwrap();
        app.json("PATCH", &format!("/listeners/{id}"), &json!({"backlog": 5})).await.expect(200);
        assert!(refuses(&listener).await);
        app.delete(&format!("/listeners/{id}")).await.expect(204);
        TcpListener::bind(address(&listener)).await.unwrap();
    }
}

/// Clients who come while the journal keeps the listener find the port as they would before and after.
#[tokio::test]
async fn a_port_that_is_to_refuse_is_never_open_not_even_at_first() {
    let (journal, came) = (Arc::new(Moody::default()), Arc::new(Mutex::new(Vec::new())));
    let comes = Arc::clone(&came);
    journal.on_keep(move |record| {
        let comes = Arc::clone(&comes);
        Box::pin(async move {
            let mut connects = Box::pin(TcpStream::connect(record.address));
            // Its first segment leaves now.
            let begun = futures_util::poll!(&mut connects);
            let connected = match begun {
                Poll::Ready(connected) => Box::pin(std::future::ready(connected)),
                Poll::Pending => connects as Pin<Box<dyn Future<Output = _> + Send>>,
            };
            comes.lock().unwrap().push(connected);
            Ok(())
        })
    });
    let app = TestApp::start_over(journal, |_| ()).await.unwrap();
    let refuse = json!([{"type": "refuse"}]);
    let listener = app.open(json!({"faults": refuse})).await;
    let own = app.open(json!({"port": free_port(), "faults": refuse})).await;
    let path = format!("/listeners/{}", own["id"].as_str().unwrap());
    let moved = app.json("PATCH", &path, &json!({"host": "127.0.0.3"})).await.expect(200).json();
    let came = std::mem::take(&mut *came.lock().unwrap());
    assert_eq!(came.len(), 3);
    for connected in came {
        assert_eq!(connected.await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
    }
    for listener in [&listener, &moved] {
        assert!(refuses(listener).await);
        change(&app, listener, json!([])).await;
        let mut peer = app.connect(listener).await;
        peer.send("a").await;
        assert_eq!(peer.read(17).await, STANDARD_REPLY, "it hears again");
    }
}

/// A port that is free now, outside of those that the kernel hands out.
fn free_port() -> u16 {
    (20_000..30_000).find(|port| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok()).unwrap()
}

#[tokio::test]
async fn a_refusal_ends_by_itself_and_moves_with_its_listener() {
    let app = TestApp::start().await;
    let listener = endpoint(&app, json!([{"type": "refuse", "ttl": "300ms"}])).await;
    assert!(refuses(&listener).await);
    let opens = async {
        while refuses(&listener).await {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, opens).await.unwrap();
    change(&app, &listener, json!([{"type": "refuse"}])).await;
    let id = listener["id"].as_str().unwrap();
    let moved = json!({"host": "127.0.0.2"});
    let moved = app.json("PATCH", &format!("/listeners/{id}"), &moved).await.expect(200).json();
    assert!(refuses(&moved).await);
    change(&app, &moved, json!([])).await;
    let mut peer = app.connect(&moved).await;
    peer.send("a").await;
    assert_eq!(peer.read(10).await, b"0123456789");
}
