//! The service as a process that dies and is started again.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use answerback::app::App;
use answerback::config::Config;
use answerback::domain::Durability;
use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use crate::args::Args;
use crate::check::{Checked, Findings};
use crate::content::Dice;
use crate::http::Api;
use crate::load::Load;

/// The argument that makes this binary a service that answers before it records.
pub(crate) const ANSWERING_EARLY: &str = "--as-a-service-that-answers-early";

/// Deaths that one directory sees before another one is used, so that no disk is filled.
const DEATHS_A_DIRECTORY: u32 = 25;

/// Which service it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Program,
    AnsweringEarly,
}

/// How it is started.
pub(crate) struct Launch {
    pub(crate) kind: Kind,
    pub(crate) directory: PathBuf,
    pub(crate) durability: &'static str,
    /// What it runs under, such as a tracer that takes the program and its arguments behind its own.
    pub(crate) under: Vec<String>,
}

/// One that runs.
pub(crate) struct Service {
    child: Child,
    pub(crate) api: SocketAddr,
    /// How long it took until it was ready.
    pub(crate) ready: Duration,
    pub(crate) oneshot: SocketAddr,
    pub(crate) echo: SocketAddr,
    _stdout: BufReader<ChildStdout>,
}

impl Launch {
    pub(crate) fn program(directory: &Path, durability: &'static str) -> Self {
        Self { kind: Kind::Program, directory: directory.to_owned(), durability, under: Vec::new() }
    }

    fn command(&self) -> Result<Command> {
        let directory = self.directory.to_str().context("a path that is text")?;
        if self.kind == Kind::AnsweringEarly {
            let mut command = Command::new(std::env::current_exe()?);
            command.args([ANSWERING_EARLY, directory]);
            return Ok(command);
        }
        let mut words = self.under.clone();
        let program = env!("CARGO_BIN_EXE_answerback");
        let flags =
            ["serve", "--listen", "127.0.0.1:0", "--data-dir", directory, "--durability", self.durability];
        words.extend([program].into_iter().chain(flags).map(str::to_owned));
        words.extend(["--retain-bytes", "64GiB", "--min-free-disk", "0"].map(str::to_owned));
        let mut words = words.into_iter();
        let mut command = Command::new(words.next().unwrap_or_default());
        command.args(words);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("ANSWERBACK_") {
                command.env_remove(name);
            }
        }
        Ok(command)
    }

    /// Starts it and finds its two endpoints, which are opened where there are none.
    pub(crate) fn start(&self) -> Result<Service> {
        let began = Instant::now();
        let mut command = self.command()?;
        // Not in the folder of this project: there may be settings of somebody's own.
        command.current_dir(std::env::temp_dir()).stdin(Stdio::null()).stdout(Stdio::piped());
        // Into a file: nobody reads it while it runs, and then it says why it did not.
        let said = tempfile::NamedTempFile::new()?;
        command.stderr(said.reopen()?);
        let mut child = command.spawn().with_context(|| format!("cannot start {command:?}"))?;
        let mut stdout = BufReader::new(child.stdout.take().context("no standard output")?);
        let mut line = String::new();
        stdout.read_line(&mut line)?;
        let ready = began.elapsed();
        let Some(api) = line.trim_end().strip_prefix("answerback: http://") else {
            let _ = child.kill();
            let status = child.wait()?;
            bail!("it did not start ({status}): {}", std::fs::read_to_string(said.path())?.trim());
        };
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let api = api.parse()?;
        // From here on it ends with this.
        let mut service = Service { child, api, ready, oneshot: nowhere, echo: nowhere, _stdout: stdout };
        let mut api = service.api()?;
        service.oneshot = endpoint(&mut api, "oneshot", json!({}))?;
        service.echo = endpoint(&mut api, "echo", json!({"reply": {"echo": true}}))?;
        Ok(service)
    }

    /// Starts it where it must not start, and says how it ended and what it said.
    pub(crate) fn start_in_vain(&self) -> Result<(ExitStatus, String)> {
        let output = self.command()?.stdin(Stdio::null()).output()?;
        Ok((output.status, String::from_utf8_lossy(&output.stderr).into_owned()))
    }
}

/// The endpoint of that name; one that came back must be open.
fn endpoint(api: &mut Api, name: &str, mut spec: Value) -> Result<SocketAddr> {
    let path = format!("/listeners/{name}");
    let is_there = api.call("GET", &path, "")?.status == 200;
    let listener = if is_there {
        api.json("GET", &path, "")?
    } else {
        spec["host"] = json!("127.0.0.1");
        spec["port"] = json!(0);
        spec["backlog"] = json!(4096);
        api.json("PUT", &path, &spec.to_string())?
    };
    ensure!(listener["state"] == "open", "the endpoint did not come back: {listener}");
    let port = listener["port"].as_u64().context("a listener has a port")?;
    Ok(SocketAddr::from(([127, 0, 0, 1], u16::try_from(port)?)))
}

impl Service {
    pub(crate) fn api(&self) -> Result<Api> {
        Api::connect(self.api)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL.
    pub(crate) fn kill(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A directory in which a service dies again and again, and what was found in it.
pub(crate) struct Life<'a> {
    pub(crate) launch: Launch,
    pub(crate) findings: &'a mut Findings,
    checked: Checked,
    /// Absent only while it is dead.
    running: Option<Service>,
}

impl<'a> Life<'a> {
    pub(crate) fn begin(launch: Launch, findings: &'a mut Findings) -> Result<Self> {
        let running = Some(launch.start()?);
        Ok(Self { launch, findings, checked: Checked::default(), running })
    }

    /// Lets clients in for a while, then `end`s the service, starts it again and compares.
    pub(crate) fn die(
        &mut self,
        args: &Args,
        dice: &mut Dice,
        end: impl FnOnce(Service, &Load) -> Result<()>,
    ) -> Result<()> {
        let dying = self.running.take().context("it did not start again")?;
        let (oneshot, echo) = (dying.oneshot, dying.echo);
        let run = self.findings.deaths + 1;
        let load = Load::start(oneshot, echo, run, args.clients, args.seed);
        // A random moment is what this is about: there is nothing to wait for instead.
        std::thread::park_timeout(Duration::from_millis(dice.roll(50, 500)));
        let ended = end(dying, &load);
        load.stop();
        let notes = load.notes();
        ended?;
        let running = self.running.insert(self.launch.start()?);
        let ports = (running.oneshot, running.echo);
        ensure!(ports == (oneshot, echo), "the endpoints came back at {ports:?}");
        self.findings.deaths = run;
        self.findings.slowest_start = self.findings.slowest_start.max(running.ready.as_millis());
        self.checked.go_on(&mut running.api()?, &notes, self.findings)
    }

    /// Ends the last one in order, and looks whether the file is whole.
    pub(crate) fn finish(self) -> Result<()> {
        let file = self.launch.directory.join("answerback.db");
        drop(self.running);
        let db = rusqlite::Connection::open(file)?;
        let found: String = db.query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
        ensure!(found == "ok", "the database is damaged: {found}");
        Ok(())
    }
}

/// Kills services of that kind so many times; with `until_lost`, only until something was lost.
pub(crate) fn kill_again_and_again(
    args: &Args,
    kind: Kind,
    kills: u32,
    until_lost: bool,
) -> Result<Findings> {
    let mut findings = Findings::default();
    let mut dice = Dice::new(args.seed);
    while findings.deaths < kills && !(until_lost && findings.lost > 0) {
        let home = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
        let launch = Launch { kind, ..Launch::program(home.path(), "process") };
        let mut life = Life::begin(launch, &mut findings)?;
        for _ in 0..DEATHS_A_DIRECTORY {
            if life.findings.deaths >= kills || until_lost && life.findings.lost > 0 {
                break;
            }
            life.die(args, &mut dice, |service, _| service.kill())?;
            if life.findings.deaths.is_multiple_of(10) {
                println!("  {}", life.findings.summary());
            }
        }
        life.finish()?;
    }
    Ok(findings)
}

/// Serves, and answers before what it answers is on record.
pub(crate) fn serve_answering_early(words: &[String]) -> Result<()> {
    let directory = words.get(1).context("the data directory")?;
    let config = Config {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        data_dir: directory.into(),
        durability: Durability::Process,
        retain_bytes: Some(64 << 30),
        min_free_disk: 0,
        answer_early: true,
        ..Config::default()
    };
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let app = App::start(config).await?;
        println!("answerback: http://{}", app.api_addr());
        app.join().await;
        Ok(())
    })
}
