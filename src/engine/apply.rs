//! Making all listeners be as a document says.

use std::sync::Arc;

use crate::domain::{ListenerId, ListenerSpec, Name};

use super::Shared;
use super::change::{close, open, put};
use super::error::EngineError;
use super::listener::{ListenerSnapshot, ListenerState};
use super::registry::{ListenerKey, overlap};

/// What has become of the listeners.
#[derive(Debug, Clone, Default)]
pub struct Applied {
    /// There was no such listener.
    pub created: Vec<ListenerSnapshot>,
    /// It was another, or not open.
    pub changed: Vec<ListenerSnapshot>,
    /// It was so.
    pub unchanged: Vec<ListenerSnapshot>,
    /// The document does not name it, and it was to be closed then.
    pub closed: Vec<ListenerSnapshot>,
}

/// Why a document could not be applied. All is as it was then, but for clients of what was closed or reopened meanwhile.
#[derive(Debug)]
pub struct NotApplied {
    /// Which of the document's listeners it was, from 0; `None`: one that was to be closed.
    pub listener: Option<usize>,
    /// Why.
    pub cause: EngineError,
}

impl From<EngineError> for NotApplied {
    fn from(cause: EngineError) -> Self {
        Self { listener: None, cause }
    }
}

/// What takes back what was done.
enum Undo {
    Close(ListenerId),
    Put(ListenerSnapshot),
    Open(ListenerSnapshot),
}

/// Makes the listeners be as `specs` say; with `prune`, closes all others. One after the other, and all of it or nothing.
pub(super) async fn apply(
    shared: &Arc<Shared>,
    specs: Vec<ListenerSpec>,
    prune: bool,
) -> Result<Applied, NotApplied> {
    let _turn = shared.applying.lock().await;
    let before: Vec<_> = shared.registry().all().map(|listener| listener.snapshot()).collect();
    // One that closed by itself is meant only where no other is.
    let find = |spec: &ListenerSpec| {
        let meant = || before.iter().filter(|listener| is_meant(listener, spec));
        meant().find(|listener| !listener.is_closed()).or_else(|| meant().next()).cloned()
    };
    let found: Vec<_> = specs.iter().map(find).collect();
    let is_named = |l: &ListenerSnapshot| found.iter().flatten().any(|named| named.id == l.id);
    let active = before.iter().filter(|listener| !listener.is_closed()).count();
    let opened = found.iter().filter(|old| old.as_ref().is_none_or(ListenerSnapshot::is_closed)).count();
    let is_full = (active + opened) as u64 > shared.config.max_listeners;
    let others: Vec<_> = before.into_iter().filter(|l| prune && !is_named(l)).collect();
    let makes_room = is_in_the_way(&others, &specs) || is_full;
    let (first, last) = if makes_room { (others, Vec::new()) } else { (Vec::new(), others) };
    let (mut applied, mut undo) = (Applied::default(), Vec::new());
    let done = async {
        prune_all(shared, first, &mut applied, &mut undo).await?;
        for (n, (spec, old)) in specs.into_iter().zip(found).enumerate() {
            let one = apply_one(shared, spec, old, &mut applied, &mut undo).await;
            one.map_err(|cause| NotApplied { listener: Some(n), cause })?;
        }
        prune_all(shared, last, &mut applied, &mut undo).await
    };
    match done.await {
        Ok(()) => Ok(applied),
        Err(error) => {
            take_back(shared, undo).await;
            Err(error)
        }
    }
}

/// Whether it is the listener that a spec of a document speaks of: by its name, or else by its place.
fn is_meant(listener: &ListenerSnapshot, spec: &ListenerSpec) -> bool {
    let (own, wanted) = (listener.spec.draft(), spec.draft());
    let named: Option<&Name> = wanted.name.as_ref();
    if named.is_some() || own.name.is_some() {
        return named == own.name.as_ref();
    }
    wanted.host == own.host && (wanted.port == own.port || wanted.port == listener.address.port())
}

/// Whether one of them has a port that is asked for.
fn is_in_the_way(others: &[ListenerSnapshot], specs: &[ListenerSpec]) -> bool {
    let wanted = |spec: &ListenerSpec| (spec.draft().host, spec.draft().port).into();
    others.iter().any(|l| specs.iter().any(|spec| overlap(l.address, wanted(spec))))
}

async fn apply_one(
    shared: &Arc<Shared>,
    spec: ListenerSpec,
    old: Option<ListenerSnapshot>,
    applied: &mut Applied,
    undo: &mut Vec<Undo>,
) -> Result<(), EngineError> {
    let Some(old) = old else {
        let new = open(shared, spec).await?;
        undo.push(Undo::Close(new.id));
        applied.created.push(new);
        return Ok(());
    };
    let old = as_it_is(shared, old);
    // One that is found by the port that was chosen for it goes on to leave the choice to the system.
    let chosen = old.spec.draft().name.is_none() && old.spec.draft().port == 0;
    let spec = if chosen { spec.at_port(0) } else { spec };
    let same = *old.spec == spec && old.state == ListenerState::Open;
    let (_, new) = put(shared, &ListenerKey::Id(old.id), spec).await?;
    if same {
        applied.unchanged.push(new);
    } else {
        undo.push(Undo::Put(old));
        applied.changed.push(new);
    }
    Ok(())
}

async fn prune_all(
    shared: &Arc<Shared>,
    others: Vec<ListenerSnapshot>,
    applied: &mut Applied,
    undo: &mut Vec<Undo>,
) -> Result<(), NotApplied> {
    for listener in others {
        let listener = as_it_is(shared, listener);
        match close(shared, &ListenerKey::Id(listener.id), None).await {
            Ok(()) => {
                // One that had closed by itself held nothing.
                if !listener.is_closed() {
                    undo.push(Undo::Open(listener.clone()));
                }
                applied.closed.push(listener);
            }
            // Somebody else closed it meanwhile.
            Err(EngineError::NotFound) => {}
            Err(cause) => return Err(NotApplied { listener: None, cause }),
        }
    }
    Ok(())
}

/// What a listener is now: it may have closed by itself while others were changed.
fn as_it_is(shared: &Shared, old: ListenerSnapshot) -> ListenerSnapshot {
    let now = shared.registry().find(&ListenerKey::Id(old.id));
    now.map_or(old, |now| now.snapshot())
}

/// What a listener was, at the port that was chosen for it if it has lost that.
fn as_it_was(old: &ListenerSnapshot, lost_its_port: bool) -> ListenerSpec {
    let spec = ListenerSpec::clone(&old.spec);
    if lost_its_port { spec.at_port(old.address.port()) } else { spec }
}

async fn take_back(shared: &Arc<Shared>, undo: Vec<Undo>) {
    for step in undo.into_iter().rev() {
        let undone = match step {
            Undo::Close(id) => close(shared, &ListenerKey::Id(id), None).await,
            // It had closed by itself, so it is closed again.
            Undo::Put(old) if old.is_closed() => close(shared, &ListenerKey::Id(old.id), None).await,
            Undo::Put(old) => {
                let key = ListenerKey::Id(old.id);
                let moved = shared.registry().find(&key).is_some_and(|now| now.address() != old.address);
                put(shared, &key, as_it_was(&old, moved)).await.map(drop)
            }
            Undo::Open(old) => open(shared, as_it_was(&old, true)).await.map(drop),
        };
        if let Err(error) = undone {
            tracing::error!(%error, "a document was not applied, and a listener could not be made as it was before");
        }
    }
}
