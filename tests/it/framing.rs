//! Framing as clients see it: each kind, however the bytes are split.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use answerback::store::{Cursor, Position};
use serde_json::{Value, json};

use crate::support::{End, TestApp};

/// The received messages of a connection: content as text, and what `near_miss` says.
fn told(connection: &Value) -> Vec<String> {
    let received = connection["messages"].as_array().unwrap().iter().filter(|m| m["direction"] == "received");
    let tell = |m: &Value| match m.get("near_miss") {
        Some(miss) => format!("{}: {}", m["text"].as_str().unwrap(), miss["detail"].as_str().unwrap()),
        None => m["text"].as_str().unwrap().to_owned(),
    };
    received.map(tell).collect()
}

/// Each framing, a stream of three messages in it, and their contents.
fn streams() -> Vec<(Value, Vec<u8>, [&'static str; 3])> {
    let contents = ["one", "", "three"];
    let joined = |frame: &dyn Fn(&str) -> Vec<u8>| contents.iter().flat_map(|text| frame(text)).collect();
    let length = |text: &str| u16::try_from(text.len()).unwrap();
    let prefixed = |head: Vec<u8>, text: &str| [&head, text.as_bytes()].concat();
    let big = |text: &str| prefixed(length(text).to_be_bytes().to_vec(), text);
    let little = |text: &str| prefixed((length(text) + 4).to_le_bytes().to_vec(), &(text.to_owned() + "##"));
    let digits = |text: &str| prefixed(format!("{:04}", text.len()).into_bytes(), text);
    let mllp = |text: &str| [b"\x0b", text.as_bytes(), b"\x1c\r"].concat();
    let delimiters = json!([{"hex": "0d 0a"}, "\n", {"base64": "AA=="}]);
    vec![
        (json!({"type": "delimiter", "delimiters": delimiters}), b"one\r\n\nthree\0".to_vec(), contents),
        (json!({"type": "length_prefixed"}), joined(&big), contents),
        (
            json!({"type": "length_prefixed", "endian": "little", "counts_prefix": true, "adjust": 0}),
            joined(&little),
            ["one##", "##", "three##"],
        ),
        (json!({"type": "ascii_length", "width": 4}), joined(&digits), contents),
        (json!({"type": "octet_counting"}), b"3 one1 25 three".to_vec(), ["one", "2", "three"]),
        (json!({"type": "fixed", "size": "3B"}), b"onetwosix".to_vec(), ["one", "two", "six"]),
        (json!({"type": "start_end", "start": "\u{b}", "end": {"hex": "1c0d"}}), joined(&mllp), contents),
    ]
}

#[tokio::test]
async fn every_framing_finds_its_messages_byte_by_byte_and_in_one_segment() {
    let app = TestApp::start().await;
    for (framing, stream, contents) in streams() {
        let listener =
            app.open(json!({"framing": framing, "encoding": "utf-8", "reply": {"echo": true}})).await;
        for part in [1, stream.len()] {
            let mut peer = app.connect(&listener).await;
            peer.0.set_nodelay(true).unwrap();
            for bytes in stream.chunks(part) {
                peer.send(bytes).await;
            }
            assert_eq!(peer.read(stream.len()).await, stream, "an echo is the frame as it came: {framing}");
            let connections = app.connections(&listener).await;
            let connection = connections.last().unwrap();
            assert_eq!(told(connection), contents, "{framing}, by {part}");
            assert_eq!(connection["received"], json!({"bytes": stream.len(), "messages": 3}));
            assert_eq!(connection["sent"], json!({"bytes": stream.len(), "messages": 3}));
        }
    }
}

#[tokio::test]
async fn a_spec_with_a_framing_is_shown_as_it_can_be_given_again() {
    let app = TestApp::start().await;
    let timed = [
        json!({"type": "idle_gap", "gap": "1s"}),
        json!({"type": "until_close", "keep": true}),
        json!({"type": "none"}),
    ];
    for framing in streams().into_iter().map(|(framing, ..)| framing).chain(timed) {
        let shown = app.open(json!({"framing": framing})).await["framing"].clone();
        let again = app.open(json!({"framing": shown})).await["framing"].clone();
        assert_eq!(shown, again);
        for (name, value) in framing.as_object().unwrap().iter().filter(|(name, _)| *name != "size") {
            let is_literal = value.get("hex").is_some();
            assert!(is_literal || name == "delimiters" || shown[name] == *value, "{name}: {shown}");
        }
    }
}

#[tokio::test]
async fn a_message_on_record_is_the_frame_and_its_content_is_what_matters() {
    let app = TestApp::start().await;
    let framing = json!({"type": "length_prefixed", "offset": 2, "width": 1, "adjust": 2});
    let login = b"\x78\x78\x0d\x01\x01\x23\x45\x67\x89\x01\x23\x45\x00\x01\x8c\xdd\x0d\x0a";
    for (keep, content) in
        [(false, json!({"offset": 3, "size": 15})), (true, json!({"offset": 0, "size": 18}))]
    {
        let mut framing = framing.clone();
        framing["keep"] = keep.into();
        let listener = app.open(json!({"framing": framing, "reply": {"hex": "7878"}, "then": "keep"})).await;
        let mut peer = app.connect(&listener).await;
        peer.send([&login[..], &login[..4]].concat()).await;
        assert_eq!(peer.read(2).await, b"\x78\x78", "one answer: the second message is not complete");
        let message = &app.connections(&listener).await[0]["messages"][0];
        assert_eq!((&message["size"], &message["content"]), (&json!(18), &content));
        assert_eq!(message["base64"], data_encoding::BASE64.encode(login));
        peer.finish_sending().await;
        drop(peer);
        let record = app.only_closed_connection(&listener).await;
        let rest = &record["messages"][2];
        assert_eq!(rest["near_miss"], json!({"rule": null, "detail": "frame incomplete: 4 of 18 bytes"}));
        assert_eq!((&rest["size"], &rest["content"]), (&json!(4), &json!({"offset": 0, "size": 4})));
    }
}

#[tokio::test]
async fn one_reply_ends_the_conversation_and_the_rest_of_the_segment_is_on_record() {
    let app = TestApp::start().await;
    let framing = json!({"type": "delimiter", "delimiters": ["\n"]});
    let listener = app.open(json!({"framing": framing, "encoding": "utf-8", "reply": "bye"})).await;
    let mut peer = app.connect(&listener).await;
    peer.send("one\ntwo\nthr").await;
    assert_eq!(peer.read_to_end().await, (b"bye".to_vec(), End::Fin));
    drop(peer);
    let record = app.only_closed_connection(&listener).await;
    assert_eq!(told(&record), ["one", "two", "thr: frame incomplete: 3 bytes and no delimiter"]);
    assert_eq!((&record["close_reason"], &record["sent"]["messages"]), (&json!("replied"), &json!(1)));
}

#[tokio::test]
async fn thousands_of_messages_in_a_segment_are_each_answered() {
    let app = TestApp::start().await;
    let framing = json!({"type": "delimiter", "delimiters": ["\n"], "frame_replies": true});
    let listener =
        app.open(json!({"framing": framing, "encoding": "utf-8", "reply": "ok", "then": "keep"})).await;
    let mut peer = app.connect(&listener).await;
    peer.send("\n".repeat(5_000)).await;
    assert_eq!(peer.read(15_000).await, "ok\n".repeat(5_000).as_bytes());
    let shown = app.get(&format!("/listeners/{}", listener["id"].as_str().unwrap())).await.json();
    assert_eq!(shown["received"], json!({"bytes": 5_000, "messages": 5_000}));
    assert_eq!(shown["sent"], json!({"bytes": 15_000, "messages": 5_000}));
}

#[tokio::test]
async fn what_is_too_long_closes_the_connection_or_is_passed_over() {
    let app = TestApp::start().await;
    let open = async |on_overflow: &str| {
        let framing =
            json!({"type": "delimiter", "delimiters": ["\n"], "max": 8, "on_overflow": on_overflow});
        app.open(json!({"framing": framing, "encoding": "utf-8", "reply": "ok", "then": "keep"})).await
    };
    let listener = open("close").await;
    let mut peer = app.connect(&listener).await;
    peer.send("fine\nfar too long for it\nfine\n").await;
    assert_eq!(peer.read_to_end().await, (b"ok".to_vec(), End::Fin));
    drop(peer);
    let record = app.only_closed_connection(&listener).await;
    let why = "frame too long: no end within 8 bytes";
    assert_eq!(told(&record), ["fine".to_owned(), format!("far too long for it\nfine\n: {why}")]);
    assert_eq!((&record["closed_by"], &record["close_reason"]), (&json!("endpoint"), &json!("bad_frame")));
    let listener = open("raw").await;
    let mut peer = app.connect(&listener).await;
    peer.send("fine\nfar too long for it\nfine\n").await;
    assert_eq!(peer.read(4).await, b"okok");
    let record = &app.connections(&listener).await[0];
    assert_eq!(told(record), ["fine", &format!("far too long for it\n: {why}"), "fine"]);
}

#[tokio::test]
async fn what_is_no_frame_is_recorded_and_told() {
    let app = TestApp::start().await;
    let mllp = json!({"type": "start_end", "start": "<", "end": ">"});
    let counted = json!({"type": "octet_counting", "on_overflow": "raw"});
    let no_digit = "no frame: byte 0 of the length is 47, which is no digit there";
    for (framing, sent, expected) in [
        (mllp, "GET /<a>", vec!["GET /: outside a frame: no start marker".to_owned(), "a".to_owned()]),
        (counted, "GET / 1 a", vec![format!("GET / 1 a: {no_digit}")]),
    ] {
        let listener =
            app.open(json!({"framing": framing, "encoding": "utf-8", "reply": null, "then": "keep"})).await;
        let mut peer = app.connect(&listener).await;
        peer.send(sent).await;
        peer.finish_sending().await;
        assert_eq!(peer.read_to_end().await, (vec![], End::Fin));
        drop(peer);
        assert_eq!(told(&app.only_closed_connection(&listener).await), expected);
    }
}

#[tokio::test]
async fn a_pause_ends_a_message() {
    let app = TestApp::start().await;
    let framing = json!({"type": "idle_gap", "gap": "30ms"});
    let listener = app.open(json!({"framing": framing, "encoding": "utf-8", "reply": {"echo": true}})).await;
    let mut peer = app.connect(&listener).await;
    peer.0.set_nodelay(true).unwrap();
    for message in ["one message", "another"] {
        for byte in message.bytes() {
            peer.send([byte]).await;
        }
        // The echo leaves when the pause is over; on a busy machine there may be one within the message too.
        assert_eq!(peer.read(message.len()).await, message.as_bytes());
    }
    drop(peer);
    let record = app.only_closed_connection(&listener).await;
    assert_eq!(record["received"]["bytes"], 18);
    let first = record["messages"][0]["text"].as_str().unwrap();
    assert!(!first.is_empty() && "one message".starts_with(first), "{first}");
}

#[tokio::test]
async fn what_a_client_sends_until_it_closes_its_side_is_one_message() {
    let app = TestApp::start().await;
    let spec = json!({"framing": {"type": "until_close", "max": "2MiB"}, "reply": {"hex": "06"}});
    let listener = app.open(spec).await;
    let mut peer = app.connect(&listener).await;
    let bytes: Vec<u8> = (0..1_u32 << 20).map(|n| (n % 251) as u8).collect();
    peer.send(&bytes).await;
    peer.finish_sending().await;
    assert_eq!(peer.read_to_end().await, (vec![6], End::Fin));
    drop(peer);
    let record = app.only_closed_connection(&listener).await;
    assert_eq!(record["received"], json!({"bytes": 1 << 20, "messages": 1}));
    assert_eq!((&record["close_reason"], &record["closed_by"]), (&json!("replied"), &json!("endpoint")));
    let path = format!("/connections/{}/payload", record["id"].as_str().unwrap());
    assert!(app.get(&path).await.expect(200).body[..] == bytes[..]);
}

#[tokio::test]
async fn a_frame_of_one_mebibyte_is_one_message() {
    let app = TestApp::start().await;
    let framing = json!({"type": "length_prefixed", "width": 4, "max": "2MiB"});
    let listener = app.open(json!({"framing": framing, "reply": {"echo": true}})).await;
    let mut peer = app.connect(&listener).await;
    let frame = [&(1_u32 << 20).to_be_bytes()[..], &vec![7; 1 << 20]].concat();
    for part in frame.chunks(1_000) {
        peer.send(part).await;
    }
    assert!(peer.read(frame.len()).await == frame);
    assert_eq!(app.connections(&listener).await[0]["received"], json!({"bytes": frame.len(), "messages": 1}));
}

#[tokio::test]
async fn replies_and_greetings_are_framed_where_that_is_asked_for() {
    let app = TestApp::start().await;
    for (framing, ask, greeting, reply) in [
        (
            json!({"type": "delimiter", "delimiters": ["\r\n", "\n"]}),
            &b"?\n"[..],
            &b"hi\r\n"[..],
            &b"ok\r\n"[..],
        ),
        (
            json!({"type": "length_prefixed", "width": 4, "endian": "little"}),
            b"\x01\0\0\0?",
            b"\x02\0\0\0hi",
            b"\x02\0\0\0ok",
        ),
        (json!({"type": "ascii_length", "width": 4}), b"0001?", b"0002hi", b"0002ok"),
        (json!({"type": "octet_counting"}), b"1 ?", b"2 hi", b"2 ok"),
        (json!({"type": "fixed", "size": 2}), b"??", b"hi", b"ok"),
        (json!({"type": "start_end", "start": "<", "end": ">"}), b"<?>", b"<hi>", b"<ok>"),
    ] {
        let mut framing = framing;
        framing["frame_replies"] = true.into();
        let spec =
            json!({"framing": framing, "encoding": "utf-8", "greeting": "hi", "reply": "ok", "then": "keep"});
        let listener = app.open(spec).await;
        let mut peer = app.connect(&listener).await;
        assert_eq!(peer.read(greeting.len()).await, greeting);
        peer.send(ask).await;
        assert_eq!(peer.read(reply.len()).await, reply);
        let messages = &app.connections(&listener).await[0]["messages"];
        assert_eq!((&messages[2]["text"], &messages[2]["size"]), (&json!("ok"), &json!(reply.len())));
    }
}

#[tokio::test]
async fn what_a_closing_listener_cuts_short_is_on_record() {
    let app = TestApp::start().await;
    let framing = json!({"type": "fixed", "size": 16});
    let listener = app.open(json!({"framing": framing, "encoding": "utf-8"})).await;
    let mut peer = app.connect(&listener).await;
    // The first message is answered, so what comes with it has been read too.
    peer.send("sixteen bytes...and nine").await;
    peer.read(17).await;
    app.delete(&format!("/listeners/{}", listener["id"].as_str().unwrap())).await.expect(204);
    let record = app.only_closed_connection(&listener).await;
    assert_eq!(told(&record), ["sixteen bytes...", "and nine: frame incomplete: 8 of 16 bytes"]);
}

/// A record of four million frames is cut without keeping others from their answers. All run in one thread here.
#[tokio::test]
async fn others_have_their_turns_while_a_long_record_is_cut_anew() {
    let app = TestApp::start().await;
    let listener = app
        .open(json!({"framing": {"type": "until_close", "max": "4MiB"}, "reply": null, "limits": {"stored_bytes": "4MiB"}}))
        .await;
    let mut peer = app.connect(&listener).await;
    peer.send(vec![b'a'; 4 << 20]).await;
    peer.finish_sending().await;
    assert_eq!(peer.read_to_end().await.1, End::Fin);
    let connection = app.only_closed_connection(&listener).await;
    assert_eq!(connection["received"]["messages"], 1);
    // All of it is cut for a page of the last frames.
    let (id, after) = (connection["id"].as_str().unwrap(), Cursor(Position((4 << 20) - 3)));
    let framing = "%7B%22type%22:%22fixed%22,%22size%22:1%7D";
    let path = format!("/connections/{id}/messages?direction=received&framing={framing}&after={after}");
    let (cut, is_done) = (app.get(&path), AtomicBool::new(false));
    let others = async {
        let mut longest = Duration::ZERO;
        while !is_done.load(Relaxed) {
            let began = Instant::now();
            app.get("/healthz").await.expect(200);
            longest = longest.max(began.elapsed());
        }
        longest
    };
    let began = Instant::now();
    let cut = async {
        let cut = cut.await.expect(200).json();
        is_done.store(true, Relaxed);
        cut["items"].as_array().unwrap().len()
    };
    let (frames, longest) = tokio::join!(cut, others);
    assert_eq!(frames, 3);
    let all = began.elapsed();
    assert!(longest < all / 2, "one waited {longest:?} of {all:?}");
}
