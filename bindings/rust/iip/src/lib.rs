//! The iip TCP/IP stack for Rust.
//!
//! An [`Engine`] opens a port (a TAP device, an in-memory pair, a NIC by DPDK ...) and has one or more loops, one a core.
//! A thread attaches to one and turns it, for ever. [`Loop::turn`] is the only call into the library on the data path;
//! events, operations and releases are read and written in place, in memory that both sides map.
//!
//! ```
//! use iip::{Config, EventKind, Wait};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let engine = Config::new("pair:doc").address("10.0.0.1/24").open()?;
//! let mut l = engine.attach(0)?;
//! l.listen("0.0.0.0:7".parse()?, 0)?;
//! # for _ in 0..2 {
//! let batch = l.turn(Wait::No)?; // a server would say Wait::Forever, in a loop
//! let queue = batch.queue();
//! for event in batch {
//!     match event.kind() {
//!         // An echo: the buffer goes back as it is, not a byte is copied.
//!         EventKind::Data => {
//!             let conn = event.conn();
//!             if let Some(buf) = event.take() {
//!                 queue.send(conn, buf).ok();
//!             }
//!         }
//!         EventKind::Fin => queue.close_conn(event.conn())?,
//!         _ => {}
//!     }
//! }
//! # }
//! # Ok(())
//! # }
//! ```
//!
//! # Who owns what
//!
//! - An [`Event`] borrows the [`Batch`], and the batch the loop: no turn can happen while bytes of an event are in sight.
//! - [`Event::take`] makes an [`RxBuf`] of it, which is owned: keep it, send it to another thread, slice it, let it go.
//! - A [`TxBuf`] is room to write into, and becomes what is sent.
//! - A [`Region`] is memory of yours that is sent without a copy. It is freed when nothing of it is on its way any more,
//!   whatever is forgotten meanwhile.
//! - An engine closes when its last handle, loop and buffer are gone, so no view of its memory ever dangles.
//!
//! # Features
//!
//! | feature | brings |
//! |---|---|
//! | `bytes` | [`RxBuf`] into `bytes::Bytes` without a copy |
//! | `futures-io` | `AsyncRead`, `AsyncBufRead` and `AsyncWrite` of `futures-io` for [`net::TcpStream`]; a `Stream` of accepts |
//! | `tokio` | those of `tokio` |
//! | `hyper` | `Read` and `Write` of `hyper::rt`, and `rt::hyper` with an executor and a timer |
//! | `send` | `send`: listeners and streams that are `Send` and post to their loop |
//! | `axum` | those as `axum::serve::Listener` |
//!
//! # Safety
//!
//! `unsafe` lives in the modules that touch the mapped memory (`queue`, `turn`, `event`, `buf`, `region`, `engine`,
//! `networking`, `remote`, `stats`, `error`) and is forbidden in all others.

mod addr;
mod buf;
mod engine;
mod error;
mod event;
mod handle;
pub mod net;
mod networking;
mod queue;
mod region;
mod remote;
pub mod rt;
#[cfg(feature = "send")]
pub mod send;
mod stats;
mod sync;
mod turn;

pub use addr::{socket_addr, Ends};
pub use buf::{RxBuf, TxBuf};
pub use engine::{Config, Cores, Engine, EngineInfo, Leaks};
pub use error::{Class, Error, OpenError, Result};
pub use event::{Batch, Event, EventKind};
pub use handle::{Conn, Listener, Timer, Udp};
pub use networking::{Networker, Networking};
pub use queue::{Opt, Queue, Refused, Short};
pub use region::Region;
pub use remote::{Post, Remote};
pub use stats::{counter_names, features, port_kinds, ConnInfo, LogRecord, LoopStats};
pub use turn::{Loop, State, Wait};

/// `"1.2.3"`: the release of the library that is linked, for people.
pub fn version() -> &'static str {
    // SAFETY: never null, and a literal of the library.
    unsafe { error::literal(iip_sys::iip_version()) }
}

/// Whether the library has the named feature: `"port.tap"`, `"port.dpdk"`, `"tcp.sack"` ...
pub fn probe(feature: &str) -> bool {
    // SAFETY: the string is terminated and lives for the call.
    std::ffi::CString::new(feature).is_ok_and(|f| unsafe { iip_sys::iip_probe(f.as_ptr()) } == 1)
}

/// The README's program is a documentation test.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;
