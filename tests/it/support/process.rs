//! Programs as processes: started, watched, signalled, and ended at the latest when the test ends.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::Deref;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;

use super::app::TestApp;

/// Longer than anything here takes on a busy machine: a test that hangs fails instead.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a process has said so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Said {
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
    /// Streams that have ended; both end with the process.
    ended: u8,
}

impl Said {
    /// Standard output as text.
    pub(crate) fn out(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Standard error as text.
    pub(crate) fn err(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }
}

/// A process that has ended, and all that it said.
#[derive(Debug)]
pub(crate) struct Ended {
    /// The exit code; `None` when a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) said: Said,
}

/// A running process. Dropping it ends it.
pub(crate) struct Program {
    child: Child,
    said: watch::Receiver<Said>,
}

impl Program {
    /// Starts `command`, and gives it `input` to read.
    pub(crate) fn start(mut command: Command, input: Option<&[u8]>) -> Self {
        let stdin = if input.is_some() { Stdio::piped() } else { Stdio::null() };
        command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|e| panic!("{command:?} does not start: {e}"));
        if let (Some(mut stdin), Some(input)) = (child.stdin.take(), input.map(<[u8]>::to_vec)) {
            // Whoever reads no more has had enough.
            std::thread::spawn(move || drop(stdin.write_all(&input)));
        }
        let (sender, said) = watch::channel(Said::default());
        let sender = Arc::new(sender);
        follow(child.stdout.take().unwrap(), Arc::clone(&sender), |said| &mut said.stdout);
        follow(child.stderr.take().unwrap(), sender, |said| &mut said.stderr);
        Self { child, said }
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has said so far.
    pub(crate) fn said(&self) -> Said {
        self.said.borrow().clone()
    }

    /// Waits until what it has said is as wanted.
    pub(crate) async fn until(&self, wanted: impl Fn(&Said) -> bool) -> Said {
        self.until_within(PATIENCE, wanted).await
    }

    async fn until_within(&self, patience: Duration, wanted: impl Fn(&Said) -> bool) -> Said {
        let mut said = self.said.clone();
        let seen = timeout(patience, said.wait_for(|said| wanted(said) || said.ended == 2)).await;
        let now = seen.unwrap_or_else(|_| panic!("it never said that: {}", self.all())).unwrap().clone();
        assert!(wanted(&now), "it ended without saying that: {}", self.all());
        now
    }

    /// Whether it has ended.
    pub(crate) fn has_ended(&self) -> bool {
        self.said.borrow().ended == 2
    }

    /// Sends a signal: `TERM`, `INT`, `STOP`, `CONT`.
    pub(crate) fn signal(&self, name: &str) {
        let kill = Command::new("sh").arg("-c").arg(format!("kill -s {name} {}", self.pid())).status();
        assert!(kill.unwrap().success(), "the signal {name} finds no process");
    }

    /// Waits for its end.
    pub(crate) async fn ended(self) -> Ended {
        self.ended_within(PATIENCE).await
    }

    /// The same for one that takes its time.
    pub(crate) async fn ended_within(mut self, patience: Duration) -> Ended {
        let said = self.until_within(patience, |said| said.ended == 2).await;
        let code = self.child.wait().unwrap().code();
        Ended { code, said }
    }

    fn all(&self) -> String {
        let said = self.said();
        format!("\n--- stdout\n{:.4000}\n--- stderr\n{:.8000}", said.out(), said.err())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn follow(
    stream: impl Read + Send + 'static,
    sender: Arc<watch::Sender<Said>>,
    place: impl Fn(&mut Said) -> &mut Vec<u8> + Send + 'static,
) {
    std::thread::spawn(move || {
        let mut stream = BufReader::new(stream);
        let mut line = Vec::new();
        while stream.read_until(b'\n', &mut line).is_ok_and(|size| size > 0) {
            sender.send_modify(|said| place(said).append(&mut line));
        }
        sender.send_modify(|said| said.ended += 1);
    });
}

/// The program of this project, about to be started in an empty directory.
pub(crate) struct Launch {
    command: Command,
    home: TempDir,
}

impl Launch {
    /// `answerback ARGS`.
    pub(crate) fn new<A: AsRef<OsStr>>(args: impl IntoIterator<Item = A>) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_answerback"));
        command.args(args);
        Self::of(command)
    }

    /// `answerback serve --listen 127.0.0.1:0 ARGS`.
    pub(crate) fn serve(args: &[&str]) -> Self {
        Self::new(["serve", "--listen", "127.0.0.1:0"].iter().chain(args))
    }

    /// The same, with a hard and soft limit of file descriptors.
    pub(crate) fn serve_with_descriptors(limit: u32, args: &[&str]) -> Self {
        let mut command = Command::new("sh");
        command.arg("-c").arg(format!("ulimit -n {limit} && exec \"$0\" \"$@\""));
        command.args([env!("CARGO_BIN_EXE_answerback"), "serve", "--listen", "127.0.0.1:0"]).args(args);
        Self::of(command)
    }

    fn of(mut command: Command) -> Self {
        let home = tempfile::tempdir().unwrap();
        command.current_dir(home.path()).env_remove("RUST_BACKTRACE");
        for (name, _) in std::env::vars_os() {
            if name.as_encoded_bytes().starts_with(b"ANSWERBACK_") {
                command.env_remove(name);
            }
        }
        Self { command, home }
    }

    /// With an environment variable.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// With a file in its directory.
    pub(crate) fn file(self, name: &str, text: &str) -> Self {
        std::fs::write(self.home.path().join(name), text).unwrap();
        self
    }

    /// Runs it to its end.
    pub(crate) async fn end(self) -> Ended {
        let Self { command, home } = self;
        let ended = Program::start(command, None).ended().await;
        drop(home);
        ended
    }

    /// Starts it, and waits until it says where its API is.
    pub(crate) async fn start(self) -> Service {
        let Self { command, home } = self;
        let program = Program::start(command, None);
        let said = program.until(|said| said.stdout.ends_with(b"\n")).await.out();
        let api = said.trim().strip_prefix("answerback: http://").and_then(|address| address.parse().ok());
        let mut api: SocketAddr = api.unwrap_or_else(|| panic!("this is no address: {said}"));
        if api.ip().is_unspecified() {
            api.set_ip([127, 0, 0, 1].into());
        }
        Service { program, app: TestApp::at(api), _home: home }
    }
}

/// The service as a process of its own. What [`TestApp`] can do it can do too.
pub(crate) struct Service {
    pub(crate) program: Program,
    app: TestApp,
    _home: TempDir,
}

impl Deref for Service {
    type Target = TestApp;

    fn deref(&self) -> &TestApp {
        &self.app
    }
}

impl Service {
    /// Tells it to stop, and waits for its end.
    pub(crate) async fn terminate(self) -> Ended {
        self.program.signal("TERM");
        self.program.ended().await
    }

    /// The ports that it said it has opened.
    pub(crate) async fn opened(&self, count: usize) -> Vec<SocketAddr> {
        let opened = |text: &str| -> Vec<SocketAddr> {
            let lines = text.lines().filter_map(|line| line.trim().strip_prefix("open         "));
            lines.map(|address| address.parse().unwrap()).collect()
        };
        opened(&self.program.until(|said| opened(&said.err()).len() >= count).await.err())
    }

    /// File descriptors that it holds now.
    pub(crate) fn descriptors(&self) -> usize {
        std::fs::read_dir(self.place("fd")).unwrap().count()
    }

    /// Waits until it holds no more descriptors than `count`.
    pub(crate) async fn until_descriptors_are_down_to(&self, count: usize) {
        // Nothing tells when another process closes a descriptor, so this looks again and again.
        let mut look = tokio::time::interval(Duration::from_millis(20));
        let down = async {
            while self.descriptors() > count {
                look.tick().await;
            }
        };
        let down = timeout(PATIENCE, down).await;
        assert!(down.is_ok(), "{} descriptors are open, there were {count}", self.descriptors());
    }

    /// The addresses that it listens on, as the kernel sees it; the API's own is among them.
    pub(crate) fn listening(&self) -> BTreeSet<SocketAddr> {
        let sockets: BTreeSet<String> = std::fs::read_dir(self.place("fd"))
            .unwrap()
            .filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok()?.to_str().map(str::to_owned))
            .filter_map(|link| Some(link.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()))
            .collect();
        let tables = ["net/tcp", "net/tcp6"]
            .map(|table| std::fs::read_to_string(self.place(table)).unwrap_or_default());
        let rows = tables.iter().flat_map(|table| table.lines().skip(1));
        rows.map(|row| row.split_whitespace().collect::<Vec<_>>())
            // proc(5): the second field is the local address, the fourth the state (0A is LISTEN), the tenth the inode.
            .filter(|row| row[3] == "0A" && sockets.contains(row[9]))
            .map(|row| kernel_address(row[1]))
            .collect()
    }

    /// Its resident memory in KiB.
    pub(crate) fn resident_kib(&self) -> u64 {
        self.status_kib("VmRSS:")
    }

    /// The most resident memory that it ever had, in KiB.
    pub(crate) fn peak_kib(&self) -> u64 {
        self.status_kib("VmHWM:")
    }

    fn status_kib(&self, name: &str) -> u64 {
        let status = std::fs::read_to_string(self.place("status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// The processor time that it has used, in the kernel's ticks of 10 ms.
    pub(crate) fn processor_ticks(&self) -> u64 {
        let stat = std::fs::read_to_string(self.place("stat")).unwrap();
        // Fields are counted from the end of the name, which may hold blanks (proc(5)): utime is 14, stime 15.
        let fields = stat.rsplit_once(')').unwrap().1.split_whitespace();
        fields.skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap()).sum()
    }

    /// Its command line, as other users of the machine see it.
    pub(crate) fn command_line(&self) -> String {
        String::from_utf8(std::fs::read(self.place("cmdline")).unwrap()).unwrap().replace('\0', " ")
    }

    fn place(&self, name: &str) -> String {
        format!("/proc/{}/{name}", self.program.pid())
    }
}

/// `0100007F:1F90`: words of 32 bits, each in the byte order of this machine, and the port.
fn kernel_address(text: &str) -> SocketAddr {
    let (words, port) = text.split_once(':').unwrap();
    let word = |at: usize| u32::from_str_radix(&words[at..at + 8], 16).unwrap().to_ne_bytes();
    let bytes: Vec<u8> = (0..words.len()).step_by(8).flat_map(word).collect();
    let ip: IpAddr = match <[u8; 4]>::try_from(bytes.as_slice()) {
        Ok(v4) => Ipv4Addr::from(v4).into(),
        Err(_) => Ipv6Addr::from(<[u8; 16]>::try_from(bytes).unwrap()).into(),
    };
    SocketAddr::new(ip, u16::from_str_radix(port, 16).unwrap())
}

/// A connection to the API that is used for many requests. Its answers are not checked against the contract.
pub(crate) struct Kept {
    sender: SendRequest<Full<Bytes>>,
    host: String,
}

impl Kept {
    /// Connects.
    pub(crate) async fn connect(api: SocketAddr) -> Self {
        let stream = TcpStream::connect(api).await.unwrap();
        let (sender, connection) = handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        Self { sender, host: api.to_string() }
    }

    /// The status and the body of the answer.
    pub(crate) async fn ask(&mut self, method: &str, path: &str, body: &str) -> (u16, String) {
        let request = Request::builder().method(method).uri(path).header("host", &self.host);
        let request = request.header("content-type", "application/json");
        let request = request.body(Full::new(Bytes::from(body.to_owned()))).unwrap();
        self.sender.ready().await.unwrap();
        let answer = self.sender.send_request(request).await.unwrap();
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }
}
