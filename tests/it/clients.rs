//! Clients that nobody here wrote: each is recorded whole, and none breaks the service.

use serde_json::{Value, json};

use crate::support::{End, Launch, STANDARD_REPLY, Service, TUTORIAL_MESSAGE, Tool, address};

/// The client of the tutorial that this project comes from: it sends UTF-8 and reads GBK.
const TUTORIAL_CLIENT: &str = r#"
import socket, sys
client = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
client.connect((sys.argv[1], int(sys.argv[2])))
client.send("请帮我处理这个问题".encode("utf-8"))
answer = client.recv(1024)
client.close()
sys.stdout.buffer.write((answer.hex() + "\n" + answer.decode("gbk") + "\n").encode("utf-8"))
"#;

/// A service with one listener.
struct Scene {
    service: Service,
    listener: Value,
    host: String,
    port: String,
}

impl Scene {
    async fn with(spec: Value) -> Self {
        let service = Launch::serve(&[]).start().await;
        let listener = service.open(spec).await;
        let at = address(&listener);
        Self { service, listener, host: at.ip().to_string(), port: at.port().to_string() }
    }

    /// All bytes that one connection sent, as they crossed the wire.
    async fn payload(&self, connection: &Value) -> Vec<u8> {
        let path = format!("/connections/{}/payload", connection["id"].as_str().unwrap());
        let answer = self.service.get(&path).await.expect(200);
        assert_eq!(answer.header("x-payload-size"), answer.header("x-payload-stored"), "recorded whole");
        assert_eq!(connection["received"]["bytes"], json!(answer.body.len()));
        answer.body.to_vec()
    }

    /// What the only client sent, once it has gone.
    async fn sent(&self) -> Vec<u8> {
        self.payload(&self.service.only_closed_connection(&self.listener).await).await
    }

    /// The bytes of the first connection that `wanted` fits; a browser makes several.
    async fn sent_by_one_of_many(&self, wanted: impl Fn(&[u8]) -> bool) -> Vec<u8> {
        for connection in self.service.connections(&self.listener).await {
            let payload = self.payload(&connection).await;
            if wanted(&payload) {
                return payload;
            }
        }
        panic!("none of these: {:?}", self.service.connections(&self.listener).await);
    }

    /// Nothing is broken: the next client is served as ever.
    async fn goes_on(self) {
        let mut peer = self.service.connect(&self.listener).await;
        peer.send("still there?").await;
        peer.finish_sending().await;
        assert_eq!(peer.read_to_end().await.1, End::Fin);
        self.service.get("/readyz").await.expect(200);
        let said = self.service.terminate().await;
        assert_eq!(said.code, Some(0));
        let said = said.said.err();
        assert!(!said.contains("panicked") && !said.contains("ERROR"), "{said}");
    }
}

#[tokio::test]
async fn the_tutorials_own_client_and_server_get_on() {
    let Some(python) = Tool::find("python3") else { return };
    let scene = Scene::with(json!({})).await;
    let client = python.run(&["-c", TUTORIAL_CLIENT, &scene.host, &scene.port], "").await;
    assert_eq!(client.code, Some(0), "{}", client.said.err());
    let reply = data_encoding::HEXLOWER.encode(&STANDARD_REPLY);
    assert_eq!(client.said.out(), format!("{reply}\n问题正在处理中...\n"));

    let list = scene.service.get("/connections").await.expect(200).json();
    let connection = &list["items"][0];
    assert_eq!(connection["received"], json!({"bytes": 27, "messages": 1}));
    assert_eq!(connection["sent"], json!({"bytes": 17, "messages": 1}));
    let message = &connection["messages"][0];
    assert_eq!(message["base64"], data_encoding::BASE64.encode(TUTORIAL_MESSAGE.as_bytes()));
    assert_eq!((&message["size"], &message["encoding"]), (&json!(27), &json!("gbk")));
    assert_eq!((&message["malformed"], &message["detected_encoding"]), (&json!(true), &json!("utf-8")));
    assert_eq!(connection["messages"][1]["text"], "问题正在处理中...");
    assert_eq!(scene.sent().await, TUTORIAL_MESSAGE.as_bytes());
    scene.goes_on().await;
}

#[tokio::test]
async fn nc_gets_its_reply_whether_or_not_it_half_closes() {
    let of_openbsd = |path: &std::path::Path| {
        let help = std::process::Command::new(path).arg("-h").output();
        help.is_ok_and(|help| String::from_utf8_lossy(&help.stderr).contains("OpenBSD"))
    };
    let Some(nc) = Tool::find_if("nc", of_openbsd) else { return };
    for flags in [&["-N"][..], &[], &["-v"]] {
        let scene = Scene::with(json!({})).await;
        let args: Vec<_> = flags.iter().copied().chain([&*scene.host, &*scene.port]).collect();
        let client = nc.run(&args, "hello\n").await;
        assert_eq!((client.code, &client.said.stdout[..]), (Some(0), &STANDARD_REPLY[..]), "{flags:?}");
        assert_eq!(scene.sent().await, b"hello\n", "{flags:?}");
        scene.goes_on().await;
    }
}

#[tokio::test]
async fn nc_that_only_looks_whether_the_port_is_open_is_a_connection_too() {
    let Some(nc) = Tool::find("nc") else { return };
    let scene = Scene::with(json!({})).await;
    assert_eq!(nc.run(&["-z", &scene.host, &scene.port], "").await.code, Some(0));
    let record = scene.service.only_closed_connection(&scene.listener).await;
    assert_eq!(record["received"], json!({"bytes": 0, "messages": 0}));
    assert_eq!((&record["closed_by"], &record["close_reason"]), (&json!("peer"), &json!("peer_closed")));
    scene.goes_on().await;
}

#[tokio::test]
async fn socat_sends_a_file_and_has_it_echoed() {
    let Some(socat) = Tool::find("socat") else { return };
    let scene = Scene::with(json!({"reply": {"echo": true}})).await;
    let lines: String = (0..40_000).map(|n| format!("line {n}\n")).collect();
    let target = format!("TCP:{}:{}", scene.host, scene.port);
    let client = socat.run(&["-t", "20", "-", &target], &lines).await;
    assert_eq!(client.code, Some(0), "{}", client.said.err());
    assert!(client.said.out() == lines, "the echo is the file: {} bytes", client.said.stdout.len());
    assert!(scene.sent().await == lines.as_bytes());
    scene.goes_on().await;
}

#[tokio::test]
async fn curl_as_a_telnet_client_gets_its_reply() {
    let Some(curl) = Tool::find("curl") else { return };
    let scene = Scene::with(json!({})).await;
    let url = format!("telnet://{}:{}", scene.host, scene.port);
    let client = curl.run(&["--silent", "--show-error", "--no-buffer", &url], "hello\r\n").await;
    assert_eq!(client.said.stdout, STANDARD_REPLY, "{:?} {}", client.code, client.said.err());
    assert_eq!(scene.sent().await, b"hello\r\n");
    scene.goes_on().await;
}

#[tokio::test]
async fn curl_gets_the_web_page_that_an_endpoint_was_told_to_answer() {
    let Some(curl) = Tool::find("curl") else { return };
    let page = "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nhello\n";
    for reply in [json!({"text": page}), json!({"hex": data_encoding::HEXLOWER.encode(page.as_bytes())})] {
        let scene = Scene::with(json!({"reply": reply})).await;
        let url = format!("http://{}:{}/a?b=c", scene.host, scene.port);
        let client = curl.run(&["--silent", "--show-error", "--fail", &url], "").await;
        assert_eq!((client.code, client.said.out()), (Some(0), "hello\n".into()), "{}", client.said.err());
        let request = String::from_utf8(scene.sent().await).unwrap();
        assert!(request.starts_with("GET /a?b=c HTTP/1.1\r\n") && request.ends_with("\r\n\r\n"), "{request}");
        scene.goes_on().await;
    }
}

#[tokio::test]
async fn a_tls_client_hello_is_recorded_whole() {
    let Some(openssl) = Tool::find("openssl") else { return };
    for spec in [json!({}), json!({"reply": null}), json!({"reply": {"hex": "15 03 03 00 02 02 28"}})] {
        let scene = Scene::with(spec).await;
        let target = format!("{}:{}", scene.host, scene.port);
        let client = openssl.run(&["s_client", "-connect", &target], "").await;
        assert_ne!(client.code, Some(0), "there is no TLS here: {}", client.said.out());
        let hello = scene.sent().await;
        assert_eq!(hello[..3], [0x16, 0x03, 0x01], "{hello:02x?}");
        // RFC 8446, section 5.1: type, version, length. What openssl says after the hello is an alert.
        let length = usize::from(u16::from_be_bytes([hello[3], hello[4]]));
        let after = &hello[5 + length..];
        assert!(after.is_empty() || after[..2] == [0x15, 0x03], "{after:02x?}");
        let message = &scene.service.connections(&scene.listener).await[0]["messages"][0];
        assert_eq!(message["malformed"], json!(true), "{message}");
        scene.goes_on().await;
    }
}

#[tokio::test]
async fn redis_cli_takes_an_endpoint_for_a_redis() {
    let Some(redis) = Tool::find("redis-cli") else { return };
    let scene = Scene::with(json!({"reply": "+PONG\r\n", "then": "keep", "encoding": "utf-8"})).await;
    let client = redis.run(&["-h", &scene.host, "-p", &scene.port, "PING"], "").await;
    assert_eq!((client.code, client.said.out()), (Some(0), "PONG\n".into()), "{}", client.said.err());
    assert_eq!(scene.sent().await, b"*1\r\n$4\r\nPING\r\n");
    scene.goes_on().await;
}

/// Runs the browser on an address until it has shown it, and returns the page as it stands then.
async fn browse(chromium: &Tool, url: &str) -> String {
    let profile = tempfile::tempdir().unwrap();
    let profile = format!("--user-data-dir={}", profile.path().display());
    let flags = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--dump-dom",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--disable-dev-shm-usage",
        "--ignore-certificate-errors",
        "--timeout=10000",
        &profile,
        url,
    ];
    chromium.run(&flags, "").await.said.out()
}

#[tokio::test]
async fn a_browser_is_recorded_and_shows_what_the_endpoint_answers() {
    let Some(chromium) = Tool::find("chromium") else { return };
    let page = "<!doctype html><title>t</title><p>answered by an endpoint</p>";
    let reply =
        format!("HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: {}\r\n\r\n{page}", page.len());
    let scene = Scene::with(json!({"reply": reply, "encoding": "utf-8"})).await;
    let shown = browse(&chromium, &format!("http://{}:{}/", scene.host, scene.port)).await;
    assert!(shown.contains("answered by an endpoint"), "{shown}");
    let request = scene.sent_by_one_of_many(|bytes| bytes.starts_with(b"GET / HTTP/1.1\r\n")).await;
    let request = String::from_utf8(request).unwrap();
    let host = format!("Host: {}:{}\r\n", scene.host, scene.port);
    assert!(request.contains(&host) && request.ends_with("\r\n\r\n"), "{request}");
    scene.goes_on().await;
}

#[tokio::test]
async fn a_browser_that_is_answered_in_gbk_or_asks_for_tls_breaks_nothing() {
    let Some(chromium) = Tool::find("chromium") else { return };
    let scene = Scene::with(json!({})).await;
    browse(&chromium, &format!("http://{}:{}/", scene.host, scene.port)).await;
    scene.sent_by_one_of_many(|bytes| bytes.starts_with(b"GET / HTTP/1.1\r\n")).await;
    browse(&chromium, &format!("https://{}:{}/", scene.host, scene.port)).await;
    scene.sent_by_one_of_many(|bytes| bytes.starts_with(&[0x16, 0x03, 0x01])).await;
    scene.goes_on().await;
}
