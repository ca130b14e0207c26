//! The whole service in one object: the only place that names a concrete journal.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::api::guard::{Guard, GuardConfig, TokenDigest, token_text};
use crate::api::server::{self, ServerLimits};
use crate::api::types::{read_spec, write_spec};
use crate::api::{Api, router, routes};
use crate::config::{Config, JournalSetting, Secret, TokenSetting};
use crate::domain::{Clock, FieldError, IdSource, ListenerDraft, ListenerSpec, SystemClock};
use crate::engine::{
    Engine, EngineConfig, EngineError, ListenerKey, ListenerSnapshot, ListenerState, NotApplied, SpecText,
};
use crate::store::{
    Journal, JournalError, MemoryJournal, OpenError, Position, Recorder, SqliteJournal, SqliteOptions,
};

/// How long replies under way may take to finish once the service is told to stop. Below the ten seconds that
/// `docker stop` waits.
const GRACE: Duration = Duration::from_secs(5);
/// File descriptors that listeners and their clients never get: the API's connections (1,280), the runtime's and the
/// journal's own. Where there are few, a quarter of them, but for some hundred.
const RESERVED_DESCRIPTORS: u64 = 1_280 + 64;
const LEAST_RESERVED: u64 = 256 + 64;

/// Why the service could not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The API's address cannot be had.
    #[error(
        "cannot listen on {address}: {cause}; another answerback may be running: try --listen 127.0.0.1:0"
    )]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        cause: io::Error,
    },
    /// An endpoint of `--open` cannot be had.
    #[error("cannot open {address}: {cause}{}", advice(cause))]
    Open {
        /// The address.
        address: SocketAddr,
        /// Why.
        cause: EngineError,
    },
    /// A listener of the settings cannot be had.
    #[error("cannot open the listener {name}: {cause}")]
    Listener {
        /// Its name, or else its address.
        name: String,
        /// Why.
        cause: String,
    },
    /// The limits of the settings contradict each other.
    #[error("cannot open {address}: {cause}")]
    Spec {
        /// The endpoint's address.
        address: SocketAddr,
        /// What is wrong with it.
        cause: FieldError,
    },
    /// The journal does not say which listeners there are.
    #[error("{0}")]
    Journal(JournalError),
    /// A name of `--allow-host` is none.
    #[error("allow_host: {0}")]
    AllowHost(String),
    /// The token cannot be one.
    #[error("token: {0}")]
    Token(String),
    /// The journal on disk cannot be used.
    #[error(transparent)]
    Disk(#[from] OpenError),
    /// A part of the program broke while it started.
    #[error("starting broke off: {0}")]
    Broken(String),
    /// The machine gives no random bytes.
    #[error("the system gives no random bytes: {0}")]
    Random(getrandom::Error),
}

/// What callers of the API must show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenHint {
    /// Nothing.
    NotNeeded,
    /// The token of the settings.
    Given,
    /// A token that was made at start: to be shown once, nobody knows it otherwise.
    Made(Secret),
}

/// A running service.
pub struct App {
    api_addr: SocketAddr,
    endpoints: Vec<SocketAddr>,
    token: TokenHint,
    routes: Vec<(&'static str, &'static str)>,
    engine: Engine,
    journal: Arc<dyn Journal>,
    stop: CancellationToken,
    serving: TaskTracker,
}

impl App {
    /// Starts the service. When this returns, the API answers and every port of `config.open` accepts clients.
    ///
    /// # Errors
    /// Why it could not be; nothing is left open then.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        let journal = journal(&config).await?;
        let started = Self::start_over(config, Arc::clone(&journal)).await;
        if started.is_err() {
            drop(journal.close().await);
        }
        started
    }

    /// Starts the service over a journal that is there already, whatever `config.journal` says: for tests, and for
    /// programs that bring their own. The listeners that the journal keeps are opened first, as they were; one whose port
    /// cannot be had is listed as failed. The journal belongs to one running service at a time.
    ///
    /// # Errors
    /// As [`App::start`].
    pub async fn start_over(config: Config, journal: Arc<dyn Journal>) -> Result<Self, StartError> {
        let listen = |cause| StartError::Listen { address: config.listen, cause };
        let socket = TcpListener::bind(config.listen).await.map_err(listen)?;
        let api_addr = socket.local_addr().map_err(listen)?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let recorder = Arc::new(match config.answer_early {
            false => Recorder::new(Arc::clone(&journal)),
            true => Recorder::answering_early(Arc::clone(&journal)),
        });
        let engine_config = engine_config(&config, api_addr);
        let ids = IdSource::new(random_u64().map_err(StartError::Random)?);
        let engine = Engine::new(engine_config, Arc::clone(&recorder), Arc::clone(&clock), ids);
        let token = token(&config, api_addr).map_err(StartError::Random)?;
        let guard = guard(&config, api_addr, &token)?;
        let defaults = config.listener_defaults();
        engine.restore().await.map_err(StartError::Journal)?;
        apply(&engine, &config.listeners).await?;
        let endpoints = open_all(&engine, &config.open, &defaults).await?;
        let stop = CancellationToken::new();
        let api = Api {
            engine: engine.clone(),
            recorder,
            clock,
            defaults: Arc::new(defaults),
            shutdown: stop.clone(),
        };
        let (routes, serving) = (routes(&api), TaskTracker::new());
        server::spawn(socket, router(api, guard), ServerLimits::default(), &serving, stop.clone());
        serving.close();
        Ok(Self { api_addr, endpoints, token, routes, engine, journal, stop, serving })
    }

    /// Where the API listens, with its resolved port.
    pub const fn api_addr(&self) -> SocketAddr {
        self.api_addr
    }

    /// The endpoints of `config.open`, with their resolved ports.
    pub fn endpoints(&self) -> &[SocketAddr] {
        &self.endpoints
    }

    /// What callers must show.
    pub const fn token_hint(&self) -> &TokenHint {
        &self.token
    }

    /// Every route of the API, as (method, path): the contract is checked against it.
    pub fn routes(&self) -> &[(&'static str, &'static str)] {
        &self.routes
    }

    /// Begins to stop: nobody new is let in, what is under way finishes. Returns at once; `join` waits.
    pub fn shutdown(&self) {
        self.stop.cancel();
    }

    /// Waits until the service was told to stop and has stopped.
    pub async fn join(&self) {
        self.stop.cancelled().await;
        tokio::join!(self.engine.shutdown(GRACE), self.serving.wait());
        if let Err(error) = self.journal.close().await {
            tracing::error!(%error, "the journal could not be closed in order");
        }
    }
}

/// Opens the journal. Positions of a new one begin at the time of the start, so that a cursor of an earlier one is known to
/// be older than everything here.
async fn journal(config: &Config) -> Result<Arc<dyn Journal>, StartError> {
    let first = Position(u64::try_from(SystemClock.now().as_micros()).unwrap_or(1));
    let retain_bytes = config.retained_bytes();
    if config.journal == JournalSetting::Memory {
        return Ok(Arc::new(MemoryJournal::new(first, retain_bytes)));
    }
    let options = SqliteOptions {
        directory: config.data_dir.clone(),
        durability: config.durability,
        retain_bytes,
        retain_messages: config.retain_messages,
        retain_age: config.retain_age,
        min_free_disk: config.min_free_disk,
        first,
    };
    // The log of the last run may have to be read.
    let opening = tokio::task::spawn_blocking(move || SqliteJournal::open(&options, Arc::new(SystemClock)));
    match opening.await {
        Ok(opened) => Ok(Arc::new(opened?)),
        Err(error) => Err(StartError::Broken(error.to_string())),
    }
}

fn engine_config(config: &Config, api_addr: SocketAddr) -> EngineConfig {
    let descriptors = rlimit::increase_nofile_limit(u64::MAX).unwrap_or(u64::MAX);
    let reserved = RESERVED_DESCRIPTORS.min((descriptors / 4).max(LEAST_RESERVED)).min(descriptors / 2);
    let fitting = descriptors.saturating_sub(reserved).max(1);
    let asked = u64::from(config.max_connections);
    if asked > fitting {
        tracing::warn!(
            asked,
            allowed = fitting,
            descriptors,
            "max_connections is lowered to what the limit of file descriptors allows; raise it with ulimit -n"
        );
    }
    EngineConfig {
        allow_ports: config.allow_ports.clone(),
        control_port: Some(api_addr.port()),
        max_listeners: u64::from(config.max_listeners),
        max_connections: asked.min(fitting),
        descriptors: fitting,
        spec_text: SpecText { write: write_spec, read: read_spec },
    }
}

/// Makes the listeners of the settings be there.
async fn apply(engine: &Engine, listeners: &[ListenerDraft]) -> Result<(), StartError> {
    let called = |n: usize| match listeners.get(n) {
        Some(ListenerDraft { name: Some(name), .. }) => name.to_string(),
        Some(ListenerDraft { host, port, .. }) => SocketAddr::new(*host, *port).to_string(),
        None => String::new(),
    };
    let spec = |(n, draft): (usize, &ListenerDraft)| {
        let wrong = |errors: Vec<FieldError>| StartError::Listener {
            name: called(n),
            cause: errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "),
        };
        ListenerSpec::new(draft.clone()).map_err(wrong)
    };
    let specs = listeners.iter().enumerate().map(spec).collect::<Result<Vec<_>, _>>()?;
    if let Err(NotApplied { listener, cause }) = engine.apply(specs, false).await {
        engine.shutdown(Duration::ZERO).await;
        return Err(StartError::Listener {
            name: listener.map(called).unwrap_or_default(),
            cause: cause.to_string(),
        });
    }
    Ok(())
}

async fn open_all(
    engine: &Engine,
    addresses: &[SocketAddr],
    defaults: &ListenerDraft,
) -> Result<Vec<SocketAddr>, StartError> {
    let restored = engine.list();
    let (mut opened, mut unclaimed) = (Vec::new(), restored.clone());
    for &address in addresses {
        match open(engine, &mut unclaimed, address, defaults).await {
            Ok(resolved) => opened.push(resolved),
            Err(error) => {
                // The journal is to be as it was found.
                let is_new = |listener: &ListenerSnapshot| restored.iter().all(|old| old.id != listener.id);
                for listener in engine.list().into_iter().filter(is_new) {
                    drop(engine.close(ListenerKey::Id(listener.id), None).await);
                }
                engine.shutdown(Duration::ZERO).await;
                return Err(error);
            }
        }
    }
    Ok(opened)
}

async fn open(
    engine: &Engine,
    unclaimed: &mut Vec<ListenerSnapshot>,
    address: SocketAddr,
    defaults: &ListenerDraft,
) -> Result<SocketAddr, StartError> {
    let draft = ListenerDraft { host: address.ip(), port: address.port(), ..defaults.clone() };
    let wrong = |errors: Vec<FieldError>| {
        let unknown = || FieldError::new("", "cannot be");
        StartError::Spec { address, cause: errors.into_iter().next().unwrap_or_else(unknown) }
    };
    let spec = ListenerSpec::new(draft).map_err(wrong)?;
    let known = unclaimed.iter().position(|listener| is_endpoint(listener, &spec));
    let opened = match known.map(|at| unclaimed.swap_remove(at)) {
        Some(listener) => open_again(engine, listener, &spec).await,
        None => engine.open(spec).await,
    };
    opened.map(|l| l.address).map_err(|cause| StartError::Open { address, cause })
}

/// Whether a listener that was restored is the endpoint of an earlier `--open`. Such endpoints have no name. What was
/// changed about one since then does not make it another: its port is what was asked for.
fn is_endpoint(listener: &ListenerSnapshot, wanted: &ListenerSpec) -> bool {
    let (own, wanted_port) = (listener.spec.draft(), wanted.draft().port);
    let unnamed = own.name.is_none() && !matches!(listener.state, ListenerState::Closed { .. });
    let here = own.host == wanted.draft().host && listener.address.port() == wanted_port;
    unnamed && if wanted_port == 0 { *listener.spec == *wanted } else { here }
}

async fn open_again(
    engine: &Engine,
    listener: ListenerSnapshot,
    wanted: &ListenerSpec,
) -> Result<ListenerSnapshot, EngineError> {
    if *listener.spec != *wanted {
        let (id, address) = (listener.id, listener.address);
        tracing::info!(listener = %id, %address, "the endpoint is as it was left, not as --open would make it");
    }
    match listener.state {
        // Whoever asks for a port is told at once that it cannot be had.
        ListenerState::Failed { .. } => {
            let spec = ListenerSpec::clone(&listener.spec);
            engine.put(ListenerKey::Id(listener.id), spec).await.map(|(_, listener)| listener)
        }
        _ => Ok(listener),
    }
}

/// What to do about an endpoint that cannot be had.
const fn advice(cause: &EngineError) -> &'static str {
    match cause {
        EngineError::PortInUse { holder: Some(_), .. } => {
            "; leave this --open out, or DELETE the listener while the service runs without it"
        }
        _ => "",
    }
}

fn token(config: &Config, api_addr: SocketAddr) -> Result<TokenHint, getrandom::Error> {
    match &config.token {
        TokenSetting::Given(_) => Ok(TokenHint::Given),
        TokenSetting::Off => Ok(TokenHint::NotNeeded),
        TokenSetting::Automatic if api_addr.ip().to_canonical().is_loopback() => Ok(TokenHint::NotNeeded),
        TokenSetting::Automatic => {
            let mut bytes = [0_u8; 32];
            getrandom::fill(&mut bytes)?;
            Ok(TokenHint::Made(Secret::new(token_text(bytes))))
        }
    }
}

fn guard(config: &Config, api_addr: SocketAddr, token: &TokenHint) -> Result<Guard, StartError> {
    let secret = match (token, &config.token) {
        (TokenHint::Made(secret), _) | (TokenHint::Given, TokenSetting::Given(secret)) => Some(secret),
        _ => None,
    };
    let token =
        secret.map(|secret| TokenDigest::of(secret.expose())).transpose().map_err(StartError::Token)?;
    let hosts = config.allow_hosts.iter().map(|text| text.parse().map_err(StartError::AllowHost));
    let allow_hosts = hosts.collect::<Result<_, _>>()?;
    Ok(Guard::new(GuardConfig { api_addr, allow_hosts, token }))
}

fn random_u64() -> Result<u64, getrandom::Error> {
    let mut bytes = [0_u8; 8];
    getrandom::fill(&mut bytes)?;
    Ok(u64::from_be_bytes(bytes))
}
