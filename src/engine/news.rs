//! That something changed about a listener.

use std::sync::Arc;

use tokio::sync::watch;

/// Tells whoever watches that a listener came, went, or is another than it was. It does not say which: who is told looks.
#[derive(Clone, Default)]
pub(super) struct News(Arc<watch::Sender<()>>);

impl News {
    /// Something changed, and can be seen.
    pub(super) fn tell(&self) {
        self.0.send_replace(());
    }

    /// Watches for what changes from now on.
    pub(super) fn watch(&self) -> watch::Receiver<()> {
        self.0.subscribe()
    }
}
