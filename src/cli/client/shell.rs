//! `answerback completions`, `man`: what a shell and `man` want to know.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};

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
  answerback man
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
        let screen = Screen::new(false);
        if !(screen.is_terminal && is_shown(&page)) {
            screen.bytes(&page)?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Whether `man` is there, and has shown it: what is printed otherwise is for it to read, and not for people.
fn is_shown(page: &[u8]) -> bool {
    let shown = Command::new("man").args(["-l", "-"]).stdin(Stdio::piped()).spawn().and_then(|mut man| {
        if let Some(mut to) = man.stdin.take() {
            // It may have had enough.
            let _ = to.write_all(page);
        }
        man.wait()
    });
    shown.is_ok_and(|status| status.success())
}
