//! Templates: replies that are computed from the message.

use serde_json::{Value, json};

use crate::support::{Peer, TestApp, address};

/// An endpoint of lines in UTF-8 that answers with a template, and a line feed behind it.
async fn lines(app: &TestApp, template: &str) -> Value {
    app.open(json!({
        "encoding": "utf-8", "name": null, "then": "keep",
        "framing": {"type": "delimiter", "delimiters": ["\n"], "frame_replies": true},
        "reply": {"template": template},
    }))
    .await
}

/// What a line is answered with.
async fn answer(app: &TestApp, template: &str, line: &str) -> String {
    let listener = lines(app, template).await;
    let mut peer = app.connect(&listener).await;
    peer.send(format!("{line}\n")).await;
    read_line(&mut peer).await
}

async fn read_line(peer: &mut Peer) -> String {
    let mut bytes = Vec::new();
    while bytes.last() != Some(&b'\n') {
        bytes.extend(peer.read(1).await);
    }
    String::from_utf8(bytes).unwrap().trim_end().to_owned()
}

#[tokio::test]
async fn each_function_gives_what_its_protocol_expects() {
    let app = TestApp::start().await;
    for (template, expected) in [
        ("{{ message.text }}/{{ message.hex }}/{{ message.size }}/{{ message.seq }}", "abc/616263/3/1"),
        ("{{ slice(0, 1) }} {{ slice(1) }} {{ slice(-1) }} {{ slice(-2, 1) }}", "61 6263 63 62"),
        ("{{ u8(255) }} {{ u16be(258) }} {{ u16le(258) }} {{ u8(-1) }}", "ff 0102 0201 ff"),
        (
            "{{ u32be(1) }} {{ u32le(1) }} {{ u64be(1) }} {{ u64le(1) }}",
            "00000001 01000000 0000000000000001 0100000000000000",
        ),
        ("{{ int('0102') }} {{ int('0102', 'le') }} {{ int('ff', 'be') + 1 }}", "258 513 256"),
        ("{{ bcd(1234, 6) }} {{ hex('ab') }} {{ text('6162') }} {{ len('61 62') }}", "001234 6162 ab 2"),
        ("{{ xor('0f f0') }} {{ sum8('ff02') }} {{ lrc('01 03 00 00 00 0a') }}", "ff 01 f2"),
        (
            "{{ crc('CRC-16/IBM-SDLC', '05010001') }} {{ crc('crc-16/modbus', '010300000001', 'le') }}",
            "d9dc 840a",
        ),
        (
            "{{ crc('CRC-32/ISO-HDLC', hex('123456789')) }} {{ crc('CRC-8/SMBUS', hex('123456789')) }}",
            "cbf43926 f4",
        ),
        ("{{ len(random(7)) }} {{ counter('a') }} {{ counter('a') }} {{ counter('b') }}", "7 1 2 1"),
        (
            "{% if message.text == 'abc' %}yes{% else %}no{% endif %}{% for n in range(3) %}.{% endfor %}",
            "yes...",
        ),
        ("{{ message.text | upper }} {{ '12' | int + 1 }} {{ message.text | length }}", "ABC 13 3"),
        ("{{ connection.peer.ip }} {{ connection.seq }} {{ connection.received.messages }}", "127.0.0.1 1 1"),
        (
            "{{ strftime('%Y') | length }} {{ now | length }} {{ listener.name | default('none', true) }}",
            "4 27 none",
        ),
    ] {
        assert_eq!(answer(&app, template, "abc").await, expected, "{template}");
    }
}

#[tokio::test]
async fn what_a_rule_captured_is_answered() {
    let app = TestApp::start().await;
    let listener = app
        .open(json!({
            "encoding": "gbk", "then": "keep", "reply": null,
            "rules": [{"when": {"regex": "^(?<word>[a-z]+) (?<rest>.*)$"}, "reply": {"template": "{{ captures.rest }}, {{ captures.word }}"}}],
        }))
        .await;
    let mut peer = app.connect(&listener).await;
    peer.send("hello world").await;
    assert_eq!(peer.read(12).await, b"world, hello");
}

#[tokio::test]
async fn a_tracker_logs_in_and_is_acknowledged_with_its_own_serial_number() {
    let app = TestApp::start().await;
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/gt06.json");
    let mut spec: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    spec["port"] = json!(0);
    let listener = app.open(spec).await;
    let mut peer = Peer::connect(address(&listener)).await;
    let hex = |text: &str| data_encoding::HEXLOWER.decode(text.replace(' ', "").as_bytes()).unwrap();
    for (packet, expected) in [
        ("78 78 0d 01 01 23 45 67 89 01 23 45 00 01 8c dd 0d 0a", "78 78 05 01 00 01 d9 dc 0d 0a"),
        ("78 78 0a 13 44 01 04 00 01 00 05 08 45 0d 0a", "78 78 05 13 00 05 af d5 0d 0a"),
    ] {
        let (first, second) = (hex(packet), hex(expected));
        // In two segments, so that it is the framing that finds its end.
        peer.send(&first[..7]).await;
        peer.send(&first[7..]).await;
        let answer = peer.read(10).await;
        assert_eq!(answer[..6], second[..6], "{packet}");
        assert_eq!(answer.len(), second.len());
        let check = crc::Crc::<u16>::new(&crc::CRC_16_IBM_SDLC).checksum(&answer[2..6]);
        assert_eq!(answer[6..8], check.to_be_bytes());
        assert_eq!(answer[8..], [0x0d, 0x0a]);
    }
}

#[tokio::test]
async fn a_seed_gives_every_connection_the_same_numbers_and_none_gives_each_its_own() {
    let app = TestApp::start().await;
    for (seed, same) in [(json!(7), true), (Value::Null, false)] {
        let reply = json!({"template": "{{ random(16) }}", "as": "hex", "seed": seed});
        let listener = app.open(json!({"reply": reply})).await;
        let mut answers = Vec::new();
        for _ in 0..2 {
            let mut peer = app.connect(&listener).await;
            peer.send("x").await;
            answers.push(peer.read_to_end().await.0);
        }
        assert_eq!((answers[0].len(), answers[0] == answers[1]), (16, same));
    }
}

#[tokio::test]
async fn a_template_that_fails_is_on_record_and_sends_nothing() {
    let app = TestApp::start().await;
    for (reply, words) in [
        (json!({"template": "{{ captures.nobody }}"}), "undefined"),
        (json!({"template": "a\n{{ slice(10, 2) }}"}), "line 2: invalid operation: the message has 5 bytes"),
        (json!({"template": "zz", "as": "hex"}), "gave no hex: `z` is no hex digit"),
        (json!({"template": "{{ crc('CRC-16/MODBUZ', '00') }}"}), "CRC-16/MODBUS is like it"),
        (json!({"template": "{% for n in range(100000) %}{{ n }}{% endfor %}"}), "fuel"),
        (json!({"template": "{{ 'x' * 2000000 }}"}), "fuel"),
        (json!({"template": "😀"}), "cannot be expressed"),
    ] {
        let listener = app.open(json!({"encoding": "gbk", "reply": reply})).await;
        let mut peer = app.connect(&listener).await;
        peer.send("hello").await;
        assert_eq!(peer.read_to_end().await.0, b"", "{reply}");
        drop(peer);
        let connection = app.only_closed_connection(&listener).await;
        let message = &connection["messages"][0];
        let error = message["template_error"].as_str().unwrap_or_default();
        assert!(error.contains(words), "{reply}: {message}");
        assert_eq!(connection["close_reason"], "replied");
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_template_is_said_with_its_line_and_column() {
    let app = TestApp::start().await;
    for (template, words) in [
        ("{{ message.text", "line 1"),
        ("ok\n  {{ message.text }", "line 2, column"),
        ("a\n{% set x = 1 %}", "line 2, column 1: \"set\" is no tag here"),
        ("{% for x in [message.text ~ message.text] %}{% endfor %}", "a loop is over a name or range"),
        ("{% include 'secrets' %}", "\"include\" is no tag here"),
        ("{{ message.text | nonsense }}", "nonsense"),
        (&"x".repeat(5_000), "at most 4096 bytes"),
    ] {
        let spec = json!({"port": 0, "host": "127.0.0.1", "reply": {"template": template}});
        let problem = app.json("POST", "/listeners", &spec).await.problem(422, "invalid-field");
        assert_eq!(problem["errors"][0]["pointer"], "/reply/template", "{problem}");
        assert!(problem["errors"][0]["detail"].as_str().unwrap().contains(words), "{template}: {problem}");
    }
}

#[tokio::test]
async fn a_greeting_may_be_computed_and_all_of_it_is_there_after_a_change() {
    let app = TestApp::start().await;
    let listener = app
        .open(json!({"encoding": "utf-8", "greeting": {"template": "client {{ counter('clients') }}\n"}, "reply": {"template": "{{ message.text }}!", "as": "text", "seed": 1}}))
        .await;
    let shown = json!({"template": "{{ message.text }}!", "as": "text", "seed": 1});
    assert_eq!(listener["reply"], shown, "shown as it was given");
    for n in 1..=2 {
        let mut peer = app.connect(&listener).await;
        assert_eq!(read_line(&mut peer).await, format!("client {n}"));
    }
    let path = format!("/listeners/{}", listener["id"].as_str().unwrap());
    app.json("PATCH", &path, &json!({"then": "keep"})).await.expect(200);
    let mut peer = app.connect(&listener).await;
    assert_eq!(read_line(&mut peer).await, "client 3", "it goes on counting");
    peer.send("hi").await;
    assert_eq!(peer.read(3).await, b"hi!");
}
