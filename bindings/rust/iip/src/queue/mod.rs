//! What a loop does next: operations and releases, written in place into the arrays that the next turn takes.

mod ops;
mod send;
mod shared;
mod short;

use std::cell::{Cell, RefCell, UnsafeCell};
use std::ptr::NonNull;
use std::sync::Arc;

use iip_sys as sys;

use crate::buf::{RawBuf, TxBuf};
use crate::error::{check, Error, Result};
use crate::region::{Externs, Region};

pub(crate) use ops::op;
pub use ops::Opt;
pub use send::Refused;
pub(crate) use shared::{thread_token, Shared};
pub use short::Short;

const STAGING: usize = 1 << 16;
/// Where the first record of addresses lies in op_aux: offset 0 stays unused.
const AUX_FIRST: u32 = 64;

/// The next turn of a loop: what it is to do. A [`Loop`](crate::Loop) and a [`Batch`](crate::Batch) give it out.
pub struct Queue {
    pub(crate) area: sys::iip_area,
    pub(crate) turn: UnsafeCell<sys::iip_turn>,
    raw: NonNull<sys::iip_loop>,
    /// Buffers that found no room in area.releases; they go with the turn after.
    overflow: RefCell<Vec<u64>>,
    pub(crate) shorts: RefCell<Vec<Short>>,
    pub(crate) externs: RefCell<Externs>,
    /// Shares of registered memory that this turn's batch, or who reads it, lets go.
    pub(crate) landed: RefCell<Vec<Region>>,
    /// Bytes of `send_copy`, as the C interface reads them in the turn.
    staging: Box<[UnsafeCell<u8>]>,
    staged: Cell<usize>,
    aux_used: Cell<u32>,
}

/// Bytes of zero that may be written through a shared reference, from memory that is zero already.
fn zeros(n: usize) -> Box<[UnsafeCell<u8>]> {
    let bytes = Box::into_raw(vec![0u8; n].into_boxed_slice());
    // SAFETY: UnsafeCell<u8> has the layout of u8, and nobody else has the box.
    unsafe { Box::from_raw(bytes as *mut [UnsafeCell<u8>]) }
}

impl Queue {
    pub(crate) fn new(raw: NonNull<sys::iip_loop>, area: sys::iip_area, externs: Externs) -> Queue {
        // SAFETY: all zero is a valid value of this structure of integers.
        let mut turn: sys::iip_turn = unsafe { std::mem::zeroed() };
        turn.size = size_of::<sys::iip_turn>() as u32;
        Queue {
            area,
            turn: UnsafeCell::new(turn),
            raw,
            overflow: RefCell::default(),
            shorts: RefCell::default(),
            externs: RefCell::new(externs),
            landed: RefCell::default(),
            staging: zeros(STAGING),
            staged: Cell::new(0),
            aux_used: Cell::new(AUX_FIRST),
        }
    }

    /// The turn that is being put together.
    ///
    /// # Safety
    /// While the reference lives no other one is taken, and no code of the application runs: it is for a few lines, which
    /// the owner's thread alone can reach (Queue is neither Send nor Sync, see Shared::release).
    #[inline]
    #[allow(clippy::mut_from_ref)]
    pub(crate) unsafe fn next(&self) -> &mut sys::iip_turn {
        // SAFETY: see above.
        unsafe { &mut *self.turn.get() }
    }

    #[inline]
    pub(crate) fn release(&self, buf: u64) {
        // SAFETY: only here, see next().
        let turn = unsafe { self.next() };
        if turn.release_n < self.area.release_cap {
            // SAFETY: within the array, which is the owner's to write.
            unsafe { self.area.releases.add(turn.release_n as usize).write(buf) };
            turn.release_n += 1;
        } else {
            self.overflow.borrow_mut().push(buf);
        }
    }

    #[inline]
    pub(crate) fn push(&self, op: sys::iip_op) -> Result<()> {
        // SAFETY: only here, see next().
        let turn = unsafe { self.next() };
        if turn.op_n >= self.area.op_cap {
            return Err(Error::AGAIN);
        }
        // SAFETY: within the array, which is the owner's to write.
        unsafe { self.area.ops.add(turn.op_n as usize).write(op) };
        turn.op_n += 1;
        Ok(())
    }

    /// Operations for which there is room in this turn.
    #[inline]
    pub fn room(&self) -> u32 {
        // SAFETY: only here, see next().
        self.area.op_cap - unsafe { self.next() }.op_n
    }

    /// Operations that a turn takes.
    pub fn op_cap(&self) -> u32 {
        self.area.op_cap
    }

    /// One operation at once, by a call of its own: for those that make something.
    fn now(&self, mut op: sys::iip_op) -> Result<u64> {
        // SAFETY: we are the owner; the addresses that op.arg may name are the caller's and live for the call.
        check(unsafe { sys::iip_loop_op(self.raw.as_ptr(), &mut op) })?;
        Ok(op.out)
    }

    /// Empty buffers that the last turn laid out and nobody took.
    #[inline]
    pub(crate) fn laid_out(&self) -> u32 {
        // SAFETY: only here, see next().
        let turn = unsafe { self.next() };
        turn.tx_free_n - turn.tx_taken
    }

    /// An empty buffer to write into, `None` when no packet buffer is free.
    #[inline]
    pub(crate) fn take_free(&self) -> Option<sys::iip_span> {
        // SAFETY: only here, see next().
        let turn = unsafe { self.next() };
        if turn.tx_taken < turn.tx_free_n {
            // SAFETY: the entries 0 .. tx_free_n - 1 were laid out by the last turn.
            let span = unsafe { self.area.tx_free.add(turn.tx_taken as usize).read() };
            turn.tx_taken += 1;
            return Some(span);
        }
        self.alloc()
    }

    /// Entries of tx_free count as taken only when the next turn says so, so a buffer from there may be sent by
    /// operations of the next turn, but not released by a call before it. One by iip_buf_alloc is ours at once.
    #[cold]
    fn alloc(&self) -> Option<sys::iip_span> {
        // SAFETY: all zero is a valid value of this structure of integers.
        let mut span: sys::iip_span = unsafe { std::mem::zeroed() };
        // SAFETY: we are the owner.
        check(unsafe { sys::iip_buf_alloc(self.raw.as_ptr(), &mut span) }).ok().map(|_| span)
    }

    // ---- around the turn, see turn.rs ----

    /// All buffers that wait to be released.
    pub(crate) fn take_releases(&self) -> Vec<u64> {
        // SAFETY: only here, see next().
        let turn = unsafe { self.next() };
        // SAFETY: release_n entries of the array were written by us.
        let listed = unsafe { std::slice::from_raw_parts(self.area.releases, turn.release_n as usize) };
        let mut all = self.overflow.take();
        all.extend_from_slice(listed);
        turn.release_n = 0;
        all
    }

    /// After the turn: what was staged has been read.
    #[inline]
    pub(crate) fn after(&self) {
        self.staged.set(0);
        self.aux_used.set(AUX_FIRST);
    }
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Queue").field("room", &self.room()).finish_non_exhaustive()
    }
}

impl TxBuf {
    /// Room of an empty buffer, `None` when no packet buffer is free.
    #[inline]
    pub(crate) fn of(shared: &Arc<Shared>) -> Option<TxBuf> {
        let span = shared.queue.take_free()?;
        Some(TxBuf::new(RawBuf { shared: shared.clone(), buf: span.buf, base: span.addr as *const u8 }, span.len))
    }
}
