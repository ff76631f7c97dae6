//! What other threads may do with a loop.

use std::ptr::NonNull;
use std::sync::Arc;

use iip_sys as sys;

use crate::engine::EngineInner;
use crate::error::{check, Error, Result};
use crate::handle::{Conn, Timer};
use crate::queue::{op, Opt};
use crate::stats::{self, LoopStats};

/// A loop as other threads see it: `Send + Sync`, and cheap to clone.
#[derive(Clone)]
pub struct Remote {
    engine: Arc<EngineInner>,
    raw: NonNull<sys::iip_loop>,
}

// SAFETY: only [any] functions are called with the pointer, which is valid while `engine` lives.
unsafe impl Send for Remote {}
// SAFETY: as above.
unsafe impl Sync for Remote {}

/// An operation that any thread may hand to a loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Post {
    /// Nothing; the loop turns.
    Nop,
    /// Closes a connection in order.
    Close(Conn),
    /// Ends a connection by RST.
    Abort(Conn),
    /// No more to send.
    Shutdown(Conn),
    /// Sets an option.
    Set(Conn, Opt, u64),
    /// An event of kind `Timer`, so many microseconds later.
    Timer(u64),
    /// The timer shall not fire.
    Cancel(Timer),
}

impl Post {
    fn op(self) -> sys::iip_op {
        match self {
            Post::Nop => op(sys::IIP_OP_NOP, 0),
            Post::Close(conn) => op(sys::IIP_OP_CLOSE, conn.0),
            Post::Abort(conn) => op(sys::IIP_OP_ABORT, conn.0),
            Post::Shutdown(conn) => op(sys::IIP_OP_SHUTDOWN, conn.0),
            Post::Set(conn, option, value) => {
                sys::iip_op { offset: option as u32, arg: value, ..op(sys::IIP_OP_SET, conn.0) }
            }
            Post::Timer(us) => sys::iip_op { arg: us, ..op(sys::IIP_OP_TIMER, 0) },
            Post::Cancel(timer) => op(sys::IIP_OP_CANCEL, timer.0),
        }
    }
}

impl Remote {
    pub(crate) fn new(engine: &Arc<EngineInner>, index: u32) -> Result<Remote> {
        Ok(Remote::of(engine, engine.loop_raw(index)?))
    }

    pub(crate) fn of(engine: &Arc<EngineInner>, raw: NonNull<sys::iip_loop>) -> Remote {
        Remote { engine: engine.clone(), raw }
    }

    /// Hands an operation to the loop's next turn and wakes it. [`Error::AGAIN`]: its queue is full. A failure comes up
    /// there as an event of kind `Done` with `user`; with `reply`, success too.
    pub fn post(&self, post: Post, user: u64, reply: bool) -> Result<()> {
        let mut op = post.op();
        op.user = user;
        op.flags |= if reply { sys::IIP_OP_REPLY as u16 } else { 0 };
        // SAFETY: the loop is open, and the operation names no memory.
        check(unsafe { sys::iip_loop_post(self.raw.as_ptr(), &op, 1) }).map(drop)
    }

    /// Ends the wait of a waiting or parked loop, or of its next one at once. No system call unless it sleeps.
    pub fn wake(&self) -> Result<(), Error> {
        // SAFETY: the loop is open.
        check(unsafe { sys::iip_loop_wake(self.raw.as_ptr()) }).map(drop)
    }

    /// Statistics, as of the loop's last turn that saw a request; each call is one.
    pub fn stats(&self) -> Result<LoopStats> {
        stats::loop_stats(self.raw)
    }

    /// Counters of the stack, as fresh as [`Remote::stats`].
    pub fn counters(&self) -> Result<Vec<u64>> {
        stats::counters(self.raw)
    }

    /// Its connections: a view of a moving target.
    pub fn conns(&self) -> Result<Vec<Conn>> {
        stats::conns(self.raw)
    }

    /// Its engine.
    pub fn engine(&self) -> crate::Engine {
        crate::Engine { inner: self.engine.clone() }
    }
}

impl std::fmt::Debug for Remote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Remote")
    }
}
