//! The commands that ask a running service, one file a command.

mod apply;
mod ask;
mod connections;
mod escapes;
mod expect;
mod export;
mod heard;
mod listeners;
mod remote;
mod screen;
mod send;
mod shell;
mod show;
mod spec;
mod tail;
mod which;

pub(super) use ask::Ask;
