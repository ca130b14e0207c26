//! The service through its public door: HTTP and TCP, on ports of the kernel's choice, without sleeps.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that meets a surprise has failed")]

mod backup;
mod changes;
mod cli;
mod clients;
mod config;
mod connections;
mod contract;
mod endpoints;
mod errors;
mod events;
mod examples;
mod expect;
mod export;
mod faults;
mod flood;
mod framing;
mod framing_changes;
mod journal;
mod listeners;
mod load;
mod messages;
mod readme;
mod readme_blocks;
mod restart;
mod restore;
mod rules;
mod service;
mod support;
mod talk;
mod templates;
mod ui;
mod users;
