//! Sockets of the runtime: [`TcpListener`], [`TcpStream`], [`UdpSocket`].
//!
//! Received bytes are the stack's memory, so a future that is dropped half-way loses none and touches none of yours. What
//! is written is copied at once or handed over whole; a write that is pending has taken nothing. So the poll-style traits
//! of the ecosystem are sound here, without the caveats of completion rings.

mod sockets;
mod tcp;
#[cfg(any(feature = "futures-io", feature = "tokio", feature = "hyper"))]
mod traits;
mod udp;

pub(crate) use sockets::Sockets;
pub use tcp::{TcpListener, TcpStream};
pub use udp::{Datagram, UdpSocket};
