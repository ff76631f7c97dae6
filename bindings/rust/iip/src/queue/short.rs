//! Operations that a turn did not do, or in part.

use std::ptr::NonNull;
use std::sync::Arc;

use iip_sys as sys;

use super::{Queue, Shared};
use crate::buf::{RawBuf, RxBuf};
use crate::error::{check, Error};

/// An operation that the last turn did not do, or did in part.
#[derive(Debug)]
#[non_exhaustive]
pub struct Short {
    /// Why: [`Error::AGAIN`] where a send queue is full (an event of kind `Writable` follows).
    pub error: Error,
    /// What it was done to, as a raw handle.
    pub obj: u64,
    /// Of a send: bytes that were taken all the same.
    pub taken: u32,
    /// Of a send from a buffer: what was not taken. Send it again, behind `Writable` and before all else, or drop it.
    pub rest: Option<RxBuf>,
    /// Of a send: it was to be the last ([`Queue::send_last`]).
    pub last: bool,
}

impl Queue {
    /// After a turn in which operations fell short: buffers that were not taken are ours again.
    #[cold]
    pub(crate) fn collect(&self, shared: &Arc<Shared>, ops: u32) {
        for i in 0..ops {
            // SAFETY: the turn has written the first `ops` entries; nobody writes there meanwhile.
            let op = unsafe { self.area.ops.add(i as usize).read() };
            let send =
                matches!(u32::from(op.code), sys::IIP_OP_SEND_BUF | sys::IIP_OP_SEND_EXTERN | sys::IIP_OP_SEND_COPY);
            let missing = if send { op.len - op.out as u32 } else { 0 };
            if op.status >= 0 && missing == 0 {
                continue;
            }
            self.shorts.borrow_mut().push(self.short(shared, &op));
        }
    }

    fn short(&self, shared: &Arc<Shared>, op: &sys::iip_op) -> Short {
        let code = u32::from(op.code);
        let rest = matches!(code, sys::IIP_OP_SEND_BUF | sys::IIP_OP_UDP_SEND).then(|| self.rest(shared, op));
        if code == sys::IIP_OP_SEND_EXTERN && op.out == 0 {
            let landed = self.externs.borrow_mut().land(op.user);
            self.landed.borrow_mut().extend(landed);
        }
        Short {
            error: check(op.status).err().unwrap_or(Error::AGAIN),
            obj: op.obj,
            taken: op.out as u32,
            rest,
            last: u32::from(op.flags) & sys::IIP_OP_SHUT != 0,
        }
    }

    fn rest(&self, shared: &Arc<Shared>, op: &sys::iip_op) -> RxBuf {
        // SAFETY: all zero is a valid value of this structure of integers.
        let mut span: sys::iip_span = unsafe { std::mem::zeroed() };
        // SAFETY: the handle is ours; one span fits.
        let n = check(unsafe { sys::iip_buf_spans(op.buf, &mut span, 1) }).unwrap_or(0);
        let out = op.out as u32;
        let (base, offset, len) = if n == 1 && op.offset + op.len <= span.len {
            (span.addr as *const u8, op.offset + out, op.len - out)
        } else {
            (NonNull::<u8>::dangling().as_ptr().cast_const(), 0, 0)
        };
        RxBuf { raw: RawBuf { shared: shared.clone(), buf: op.buf, base }, offset, len }
    }
}
