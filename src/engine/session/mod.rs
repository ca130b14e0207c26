//! One client, from its arrival to its end.
//!
//! [`pump`] is the loop between the stream and the conversation; what it waits for, how it reads and sends, and what it does
//! unasked each have a file.

mod buffer;
mod commands;
mod hindered;
mod patience;
mod periodic;
mod pump;
mod sending;

pub(super) use pump::serve;
