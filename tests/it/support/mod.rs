//! What every integration test stands on: a whole service on ports of the kernel's choice, an HTTP client whose every
//! answer is checked against the contract, and a TCP peer that speaks bytes.

mod app;
mod contract;
mod events;
mod http;
mod moody;
mod peer;
mod process;
mod tools;

pub(crate) use app::{TestApp, address};
pub(crate) use contract::Contract;
pub(crate) use events::Events;
pub(crate) use http::send;
pub(crate) use moody::Moody;
pub(crate) use peer::{End, PATIENCE, Peer, refused};
pub(crate) use process::{Ended, Kept, Launch, Program, Service};
pub(crate) use tools::{Tool, node_package, skipped};

/// The standard reply in GBK.
pub(crate) const STANDARD_REPLY: [u8; 17] =
    [0xce, 0xca, 0xcc, 0xe2, 0xd5, 0xfd, 0xd4, 0xda, 0xb4, 0xa6, 0xc0, 0xed, 0xd6, 0xd0, 0x2e, 0x2e, 0x2e];

/// The tutorial client's message: nine characters, 27 bytes of UTF-8, and no valid GBK.
pub(crate) const TUTORIAL_MESSAGE: &str = "请帮我处理这个问题";
