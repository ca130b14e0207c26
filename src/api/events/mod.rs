//! `GET /events`: what happens, as it happens, as Server-Sent Events.

mod frame;
mod listeners;
mod stream;

pub(super) use stream::{Readers, events};
