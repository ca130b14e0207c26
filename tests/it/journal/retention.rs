//! What goes when there is too much.

use std::fs;
use std::time::Duration;

use serde_json::Value;
use tokio::time::interval;

use super::{Home, echo, received, say};
use crate::support::{PATIENCE, Service};

#[tokio::test]
async fn beyond_the_number_of_messages_the_oldest_go_and_lists_say_so() {
    let home = Home::new();
    let service = home.start(&["--retain-messages", "6"]).await;
    let listener = echo(&service).await;
    say(&service, &listener, ["one", "two", "three", "four", "five"]).await;
    // Each is on record with its echo.
    assert_eq!(received(&service).await, ["three", "four", "five"]);
    let list = service.get("/messages?after=start").await.expect(200).json();
    let oldest = &list["items"][0]["cursor"];
    assert_eq!(&list["evicted_before"], oldest, "from here on it is whole");
    let behind =
        service.get(&format!("/messages?after={}", oldest.as_str().unwrap())).await.expect(200).json();
    assert_eq!((behind["items"].as_array().unwrap().len(), &behind["evicted_before"]), (5, &Value::Null));
    let path = format!("/listeners/{}", listener["id"].as_str().unwrap());
    let figures = service.get(&path).await.expect(200).json();
    assert_eq!(figures["received"]["messages"], 5, "what a listener has seen does not shrink");
    assert_eq!(service.terminate().await.code, Some(0));
    let service = home.start(&["--retain-messages", "6"]).await;
    assert_eq!(received(&service).await, ["three", "four", "five"]);
    let again = service.get("/messages?after=start").await.expect(200).json();
    assert_eq!(&again["evicted_before"], oldest, "cursors are valid after a restart");
}

#[tokio::test]
async fn what_is_too_old_goes_although_nobody_comes_any_more() {
    let home = Home::new();
    let service = home.start(&["--retain-age", "1s"]).await;
    let listener = echo(&service).await;
    say(&service, &listener, ["soon forgotten"]).await;
    until(&service, "/connections?order=asc&after=start", |list| {
        list["items"].as_array().unwrap().is_empty() && !list["evicted_before"].is_null()
    })
    .await;
}

#[tokio::test]
async fn what_is_too_old_goes_although_somebody_comes_all_the_time() {
    let home = Home::new();
    let service = home.start(&["--retain-age", "1s"]).await;
    let listener = echo(&service).await;
    say(&service, &listener, ["long ago"]).await;
    let mut peer = service.connect(&listener).await;
    let chatter = async {
        loop {
            peer.send("x").await;
            peer.read(1).await;
        }
    };
    let gone = until(&service, "/messages?contains=ago&after=start", |list| {
        list["items"].as_array().unwrap().is_empty()
    });
    tokio::select! { () = gone => {}, () = chatter => {} }
}

#[tokio::test]
async fn beyond_the_bytes_the_oldest_go_while_clients_are_answered_and_the_file_stays_small() {
    let home = Home::new();
    let service = home.start(&["--retain-bytes", "1MiB"]).await;
    let listener = echo(&service).await;
    let message = "x".repeat(32 << 10);
    let mut peer = service.connect(&listener).await;
    for _ in 0..400 {
        peer.send(&message).await;
        assert_eq!(peer.read(message.len()).await.len(), message.len());
    }
    let list = service.get("/messages?after=start&limit=1000&payload=none").await.expect(200).json();
    let kept: u64 =
        list["items"].as_array().unwrap().iter().map(|message| message["size"].as_u64().unwrap()).sum();
    // An echo is kept once.
    assert!((1 << 19..=2 << 20).contains(&kept), "{kept}");
    assert!(!list["evicted_before"].is_null());
    peer.finish_sending().await;
    peer.read_to_end().await;
    assert_eq!(service.terminate().await.code, Some(0));
    let size = fs::metadata(home.database()).unwrap().len();
    assert!(size < 8 << 20, "12.5 MiB went through a journal of 1 MiB, and its file has {size} bytes");
}

#[tokio::test]
async fn what_is_forgotten_gives_its_room_back_to_the_disk() {
    let home = Home::new();
    let service = home.start(&[]).await;
    let listener = echo(&service).await;
    let message = "y".repeat(64 << 10);
    say(&service, &listener, std::iter::repeat_n(message.as_str(), 300)).await;
    until(&service, "/connections?state=open", |list| list["items"].as_array().unwrap().is_empty()).await;
    let answer = service.delete("/connections").await.expect(200).json();
    assert_eq!(answer["forgotten"], 1);
    // The log goes into the database, and the database shrinks, when nobody waits.
    let mut look = interval(Duration::from_millis(20));
    let small = async {
        while fs::metadata(home.database()).unwrap().len() > 4 << 20 {
            say(&service, &listener, ["z"]).await;
            look.tick().await;
        }
    };
    assert!(
        tokio::time::timeout(PATIENCE, small).await.is_ok(),
        "18.75 MiB were forgotten and the file is as large"
    );
}

/// Asks until the answer is as wanted.
async fn until(service: &Service, path: &str, wanted: impl Fn(&Value) -> bool) {
    let mut look = interval(Duration::from_millis(20));
    let answered = async {
        while !wanted(&service.get(path).await.expect(200).json()) {
            look.tick().await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, answered).await.is_ok(), "GET {path} never said so");
}
