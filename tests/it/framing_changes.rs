//! Framings that are refused, changed under clients, or used to look at a record.

use serde_json::{Value, json};

use crate::support::TestApp;

#[tokio::test]
async fn every_fault_of_a_framing_is_named_with_its_place() {
    let app = TestApp::start().await;
    for (framing, pointers) in [
        (json!("none"), vec!["/framing"]),
        (json!({}), vec!["/framing/type"]),
        (json!({"type": "lines"}), vec!["/framing/type"]),
        (json!({"type": "none", "max": 1}), vec!["/framing/max"]),
        (json!({"type": "delimiter"}), vec!["/framing/delimiters"]),
        (json!({"type": "delimiter", "delimiters": []}), vec!["/framing/delimiters"]),
        (
            json!({"type": "delimiter", "delimiters": ["", {"hex": "0"}, "\n", 7, {"text": "\n"}], "sise": 1}),
            vec![
                "/framing/sise",
                "/framing/delimiters/1/hex",
                "/framing/delimiters/3",
                "/framing/delimiters/4/text",
            ],
        ),
        (
            json!({"type": "delimiter", "delimiters": ["", "\n", {"hex": "0a"}]}),
            vec!["/framing/delimiters/0", "/framing/delimiters/2"],
        ),
        (json!({"type": "length_prefixed", "width": 5}), vec!["/framing/width"]),
        (
            json!({"type": "length_prefixed", "offset": -1, "endian": "middle"}),
            vec!["/framing/offset", "/framing/endian"],
        ),
        (
            json!({"type": "length_prefixed", "offset": 2, "frame_replies": true}),
            vec!["/framing/frame_replies"],
        ),
        (json!({"type": "ascii_length"}), vec!["/framing/width"]),
        (json!({"type": "fixed", "size": 100_000}), vec!["/framing/size"]),
        (json!({"type": "start_end", "start": "😀", "end": {"base64": "!"}}), vec!["/framing/end/base64"]),
        (json!({"type": "start_end", "start": "😀"}), vec!["/framing/end"]),
        (json!({"type": "start_end", "start": "😀", "end": ">"}), vec!["/framing/start"]),
        (json!({"type": "idle_gap", "gap": "5m"}), vec!["/framing/gap"]),
        (json!({"type": "until_close", "max": "1GiB", "keep": 1}), vec!["/framing/keep"]),
        (
            json!({"type": "until_close", "max": "1GiB", "frame_replies": true}),
            vec!["/framing/max", "/framing/frame_replies"],
        ),
        (json!({"type": "octet_counting", "on_overflow": "drop"}), vec!["/framing/on_overflow"]),
        (json!({"type": "fixed", "size": 3, "frame_replies": true}), vec!["/reply"]),
    ] {
        let answer =
            app.json("POST", "/listeners", &json!({"port": 0, "framing": framing})).await.expect(422).json();
        let found: Vec<_> =
            answer["errors"].as_array().unwrap().iter().map(|e| e["pointer"].as_str().unwrap()).collect();
        assert_eq!(found, pointers, "{framing}: {answer}");
    }
}

#[tokio::test]
async fn a_framing_of_another_type_replaces_and_one_of_the_same_is_merged() {
    let app = TestApp::start().await;
    let framing = json!({"type": "start_end", "start": {"hex": "0b"}, "end": {"hex": "1c"}, "max": 100});
    let listener = app.open(json!({"framing": framing})).await;
    let path = format!("/listeners/{}", listener["id"].as_str().unwrap());
    let patched = async |framing: Value| {
        app.json("PATCH", &path, &json!({"framing": framing})).await.expect(200).json()["framing"].clone()
    };
    let shown = patched(json!({"end": {"base64": "DQ=="}, "keep": true})).await;
    let expected = json!({"type": "start_end", "start": {"hex": "0b"}, "end": {"base64": "DQ=="}, "max": 100,
                          "on_overflow": "close", "frame_replies": false, "keep": true});
    assert_eq!(shown, expected);
    let shown = patched(json!({"type": "fixed", "size": 3})).await;
    assert_eq!((&shown["max"], &shown["keep"], shown.get("start")), (&json!(65_536), &json!(false), None));
    assert_eq!(patched(json!({"max": null, "size": 4})).await["size"], 4);
    assert_eq!(patched(Value::Null).await, json!({"type": "none"}));
}

#[tokio::test]
async fn a_changed_framing_reads_anew_what_waits() {
    let app = TestApp::start().await;
    let line = json!({"type": "delimiter", "delimiters": ["\n"]});
    let listener = app.open(json!({"framing": line, "encoding": "utf-8", "reply": {"echo": true}})).await;
    let path = format!("/listeners/{}", listener["id"].as_str().unwrap());
    let mut peer = app.connect(&listener).await;
    peer.send("line\nabc").await;
    assert_eq!(peer.read(5).await, b"line\n");
    app.json("PATCH", &path, &json!({"framing": {"type": "fixed", "size": 2}})).await.expect(200);
    peer.send("de").await;
    assert_eq!(peer.read(4).await, b"abcd");
    // The same framing in other words, or another reply: what waits goes on waiting.
    app.json("PATCH", &path, &json!({"framing": {"size": "2B"}, "then": "keep"})).await.expect(200);
    peer.send("f").await;
    assert_eq!(peer.read(2).await, b"ef");
    peer.send("ghi").await;
    assert_eq!(peer.read(2).await, b"gh");
    app.json("PATCH", &path, &json!({"framing": null})).await.expect(200);
    peer.send("jk").await;
    assert_eq!(peer.read(3).await, b"ijk");
    let id = app.connections(&listener).await[0]["id"].as_str().unwrap().to_owned();
    let messages = app.get(&format!("/connections/{id}/messages")).await.expect(200).json();
    let received = messages["items"].as_array().unwrap().iter().filter(|m| m["direction"] == "received");
    let texts: Vec<_> = received.map(|m| m["text"].as_str().unwrap()).collect();
    assert_eq!(texts, ["line", "ab", "cd", "ef", "gh", "i", "jk"]);
}

#[tokio::test]
async fn the_bytes_on_record_are_cut_anew() {
    let app = TestApp::start().await;
    let listener = app.open(json!({"encoding": "utf-8", "reply": {"echo": true}})).await;
    let mut peer = app.connect(&listener).await;
    for part in ["one\ntw", "o\nthree\nfou"] {
        peer.send(part).await;
        peer.read(part.len()).await;
    }
    let id = app.connections(&listener).await[0]["id"].as_str().unwrap().to_owned();
    let get =
        async |query: &str| app.get(&format!("/connections/{id}/messages?{query}")).await.expect(200).json();
    let incomplete = json!({"rule": null, "detail": "frame incomplete: 3 bytes and no delimiter"});
    let lines = get("framing=delimiter:0a").await;
    let items = lines["items"].as_array().unwrap();
    assert_eq!(
        items.iter().map(|m| m["text"].as_str().unwrap()).collect::<Vec<_>>(),
        ["one", "two", "three", "fou"]
    );
    assert_eq!((&items[1]["seq"], &items[1]["offset"], &items[1]["size"]), (&json!(2), &json!(4), &json!(4)));
    assert_eq!(items[3]["near_miss"], incomplete);
    assert_eq!((&lines["next"], &lines["evicted_before"]), (&Value::Null, &Value::Null));
    // Page by page it is the same.
    let (mut query, mut found) = ("framing=delimiter:0a&limit=1".to_owned(), Vec::new());
    loop {
        let page = get(&query).await;
        found.extend(page["items"].as_array().unwrap().clone());
        let Some(next) = page["next"].as_str() else { break };
        query = format!("framing=delimiter:0a&limit=1&after={next}");
    }
    assert_eq!(&found, items);
    // What was not complete is whole when the rest has come; what was sent is cut too.
    peer.send("r\n").await;
    peer.read(2).await;
    let last =
        &get(&format!("framing=delimiter:0a&after={}", items[2]["cursor"].as_str().unwrap())).await["items"];
    assert_eq!((last[0]["text"].as_str(), last.as_array().unwrap().len()), (Some("four"), 1));
    let sent = get("framing=fixed:5&direction=sent&payload=hex").await;
    assert_eq!(
        (&sent["items"][1]["text"], &sent["items"][1]["hex"]),
        (&json!("wo\nth"), &json!("77 6f 0a 74 68"))
    );
    let json = "%7B%22type%22:%22start_end%22,%22start%22:%22t%22,%22end%22:%22%5Cn%22,%22on_overflow%22:%22raw%22%7D";
    let words = get(&format!("framing={json}")).await;
    assert_eq!(words["items"][1]["text"], "wo");
    assert_eq!(words["items"][0]["near_miss"]["detail"], "outside a frame: no start marker");
    peer.finish_sending().await;
    drop(peer);
    app.only_closed_connection(&listener).await;
    let whole = get("framing=until_close").await;
    assert_eq!((&whole["items"][0]["size"], whole["items"][0].get("near_miss")), (&json!(19), None));
}

#[tokio::test]
async fn what_a_record_cannot_be_cut_by_is_refused() {
    let app = TestApp::start().await;
    let listener = app.open(json!({})).await;
    let mut peer = app.connect(&listener).await;
    peer.send("x").await;
    peer.read_to_end().await;
    let id = app.connections(&listener).await[0]["id"].as_str().unwrap().to_owned();
    for query in
        ["none", "idle_gap", "fixed:0", "delimiter:", "delimiter:0a&wait=1s", "fixed:2&order=desc", "x:y"]
    {
        let answer = app.get(&format!("/connections/{id}/messages?framing={query}")).await.expect(422).json();
        assert_eq!(answer["code"], "invalid-field", "{query}");
    }
    app.get("/messages?framing=fixed:1").await.expect(422);
}
