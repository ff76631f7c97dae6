//! Sending: what becomes of bytes and buffers.

use std::net::SocketAddr;
use std::ops::Range;

use iip_sys as sys;

use super::{op, Queue, STAGING};
use crate::addr;
use crate::buf::RxBuf;
use crate::error::{Error, Result};
use crate::handle::{Conn, Udp};
use crate::region::Region;

/// A buffer that was not accepted for sending, and why: [`Error::AGAIN`]: there is no room for another operation in this
/// turn; [`Error::STALE`]: it is of another loop, whose bytes this one cannot send.
#[derive(Debug)]
pub struct Refused {
    /// Why.
    pub error: Error,
    /// What was to be sent.
    pub buf: RxBuf,
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "a buffer was not accepted for sending: {}", self.error)
    }
}

impl std::error::Error for Refused {}

impl Queue {
    /// Sends a buffer, in whole, behind what was sent before: an [`RxBuf`] as it is, a [`TxBuf`](crate::TxBuf) as far as
    /// it is filled. What the connection does not take comes back by [`Batch::short`](crate::Batch::short) after the turn.
    #[inline]
    pub fn send(&self, conn: Conn, buf: impl Into<RxBuf>) -> Result<(), Refused> {
        self.send_buf(conn, buf.into(), 0)
    }

    /// The same, and FIN behind it if all of it is taken.
    pub fn send_last(&self, conn: Conn, buf: impl Into<RxBuf>) -> Result<(), Refused> {
        self.send_buf(conn, buf.into(), sys::IIP_OP_SHUT)
    }

    #[inline]
    fn send_buf(&self, conn: Conn, buf: RxBuf, flags: u32) -> Result<(), Refused> {
        let mut op = op(sys::IIP_OP_SEND_BUF, conn.0);
        op.flags = flags as u16;
        op.buf = buf.raw.buf;
        op.offset = buf.offset;
        op.len = buf.len;
        self.push_buf(op, buf)
    }

    /// The reference of the buffer becomes the operation's.
    #[inline]
    fn push_buf(&self, op: sys::iip_op, buf: RxBuf) -> Result<(), Refused> {
        let done = if buf.raw.shared.raw == self.raw { self.push(op) } else { Err(Error::STALE) };
        match done {
            Ok(()) => {
                buf.raw.into_handle();
                Ok(())
            }
            Err(error) => Err(Refused { error, buf }),
        }
    }

    /// Copies bytes and sends them. [`Error::AGAIN`]: no room for them in this turn (64 KiB in all). How many of them the
    /// connection takes says [`Batch::short`](crate::Batch::short) after the turn, where it is not all.
    #[inline]
    pub fn send_copy(&self, conn: Conn, bytes: &[u8]) -> Result<()> {
        let at = self.staged.get();
        if bytes.len() > STAGING - at {
            return Err(Error::AGAIN);
        }
        let to = self.staging[at..].as_ptr().cast::<u8>().cast_mut();
        let mut op = op(sys::IIP_OP_SEND_COPY, conn.0);
        op.len = bytes.len() as u32;
        op.arg = to as u64;
        self.push(op)?;
        // SAFETY: there is room; UnsafeCell may be written through a shared reference; `bytes` is not of the staging,
        // of which nobody has a reference.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), to, bytes.len()) };
        self.staged.set(at + bytes.len());
        Ok(())
    }

    /// Sends bytes of registered memory without a copy. An event of kind `TxDone` with `user` follows if any byte is
    /// taken. [`Error::INVAL`]: the range is empty, or not in the region.
    pub fn send_region(&self, conn: Conn, region: &Region, range: Range<usize>, user: u64) -> Result<()> {
        let len = u32::try_from(range.len()).ok().filter(|&n| n != 0).ok_or(Error::INVAL)?;
        if range.end > region.len() {
            return Err(Error::INVAL);
        }
        if self.room() == 0 {
            return Err(Error::AGAIN);
        }
        let mut op = op(sys::IIP_OP_SEND_EXTERN, conn.0);
        op.len = len;
        op.buf = region.raw();
        op.arg = range.start as u64;
        op.user = self.externs.borrow_mut().fly(region, user);
        self.push(op)
    }

    /// Sends one datagram, from `local` where given (one of several addresses of ours). One that is not taken comes back
    /// by [`Batch::short`](crate::Batch::short).
    pub fn udp_send(
        &self,
        udp: Udp,
        peer: SocketAddr,
        local: Option<SocketAddr>,
        buf: impl Into<RxBuf>,
    ) -> Result<(), Refused> {
        let buf = buf.into();
        let ends = sys::iip_addrs { local: local.map_or_else(addr::any, addr::to_raw), peer: addr::to_raw(peer) };
        let Some(aux) = self.put_ends(ends) else { return Err(Refused { error: Error::AGAIN, buf }) };
        let mut op = op(sys::IIP_OP_UDP_SEND, udp.0);
        op.buf = buf.raw.buf;
        op.offset = buf.offset;
        op.len = buf.len;
        op.aux = aux;
        self.push_buf(op, buf)
    }

    /// Sends one datagram of any size at once, by a copy and a call of its own.
    pub fn udp_send_copy(&self, udp: Udp, peer: SocketAddr, local: Option<SocketAddr>, bytes: &[u8]) -> Result<()> {
        let ends = sys::iip_addrs { local: local.map_or_else(addr::any, addr::to_raw), peer: addr::to_raw(peer) };
        let mut op = op(sys::IIP_OP_UDP_SEND_COPY, udp.0);
        op.len = u32::try_from(bytes.len()).map_err(|_| Error::INVAL)?;
        op.buf = bytes.as_ptr() as u64;
        op.arg = std::ptr::from_ref(&ends) as u64;
        self.now(op).map(drop)
    }

    fn put_ends(&self, ends: sys::iip_addrs) -> Option<u32> {
        let at = self.aux_used.get();
        let end = at.checked_add(size_of::<sys::iip_addrs>() as u32)?;
        if end > self.area.op_aux_bytes {
            return None;
        }
        // SAFETY: within op_aux, which is the owner's to write; 64-byte records at multiples of 64.
        unsafe { self.area.op_aux.add(at as usize).cast::<sys::iip_addrs>().write(ends) };
        self.aux_used.set(end);
        Some(at)
    }
}
