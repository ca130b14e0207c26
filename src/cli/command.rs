//! From words to a command that is ready to run.

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Arg, Command, CommandFactory, FromArgMatches, Parser, Subcommand};

use super::client::Ask;
use super::{USAGE, backup, health, serve};
use crate::config::Setting;
use crate::telemetry::printable;

const AFTER_HELP: &str = "\
Examples:
  answerback serve --open 8080            # in one terminal
  answerback send 127.0.0.1:8080 hello    # in another
  answerback show last

Each command has examples in its own help: answerback open --help";

/// Open any TCP port with one request. See every client that connects and every byte it sends. Answer it the way you
/// choose.
#[derive(Parser)]
#[command(name = "answerback", version, arg_required_else_help = true, disable_help_subcommand = true)]
#[command(after_help = AFTER_HELP)]
struct Cli {
    #[command(subcommand)]
    command: Commands,
}

#[derive(Subcommand)]
enum Commands {
    /// Start the control plane, and endpoints beside it
    Serve(Box<serve::Args>),
    /// Ask a running answerback whether it is ready: exit code 0 if it is
    Health(health::Args),
    /// Copy the journal on disk to a file, while a service records into it or not
    Backup(backup::Args),
    #[command(flatten)]
    Ask(Box<Ask>),
}

/// A command that is ready to run.
pub enum Job {
    /// `answerback serve`
    Serve(Box<serve::Serve>),
    /// `answerback health`
    Health(health::Health),
    /// `answerback backup`
    Backup(backup::Backup),
    /// A question to a running service.
    Ask(Question),
}

/// What is to be asked.
pub struct Question(Box<Ask>);

/// Reads the command line, the environment and the file of settings, and starts the log.
///
/// # Errors
/// The exit code when there is nothing to run: something was wrong and has been said, or help was asked for.
pub fn prepare(args: impl IntoIterator<Item = OsString>) -> Result<Job, ExitCode> {
    let cli = command().try_get_matches_from(args).and_then(|matches| Cli::from_arg_matches(&matches));
    match cli {
        Ok(Cli { command: Commands::Serve(args) }) => {
            serve::prepare(*args).map(|serve| Job::Serve(Box::new(serve)))
        }
        Ok(Cli { command: Commands::Health(args) }) => health::prepare(args).map(Job::Health),
        Ok(Cli { command: Commands::Backup(args) }) => backup::prepare(args).map(Job::Backup),
        Ok(Cli { command: Commands::Ask(ask) }) => Ok(Job::Ask(Question(ask))),
        Err(help_or_fault) => {
            // Nobody is left to tell when the stream is closed.
            let _ = help_or_fault.print();
            Err(if help_or_fault.use_stderr() { ExitCode::from(USAGE) } else { ExitCode::SUCCESS })
        }
    }
}

impl Job {
    /// Runs it to its end.
    pub async fn run(self) -> ExitCode {
        match self {
            Self::Serve(serve) => serve.run().await,
            Self::Health(health) => health.run().await,
            Self::Backup(backup) => backup.run().await,
            Self::Ask(Question(ask)) => ask.run().await,
        }
    }
}

/// Says what went wrong; the exit code of a failure.
pub fn fail(fault: &str) -> ExitCode {
    complain(&fault);
    ExitCode::FAILURE
}

/// The commands, with each setting's default and variable in its help: from the list of settings, so they are true.
pub(super) fn command() -> Command {
    let with_origin = |arg: Arg| match Setting::find(arg.get_id().as_str()) {
        Some(setting) => {
            let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
            let default = setting.default.map(|text| format!("[default: {text}] ")).unwrap_or_default();
            arg.help(format!("{help}\n{default}[env: {}]", setting.variable()))
        }
        None => arg,
    };
    Cli::command().mut_subcommands(|command| command.mut_args(with_origin))
}

/// Says on standard error what went wrong.
pub(super) fn complain(fault: &impl ToString) {
    let mut stderr = io::stderr().lock();
    for line in fault.to_string().lines() {
        let _ = writeln!(stderr, "answerback: {}", printable(line));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::SETTINGS;

    #[test]
    fn the_command_line_is_well_formed() {
        command().debug_assert();
    }

    #[test]
    fn every_setting_has_its_flag_and_its_help() {
        let mut command = command();
        let serve = command.find_subcommand_mut("serve").unwrap();
        let help = serve.render_long_help().to_string().split_whitespace().collect::<Vec<_>>().join(" ");
        for setting in SETTINGS {
            assert!(help.contains(&format!("{} ", setting.flag())), "{}", setting.name);
            assert!(help.contains(&format!("[env: {}]", setting.variable())), "{}", setting.name);
        }
        let known = |id: &str| Setting::find(id).is_some() || ["config", "help"].contains(&id);
        assert!(serve.get_arguments().all(|arg| known(arg.get_id().as_str())));
    }
}
