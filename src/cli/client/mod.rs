//! The commands that ask a running service, one file a command.

mod apply;
mod ask;
mod connections;
mod expect;
mod export;
mod listeners;
mod remote;
mod screen;
mod send;
mod shell;
mod show;
mod spec;
mod tail;

pub(super) use ask::Ask;
