//! **answerback**: open any TCP port with one HTTP request, see every client that connects and every byte it sends,
//! answer it the way you choose.
//!
//! # The floors
//!
//! Bytes rise from [`engine`] through [`wire`] into [`store`]; [`api`] shows them; the roof starts it. A floor may use
//! any floor to its right and none to its left; `tests/architecture.rs` judges it.
//!
//! ```text
//! cli → app → config → client → api → engine → store → wire → domain
//! ```
//!
//! | floor | what it is |
//! |---|---|
//! | [`domain`] | what the words mean; no I/O, no async, no clock |
//! | [`wire`] | bytes in, decisions out: pure functions and small state machines |
//! | [`store`] | the journal: where connections and messages are kept and how they are read back |
//! | [`engine`] | sockets; the only floor that opens data ports |
//! | [`api`] | the control plane; the only floor that says axum or `StatusCode` |
//! | [`client`] | the control plane from the other side: a typed client, for tests in Rust and for the command line |
//! | [`config`], [`telemetry`], [`app`], [`cli`] | the roof: settings, logs, the whole service in one object, the command line |
//!
//! # The life of a payload
//!
//! 1. `POST /listeners` is read into a [`domain::ListenerSpec`], which is valid because it exists.
//! 2. [`engine::Engine::open`] binds the port; the kernel accepts, and the journal keeps the listener, before the answer
//!    leaves.
//! 3. The listener's accept task takes a client in, puts its arrival on record and starts one task for it.
//! 4. That task waits without a buffer. What the client sends is read into a scratch buffer of the worker thread.
//! 5. [`wire::Conversation`] makes it a message, or as many as the listener's framing finds in it, and each message a
//!    [`wire::Step`]: what to record, what to send. The steps of one read are a [`wire::Turn`].
//! 6. [`store::Recorder`] hands its records to the journal and says when they are kept.
//! 7. Only then the first byte of the reply leaves. Whoever has a reply can read its record.
//! 8. The endpoint sends FIN, keeps reading (and recording) for a bounded while, and closes.
//! 9. `GET /connections` asks the journal for a page, by position, at the same cost however much there is.
//! 10. [`wire::StreamDecoder`] reads the bytes as text, for the view only: raw bytes are the truth.

pub mod api;
pub mod app;
pub mod cli;
pub mod client;
pub mod config;
pub mod domain;
pub mod engine;
pub mod store;
pub mod telemetry;
pub mod wire;
