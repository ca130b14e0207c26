//! Whether a connection fits a filter.

use super::super::query::{ConnectionState, Filter, ListenerFilter};
use super::kept::KeptConnection;

impl KeptConnection {
    /// Whether the filter lets it through by listener, peer and state.
    pub(super) fn fits(&self, filter: &Filter) -> bool {
        let connection = &self.connection;
        let listener = match &filter.listener {
            None => true,
            Some(ListenerFilter::Id(id)) => connection.listener.id == *id,
            Some(ListenerFilter::Name(name)) => connection.listener.name.as_ref() == Some(name),
        };
        let state = match filter.state {
            None => true,
            Some(ConnectionState::Open) => self.closing.is_none(),
            Some(ConnectionState::Closed) => self.closing.is_some(),
        };
        listener && state && filter.peer.is_none_or(|net| net.contains(&connection.peer.ip().to_canonical()))
    }
}
