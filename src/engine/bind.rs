//! Opening a listening socket.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv6Addr, Shutdown, SocketAddr};
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use thiserror::Error;
use tokio::net::TcpListener;

/// A silent client is probed after a minute, then every ten seconds, and given up after six probes: two minutes for a
/// vanished machine. The kernel's own default is more than two hours.
const KEEPALIVE: TcpKeepalive = TcpKeepalive::new()
    .with_time(Duration::from_secs(60))
    .with_interval(Duration::from_secs(10))
    .with_retries(6);

/// Bytes of a reply that wait in the kernel unsent, at most. Without a bound a fast writer fills megabytes, hears of room
/// only when a third of them are gone, and would take a slow client that reads all the time for one that does not.
#[cfg(any(target_os = "linux", target_os = "android"))]
const UNSENT: u32 = 128 * 1024;

/// Why an address could not be listened on.
#[derive(Debug, Error)]
pub(super) enum BindError {
    /// Somebody listens there.
    #[error("the address is in use")]
    InUse,
    /// No interface of this machine has it.
    #[error("the address is not on this machine")]
    AddressNotAvailable,
    /// The system refuses the port to this user.
    #[error("the system refuses the port")]
    Refused,
    /// No file descriptor is left.
    #[error("out of file descriptors")]
    OutOfDescriptors,
    /// Anything else.
    #[error(transparent)]
    Other(io::Error),
}

impl From<io::Error> for BindError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::AddrInUse => Self::InUse,
            ErrorKind::AddrNotAvailable => Self::AddressNotAvailable,
            ErrorKind::PermissionDenied => Self::Refused,
            _ if out_of_descriptors(&error) => Self::OutOfDescriptors,
            // An IPv6 address on a machine without IPv6, or a link-local one without its interface.
            ErrorKind::Unsupported | ErrorKind::InvalidInput => Self::AddressNotAvailable,
            _ if error.raw_os_error() == Some(EAFNOSUPPORT) => Self::AddressNotAvailable,
            _ => Self::Other(error),
        }
    }
}

/// Linux's `EAFNOSUPPORT`; `std` has no name for it.
const EAFNOSUPPORT: i32 = 97;
/// The machine's and the process's limit, the same numbers on every Unix; `std` has no names for them.
const ENFILE: i32 = 23;
pub(super) const EMFILE: i32 = 24;

/// Whether the process or the machine has no file descriptor left.
pub(super) fn out_of_descriptors(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(ENFILE | EMFILE))
}

/// Listens on `address`. When it returns, the kernel accepts clients.
///
/// `SO_REUSEADDR` lets a port be opened again while its old connections are in TIME_WAIT. `SO_REUSEPORT` is never set:
/// it would let another process of the same user take clients away. `::` takes IPv4 clients too. What each client's socket
/// is to have is set here once: accepted sockets inherit it on Linux, which saves system calls for each client.
pub(super) fn bind(address: SocketAddr, backlog: u32) -> Result<TcpListener, BindError> {
    listening(bound(address)?, backlog)
}

/// As [`bind`], but whoever comes hears nothing until [`hear`] or [`reserve`], and then tries again: a port that is to refuse
/// must not be open while the journal keeps its listener. Only Linux can; elsewhere it is open for that moment.
pub(super) fn bind_unheard(address: SocketAddr, backlog: u32) -> Result<TcpListener, BindError> {
    let socket = bound(address)?;
    #[cfg(any(target_os = "linux", target_os = "android"))]
    socket.attach_filter(&[NOTHING])?;
    listening(socket, backlog)
}

/// Lets those be heard who come to a listening socket.
pub(super) fn hear(listener: &TcpListener) -> Result<(), BindError> {
    Ok(unfilter(&SockRef::from(listener))?)
}

/// The program of a filter that lets no segment through: it returns 0, as the bytes to keep.
#[cfg(any(target_os = "linux", target_os = "android"))]
const NOTHING: socket2::SockFilter = socket2::SockFilter::new(6, 0, 0, 0);

#[cfg(any(target_os = "linux", target_os = "android"))]
fn unfilter(socket: &Socket) -> io::Result<()> {
    match socket.detach_filter() {
        // It has none.
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        detached => detached,
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn unfilter(_: &Socket) -> io::Result<()> {
    Ok(())
}

fn bound(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(address.ip() != IpAddr::V6(Ipv6Addr::UNSPECIFIED))?;
    }
    socket.set_tcp_keepalive(&KEEPALIVE)?;
    socket.set_tcp_nodelay(true)?;
    #[cfg(any(target_os = "linux", target_os = "android"))]
    socket.set_tcp_notsent_lowat(UNSENT)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

fn listening(socket: Socket, backlog: u32) -> Result<TcpListener, BindError> {
    socket.listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
    Ok(TcpListener::from_std(socket.into())?)
}

/// Closes a listening port without giving it up: whoever connects is refused with a RST, and nobody else can have it. The
/// socket that holds it can [`listen_again`]; the one that listened is to be dropped.
pub(super) fn reserve(listener: &TcpListener) -> Result<Socket, BindError> {
    let address = listener.local_addr()?;
    let socket = SockRef::from(listener).try_clone()?;
    // Linux: a socket that listens no more keeps a port that it was bound to, and gives up one that the kernel had chosen
    // for it; that it can be bound to now. One that it keeps cannot be bound to again (`InvalidInput`).
    socket.shutdown(Shutdown::Read)?;
    if let Err(error) = socket.bind(&address.into())
        && error.kind() != ErrorKind::InvalidInput
    {
        return Err(error.into());
    }
    // Who reuses addresses may not reuse this one.
    socket.set_reuse_address(false)?;
    unfilter(&socket)?;
    Ok(socket)
}

/// Opens a port that was held.
pub(super) fn listen_again(socket: Socket, backlog: u32) -> Result<TcpListener, BindError> {
    socket.set_reuse_address(true)?;
    listening(socket, backlog)
}

/// Changes the backlog of a socket that listens.
pub(super) fn set_backlog(listener: &TcpListener, backlog: u32) -> Result<(), BindError> {
    SockRef::from(listener).listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
    Ok(())
}
