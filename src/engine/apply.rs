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
    Put(ListenerId, Arc<ListenerSpec>),
    Open(Arc<ListenerSpec>),
}

/// Makes the listeners be as `specs` say; with `prune`, closes all others. One after the other, and all of it or nothing.
pub(super) async fn apply(
    shared: &Arc<Shared>,
    specs: Vec<ListenerSpec>,
    prune: bool,
) -> Result<Applied, NotApplied> {
    let _turn = shared.applying.lock().await;
    let before: Vec<_> = shared.registry().all().map(|listener| listener.snapshot()).collect();
    let found: Vec<_> = specs.iter().map(|spec| before.iter().find(|l| is_meant(l, spec)).cloned()).collect();
    let is_named = |l: &ListenerSnapshot| found.iter().flatten().any(|named| named.id == l.id);
    let others: Vec<_> = before.into_iter().filter(|l| prune && !is_named(l)).collect();
    let makes_room = is_in_the_way(&others, &specs) || specs.len() as u64 >= shared.config.max_listeners;
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
    // One that is found by the port that was chosen for it goes on to leave the choice to the system.
    let chosen = old.spec.draft().name.is_none() && old.spec.draft().port == 0;
    let spec = if chosen { spec.at_port(0) } else { spec };
    let same = *old.spec == spec && old.state == ListenerState::Open;
    let (_, new) = put(shared, &ListenerKey::Id(old.id), spec).await?;
    if same {
        applied.unchanged.push(new);
    } else {
        undo.push(Undo::Put(old.id, old.spec));
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
        match close(shared, &ListenerKey::Id(listener.id), None).await {
            Ok(()) => {
                undo.push(Undo::Open(Arc::clone(&listener.spec)));
                applied.closed.push(listener);
            }
            // Somebody else closed it meanwhile.
            Err(EngineError::NotFound) => {}
            Err(cause) => return Err(NotApplied { listener: None, cause }),
        }
    }
    Ok(())
}

async fn take_back(shared: &Arc<Shared>, undo: Vec<Undo>) {
    for step in undo.into_iter().rev() {
        let undone = match step {
            Undo::Close(id) => close(shared, &ListenerKey::Id(id), None).await,
            Undo::Put(id, spec) => {
                put(shared, &ListenerKey::Id(id), ListenerSpec::clone(&spec)).await.map(drop)
            }
            Undo::Open(spec) => open(shared, ListenerSpec::clone(&spec)).await.map(drop),
        };
        if let Err(error) = undone {
            tracing::error!(%error, "a document was not applied, and a listener could not be made as it was before");
        }
    }
}
