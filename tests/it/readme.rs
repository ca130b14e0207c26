//! The README as a user follows it: each command is run, each output compared, each table checked.
//!
//! What is run where:
//!
//! | block | where |
//! |---|---|
//! | `sh`, starts the service (`cargo run --release -- serve …`) | here, with the built binary; it runs until the next such block |
//! | `sh`, anything else on the shell | here, by bash, in the order of the page, against that service |
//! | `sh`, all lines `docker` | by `tests/container.sh`; here it is checked that it does, and that there is a `Dockerfile` |
//! | `sh`, all lines `make` | they run these tests, so they cannot be run by them; here it is checked that the targets exist |
//! | `text` after an `sh` block of its section | the output of that block: compared with what was printed |
//! | `toml` | read here as a file of settings and listeners |
//! | no language, before any section | the picture: nothing to run |
//!
//! A block that none of these covers fails. Commands are run as they stand, but for the ports, which are free ones of
//! this test. Outputs are compared without white space, `…` stands for anything, and ids, times, cursors and ports of the
//! kernel's choice stand for each other.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::readme_blocks::{Block, Kind, blocks};
use crate::support::{Contract, Program, TestApp, Tool};

pub(crate) const README: &str = include_str!("../../README.md");
const BINARY: &str = env!("CARGO_BIN_EXE_answerback");
/// What the README writes where the built binary stands here.
pub(crate) const CARGO_RUN: &str = "cargo run --release --";
/// The ports of the README; the first is the control plane's.
const PORTS: [u16; 12] = [7070, 8080, 9000, 5023, 9004, 9001, 9002, 9003, 9005, 9006, 9007, 9008];
/// The header with the README's token. A service that asks for none does not mind it.
const TOKEN: (&str, &str) = ("authorization", "Bearer swordfish");
/// Longer than any block takes, in seconds: one that hangs fails instead.
const PATIENCE: &str = "240";

#[tokio::test]
async fn every_command_does_what_the_readme_says() {
    if !tools_are_there() {
        return;
    }
    let world = World::new();
    let (mut service, mut printed) = (None, None);
    for block in blocks() {
        match block.kind {
            Kind::Start => {
                drop(service.take());
                let (program, said) = world.start(&block).await;
                (service, printed) = (Some(program), Some(said));
            }
            Kind::Run => {
                world.settle().await;
                printed = Some(world.run(&block));
            }
            Kind::Output => {
                let at = block.at();
                let printed = printed.take().unwrap_or_else(|| panic!("{at}: two outputs of one block"));
                let (shown, real) = (mask(&block.text), world.back(&mask(&printed)));
                assert!(
                    fits(&compact(&shown), &compact(&real)),
                    "{at} shows\n{}\nbut it is\n{printed}",
                    block.text
                );
            }
            Kind::Container | Kind::Make | Kind::File | Kind::Part | Kind::Picture => {}
        }
    }
    assert!(service.is_some(), "the README starts the service");
}

#[test]
fn every_file_can_be_given_to_the_service() {
    let home = tempfile::tempdir().unwrap();
    let files: Vec<_> = blocks().into_iter().filter(|block| block.kind == Kind::File).collect();
    assert!(!files.is_empty());
    for block in files {
        let file = home.path().join("answerback.toml");
        fs::write(&file, &block.text).unwrap();
        let (flags, environment, directory) = (Vec::new(), Vec::new(), home.path().to_owned());
        let inputs = answerback::config::Inputs { flags, file: Some(file), environment, directory };
        let read =
            answerback::config::load(&inputs).unwrap_or_else(|error| panic!("{}: {error}", block.at()));
        assert!(!read.config.listeners.is_empty());
    }
}

#[test]
fn what_is_not_run_here_is_run_elsewhere() {
    let script = file("tests/container.sh");
    assert!(file("Dockerfile").contains("ENTRYPOINT"));
    let makefile = file("Makefile");
    assert!(makefile.contains("\n\ttests/container.sh\n"), "`make test` runs tests/container.sh");
    for block in blocks() {
        for line in block.text.lines() {
            let word = line.split(' ').nth(1).unwrap_or_default();
            match block.kind {
                Kind::Container => {
                    assert!(script.contains(&format!("engine {word} ")), "{}: {line}", block.at())
                }
                Kind::Make => assert!(makefile.contains(&format!("\n{word}:")), "{}: {line}", block.at()),
                Kind::Start | Kind::Run | Kind::Output | Kind::File | Kind::Part | Kind::Picture => {}
            }
        }
    }
}

#[test]
fn the_table_of_settings_is_what_serve_help_says() {
    let help = Command::new(BINARY).args(["serve", "--help"]).output().unwrap();
    let mut settings: Vec<(String, String)> = Vec::new();
    for line in String::from_utf8(help.stdout).unwrap().lines().skip_while(|line| *line != "Options:") {
        match (line.strip_prefix("      --"), settings.last_mut()) {
            (Some(flag), _) => settings.push((format!("--{flag}"), String::new())),
            (None, _) if line.starts_with("  -h") => break,
            (None, Some((_, words))) => words.extend([" ", line.trim()]),
            (None, None) => {}
        }
    }
    let value = |words: &str, name: &str| {
        let rest = words.split_once(&format!("[{name}: ")).map(|(_, rest)| rest);
        rest.and_then(|rest| rest.split_once(']')).map_or("none", |(value, _)| value).to_owned()
    };
    let said: Vec<_> =
        settings.iter().map(|(flag, w)| vec![flag.clone(), value(w, "env"), value(w, "default")]).collect();
    assert!(said.len() > 10, "{said:?}");
    assert_eq!(rows("Settings"), said);
}

#[test]
fn the_table_of_the_api_is_the_contract() {
    let spans = section("The API").split('`').skip(1).step_by(2);
    let is_method = |word: &str| word.bytes().all(|byte| byte.is_ascii_uppercase());
    let mut shown: Vec<_> = spans
        .filter_map(|span| span.split_once(' '))
        .filter(|(method, _)| is_method(method))
        .map(|(method, path)| (method.to_owned(), path.to_owned()))
        .collect();
    let mut published = Contract::get().paths();
    shown.sort();
    published.sort();
    assert_eq!(shown, published);
}

#[tokio::test]
async fn the_table_of_defaults_is_what_a_listener_gets() {
    let app = TestApp::start().await;
    let listener = app.json("POST", "/listeners", &json!({"port":0})).await.expect(201).json();
    let mut shown = Vec::new();
    for row in rows("What you get if you say nothing") {
        let default: Value = serde_json::from_str(&row[1]).unwrap_or_else(|e| panic!("{}: {e}", row[1]));
        let pointer = format!("/{}", row[0].replace('.', "/"));
        assert_eq!(listener.pointer(&pointer), Some(&default), "{}", row[0]);
        shown.push(row[0].split('.').next().unwrap_or_default().to_owned());
    }
    let spec = &Contract::get().document()["components"]["schemas"]["ListenerSpec"]["properties"];
    for field in spec.as_object().unwrap().keys().filter(|field| *field != "port") {
        assert!(shown.contains(field), "`{field}` is missing in the table of defaults");
    }
}

#[tokio::test]
async fn every_metric_that_the_readme_names_is_there() {
    let metrics = TestApp::start().await.get("/metrics").await.expect(200).text();
    let named: Vec<_> = README.split('`').filter(|span| span.starts_with("answerback_")).collect();
    assert!(!named.is_empty());
    for name in named {
        assert!(metrics.lines().any(|line| line.starts_with(name)), "{name}");
    }
}

#[test]
fn every_file_that_the_readme_points_to_is_there() {
    let targets: Vec<_> = README.split("](").skip(1).filter_map(|rest| rest.split_once(')')).collect();
    assert!(!targets.is_empty());
    for (target, _) in targets {
        file(target);
    }
}

/// Free ports in place of the README's, and a folder to be in.
struct World {
    folder: tempfile::TempDir,
    /// (the README's, this test's)
    ports: Vec<(u16, u16)>,
}

impl World {
    fn new() -> Self {
        // Below the ports that the kernel gives away (32768 and up), so that no other test gets one meanwhile, and
        // apart from those of another run at the same time.
        let first = 20_000 + u16::try_from(std::process::id() % 1_200).unwrap() * 10;
        let free = (first..32_768).filter(|port| TcpListener::bind((Ipv4Addr::UNSPECIFIED, *port)).is_ok());
        let ports: Vec<_> = PORTS.into_iter().zip(free).collect();
        assert_eq!(ports.len(), PORTS.len(), "there are free ports from {first} on");
        Self { folder: tempfile::tempdir().unwrap(), ports }
    }

    fn api(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.ports[0].1).into()
    }

    /// A script of the README, with this test's ports and binary, about to be run by bash.
    fn bash(&self, program: &str, arguments: &[&str], script: &str, binary: &str) -> Command {
        let script = numbers_replaced(script, |number| {
            self.ports.iter().find(|(shown, _)| *shown == number).map(|p| p.1)
        });
        let mut command = Command::new(program);
        command.args(arguments).arg(script.replace(CARGO_RUN, binary)).current_dir(self.folder.path());
        for (name, _) in
            std::env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(b"ANSWERBACK_"))
        {
            command.env_remove(name);
        }
        // The hints name a port to open next: 8080 would be free here, where another has its place.
        command.env("ANSWERBACK_ALLOW_PORTS", "9000,20000-65535");
        command.env("ANSWERBACK_LISTEN", self.api().to_string()).env("LC_ALL", "C.UTF-8");
        command
    }

    /// Starts the service; what it says when it is ready.
    async fn start(&self, block: &Block) -> (Program, String) {
        let command = self.bash("bash", &["-c"], &block.text, &format!("exec '{BINARY}'"));
        let program = Program::start(command, None);
        let said = program.until(|said| !said.stdout.is_empty() && said.err().contains("Ctrl-C\n")).await;
        // Where the lines of the log stand among the others is a matter of chance.
        let hints = said.err().lines().filter(|line| !line.contains(" INFO ")).collect::<String>();
        (program, said.out() + &hints)
    }

    /// Runs commands to their end; what they printed.
    fn run(&self, block: &Block) -> String {
        // An answer that is an error fails here; for a user it would only be printed.
        let curl = r#"curl() { [[ "$1" == -*f* ]] || set -- --fail-with-body "$@"; command curl "$@"; }"#;
        let script = format!("{curl}\n{}", block.text);
        // `timeout` also ends what the script has started.
        let mut command = self.bash("timeout", &[PATIENCE, "bash", "-ec"], &script, &format!("'{BINARY}'"));
        let output = command.stdin(Stdio::null()).output().unwrap();
        let [printed, complaints] =
            [output.stdout, output.stderr].map(|said| String::from_utf8(said).unwrap());
        assert!(output.status.success(), "{}: {}\n{printed}\n{complaints}", block.at(), output.status);
        printed
    }

    /// Waits until every client of the README is on record as gone: a user takes longer than that to type.
    async fn settle(&self) {
        let app = TestApp::at(self.api());
        let get = async |path: &str| app.request("GET", path, &[TOKEN], "").await.expect(200).json();
        loop {
            let open = get("/connections?state=open&limit=1").await;
            let Some(last) = open["items"].get(0) else { return };
            let since = last["opened_at"].as_str().unwrap();
            let closed = get(&format!("/connections?state=closed&since={since}&wait=20s")).await;
            assert!(closed["items"].get(0).is_some(), "a client of the README does not end: {last}");
        }
    }

    /// Real text, with the README's ports.
    fn back(&self, text: &str) -> String {
        numbers_replaced(text, |number| self.ports.iter().find(|(_, real)| *real == number).map(|p| p.0))
    }
}

/// Whether what the README asks its reader to have is there.
fn tools_are_there() -> bool {
    let help =
        |path: &Path| Command::new(path).arg("-h").output().is_ok_and(|o| o.stderr.starts_with(b"OpenBSD"));
    let tools = ["bash", "timeout", "curl", "iconv", "od", "python3", "sqlite3"];
    tools.into_iter().all(|name| Tool::find(name).is_some()) && Tool::find_if("nc", help).is_some()
}

/// Each number that `other` has another for, replaced by it.
fn numbers_replaced(text: &str, other: impl Fn(u16) -> Option<u16>) -> String {
    let (mut replaced, mut rest) = (String::new(), text);
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
        let digits = rest[start..].chars().take_while(char::is_ascii_digit).count();
        let number = &rest[start..start + digits];
        let replacement = number.parse().ok().and_then(&other).map(|other| other.to_string());
        replaced.extend([&rest[..start], replacement.as_deref().unwrap_or(number)]);
        rest = &rest[start + digits..];
    }
    replaced + rest
}

/// The text with one word for all ids, one for all times, and so on.
fn mask(text: &str) -> String {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "-:.".contains(c);
    let mut masked = String::new();
    for piece in text.split_inclusive(|c| !is_part(c)) {
        let word = piece.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        let kernels_port = word.parse::<u16>().is_ok_and(|port| port >= 32_768);
        let name = match word.as_bytes() {
            [.., b'Z'] if word.len() == 27 && word.contains('T') => "TIME",
            [b'0', ..] if word.len() == 36 && word.matches('-').count() == 4 => "ID",
            [b'0', ..]
                if word.len() == 13
                    && word.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'v').contains(&b)) =>
            {
                "CURSOR"
            }
            _ if kernels_port => "PORT",
            _ => word,
        };
        masked.push_str(&if word.is_empty() { piece.to_owned() } else { piece.replace(word, name) });
    }
    masked
}

fn compact(text: &str) -> String {
    text.split_whitespace().collect()
}

/// Whether `real` is `shown`, with anything in the place of each `…`.
fn fits(shown: &str, real: &str) -> bool {
    let mut pieces: Vec<_> = shown.split('…').collect();
    let Some(last) = pieces.pop() else { return false };
    let Some((first, middle)) = pieces.split_first() else { return last == real };
    let Some(mut rest) = real.strip_prefix(first) else { return false };
    for piece in middle {
        match rest.split_once(piece) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(last)
}

/// A file of the repository.
fn file(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path))
        .unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// What stands under a heading, to the next one of its depth.
fn section(title: &str) -> &'static str {
    let rest = README.split_once(&format!("\n## {title}\n")).map(|(_, rest)| rest);
    let rest = rest.unwrap_or_else(|| panic!("README.md has no `## {title}`"));
    rest.split_once("\n## ").map_or(rest, |(section, _)| section)
}

/// The rows of a section's table, without head and without the marks of code.
fn rows(title: &str) -> Vec<Vec<String>> {
    let rows = section(title).lines().filter(|line| line.starts_with("| `"));
    let cells = |row: &str| {
        row.trim_matches(['|', ' ']).split(" | ").map(|cell| cell.trim_matches('`').to_owned()).collect()
    };
    let rows: Vec<_> = rows.map(cells).collect();
    assert!(!rows.is_empty());
    rows
}
