//! Faults of single replies.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{End, TestApp};

use super::{change, endpoint};

#[tokio::test]
async fn a_latency_delays_each_reply() {
    let app = TestApp::start().await;
    let listener = endpoint(&app, json!([{"type": "latency", "delay": "200ms"}])).await;
    let mut peer = app.connect(&listener).await;
    for _ in 0..2 {
        let asked = Instant::now();
        peer.send("a").await;
        assert_eq!(peer.read(10).await, b"0123456789");
        assert!(asked.elapsed() >= Duration::from_millis(200), "{:?}", asked.elapsed());
    }
}

#[tokio::test]
async fn a_dribble_comes_in_segments_with_a_pause_between() {
    let app = TestApp::start().await;
    let listener = endpoint(&app, json!([{"type": "dribble", "bytes": 3, "every": "60ms"}])).await;
    let mut peer = app.connect(&listener).await;
    let asked = Instant::now();
    peer.send("a").await;
    // Each segment alone: none of the next is there before its time.
    let mut pieces = Vec::new();
    let mut buffer = [0; 64];
    while pieces.iter().sum::<usize>() < 10 {
        pieces.push(tokio::io::AsyncReadExt::read(&mut peer.0, &mut buffer).await.unwrap());
    }
    assert!(asked.elapsed() >= Duration::from_millis(180), "{:?}", asked.elapsed());
    // A machine that is busy may read two at once; none comes in smaller parts.
    assert!(pieces.len() <= 4 && pieces.iter().all(|piece| [3, 6, 9, 1, 4, 7].contains(piece)), "{pieces:?}");
    assert!(pieces.len() > 1);
}

#[tokio::test]
async fn a_slow_line_keeps_its_rate_both_ways() {
    let app = TestApp::start().await;
    let faults = json!([{"type": "bandwidth", "rate": 20_000, "direction": "sent"}]);
    let spec = json!({"reply": {"text": "x".repeat(6_000)}, "then": "keep", "faults": faults});
    let listener = app.open(spec).await;
    let mut peer = app.connect(&listener).await;
    let asked = Instant::now();
    peer.send("a").await;
    assert_eq!(peer.read(6_000).await.len(), 6_000);
    // 300 ms, less the first piece of 400 bytes.
    assert!(asked.elapsed() >= Duration::from_millis(275), "{:?}", asked.elapsed());

    let faults = json!([{"type": "bandwidth", "rate": "100KiB", "direction": "received"}]);
    let framing = json!({"type": "fixed", "size": 30_000});
    let spec = json!({"reply": "ok", "then": "keep", "faults": faults, "framing": framing});
    let listener = app.open(spec).await;
    let mut peer = app.connect(&listener).await;
    let asked = Instant::now();
    peer.send(vec![0; 30_000]).await;
    assert_eq!(peer.read(2).await, b"ok");
    assert!(asked.elapsed() >= Duration::from_millis(260), "{:?}", asked.elapsed());
}

#[tokio::test]
async fn of_a_truncated_reply_the_beginning_leaves_and_that_is_what_is_on_record() {
    let app = TestApp::start().await;
    let listener = endpoint(&app, json!([{"type": "truncate", "bytes": 4}])).await;
    let mut peer = app.connect(&listener).await;
    peer.send("a").await;
    assert_eq!(peer.read(4).await, b"0123");
    change(&app, &listener, json!([])).await;
    peer.send("b").await;
    assert_eq!(peer.read(10).await, b"0123456789", "and nothing between");
    let sent = app.connections(&listener).await[0]["sent"].clone();
    assert_eq!(sent, json!({"bytes": 14, "messages": 2}));
    // With `close` it is what a client sees of an answer that was cut.
    let id = listener["id"].as_str().unwrap();
    let cut = json!({"then": "close", "faults": [{"type": "truncate", "bytes": 1}]});
    app.json("PATCH", &format!("/listeners/{id}"), &cut).await.expect(200);
    peer.send("c").await;
    assert_eq!(peer.read_to_end().await, (b"0".to_vec(), End::Fin));
}

#[tokio::test]
async fn a_corrupt_reply_differs_in_as_many_bits_as_asked_and_the_record_agrees() {
    let app = TestApp::start().await;
    let listener = endpoint(&app, json!([{"type": "corrupt", "bits": 3, "seed": 1}])).await;
    let mut peer = app.connect(&listener).await;
    peer.send("a").await;
    let got = peer.read(10).await;
    let wrong: u32 = got.iter().zip(b"0123456789").map(|(a, b)| (a ^ b).count_ones()).sum();
    assert_eq!(wrong, 3);
    let path = format!("/messages?direction=sent&payload=hex&listener={}", listener["id"].as_str().unwrap());
    let sent = app.get(&path).await.expect(200).json();
    let hex: Vec<_> = got.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(sent["items"][0]["hex"], hex.join(" "));
}

#[tokio::test]
async fn a_reply_is_cut_by_a_rst_or_a_fin_where_it_says() {
    let app = TestApp::start().await;
    for (kind, end) in [("reset", End::Reset), ("close", End::Fin)] {
        for (fault, asks, expected) in [
            (json!({"type": kind, "when": "reply", "after_bytes": 4}), 1, "0123"),
            (json!({"type": kind}), 1, ""),
            (json!({"type": kind, "when": "reply", "after_bytes": 99}), 1, "0123456789"),
            (json!({"type": kind, "when": "message"}), 1, ""),
            (json!({"type": kind, "when": "message", "after_bytes": 3}), 3, "01234567890123456789"),
        ] {
            let listener = endpoint(&app, json!([fault])).await;
            let mut peer = app.connect(&listener).await;
            let mut got = Vec::new();
            for ask in 1..=asks {
                peer.send("a").await;
                if ask < asks {
                    got.extend(peer.read(10).await);
                }
            }
            let (rest, seen) = peer.read_to_end().await;
            got.extend(rest);
            assert_eq!((std::str::from_utf8(&got).unwrap(), seen), (expected, end), "{fault}");
            drop(peer);
            let record = app.only_closed_connection(&listener).await;
            assert_eq!(
                (&record["closed_by"], &record["close_reason"]),
                (&json!("endpoint"), &json!("fault"))
            );
            assert_eq!(record["received"]["messages"], asks, "what came is on record");
            assert_eq!(record["sent"]["bytes"], expected.len());
        }
    }
}

#[tokio::test]
async fn a_seed_strikes_the_same_messages_again_and_none_others() {
    let app = TestApp::start().await;
    let mut runs = Vec::new();
    for seed in [json!(42), json!(42), json!(43), Value::Null] {
        let fault = json!({"type": "truncate", "bytes": 1, "probability": 0.5, "seed": seed});
        let listener = endpoint(&app, json!([fault, {"type": "corrupt", "bits": 1, "seed": seed}])).await;
        let mut replies = Vec::new();
        for _ in 0..2 {
            let mut peer = app.connect(&listener).await;
            for n in 1..=20 {
                peer.send("a").await;
                replies.push(peer.read(1).await);
                // Whole replies are read to their ends.
                let sent = super::received(&app, &listener, 1).await;
                assert!(!sent.is_empty());
                let id = listener["id"].as_str().unwrap();
                let path = format!("/messages?direction=sent&order=desc&limit=1&listener={id}");
                let last = app.get(&path).await.expect(200).json();
                let size = last["items"][0]["size"].as_u64().unwrap();
                assert!(last["items"][0]["seq"] == n && [1, 10].contains(&size));
                replies.push(peer.read(usize::try_from(size).unwrap() - 1).await);
            }
        }
        runs.push(replies);
    }
    assert_eq!(runs[0], runs[1]);
    assert_ne!(runs[0], runs[2]);
    assert_ne!(runs[0], runs[3]);
    let whole = runs[0].iter().filter(|reply| reply.len() == 9).count();
    assert!((8..=32).contains(&whole), "{whole} of 40 at a probability of a half");
}

#[tokio::test]
async fn a_rule_has_faults_of_its_own() {
    let app = TestApp::start().await;
    let rules = json!([
        {"when": {"equals": "late"}, "reply": "late", "faults": [{"type": "latency", "delay": "100ms"}]},
        {"when": {"equals": "cut"}, "reply": "whole", "faults": [{"type": "truncate", "bytes": 2}]},
        {"when": {"equals": "slow"}, "reply": "slow",
         "faults": [{"type": "bandwidth", "rate": 20, "direction": "sent"}]},
        {"when": {"equals": "die"}, "reply": "dying", "faults": [{"type": "reset", "after_bytes": 3}]},
    ]);
    let listener = app.open(json!({"reply": "ok", "then": "keep", "rules": rules})).await;
    let mut peer = app.connect(&listener).await;
    for (ask, answer, least) in
        [("hi", "ok", 0), ("late", "late", 100), ("cut", "wh", 0), ("slow", "slow", 150)]
    {
        let asked = Instant::now();
        peer.send(ask).await;
        assert_eq!(peer.read(answer.len()).await, answer.as_bytes());
        assert!(asked.elapsed() >= Duration::from_millis(least), "{ask}: {:?}", asked.elapsed());
    }
    peer.send("die").await;
    assert_eq!(peer.read_to_end().await, (b"dyi".to_vec(), End::Reset));
    let rules: Vec<_> = super::received(&app, &listener, 5).await.iter().map(|m| m["rule"].clone()).collect();
    assert_eq!(rules, [Value::Null, json!("r1"), json!("r2"), json!("r3"), json!("r4")]);
}
