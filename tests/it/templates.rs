//! Templates: replies that are computed from the message.

use answerback::config::JournalSetting;
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

/// A service over each of the journals.
async fn over_each_journal() -> [TestApp; 2] {
    [TestApp::start().await, TestApp::start_with(|config| config.journal = JournalSetting::Memory).await]
}

#[tokio::test]
async fn a_greeting_that_fails_is_on_record_as_a_message_of_no_bytes() {
    for app in over_each_journal().await {
        let listener = app
            .open(json!({"encoding": "utf-8", "greeting": {"template": "a\n{{ slice(10, 2) }}"}, "reply": "ok", "then": "keep"}))
            .await;
        let mut peer = app.connect(&listener).await;
        peer.send("hello").await;
        assert_eq!(peer.read(2).await, b"ok", "the greeting sent nothing");
        peer.finish_sending().await;
        assert_eq!(peer.read_to_end().await.0, b"");
        let connection = app.only_closed_connection(&listener).await;
        assert_eq!(connection["sent"], json!({"bytes": 2, "messages": 2}));
        let failed = &connection["messages"][0];
        let words = "line 2: invalid operation: the message has 0 bytes";
        assert!(failed["template_error"].as_str().unwrap().contains(words), "{failed}");
        assert_eq!(
            (&failed["direction"], &failed["size"], &failed["base64"], &failed["seq"]),
            (&json!("sent"), &json!(0), &json!(""), &json!(1))
        );
        let ok = &connection["messages"][2];
        assert_eq!((&ok["text"], &ok["offset"], &ok["seq"]), (&json!("ok"), &json!(0), &json!(2)));
        let id = connection["id"].as_str().unwrap();
        let found = async |query: &str| app.get(&format!("/connections/{id}/{query}")).await.expect(200);
        assert_eq!(found("payload?direction=sent").await.body, "ok");
        let cut = found("messages?direction=sent&framing=%7B%22type%22:%22until_close%22%7D").await.json();
        assert_eq!((&cut["items"][0]["text"], &cut["items"][1]), (&json!("ok"), &Value::Null));
        let said = app.get("/messages?direction=sent&payload=hex").await.expect(200).json();
        assert_eq!((&said["items"][0]["hex"], &said["items"][0]["text"]), (&json!(""), &json!("")));
        for (format, word) in [("ndjson", "template_error"), ("hexdump", "< 0 bytes"), ("pcapng", "")] {
            let export = app.get(&format!("/export?format={format}")).await.expect(200);
            assert!(export.text().contains(word), "{}", export.text());
        }
        let list = app.get("/listeners").await.expect(200).json();
        assert_eq!(list["items"][0]["sent"], connection["sent"]);
    }
}

#[tokio::test]
async fn a_periodic_send_that_fails_is_on_record_once_until_it_works_again() {
    // It counts, and what it counts fits a byte from 256 on no more, as the other never does.
    let flaky = json!({"every": "10ms", "send": {"template": "{% if counter('n') % 4 > 1 %}{{ u8(999) }}{% endif %}x"}});
    let broken = json!({"every": "10ms", "send": {"template": "{{ nobody.knows }}"}});
    for app in over_each_journal().await {
        let listener = app.open(json!({"encoding": "utf-8", "reply": null, "sends": [flaky, broken]})).await;
        let mut peer = app.connect(&listener).await;
        assert_eq!(peer.read(5).await, b"xxxxx");
        drop(peer);
        let connection = app.only_closed_connection(&listener).await;
        let path = format!("/connections/{}/messages", connection["id"].as_str().unwrap());
        let messages = app.get(&path).await.expect(200).json()["items"].as_array().unwrap().clone();
        let failed = |word: &str| {
            let why =
                |message: &Value| message["template_error"].as_str().is_some_and(|why| why.contains(word));
            messages.iter().filter(|message| why(message)).count()
        };
        let sent = messages.iter().filter(|message| message["text"] == "x").count();
        assert_eq!(failed("undefined"), 1, "{messages:?}");
        assert!((2..=sent).contains(&failed("999 does not fit")), "{messages:?}");
        let numbers: Vec<_> = messages.iter().map(|message| message["seq"].as_u64().unwrap()).collect();
        assert_eq!(numbers, (1..=messages.len() as u64).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn what_a_client_sent_does_not_make_the_record_of_a_failure_long() {
    let app = TestApp::start().await;
    for template in ["{{ crc(message.text, '00') }}", "{{ int('00', message.text) }}"] {
        let listener = app.open(json!({"encoding": "utf-8", "reply": {"template": template}})).await;
        let mut peer = app.connect(&listener).await;
        peer.send("x".repeat(16 << 10)).await;
        peer.finish_sending().await;
        peer.read_to_end().await;
        let connection = app.only_closed_connection(&listener).await;
        let error = connection["messages"][0]["template_error"].as_str().unwrap();
        assert!(error.starts_with("the template failed") && error.len() < 1_000, "{error}");
    }
}

#[tokio::test]
async fn what_could_not_be_sent_is_no_message_to_an_expectation_but_says_why_there_is_none() {
    let app = TestApp::start().await;
    let listener = app.open(json!({"greeting": {"template": "{{ nobody }}"}})).await;
    let _peer = app.connect(&listener).await;
    app.get("/messages?wait=20s").await.expect(200);
    let any = json!({"length": {"max": 64}});
    let greeted = json!({"match": any, "direction": "sent", "within": "0s"});
    let unmet = app.json("POST", "/expect", &greeted).await.expect(409).json();
    let detail = unmet["expectation"]["near_misses"][0]["detail"].as_str().unwrap();
    assert!(detail.starts_with("was not sent: the template failed: "), "{unmet}");
    let silent = json!({"match": any, "direction": "sent", "never": true, "within": "0s"});
    app.json("POST", "/expect", &silent).await.expect(200);
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
