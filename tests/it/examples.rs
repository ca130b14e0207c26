//! The files in `examples`, each with a real client of its protocol.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::{Peer, TestApp, Tool, address};

/// The endpoint of an example, on a free port.
async fn open(app: &TestApp, name: &str) -> Value {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name);
    let mut spec: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    assert!(spec["port"].as_u64().unwrap() > 1024);
    spec["port"] = json!(0);
    app.open(spec).await
}

/// The names of the rules that answered, the oldest first.
async fn rules(app: &TestApp, listener: &Value) -> Vec<String> {
    let path = format!("/messages?direction=received&listener={}", listener["id"].as_str().unwrap());
    let list = app.get(&path).await.expect(200).json();
    let items = list["items"].as_array().unwrap().iter();
    items.map(|message| message["rule"].as_str().unwrap_or("none").to_owned()).collect()
}

#[tokio::test]
async fn redis_cli_speaks_with_the_redis() {
    let Some(redis) = Tool::find("redis-cli") else { return };
    let app = TestApp::start().await;
    let listener = open(&app, "redis.json").await;
    let port = address(&listener).port().to_string();
    for (command, answer) in [
        (&["PING"][..], "PONG\n"),
        (&["SET", "greeting", "hello"], "OK\n"),
        (&["GET", "greeting"], "hello\n"),
        (&["FLUSHALL"], "ERR unknown command\n"),
    ] {
        let args = [&["-h", "127.0.0.1", "-p", &port], command].concat();
        let said = redis.run(&args, "").await.said.out();
        assert_eq!(said.trim_end(), answer.trim_end(), "{command:?}");
    }
    assert_eq!(rules(&app, &listener).await, ["ping", "set", "get", "none"]);
}

#[tokio::test]
async fn smtplib_sends_a_mail_to_the_mail_server() {
    let Some(python) = Tool::find("python3") else { return };
    let app = TestApp::start().await;
    let listener = open(&app, "smtp.json").await;
    let script = format!(
        r#"
import smtplib
from email.message import EmailMessage
mail = EmailMessage()
mail["From"], mail["To"], mail["Subject"] = "device@example.org", "a@example.org, nobody@example.org", "alarm"
mail.set_content("QUIT\r\n.\r\nthe tank is empty\r\n")
with smtplib.SMTP("127.0.0.1", {}) as client:
    print(client.send_message(mail))
"#,
        address(&listener).port()
    );
    let ended = python.run(&["-c", &script], "").await;
    assert_eq!(ended.code, Some(0), "{}", ended.said.err());
    assert_eq!(ended.said.out().trim(), "{'nobody@example.org': (550, b'no such user here')}");
    let rules = rules(&app, &listener).await;
    assert_eq!(rules[..5], ["hello", "from", "to", "no such user", "data"]);
    assert_eq!(rules[rules.len() - 2..], ["end of mail", "bye"]);
    assert!(rules[5..rules.len() - 2].iter().all(|rule| rule == "line of mail"), "{rules:?}");
}

/// Python with the clients of `tests/setup.sh`.
fn python_with(module: &str) -> Option<Tool> {
    Tool::find_if("python3", |path| {
        let found = std::process::Command::new(path).args(["-c", &format!("import {module}")]).output();
        found.is_ok_and(|output| output.status.success())
    })
}

#[tokio::test]
async fn pymodbus_reads_holding_registers() {
    let Some(python) = python_with("pymodbus") else { return };
    let app = TestApp::start().await;
    let listener = open(&app, "modbus.json").await;
    let script = format!(
        r#"
from pymodbus.client import ModbusTcpClient
client = ModbusTcpClient("127.0.0.1", port={})
assert client.connect()
print(client.read_holding_registers(100, count=3).registers)
print(client.read_holding_registers(0, count=125).registers == list(range(125)))
print(client.read_coils(0, count=1).exception_code)
client.close()
"#,
        address(&listener).port()
    );
    let ended = python.run(&["-c", &script], "").await;
    assert_eq!(ended.said.out(), "[100, 101, 102]\nTrue\n1\n", "{}", ended.said.err());
    assert_eq!(rules(&app, &listener).await, ["read holding registers", "read holding registers", "none"]);
}

#[tokio::test]
async fn an_hl7_client_gets_an_acknowledgement_of_its_own_message() {
    let Some(python) = python_with("hl7") else { return };
    let app = TestApp::start().await;
    let listener = open(&app, "hl7.json").await;
    let script = format!(
        r#"
import hl7
from hl7.client import MLLPClient
message = "MSH|^~\\&|LAB|HOSPITAL|EHR|CLINIC|20261126||ORU^R01|MSG00042|P|2.5\rPID|1||4711\r"
with MLLPClient("127.0.0.1", {}) as client:
    for _ in range(2):
        answer = hl7.parse(client.send_message(message).decode().strip("\x0b\x1c\r") + "\r")
        print(answer.segment("MSA")[1], answer.segment("MSA")[2], answer.segment("MSH")[3], answer.segment("MSH")[5])
"#,
        address(&listener).port()
    );
    let ended = python.run(&["-c", &script], "").await;
    assert_eq!(ended.said.out(), "AA MSG00042 EHR LAB\nAA MSG00042 EHR LAB\n", "{}", ended.said.err());
    assert_eq!(rules(&app, &listener).await, ["acknowledge", "acknowledge"]);
}

#[tokio::test]
async fn a_client_speaks_gbk_with_the_lines() {
    let app = TestApp::start().await;
    let listener = open(&app, "gbk-lines.json").await;
    let gbk = |text: &str| encoding_rs::GBK.encode(text).0.into_owned();
    let mut peer = Peer::connect(address(&listener)).await;
    for (line, answer) in [
        ("问题", "请先登录"),
        ("登录 张三", "登录成功"),
        ("我有一个问题", "问题正在处理中..."),
        ("还有问题", "问题已解决"),
        ("？", "无法识别"),
        ("退出", "再见"),
    ] {
        peer.send(gbk(&format!("{line}\r\n"))).await;
        let answer = gbk(&format!("{answer}\r\n"));
        assert_eq!(peer.read(answer.len()).await, answer, "{line}");
    }
    assert_eq!(peer.read_to_end().await.0, b"");
}

#[tokio::test]
async fn a_teltonika_device_is_let_in_by_its_imei_and_told_how_many_records_arrived() {
    let app = TestApp::start().await;
    let listener = open(&app, "teltonika.json").await;
    // The first example of Teltonika's description of Codec 8: one record, with its CRC.
    let packet = data_encoding::HEXUPPER
        .decode(
            b"000000000000003608010000016B40D8EA30010000000000000000000000000000000105021503010101425E0F01F10000601A\
              014E0000000000000000010000C7CF",
        )
        .unwrap();
    let mut peer = Peer::connect(address(&listener)).await;
    peer.send(b"\x00\x0f356307042441013").await;
    assert_eq!(peer.read(1).await, [1]);
    peer.send(&packet).await;
    assert_eq!(peer.read(4).await, [0, 0, 0, 1]);
    // A packet that arrives in two segments is one all the same.
    let (head, rest) = packet.split_at(20);
    peer.send(head).await;
    peer.send(rest).await;
    assert_eq!(peer.read(4).await, [0, 0, 0, 1]);
    let mut damaged = packet.clone();
    damaged[30] ^= 1;
    peer.send(&damaged).await;
    assert_eq!(peer.read(4).await, [0; 4], "a wrong CRC: nothing was taken, send it again");
    let mut stranger = Peer::connect(address(&listener)).await;
    stranger.send("hello").await;
    assert_eq!(stranger.read_to_end().await.0, [0]);
    assert_eq!(rules(&app, &listener).await, ["imei", "records", "records", "records", "unknown device"]);
}

#[tokio::test]
async fn an_iso_8583_client_is_echoed_to_with_the_type_of_an_answer() {
    let Some(python) = python_with("iso8583") else { return };
    let app = TestApp::start().await;
    let listener = open(&app, "iso8583.json").await;
    let script = format!(
        r#"
import iso8583, socket
from iso8583.specs import default_ascii as spec
def ask(client, document):
    raw, _ = iso8583.encode(document, spec)
    client.sendall(b"%04d" % len(raw) + raw)
    stream = client.makefile("rb")
    answer, _ = iso8583.decode(stream.read(int(stream.read(4))), spec)
    return answer
with socket.create_connection(("127.0.0.1", {})) as client:
    echo = {{"t": "0800", "7": "1126120000", "11": "000001", "70": "301"}}
    for _ in range(2):
        answer = ask(client, echo)
        print(answer["t"], answer["11"], answer["70"])
    payment = ask(client, {{"t": "0100", "2": "4111111111111111", "4": "000000001000", "11": "000002"}})
    print(payment["t"], payment["2"], payment["4"])
    print(ask(client, {{"t": "0420", "11": "000003"}})["t"])
"#,
        address(&listener).port()
    );
    let ended = python.run(&["-c", &script], "").await;
    let expected = "0810 000001 301\n0810 000001 301\n0110 4111111111111111 000000001000\n0420\n";
    assert_eq!(ended.said.out(), expected, "{}", ended.said.err());
    let names = ["network management", "network management", "authorization", "none"];
    assert_eq!(rules(&app, &listener).await, names);
}

#[tokio::test]
async fn logger_sends_syslog_with_counted_octets() {
    let Some(logger) = Tool::find("logger") else { return };
    let app = TestApp::start().await;
    let listener = open(&app, "syslog.json").await;
    let port = address(&listener).port().to_string();
    let common = ["--server", "127.0.0.1", "--port", &port, "--tcp", "--octet-count", "--tag", "tank"];
    for (format, text) in [("--rfc5424", "the tank is empty"), ("--rfc3164", "a line\tand 问题")] {
        let args = [&common[..], &[format, "--priority", "local0.warning", text]].concat();
        let ended = logger.run(&args, "").await;
        assert_eq!(ended.code, Some(0), "{}", ended.said.err());
    }
    let seen = format!("/messages?direction=received&listener={}", listener["id"].as_str().unwrap());
    let waits = format!("{seen}&contains=%E9%97%AE%E9%A2%98&after=start&wait=20s");
    app.get(&waits).await.expect(200);
    assert_eq!(rules(&app, &listener).await, ["RFC 5424", "RFC 3164"]);
    let list = app.get(&seen).await.expect(200).json();
    let texts: Vec<_> =
        list["items"].as_array().unwrap().iter().map(|m| m["text"].as_str().unwrap()).collect();
    assert!(texts[0].starts_with("<132>1 ") && texts[0].ends_with("the tank is empty"), "{texts:?}");
    assert!(
        texts[1].starts_with("<132>") && texts[1].contains("tank") && texts[1].contains("问题"),
        "{texts:?}"
    );
}
