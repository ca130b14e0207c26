//! Which service is asked, and what goes wrong.

use std::io;
use std::process::ExitCode;

use super::super::USAGE;
use super::super::command::complain;
use super::super::health::default_authority;
use super::screen::Screen;
use crate::client::{Client, Error};
use crate::config::{self, Inputs};

/// What every command that asks takes.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Remote {
    /// Where the API is [default: the address that `serve` would use here] [env: ANSWERBACK_URL]
    #[arg(long, value_name = "URL", help_heading = "The service")]
    url: Option<String>,
    /// The API's token [default: that of the settings, for the service of the settings]
    #[arg(long, value_name = "TOKEN", help_heading = "The service")]
    token: Option<String>,
    /// Print what the API answers, as JSON
    #[arg(long, help_heading = "The service")]
    json: bool,
}

/// How a command went: with an exit code, or not.
pub(super) type Done = Result<ExitCode, Fault>;

/// What went wrong.
pub(super) enum Fault {
    /// Between here and the service.
    Client(Error),
    /// What was asked makes no sense.
    Usage(String),
    /// Something else.
    Failed(String),
    /// Whoever read has had enough, as `head` has.
    Pipe,
}

impl Remote {
    pub(super) fn client(&self) -> Result<Client, Fault> {
        let variable = |name| std::env::var(name).ok().filter(|value: &String| !value.is_empty());
        let token = self.token.clone().or_else(|| variable("ANSWERBACK_TOKEN"));
        if let Some(url) = self.url.clone().or_else(|| variable("ANSWERBACK_URL")) {
            // The token of the settings is for the service of the settings, and for no other.
            return Ok(Client::new(&url, token.as_deref())?);
        }
        let url = format!("http://{}", default_authority().map_err(Fault::Usage)?);
        let token = match token {
            Some(token) => Some(token),
            None => config::token(&Inputs::of_process(Vec::new(), None))
                .map_err(|fault| Fault::Usage(fault.to_string()))?
                .map(|secret| secret.expose().to_owned()),
        };
        Ok(Client::new(&url, token.as_deref())?)
    }

    pub(super) fn screen(&self) -> Screen {
        Screen::new(self.json)
    }
}

impl Fault {
    /// Says it. The exit code.
    pub(super) fn tell(self) -> ExitCode {
        match self {
            Self::Pipe => ExitCode::SUCCESS,
            Self::Usage(fault) | Self::Client(Error::Address(fault)) => {
                complain(&fault);
                ExitCode::from(USAGE)
            }
            Self::Failed(fault) => {
                complain(&fault);
                ExitCode::FAILURE
            }
            Self::Client(fault) => {
                complain(&fault);
                if let Some(advice) = advice(&fault) {
                    complain(&advice);
                }
                ExitCode::FAILURE
            }
        }
    }
}

const fn advice(fault: &Error) -> Option<&'static str> {
    match fault {
        Error::Unreachable { .. } => {
            Some("start one with `answerback serve`, or say where it is with --url or ANSWERBACK_URL")
        }
        Error::Problem(problem) if problem.status == 401 => {
            Some("give the token with --token or ANSWERBACK_TOKEN; `serve` printed it when it started")
        }
        _ => None,
    }
}

impl From<Error> for Fault {
    fn from(fault: Error) -> Self {
        Self::Client(fault)
    }
}

impl From<io::Error> for Fault {
    fn from(fault: io::Error) -> Self {
        match fault.kind() {
            io::ErrorKind::BrokenPipe => Self::Pipe,
            _ => Self::Failed(fault.to_string()),
        }
    }
}

/// What the service answers is not as this program knows it.
impl From<serde_json::Error> for Fault {
    fn from(fault: serde_json::Error) -> Self {
        Self::Failed(format!("the answer is not as this version knows it: {fault}"))
    }
}
