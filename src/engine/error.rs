//! Why a listener could not be opened or changed.

use std::net::{IpAddr, SocketAddr};

use thiserror::Error;

use crate::domain::{FieldError, ListenerId, Name};
use crate::store::JournalError;

use super::bind::BindError;

/// Who holds a port that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The listener's id.
    pub id: ListenerId,
    /// Its name.
    pub name: Option<Name>,
}

impl Holder {
    /// The name, or else the id.
    pub fn called(&self) -> String {
        self.name.as_ref().map_or_else(|| self.id.to_string(), ToString::to_string)
    }
}

/// Why a listener could not be opened or changed. Nothing was changed then.
#[derive(Debug, Error)]
pub enum EngineError {
    /// Another socket listens there; one of ours, if known.
    #[error("{address} is in use{}", by(holder.as_ref()))]
    PortInUse {
        /// The address that was asked for.
        address: SocketAddr,
        /// Which of our listeners holds it.
        holder: Option<Holder>,
    },
    /// Another listener has the name.
    #[error("the name `{0}` is taken")]
    NameInUse(Name),
    /// The settings do not allow the port.
    #[error("port {port} is not allowed")]
    PortNotAllowed {
        /// The port.
        port: u16,
        /// The ports that are.
        allowed: String,
    },
    /// The control plane itself listens on the port.
    #[error("port {0} is the control plane's own")]
    ControlPort(u16),
    /// The system refuses the port to this user.
    #[error("the system refuses port {0}")]
    PortRefused(u16),
    /// The address is not on this machine.
    #[error("{0} is not an address of this machine")]
    AddressNotAvailable(IpAddr),
    /// There are as many listeners as allowed.
    #[error("there are {0} listeners already")]
    ListenerLimit(u64),
    /// No file descriptor is left.
    #[error("out of file descriptors")]
    OutOfDescriptors,
    /// There is no such listener, or no longer.
    #[error("no such listener")]
    NotFound,
    /// No client is connected under that id, or no longer.
    #[error("the connection has ended")]
    NotConnected,
    /// The endpoint has sent FIN to the client.
    #[error("the endpoint has sent FIN")]
    AfterFin,
    /// The connection has as much to carry out as it may.
    #[error("too much waits for this connection")]
    ConnectionBusy,
    /// What is to be sent cannot be.
    #[error("the message cannot be sent")]
    InvalidMessage(Vec<FieldError>),
    /// The template of what is to be sent gave nothing, and why.
    #[error("the template failed: {0}")]
    TemplateFailed(String),
    /// The service is about to end.
    #[error("the service is stopping")]
    Stopping,
    /// The journal cannot keep the listener as it would be.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// Anything else that the system said.
    #[error("the port could not be opened: {0}")]
    Io(std::io::Error),
}

fn by(holder: Option<&Holder>) -> String {
    holder.map(|holder| format!(" by the listener {}", holder.called())).unwrap_or_default()
}

impl EngineError {
    /// What binding `address` said, for the one who asked for it.
    pub(super) fn from_bind(error: BindError, address: SocketAddr, holder: Option<Holder>) -> Self {
        match error {
            BindError::InUse => Self::PortInUse { address, holder },
            BindError::AddressNotAvailable => Self::AddressNotAvailable(address.ip()),
            BindError::Refused => Self::PortRefused(address.port()),
            BindError::OutOfDescriptors => Self::OutOfDescriptors,
            BindError::Other(error) => Self::Io(error),
        }
    }
}
