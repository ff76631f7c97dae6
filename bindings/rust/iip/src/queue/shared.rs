//! What buffers have of their loop.

use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;

use iip_sys as sys;

use super::Queue;
use crate::engine::{EngineInner, Slot};
use crate::error::{check, Error};

/// A loop as its buffers see it: alive as long as one of them is, and with it the engine and its memory.
pub(crate) struct Shared {
    pub(crate) queue: Queue,
    pub(crate) raw: NonNull<sys::iip_loop>,
    /// The token of the thread that holds the [`Loop`](crate::Loop); 0: nobody does.
    pub(crate) owner: AtomicUsize,
    pub(crate) index: u32,
    pub(crate) engine: Arc<EngineInner>,
}

// SAFETY: `queue` is reached by the thread `owner` alone: through Loop and Batch, which are !Send, or after a look at
// `owner` (release). The rest is [any] objects of the C interface and atomics.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}

thread_local! {
    static TOKEN: u8 = const { 0 };
}

/// A number that no other living thread has.
#[inline]
pub(crate) fn thread_token() -> usize {
    TOKEN.with(|t| std::ptr::from_ref(t) as usize)
}

impl Shared {
    /// Gives one reference of a buffer back: with the owner's next turn, or from elsewhere by a call.
    #[inline]
    pub(crate) fn release(&self, buf: u64) {
        if self.owner.load(Ordering::Relaxed) == thread_token() {
            self.queue.release(buf);
        } else {
            self.release_now(buf);
        }
    }

    /// By a call.
    fn release_now(&self, buf: u64) {
        // SAFETY: takes any number.
        let status = check(unsafe { sys::iip_buf_release(buf) });
        debug_assert!(status != Err(Error::STALE), "a reference was not ours");
    }

    #[inline]
    pub(crate) fn slot(&self) -> &Slot {
        &self.engine.slots[self.index as usize]
    }

    /// Before the turn: buffers that found no way back yet.
    #[inline]
    pub(crate) fn before(&self) {
        let queue = &self.queue;
        queue.externs.borrow_mut().settle();
        if !queue.overflow.borrow().is_empty() {
            // The list is full: it goes by calls, with the rest.
            queue.take_releases().into_iter().for_each(|buf| self.release_now(buf));
        }
    }

    /// The loop is given up: operations that no turn will do keep no buffer.
    pub(crate) fn give_up(&self) {
        let queue = &self.queue;
        // SAFETY: only here, see next().
        let turn = unsafe { queue.next() };
        let ops = std::mem::take(&mut turn.op_n);
        self.slot().taken.store(std::mem::take(&mut turn.tx_taken), Ordering::Relaxed);
        let mut bufs = queue.take_releases();
        for i in 0..ops {
            // SAFETY: written by push().
            let op = unsafe { queue.area.ops.add(i as usize).read() };
            match u32::from(op.code) {
                sys::IIP_OP_SEND_BUF | sys::IIP_OP_UDP_SEND => bufs.push(op.buf),
                sys::IIP_OP_SEND_EXTERN => {
                    let landed = queue.externs.borrow_mut().land(op.user);
                    queue.landed.borrow_mut().extend(landed);
                }
                _ => {}
            }
        }
        bufs.into_iter().for_each(|buf| self.release_now(buf));
    }
}
