//! `answerback completions`, `man`: what a shell and `man` want to know.

use std::path::PathBuf;
use std::process::ExitCode;

use clap_complete::Shell;

use super::super::command::command;
use super::remote::{Done, Fault};
use super::screen::Screen;

const COMPLETIONS_HELP: &str = "\
Examples:
  answerback completions bash > ~/.local/share/bash-completion/completions/answerback
  answerback completions zsh > ~/.zfunc/_answerback
  answerback completions fish > ~/.config/fish/completions/answerback.fish";

const MAN_HELP: &str = "\
Examples:
  answerback man | man -l -
  answerback man --dir /usr/local/share/man/man1";

#[derive(Debug, clap::Args)]
#[command(after_help = COMPLETIONS_HELP)]
pub(in super::super) struct Completions {
    /// Which shell
    shell: Shell,
}

#[derive(Debug, clap::Args)]
#[command(after_help = MAN_HELP)]
pub(in super::super) struct Man {
    /// Write a page for each command into this directory
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

impl Completions {
    pub(super) fn run(self) -> Done {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut command(), "answerback", &mut script);
        Screen::new(false).bytes(&script)?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Man {
    pub(super) fn run(self) -> Done {
        if let Some(dir) = self.dir {
            let failed = |fault| Fault::Failed(format!("{}: {fault}", dir.display()));
            clap_mangen::generate_to(command(), &dir).map_err(failed)?;
            return Ok(ExitCode::SUCCESS);
        }
        let mut page = Vec::new();
        clap_mangen::Man::new(command()).render(&mut page)?;
        Screen::new(false).bytes(&page)?;
        Ok(ExitCode::SUCCESS)
    }
}
