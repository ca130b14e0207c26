//! Which listeners there are, by id and by name.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use crate::domain::{ListenerId, Name};

use super::error::{EngineError, Holder};
use super::listener::{Listener, ListenerState};
use super::news::News;

/// How a request names a listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListenerKey {
    /// By its id.
    Id(ListenerId),
    /// By its name.
    Name(Name),
}

/// All listed listeners, in the order they were made: ids sort so.
#[derive(Default)]
pub(super) struct Registry {
    by_id: BTreeMap<ListenerId, Arc<Listener>>,
    names: HashMap<Name, ListenerId>,
    closed: bool,
    news: News,
}

impl Registry {
    /// An empty one, which tells of what comes and goes.
    pub(super) fn new(news: News) -> Self {
        Self { news, ..Self::default() }
    }

    /// The listener.
    pub(super) fn find(&self, key: &ListenerKey) -> Option<Arc<Listener>> {
        let id = match key {
            ListenerKey::Id(id) => id,
            ListenerKey::Name(name) => self.names.get(name)?,
        };
        self.by_id.get(id).cloned()
    }

    /// All of them.
    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<Listener>> {
        self.by_id.values()
    }

    /// Whether it is listed.
    pub(super) fn has(&self, id: ListenerId) -> bool {
        self.by_id.contains_key(&id)
    }

    /// How many take up a place: closed ones do not, failed ones are to have theirs back.
    fn active(&self) -> u64 {
        self.all().filter(|l| is_active(l)).count() as u64
    }

    /// How many are open or draining.
    pub(super) fn standing(&self) -> u64 {
        self.all().filter(|l| stands(l)).count() as u64
    }

    /// Whether a listed listener that is closed or failed may be opened among at most so many.
    pub(super) fn has_room(&self, id: ListenerId, most: u64) -> Result<(), EngineError> {
        let others = || self.all().filter(|l| l.id != id && (stands(l) || l.in_change.load(Relaxed))).count();
        // The count walks the map only when the map is large enough for it to matter.
        if self.by_id.len() as u64 >= most && others() as u64 >= most {
            return Err(EngineError::ListenerLimit(most));
        }
        Ok(())
    }

    /// Whether the service is stopping.
    pub(super) const fn is_closed(&self) -> bool {
        self.closed
    }

    /// No listener can be added or opened again from now on.
    pub(super) const fn close(&mut self) {
        self.closed = true;
    }

    /// Whether one more may be added under `name`. A listener that closed by itself gives its name away.
    pub(super) fn admits(&self, name: Option<&Name>, most: u64) -> Result<(), EngineError> {
        if self.closed {
            return Err(EngineError::Stopping);
        }
        if let Some(name) = name {
            self.name_is_free(name, None)?;
        }
        // The count walks the map only when the map is large enough for it to matter.
        if self.by_id.len() as u64 >= most && self.active() >= most {
            return Err(EngineError::ListenerLimit(most));
        }
        Ok(())
    }

    /// Whether `name` can be given to a listener other than those that are closed (and `but`).
    fn name_is_free(&self, name: &Name, but: Option<ListenerId>) -> Result<(), EngineError> {
        match self.names.get(name).and_then(|id| self.by_id.get(id)) {
            Some(holder) if but != Some(holder.id) && is_active(holder) => {
                Err(EngineError::NameInUse(name.clone()))
            }
            _ => Ok(()),
        }
    }

    /// Adds a listener, in place of a closed one of its name; of closed ones no more than `most` stay listed. Returns
    /// those that went.
    pub(super) fn add(&mut self, listener: Arc<Listener>, most: u64) -> Vec<Arc<Listener>> {
        let mut displaced = Vec::new();
        if let Some(name) = listener.name() {
            displaced.extend(self.take_name(name, listener.id));
        }
        self.by_id.insert(listener.id, listener);
        self.news.tell();
        if self.by_id.len() as u64 > most.saturating_mul(2) {
            let oldest = self.all().find(|l| !is_active(l)).map(|l| l.id);
            displaced.extend(oldest.and_then(|id| self.remove(id)));
        }
        displaced
    }

    /// Adds a listener of an earlier run, however many there are: it was admitted then. Returns those that went.
    ///
    /// # Errors
    /// [`EngineError::NameInUse`], also where the listener is a closed one whose name another has by now.
    pub(super) fn readmit(
        &mut self,
        listener: Arc<Listener>,
        most: u64,
    ) -> Result<Vec<Arc<Listener>>, EngineError> {
        if let Some(name) = listener.name() {
            self.name_is_free(&name, None)?;
        }
        Ok(self.add(listener, most))
    }

    /// Gives `name` to the listener `id`; whoever had it was closed, and goes.
    fn take_name(&mut self, name: Name, id: ListenerId) -> Option<Arc<Listener>> {
        let old = self.names.insert(name, id).filter(|old| *old != id)?;
        self.news.tell();
        self.by_id.remove(&old)
    }

    /// Those that went for a change that failed are listed again.
    pub(super) fn put_back(&mut self, displaced: Vec<Arc<Listener>>) {
        for listener in displaced {
            if let Some(name) = listener.name() {
                self.names.entry(name).or_insert(listener.id);
            }
            self.by_id.insert(listener.id, listener);
        }
        self.news.tell();
    }

    /// Begins to change a listener: takes the name that it is to have, beside the one that it has. Returns the closed
    /// one that had it, which goes.
    pub(super) fn begin_change(
        &mut self,
        listener: &Listener,
        name: Option<&Name>,
    ) -> Result<Option<Arc<Listener>>, EngineError> {
        if self.closed {
            return Err(EngineError::Stopping);
        }
        if !self.by_id.contains_key(&listener.id) || listener.closing.load(Relaxed) {
            return Err(EngineError::NotFound);
        }
        let mut displaced = None;
        if let Some(name) = name {
            self.name_is_free(name, Some(listener.id))?;
            displaced = self.take_name(name.clone(), listener.id);
        }
        listener.in_change.store(true, Relaxed);
        Ok(displaced)
    }

    /// Ends a change: of its two names, if they differ, the listener keeps the one that it has now.
    pub(super) fn end_change(&mut self, listener: &Listener, names: [Option<&Name>; 2]) {
        let kept = listener.name();
        for name in names.into_iter().flatten() {
            if Some(name) != kept.as_ref() && self.names.get(name) == Some(&listener.id) {
                self.names.remove(name);
            }
        }
        listener.in_change.store(false, Relaxed);
    }

    /// Removes it; `None` if it was not there.
    pub(super) fn remove(&mut self, id: ListenerId) -> Option<Arc<Listener>> {
        let listener = self.by_id.remove(&id)?;
        self.news.tell();
        if let Some(name) = listener.name()
            && self.names.get(&name) == Some(&id)
        {
            self.names.remove(&name);
        }
        Some(listener)
    }

    /// Which of our listeners keeps others from `address`.
    pub(super) fn holder(&self, address: SocketAddr) -> Option<Holder> {
        self.all()
            .find(|l| l.state() == ListenerState::Open && overlap(l.address(), address))
            .map(|l| Holder { id: l.id, name: l.name() })
    }
}

/// Whether a socket at one address keeps another from the other.
pub(super) fn overlap(one: SocketAddr, other: SocketAddr) -> bool {
    let any = one.ip().is_unspecified() || other.ip().is_unspecified();
    one.port() == other.port() && (one.ip() == other.ip() || any)
}

fn is_active(listener: &Listener) -> bool {
    listener.in_change.load(Relaxed) || !matches!(listener.state(), ListenerState::Closed { .. })
}

fn stands(listener: &Listener) -> bool {
    matches!(listener.state(), ListenerState::Open | ListenerState::Draining)
}
