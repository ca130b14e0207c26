//! `answerback serve`: the control plane and its endpoints, until a signal.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use super::command::complain;
use super::signals::Signals;
use super::{USAGE, hints};
use crate::app::App;
use crate::config::{self, Config, Inputs, LogFormat};
use crate::domain::{Clock, SystemClock};
use crate::telemetry::{self, Telemetry, printable};

const AFTER_HELP: &str = "\
Flags win over the environment, the environment over the file, the file over the defaults. The keys of the file are \
the names of the flags with `_` for `-`:

  max_listeners = 1000
  open = [8080, \"127.0.0.1:9000\"]

Besides, the file may have `listeners`, each as POST /listeners takes it:

  [[listeners]]
  name = \"gate\"
  port = 8080
  reply = \"ok\"

Examples:
  answerback serve --open 8080
  answerback serve --open 8080,9000 --open '[::1]:9001' --idle-timeout 30s
  answerback serve --open 80 --allow-ports 80,443,1024-65535
  answerback serve --data-dir /var/lib/answerback --durability power --retain-age 30d
  answerback serve --journal memory
  ANSWERBACK_TOKEN=... answerback serve --listen 0.0.0.0:7070 --log-format json

Once everything is open, one line goes to standard output: `answerback: http://127.0.0.1:7070`, the resolved address. \
The log goes to standard error. SIGTERM or Ctrl-C lets connections finish and exits with 0, a second one exits at once \
with 1. Failing to start exits with 1, wrong settings with 2.";

const CONFIG_HELP: &str = "\
Read settings and listeners from this file: TOML, JSON (.json) or YAML (.yaml, .yml)
[default: answerback.toml, if it is there] [env: ANSWERBACK_CONFIG]";

/// The flags, as texts: they are read together with the other layers. No `Debug`: one of them is a token.
#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Args {
    /// Where the API listens; port 0 lets the kernel choose
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
    /// Open an endpoint with all defaults, as PORT or IP:PORT; may be repeated
    #[arg(long, value_name = "PORT")]
    open: Vec<String>,
    #[arg(long, value_name = "FILE", help = CONFIG_HELP)]
    config: Option<PathBuf>,
    /// The token that callers of the API must show; others can see it in the list of processes, so prefer the variable
    /// or the file. Without one, the API needs none on loopback and makes its own elsewhere
    #[arg(long, value_name = "TOKEN")]
    token: Option<String>,
    /// Read the token from this file
    #[arg(long, value_name = "FILE")]
    token_file: Option<String>,
    /// Ask for no token, wherever the API listens
    #[arg(long)]
    no_auth: bool,
    /// The ports that may be opened, as a list of ports and ranges
    #[arg(long, value_name = "PORTS")]
    allow_ports: Vec<String>,
    /// Another host name under which the API may be called, as NAME or NAME:PORT; may be repeated
    #[arg(long, value_name = "NAME")]
    allow_host: Vec<String>,
    /// Listeners at one time
    #[arg(long, value_name = "COUNT")]
    max_listeners: Option<String>,
    /// Clients at one time, on all listeners together
    #[arg(long, value_name = "COUNT")]
    max_connections: Option<String>,
    /// Clients at one time on a listener whose limits do not say otherwise
    #[arg(long, value_name = "COUNT")]
    max_connections_per_listener: Option<String>,
    /// How long a client may be silent on a listener whose limits do not say otherwise: 500ms, 30s, 5m, 1h30m
    #[arg(long, value_name = "DURATION")]
    idle_timeout: Option<String>,
    /// The directory of the journal on disk; it is made if it is not there
    #[arg(long, value_name = "DIR")]
    data_dir: Option<String>,
    /// Where records and listeners are kept; sqlite: on disk, in the data directory; memory: gone when the process
    /// ends
    #[arg(long, value_name = "KIND")]
    journal: Option<String>,
    /// What the journal on disk survives; process: kill -9, panic, OOM kill; power: also kernel crash and power loss, on
    /// storage that honours flushes
    #[arg(long, value_name = "LEVEL")]
    durability: Option<String>,
    /// How old records become before they go: 12h, 30d
    #[arg(long, value_name = "DURATION")]
    retain_age: Option<String>,
    /// How much is recorded before the oldest records go: 65536, 64KiB, 1GiB
    #[arg(long, value_name = "SIZE")]
    retain_bytes: Option<String>,
    /// How many messages are recorded before the oldest records go
    #[arg(long, value_name = "COUNT")]
    retain_messages: Option<String>,
    /// With less than this free on the disk of the data directory nothing is recorded, so nothing is answered, until there
    /// is more again; 0: no such floor
    #[arg(long, value_name = "SIZE")]
    min_free_disk: Option<String>,
    /// What a line of the log looks like: text or json
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<String>,
    /// What is logged: off, error, warn, info, debug or trace; for a part of the program, PART=LEVEL
    #[arg(long, value_name = "LEVEL")]
    log: Vec<String>,
}

impl Args {
    fn into_inputs(self) -> Inputs {
        let given = |values: Vec<String>| Some(values).filter(|values| !values.is_empty());
        let one = |value: Option<String>| value.map(|value| vec![value]);
        let flags = [
            ("listen", one(self.listen)),
            ("open", given(self.open)),
            ("token", one(self.token)),
            ("token_file", one(self.token_file)),
            ("no_auth", self.no_auth.then(|| vec!["true".to_owned()])),
            ("allow_ports", given(self.allow_ports)),
            ("allow_host", given(self.allow_host)),
            ("max_listeners", one(self.max_listeners)),
            ("max_connections", one(self.max_connections)),
            ("max_connections_per_listener", one(self.max_connections_per_listener)),
            ("idle_timeout", one(self.idle_timeout)),
            ("data_dir", one(self.data_dir)),
            ("journal", one(self.journal)),
            ("durability", one(self.durability)),
            ("retain_age", one(self.retain_age)),
            ("retain_bytes", one(self.retain_bytes)),
            ("retain_messages", one(self.retain_messages)),
            ("min_free_disk", one(self.min_free_disk)),
            ("log_format", one(self.log_format)),
            ("log", given(self.log)),
        ];
        let flags = flags.into_iter().filter_map(|(name, values)| Some((name, values?))).collect();
        Inputs::of_process(flags, self.config)
    }
}

/// A server that is ready to start.
pub struct Serve {
    config: Config,
    telemetry: Telemetry,
}

pub(super) fn prepare(args: Args) -> Result<Serve, ExitCode> {
    let loaded = config::load(&args.into_inputs()).map_err(|fault| {
        complain(&fault);
        ExitCode::from(USAGE)
    })?;
    let telemetry = telemetry::start(loaded.config.log_format, &loaded.config.log);
    for warning in loaded.warnings {
        tracing::warn!("{warning}");
    }
    Ok(Serve { config: loaded.config, telemetry })
}

impl Serve {
    /// Starts everything, says so, and stops it after a signal.
    pub(super) async fn run(self) -> ExitCode {
        // Before anything is open: a signal that comes meanwhile must find somebody who listens.
        let mut signals = match Signals::new() {
            Ok(signals) => signals,
            Err(e) => return self.fail(&format!("cannot listen for signals: {e}")),
        };
        let started = tokio::select! {
            started = Box::pin(App::start(self.config.clone())) => started,
            name = signals.next() => {
                tracing::info!("{name} while starting: not started");
                return ExitCode::SUCCESS;
            }
        };
        let app = match started {
            Ok(app) => app,
            Err(fault) => return self.fail(&fault),
        };
        self.announce(&app);
        let name = tokio::select! {
            name = signals.next() => name,
            () = app.join() => return self.fail(&"stopped without being told to; the log says why"),
        };
        tracing::info!("{name}: connections may finish; a second signal stops at once");
        app.shutdown();
        tokio::select! {
            () = app.join() => {
                tracing::info!("stopped");
                ExitCode::SUCCESS
            }
            name = signals.next() => {
                tracing::warn!("{name} again: stopped at once");
                ExitCode::FAILURE
            }
        }
    }

    /// One line for programs on standard output, then what to type next for people on standard error.
    fn announce(&self, app: &App) {
        let mut stdout = io::stdout().lock();
        // A closed standard output is no reason to stop serving.
        let _ = writeln!(stdout, "answerback: http://{}", app.api_addr()).and_then(|()| stdout.flush());
        let place = hints::Place {
            api: app.api_addr(),
            endpoints: app.endpoints(),
            allow_ports: &self.config.allow_ports,
            token: app.token_hint(),
        };
        let people_read = io::stderr().is_terminal() || self.config.log_format == LogFormat::Text;
        let hints = match people_read {
            true => Some(hints::for_people(&place)),
            false => hints::for_machines(&place, SystemClock.now()),
        };
        if let Some(hints) = hints {
            self.telemetry.say(&hints);
        }
    }

    fn fail(&self, fault: &impl ToString) -> ExitCode {
        self.telemetry.say(&format!("answerback: {}\n", printable(&fault.to_string())));
        ExitCode::FAILURE
    }
}
