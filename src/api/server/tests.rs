//! Real clients on real sockets. They wait for what the server does, never for time to pass.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::ConnectInfo;
use axum::http::StatusCode;
use axum::routing::{get, post};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::accept::{Incoming, Server};
use super::{ServerLimits, spawn};

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n";
/// Time enough for anything that is going to happen, on a machine that is busy with something else.
const LONG: Duration = Duration::from_secs(20);
/// How late a limit may be noticed, on such a machine.
const SLACK: Duration = Duration::from_secs(2);

struct Running {
    addr: SocketAddr,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Running {
    async fn start(limits: ServerLimits, router: Router) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let running = Self {
            addr: listener.local_addr().unwrap(),
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
        };
        spawn(listener, router, limits, &running.tasks, running.stop.clone());
        running
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.addr).await.unwrap()
    }

    async fn stopped(&self) {
        self.stop.cancel();
        self.tasks.close();
        timeout(LONG, self.tasks.wait()).await.expect("the server stops");
    }
}

fn limits() -> ServerLimits {
    ServerLimits {
        header: Duration::from_millis(200),
        idle: Duration::from_millis(600),
        ..ServerLimits::default()
    }
}

fn hello() -> Router {
    Router::new().route("/", get(|| async { "hello" }))
}

/// All that comes until the server closes.
async fn rest(client: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    timeout(LONG, client.read_to_end(&mut bytes)).await.expect("the server closes").unwrap();
    String::from_utf8(bytes).unwrap()
}

/// All that comes up to and with `end`.
async fn until(client: &mut TcpStream, end: &str) -> String {
    let mut text = String::new();
    while !text.contains(end) {
        let mut buf = [0; 4096];
        let size = timeout(LONG, client.read(&mut buf)).await.expect("an answer").unwrap();
        assert_ne!(size, 0, "closed after {text:?}");
        text.push_str(std::str::from_utf8(&buf[..size]).unwrap());
    }
    text
}

#[tokio::test]
async fn a_silent_client_is_let_go_without_a_word() {
    let server = Running::start(limits(), hello()).await;
    let started = Instant::now();
    let mut client = server.connect().await;
    assert_eq!(rest(&mut client).await, "");
    assert!(started.elapsed() >= limits().header);
    assert!(started.elapsed() < limits().header + SLACK);
}

#[tokio::test]
async fn half_a_header_gets_408_when_its_time_is_over() {
    let server = Running::start(limits(), hello()).await;
    let started = Instant::now();
    let mut client = server.connect().await;
    client.write_all(b"GET / HTTP/1.1\r\nhost: ").await.unwrap();
    assert!(rest(&mut client).await.starts_with("HTTP/1.1 408 "));
    assert!(started.elapsed() >= limits().header);
    assert!(started.elapsed() < limits().header + SLACK);
}

#[tokio::test]
async fn a_header_that_trickles_gets_no_more_time() {
    let server = Running::start(limits(), hello()).await;
    let started = Instant::now();
    let mut client = server.connect().await;
    client.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
    let (mut reading, mut writing) = client.split();
    let mut answer = [0; 12];
    // Another byte whenever the server has said nothing for a while.
    while timeout(Duration::from_millis(30), reading.read_exact(&mut answer)).await.is_err() {
        writing.write_all(b"a").await.unwrap();
    }
    assert_eq!(&answer, b"HTTP/1.1 408");
    assert!(started.elapsed() < limits().header + SLACK);
}

#[tokio::test]
async fn between_requests_a_client_may_pause_longer_than_a_header_may_take() {
    let server = Running::start(limits(), hello()).await;
    let mut client = server.connect().await;
    client.write_all(REQUEST).await.unwrap();
    until(&mut client, "hello").await;
    let answered = Instant::now();
    assert_eq!(rest(&mut client).await, "");
    assert!(answered.elapsed() >= limits().idle - Duration::from_millis(50), "{:?}", answered.elapsed());
    assert!(answered.elapsed() < limits().idle + SLACK);
}

#[tokio::test]
async fn the_header_of_a_later_request_has_its_time_from_its_first_byte() {
    let server = Running::start(ServerLimits { idle: LONG, ..limits() }, hello()).await;
    let mut client = server.connect().await;
    client.write_all(REQUEST).await.unwrap();
    until(&mut client, "hello").await;
    client.write_all(b"G").await.unwrap();
    let started = Instant::now();
    assert!(rest(&mut client).await.starts_with("HTTP/1.1 408 "));
    assert!(started.elapsed() < limits().header + SLACK);
}

#[tokio::test]
async fn a_request_that_takes_long_to_answer_is_neither_late_nor_idle() {
    let (ask, mut asked) = mpsc::channel::<()>(1);
    let (reply, replies) = mpsc::channel::<()>(1);
    let replies = std::sync::Arc::new(tokio::sync::Mutex::new(replies));
    let slow = get(move || async move {
        ask.send(()).await.unwrap();
        replies.lock().await.recv().await;
        "at last"
    });
    let short = ServerLimits { idle: limits().header, ..limits() };
    let server = Running::start(short, Router::new().route("/slow", slow)).await;
    let mut client = server.connect().await;
    client.write_all(b"GET /slow HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    asked.recv().await.unwrap();
    // As long as a silent client is let go in meanwhile, the time of both limits has passed.
    assert_eq!(rest(&mut server.connect().await).await, "");
    assert_eq!(rest(&mut server.connect().await).await, "");
    reply.send(()).await.unwrap();
    until(&mut client, "at last").await;
}

#[tokio::test]
async fn requests_sent_in_one_go_are_all_answered() {
    let server = Running::start(limits(), hello()).await;
    let mut client = server.connect().await;
    client.write_all(&REQUEST.repeat(3)).await.unwrap();
    assert_eq!(rest(&mut client).await.matches("HTTP/1.1 200 OK").count(), 3);
}

#[tokio::test]
async fn a_header_beyond_the_buffer_or_with_too_many_fields_gets_431() {
    let server = Running::start(limits(), hello()).await;
    let long = format!("GET / HTTP/1.1\r\nhost: a\r\nx: {}\r\n\r\n", "a".repeat(64 * 1024));
    let many = format!("GET / HTTP/1.1\r\nhost: a\r\n{}\r\n", "x: a\r\n".repeat(200));
    for request in [long, many] {
        let mut client = server.connect().await;
        client.write_all(request.as_bytes()).await.unwrap();
        assert!(rest(&mut client).await.starts_with("HTTP/1.1 431 "));
    }
}

#[tokio::test]
async fn what_is_no_http_gets_400() {
    let server = Running::start(limits(), hello()).await;
    let mut client = server.connect().await;
    client.write_all(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n").await.unwrap();
    assert!(rest(&mut client).await.starts_with("HTTP/1.1 400 "));
}

#[tokio::test]
async fn beyond_the_limit_a_client_is_refused_at_once_and_later_taken_again() {
    let roomy = ServerLimits { connections: 1, header: LONG, idle: LONG, ..limits() };
    let server = Running::start(roomy, hello()).await;
    let mut first = server.connect().await;
    first.write_all(REQUEST).await.unwrap();
    until(&mut first, "hello").await;
    assert!(rest(&mut server.connect().await).await.starts_with("HTTP/1.1 503 "));
    drop(first);
    // The place is free when the server has seen that the first is gone.
    let taken = timeout(LONG, async {
        loop {
            let mut next = server.connect().await;
            next.write_all(REQUEST).await.unwrap();
            let mut answer = [0; 12];
            if next.read_exact(&mut answer).await.is_ok() && &answer == b"HTTP/1.1 200" {
                break;
            }
        }
    });
    taken.await.expect("the place becomes free");
}

#[tokio::test]
async fn an_answer_before_the_body_was_read_is_not_lost_to_a_reset() {
    let early = Router::new().route("/", post(|| async { (StatusCode::PAYLOAD_TOO_LARGE, "too large") }));
    let server = Running::start(limits(), early).await;
    let mut client = server.connect().await;
    let size = 8 * 1024 * 1024;
    let head = format!("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: {size}\r\n\r\n");
    client.write_all(head.as_bytes()).await.unwrap();
    client.write_all(&vec![b'a'; size]).await.unwrap();
    let answer = rest(&mut client).await;
    assert!(answer.starts_with("HTTP/1.1 413 ") && answer.ends_with("too large"), "{answer}");
}

/// Tells when it is dropped.
struct Dropped(mpsc::Sender<()>);

impl Drop for Dropped {
    fn drop(&mut self) {
        let _told = self.0.try_send(());
    }
}

#[tokio::test]
async fn a_client_that_does_not_read_its_answer_is_let_go() {
    let (dropped, mut drops) = mpsc::channel::<()>(1);
    let endless = get(move || async move {
        let (chunk, dropped) = (Bytes::from(vec![0; 64 * 1024]), Dropped(dropped));
        Body::from_stream(futures_util::stream::repeat_with(move || {
            assert!(!dropped.0.is_closed());
            Ok::<_, io::Error>(chunk.clone())
        }))
    });
    let short = ServerLimits { write: Duration::from_millis(200), ..limits() };
    let server = Running::start(short, Router::new().route("/", endless)).await;
    let mut client = server.connect().await;
    client.write_all(REQUEST).await.unwrap();
    timeout(LONG, drops.recv()).await.expect("the answer is given up").unwrap();
}

#[tokio::test]
async fn handlers_know_the_peer() {
    let peer = get(|ConnectInfo(peer): ConnectInfo<SocketAddr>| async move { peer.to_string() });
    let server = Running::start(limits(), Router::new().route("/", peer)).await;
    let mut client = server.connect().await;
    client.write_all(REQUEST).await.unwrap();
    let own = client.local_addr().unwrap().to_string();
    until(&mut client, &own).await;
}

#[tokio::test]
async fn stopping_closes_the_idle_lets_the_busy_finish_and_frees_the_port() {
    let (ask, mut asked) = mpsc::channel::<()>(1);
    let (reply, replies) = mpsc::channel::<()>(1);
    let replies = std::sync::Arc::new(tokio::sync::Mutex::new(replies));
    let slow = get(move || async move {
        ask.send(()).await.unwrap();
        replies.lock().await.recv().await;
        "finished"
    });
    let calm = ServerLimits { header: LONG, idle: LONG, grace: LONG, ..limits() };
    let server = Running::start(calm, hello().route("/slow", slow)).await;
    let (mut silent, mut idle, mut busy) =
        (server.connect().await, server.connect().await, server.connect().await);
    idle.write_all(REQUEST).await.unwrap();
    until(&mut idle, "hello").await;
    busy.write_all(b"GET /slow HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    asked.recv().await.unwrap();

    server.stop.cancel();
    assert_eq!(rest(&mut silent).await, "");
    assert_eq!(rest(&mut idle).await, "");
    drop(TcpListener::bind(server.addr).await.expect("the port is free"));
    reply.send(()).await.unwrap();
    let answer = rest(&mut busy).await;
    assert!(answer.contains("connection: close") && answer.ends_with("finished"), "{answer}");
    server.stopped().await;
}

#[tokio::test]
async fn what_does_not_finish_within_the_grace_is_cut() {
    let (ask, mut asked) = mpsc::channel::<()>(1);
    let never = get(move || async move {
        ask.send(()).await.unwrap();
        std::future::pending::<&str>().await
    });
    let short = ServerLimits { grace: Duration::from_millis(100), ..limits() };
    let server = Running::start(short, Router::new().route("/", never)).await;
    let mut client = server.connect().await;
    client.write_all(REQUEST).await.unwrap();
    asked.recv().await.unwrap();
    server.stopped().await;
    assert_eq!(rest(&mut client).await, "");
}

/// Fails as often as told, and then has no client.
struct Failing {
    errors: VecDeque<io::Error>,
    left: mpsc::Sender<usize>,
}

impl Incoming for Failing {
    async fn next(&mut self) -> io::Result<(TcpStream, SocketAddr)> {
        self.left.send(self.errors.len()).await.unwrap();
        match self.errors.pop_front() {
            Some(error) => Err(error),
            None => std::future::pending().await,
        }
    }
}

async fn accept_all(errors: VecDeque<io::Error>) -> Duration {
    let (left, mut lefts) = mpsc::channel(1);
    let stop = CancellationToken::new();
    let server = Server::new(Router::new(), ServerLimits::default(), TaskTracker::new(), stop.clone());
    let started = Instant::now();
    let running = tokio::spawn(async move { server.run(Failing { errors, left }).await });
    while lefts.recv().await.unwrap() > 0 {}
    let elapsed = started.elapsed();
    stop.cancel();
    running.await.unwrap();
    elapsed
}

#[tokio::test(start_paused = true)]
async fn out_of_file_descriptors_accepting_pauses_longer_and_longer_and_goes_on() {
    const EMFILE: i32 = 24;
    let errors = (0..10).map(|_| io::Error::from_raw_os_error(EMFILE)).collect();
    // 10, 20, 40, … 640 ms, then a second each.
    let expected = Duration::from_millis(1270 + 3 * 1000);
    let elapsed = accept_all(errors).await;
    assert!(elapsed >= expected && elapsed < expected + Duration::from_millis(100), "{elapsed:?}");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_was_gone_before_it_was_accepted_costs_no_pause() {
    let errors = (0..1000).map(|_| io::ErrorKind::ConnectionAborted.into()).collect();
    assert_eq!(accept_all(errors).await, Duration::ZERO);
}
