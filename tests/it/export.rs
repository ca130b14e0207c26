//! Records to take away, read by the programs that people read them with.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::support::{TestApp, Tool, address};

/// Exports, in this form and with this filter.
async fn export(app: &TestApp, format: &str, filter: &str) -> Bytes {
    app.get(&format!("/export?format={format}{filter}")).await.expect(200).body
}

/// Connections of all kinds: answered, without a byte, reset by either side, open, large, over IPv6.
async fn conversations(app: &TestApp) -> (Value, Vec<u8>) {
    let echo = json!({"name": "echo", "reply": {"echo": true}, "limits": {"stored_bytes": "16MiB"}});
    let listener = app.open(echo).await;
    let large: Vec<u8> = (0..5_u32 << 20).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let mut peer = app.connect(&listener).await;
    let (mut reader, mut writer) = peer.0.split();
    let mut back = vec![0; large.len()];
    let (read, written) = tokio::join!(
        tokio::io::AsyncReadExt::read_exact(&mut reader, &mut back),
        tokio::io::AsyncWriteExt::write_all(&mut writer, &large),
    );
    read.unwrap();
    written.unwrap();
    drop(peer);
    drop(app.connect(&listener).await);
    let mut reset = app.connect(&listener).await;
    reset.send("reset me").await;
    assert_eq!(reset.read(8).await, b"reset me");
    reset.reset();
    let six = app.open(json!({"name": "six", "host": "::1", "reply": "ok", "then": "reset"})).await;
    let mut peer = app.connect(&six).await;
    peer.send("\u{1}six\u{7f}").await;
    peer.read_to_end().await;
    let closed = "/connections?state=closed&order=asc&after=start&wait=20s";
    while app.get(closed).await.expect(200).json()["items"].as_array().unwrap().len() < 4 {}
    (listener, large)
}

#[tokio::test]
async fn a_capture_file_has_every_byte_and_nothing_that_tshark_minds() {
    let Some(tshark) = Tool::find("tshark") else { return };
    let app = TestApp::start().await;
    let (listener, large) = conversations(&app).await;
    let mut open = app.connect(&listener).await;
    open.send("still here").await;
    assert_eq!(open.read(10).await, b"still here");
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("a.pcapng");
    std::fs::write(&file, export(&app, "pcapng", "").await).unwrap();
    let file = file.to_str().unwrap();
    let checks = ["-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE"];
    let run = async |args: &[&str]| {
        let ended = tshark.run(&[&["-n", "-r", file], &checks[..], args].concat(), "").await;
        assert_eq!(ended.code, Some(0), "{}", ended.said.err());
        ended.said.out().to_owned()
    };
    let wrong = "_ws.malformed || tcp.checksum.status == 0 || ip.checksum.status == 0 || tcp.analysis.lost_segment \
                 || tcp.analysis.retransmission || tcp.analysis.out_of_order || tcp.analysis.ack_lost_segment";
    assert_eq!(run(&["-Y", wrong]).await, "");
    let streams =
        run(&["-Y", "tcp.flags.syn == 1 && tcp.flags.ack == 0", "-T", "fields", "-e", "tcp.dstport"]).await;
    let port = address(&listener).port().to_string();
    assert_eq!(streams.lines().count(), 5);
    assert_eq!(streams.lines().filter(|line| *line == port).count(), 4);
    let resets =
        run(&["-Y", "tcp.flags.reset == 1", "-T", "fields", "-e", "tcp.stream", "-e", "tcp.dstport"]).await;
    assert_eq!(resets.trim_end(), format!("2\t{port}"), "of the other it is not on record how it ended");
    let fins = run(&["-Y", "tcp.flags.fin == 1", "-T", "fields", "-e", "tcp.stream"]).await;
    let mut fins: Vec<_> = fins.lines().collect();
    fins.dedup();
    assert_eq!(fins, ["0", "1", "3"]);
    // Both directions, as Wireshark's "Follow" gives them.
    let followed = run(&["-q", "-z", "follow,tcp,raw,0"]).await;
    let (mut received, mut sent) = (Vec::new(), Vec::new());
    for line in followed.lines() {
        let side = if line.starts_with('\t') { &mut sent } else { &mut received };
        if let Ok(bytes) = data_encoding::HEXLOWER.decode(line.trim().as_bytes()) {
            side.extend(bytes);
        }
    }
    assert!(received == large && sent == large, "{} and {} of {}", received.len(), sent.len(), large.len());
    let comments = run(&["-T", "fields", "-e", "frame.comment"]).await;
    assert!(comments.contains("of the listener echo") && comments.contains("closed by peer: peer_reset"));
}

#[tokio::test]
async fn what_was_not_kept_is_a_gap_in_a_capture() {
    let Some(tshark) = Tool::find("tshark") else { return };
    let app = TestApp::start().await;
    let listener = app
        .open(json!({"reply": null, "limits": {"stored_bytes": 4}, "framing": {"type": "fixed", "size": 10}}))
        .await;
    let mut peer = app.connect(&listener).await;
    peer.send("0123456789abcdefghij").await;
    peer.finish_sending().await;
    peer.read_to_end().await;
    app.only_closed_connection(&listener).await;
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("a.pcapng");
    std::fs::write(&file, export(&app, "pcapng", "").await).unwrap();
    let fields = ["-T", "fields", "-e", "tcp.seq", "-e", "tcp.payload", "-e", "frame.comment"];
    let args = [&["-n", "-r", file.to_str().unwrap(), "-Y", "tcp.len > 0"], &fields[..]].concat();
    let ended = tshark.run(&args, "").await;
    let said = ended.said.out().to_owned();
    let comment = "4 of 10 bytes of this message were kept";
    assert_eq!(said, format!("1\t30313233\t{comment}\n11\t61626364\t{comment}\n"));
}

#[tokio::test]
async fn json_lines_are_what_the_api_shows_and_a_hexdump_reads_like_one() {
    let app = TestApp::start().await;
    let gate = app.open(json!({"name": "gate", "encoding": "utf-8", "reply": "ok\n"})).await;
    let other = app.open(json!({"name": "other"})).await;
    for listener in [&gate, &other] {
        let mut peer = app.connect(listener).await;
        peer.send("a line that is longer\u{7}\n").await;
        peer.read_to_end().await;
        drop(peer);
        app.only_closed_connection(listener).await;
    }
    let lines = export(&app, "ndjson", "&listener=gate").await;
    let lines: Vec<Value> = lines
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect();
    let kinds: Vec<_> = lines.iter().map(|line| line["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["connection", "message", "message"]);
    let mut connection = app.connections(&gate).await[0].clone();
    let messages = std::mem::take(&mut connection["messages"]);
    for (line, shown) in lines[1..].iter().zip(messages.as_array().unwrap()) {
        for (name, value) in shown.as_object().unwrap() {
            assert_eq!(&line[name], value, "{name}");
        }
    }
    assert_eq!(
        (&lines[0]["id"], &lines[0]["close_reason"]),
        (&connection["id"], &connection["close_reason"])
    );
    let dump =
        String::from_utf8(export(&app, "hexdump", "&listener=gate&state=closed").await.to_vec()).unwrap();
    let shape: Vec<_> = dump.lines().map(|line| line.split_once(' ').map_or("", |(_, rest)| rest)).collect();
    assert!(shape[0].ends_with(&format!("gate {}", connection["id"].as_str().unwrap())), "{dump}");
    assert_eq!(
        shape[1..],
        [
            "> 23 bytes",
            " 61 20 6c 69 6e 65 20 74  68 61 74 20 69 73 20 6c  |a line that is l|",
            " 6f 6e 67 65 72 07 0a                              |onger..|",
            "< 3 bytes",
            " 6f 6b 0a                                          |ok.|",
            "closed by endpoint: replied",
            "",
        ]
    );
    assert!(export(&app, "ndjson", "&listener=nobody").await.is_empty());
    for wrong in ["", "?format=pcap", "?format=ndjson&limit=1", "?format=ndjson&direction=sent"] {
        app.get(&format!("/export{wrong}")).await.expect(422);
    }
}

#[tokio::test]
async fn however_much_there_is_it_comes_whole() {
    let app = TestApp::start().await;
    let listener = app.open(json!({"reply": {"echo": true}, "encoding": "utf-8", "then": "close"})).await;
    for n in 0..300 {
        let mut peer = app.connect(&listener).await;
        peer.send(format!("{n} {}", "x".repeat(3_000))).await;
        peer.read_to_end().await;
    }
    let lines = export(&app, "ndjson", "").await;
    let texts: Vec<String> = lines
        .split(|byte| *byte == b'\n')
        .filter_map(|line| serde_json::from_slice::<Value>(line).ok())
        .filter(|line| line["direction"] == "received")
        .map(|line| line["text"].as_str().unwrap().split(' ').next().unwrap().to_owned())
        .collect();
    assert_eq!(texts, (0..300).map(|n| n.to_string()).collect::<Vec<_>>());
}

#[tokio::test]
async fn one_connection_can_be_taken_away_alone() {
    let app = TestApp::start().await;
    let listener = app.open(json!({"encoding": "utf-8", "reply": "ok"})).await;
    for text in ["one", "two", "three"] {
        let mut peer = app.connect(&listener).await;
        peer.send(text).await;
        peer.read_to_end().await;
    }
    let all = app.get("/connections").await.expect(200).json();
    let id = all["items"][1]["id"].as_str().unwrap();
    let lines = export(&app, "ndjson", &format!("&connection={id}")).await;
    let lines: Vec<Value> = std::str::from_utf8(&lines)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(
        lines.iter().map(|line| &line["type"]).collect::<Vec<_>>(),
        ["connection", "message", "message"]
    );
    assert_eq!((&lines[0]["id"], &lines[1]["text"]), (&all["items"][1]["id"], &json!("two")));
    let nobody = "/export?format=pcapng&connection=01980000-0000-7000-8000-000000000000";
    app.get(nobody).await.problem(404, "not-found");
    for wrong in ["connection=two", &format!("connection={id}&listener=gate&state=open")] {
        app.get(&format!("/export?format=ndjson&{wrong}")).await.expect(422);
    }
}
