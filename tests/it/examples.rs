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
