//! The commands, as clap reads them, and what each runs.

use std::process::ExitCode;

use clap::Subcommand;

use super::remote::{Done, Fault};
use super::{apply, connections, expect, export, listeners, send, shell, show, tail};

/// What is asked.
#[derive(Subcommand)]
pub(in super::super) enum Ask {
    /// Open a port
    Open(Box<listeners::Open>),
    /// List the listeners
    Ls(listeners::List),
    /// Change a listener; clients that are connected stay
    Set(Box<listeners::Set>),
    /// Close a port
    Close(listeners::Close),
    /// List who connected, and what they sent
    Connections(connections::Args),
    /// Show one connection: every byte, both ways
    Show(show::Args),
    /// Show the newest messages, and with -f those that come
    Tail(tail::Args),
    /// Be a client: send to any TCP port, and print the reply
    Send(send::Args),
    /// Wait until something has happened: exit code 1 if it has not
    Expect(Box<expect::Args>),
    /// Save records as a capture file, JSON lines or hexdump
    Export(export::Args),
    /// Make all listeners be as a file says
    Apply(apply::Apply),
    /// Close all listeners and forget all records
    Reset(apply::Reset),
    /// Print the completions of a shell
    Completions(shell::Completions),
    /// Print the manual page
    Man(shell::Man),
}

impl Ask {
    /// Asks it, and shows the answer.
    pub(in super::super) async fn run(self) -> ExitCode {
        let done: Done = match self {
            Self::Open(args) => args.run().await,
            Self::Ls(args) => args.run().await,
            Self::Set(args) => args.run().await,
            Self::Close(args) => args.run().await,
            Self::Connections(args) => args.run().await,
            Self::Show(args) => args.run().await,
            Self::Tail(args) => args.run().await,
            Self::Send(args) => args.run().await,
            Self::Expect(args) => args.run().await,
            Self::Export(args) => args.run().await,
            Self::Apply(args) => args.run().await,
            Self::Reset(args) => args.run().await,
            Self::Completions(args) => args.run(),
            Self::Man(args) => args.run(),
        };
        done.unwrap_or_else(|fault: Fault| fault.tell())
    }
}
